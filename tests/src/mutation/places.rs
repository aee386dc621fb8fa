//! Reading Rust as lines, well enough to find calls in it.

/// A line of code without its comment.
pub(super) struct Line<'a> {
    /// Where it begins in the file.
    pub(super) start: usize,
    pub(super) code: &'a str,
    /// The function that it stands in.
    pub(super) function: &'a str,
}

/// The lines of a file that hold code, up to its unit tests.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let (mut lines, mut start, mut function) = (Vec::new(), 0, "");
    for whole in text.split_inclusive('\n') {
        if whole.starts_with("#[cfg(test)]") || whole.starts_with("#[cfg(all(test") {
            break;
        }
        let code = whole.split("//").next().unwrap_or(whole).trim_end();
        if let Some(name) = declared(code) {
            function = name;
        }
        if !code.trim_start().starts_with("use ") {
            lines.push(Line {
                start,
                code,
                function,
            });
        }
        start += whole.len();
    }
    lines
}

/// The name of the function declared in `code`.
fn declared(code: &str) -> Option<&str> {
    let after = match code.trim_start().strip_prefix("fn ") {
        Some(after) => after,
        None => code.split_once(" fn ")?.1,
    };
    let end = after.find(|c: char| !is_word(c)).unwrap_or(after.len());
    Some(&after[..end]).filter(|name| !name.is_empty())
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the expression begins whose last method or function name begins at `name`:
/// `self.events().items.notify` gives the place of `self`.
pub(super) fn receiver(code: &str, name: usize) -> usize {
    let (mut at, mut open) = (name, 0usize);
    for (n, c) in code[..name].char_indices().rev() {
        match c {
            ')' | ']' => open += 1,
            '(' | '[' if open == 0 => break,
            '(' | '[' => open -= 1,
            _ if open > 0 => {}
            _ if is_word(c) || matches!(c, '.' | ':' | '?') => {}
            _ => break,
        }
        at = n;
    }
    at
}

/// Where the argument list ends that opens at `open`, or `None` if not on this line.
pub(super) fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (n, c) in code[open..].char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(open + n + 1);
        }
    }
    None
}
