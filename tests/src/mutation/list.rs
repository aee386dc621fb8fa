//! The kept list: mutations that need judgement, and arguments for those that nothing
//! can notice.
//!
//! Entries are separated by blank lines; `#` begins a comment.
//!
//! ```text
//! change queue-core/src/event/listener.rs: a dropped listener keeps its wake
//! -        if self.leave() {
//! +        if self.leave() && false {
//!
//! argued queue-core/src/ends.rs: leave: fetch_sub AcqRel to Release
//! why it changes nothing that anybody could notice
//! ```
//!
//! The lines of `-` must stand in the file exactly once; those of `+` replace them.

use super::Mutation;
use std::path::Path;

/// What the list says.
#[derive(Debug, Default)]
pub struct List {
    /// Changes in its own words.
    pub mutations: Vec<Mutation>,
    /// The name of a mutation, and why nothing notices it.
    pub argued: Vec<(String, String)>,
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
        if let Some(id) = head.strip_prefix("argued ") {
            list.argued.push((id.to_string(), body.join(" ")));
        } else if let Some(id) = head.strip_prefix("change ") {
            list.mutations.push(change(id, body, root)?);
        } else {
            return Err(format!("neither a change nor an argument: {head}"));
        }
    }
    Ok(list)
}

fn change(id: &str, body: &[&str], root: &Path) -> Result<Mutation, String> {
    let of = |sign| {
        let lines = body.iter().filter_map(|line| line.strip_prefix(sign));
        lines.collect::<Vec<_>>().join("\n")
    };
    let (old, new) = (of('-'), of('+'));
    let (file, _) = id.split_once(": ").ok_or(format!("names no file: {id}"))?;
    let text = std::fs::read_to_string(root.join(file)).map_err(|e| format!("{file}: {e}"))?;
    let mut places = text.match_indices(&old);
    match (places.next(), places.next()) {
        (Some((start, _)), None) if !old.is_empty() => Ok(Mutation {
            id: id.to_string(),
            file: file.to_string(),
            place: start..start + old.len(),
            replacement: new,
        }),
        _ => Err(format!(
            "its lines do not stand in the file exactly once: {id}"
        )),
    }
}
