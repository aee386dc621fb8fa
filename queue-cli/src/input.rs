//! The lines of standard input, each an item.

use std::io::{self, BufRead};

/// Each line, without its end. It fails for one that is no text, and goes on behind it. What cannot be
/// read ends it.
pub(crate) struct Input<R> {
    from: Option<R>,
    line: u64,
}

impl Input<io::StdinLock<'static>> {
    pub(crate) fn stdin() -> Self {
        Self::new(io::stdin().lock())
    }
}

impl<R: BufRead> Input<R> {
    fn new(from: R) -> Self {
        Self {
            from: Some(from),
            line: 0,
        }
    }
}

impl<R: BufRead> Iterator for Input<R> {
    /// A line, or why it is none.
    type Item = Result<String, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        match self.from.as_mut()?.read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => {
                // Most errors stay, and would come for ever.
                self.from = None;
                return Some(Err(format!("cannot read: {error}")));
            }
        }
        self.line += 1;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        let line = String::from_utf8(bytes);
        Some(line.map_err(|_| format!("line {} is not UTF-8", self.line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_item() {
        let bytes: &[u8] = b"one\n\ntwo \r\n\xff\nend";
        let lines: Vec<_> = Input::new(bytes).map(Result::ok).collect();
        let lines: Vec<_> = lines.iter().map(Option::as_deref).collect();
        assert_eq!(
            lines,
            [Some("one"), Some(""), Some("two \r"), None, Some("end")]
        );
        assert_eq!(Input::new(&b""[..]).count(), 0);
    }

    #[test]
    fn an_input_that_cannot_be_read_ends() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::IsADirectory.into())
            }
        }
        let broken = io::BufReader::new(io::Read::chain(&b"one\n"[..], Broken));
        let lines: Vec<_> = Input::new(broken).map(Result::ok).take(4).collect();
        assert_eq!(lines, [Some("one".into()), None]);
    }
}
