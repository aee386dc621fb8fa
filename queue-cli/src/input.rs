//! The lines of standard input, each an item.

use crate::end::End;
use std::io::{self, BufRead};

/// Each line, without its end. It fails for one that is no text, and goes on behind it.
pub(crate) struct Input<R> {
    from: R,
    line: u64,
}

impl Input<io::StdinLock<'static>> {
    pub(crate) fn stdin() -> Self {
        Self::new(io::stdin().lock())
    }
}

impl<R: BufRead> Input<R> {
    fn new(from: R) -> Self {
        Self { from, line: 0 }
    }
}

impl<R: BufRead> Iterator for Input<R> {
    type Item = Result<String, End>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        match self.from.read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(Err(End::Failed(format!("cannot read: {error}")))),
        }
        self.line += 1;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        let line = String::from_utf8(bytes);
        Some(line.map_err(|_| End::Failed(format!("line {} is not UTF-8", self.line))))
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
}
