//! The kept list, `tests/mutations.txt`: changes that need judgement, and arguments for those
//! that nothing can notice.
//!
//! Entries are separated by blank lines; `#` begins a comment.
//!
//! ```text
//! change queue-core/src/event/listener.rs: a dropped listener keeps its wake
//! -        if self.leave() {
//! +        if self.leave() && false {
//!
//! argued equivalent queue-core/src/halves.rs: EndpointCounts::leave: ordering: .. AcqRel to Release
//! why it changes nothing that anybody could notice
//! ```
//!
//! The lines of `-` must stand in the file exactly once; those of `+` replace them.
//!
//! An argument names its [reason](REASONS) and the mutant as `cargo mutate --list` does: file,
//! function, operator, text. So it holds wherever in the file the function stands, and falls
//! when the text changes for which it was made. A `*` at the end stands for any rest.

use crate::mutant::Mutant;
use crate::operators::LISTED;
use std::path::Path;

/// The reasons for which a mutant may survive.
pub const REASONS: &[(&str, &str)] = &[
    ("equivalent", "no run of the program differs"),
    (
        "speed",
        "it is slower or sleeps more or less, within what is promised",
    ),
    (
        "net",
        "something else makes good for it, as is meant for what cannot happen otherwise",
    ),
    (
        "beyond",
        "what would show it, models and tests cannot do here",
    ),
];

/// Why nothing notices a mutant.
#[derive(Clone, Debug)]
pub struct Argument {
    /// One of [`REASONS`].
    pub reason: &'static str,
    /// The mutant's id, or its beginning and a `*`.
    pub id: String,
    /// In words.
    pub why: String,
}

impl Argument {
    /// Whether it is about the mutant of this id.
    pub fn is_about(&self, id: &str) -> bool {
        match self.id.strip_suffix('*') {
            Some(beginning) => id.starts_with(beginning),
            None => id == self.id,
        }
    }
}

/// What the list says.
#[derive(Debug, Default)]
pub struct List {
    /// Changes in its own words.
    pub mutants: Vec<Mutant>,
    /// Arguments.
    pub argued: Vec<Argument>,
}

impl List {
    /// The argument for the mutant of this id.
    pub fn argument(&self, id: &str) -> Option<&Argument> {
        self.argued.iter().find(|argument| argument.is_about(id))
    }
}

/// Reads the list in `text` against the sources below `root`.
///
/// # Errors
/// In words, if an entry is malformed or its lines do not stand in the file once.
pub fn read(text: &str, root: &Path) -> Result<List, String> {
    let mut list = List::default();
    let without_comments: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    for entry in without_comments.split(|line| line.trim().is_empty()) {
        let Some((head, body)) = entry.split_first() else {
            continue;
        };
        if let Some(argued) = head.strip_prefix("argued ") {
            let (reason, id) = argued.split_once(' ').unwrap_or((argued, ""));
            let known = REASONS.iter().find(|(known, _)| *known == reason);
            list.argued.push(Argument {
                reason: known.ok_or(format!("no reason of the list: {head}"))?.0,
                id: id.to_string(),
                why: body.join(" "),
            });
        } else if let Some(name) = head.strip_prefix("change ") {
            list.mutants.push(change(name, body, root)?);
        } else {
            return Err(format!("neither a change nor an argument: {head}"));
        }
    }
    Ok(list)
}

fn change(name: &str, body: &[&str], root: &Path) -> Result<Mutant, String> {
    let of = |sign| {
        let lines = body.iter().filter_map(|line| line.strip_prefix(sign));
        lines.collect::<Vec<_>>().join("\n")
    };
    let (old, new) = (of('-'), of('+'));
    let (file, change) = name
        .split_once(": ")
        .ok_or(format!("names no file: {name}"))?;
    let text = std::fs::read_to_string(root.join(file)).map_err(|e| format!("{file}: {e}"))?;
    let mut places = text.match_indices(&old);
    match (places.next(), places.next()) {
        (Some((start, _)), None) if !old.is_empty() && old != new => Ok(Mutant {
            operator: LISTED,
            file: file.to_string(),
            function: String::new(),
            change: change.to_string(),
            place: start..start + old.len(),
            original: old,
            replacement: new,
            number: 0,
        }),
        _ => Err(format!(
            "its lines do not stand in the file exactly once, or do not change: {name}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<List, String> {
        super::read(text, &family_tests::root())
    }

    #[test]
    fn an_argument_is_found_by_name_or_by_its_beginning() {
        let list = read(
            "argued speed a.rs: f: swap: x; after y;\nit is only a hint\n\n\
             # of one function\nargued equivalent a.rs: g: *\nnobody calls it",
        )
        .unwrap();
        let of = |id| list.argument(id).map(|argument| argument.reason);
        assert_eq!(of("a.rs: f: swap: x; after y;"), Some("speed"));
        assert_eq!(of("a.rs: f: swap: x; after y; #2"), None);
        assert_eq!(of("a.rs: g: wake: anything"), Some("equivalent"));
        assert_eq!(of("a.rs: gg: wake: anything"), None);
        assert_eq!(list.argued[0].why, "it is only a hint");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let wrong = [
            ("argued because a.rs: f: x\nno such reason", "no reason"),
            ("changed x", "neither"),
            (
                "change README.md: y\n-no such line of it\n+z",
                "exactly once",
            ),
            ("change README.md: y\n+z", "exactly once"),
            ("change nowhere.rs: y\n-x\n+z", "nowhere.rs"),
        ];
        for (text, fault) in wrong {
            let error = read(text).expect_err(text);
            assert!(error.contains(fault), "{error}");
        }
    }
}
