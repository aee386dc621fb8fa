//! Weakening the sources one place at a time, to see which test notices.
//!
//! A scan finds every memory ordering, fence and notification by itself;
//! what it cannot find (a re-check after registering, a wake that is passed on, a look at
//! the closed flag) stands in a kept list, `tests/mutations.txt`, read by [`list`]. That
//! list also argues for the mutations that no test can notice.

mod group;
pub mod list;
mod places;
pub mod run;
mod scan;
mod suites;
pub mod table;

use list::List;
use scan::scan;
use std::io;
use std::ops::Range;
use std::path::Path;

/// Whose sources are weakened.
pub const PACKAGES: &[&str] = &["queue-core", "queue-thread", "queue-async", "queue-process"];

/// What judges is not judged: the machinery of models, the contract, and a file of tests.
const JUDGES: &[&str] = &[
    "queue-core/src/contract/",
    "queue-core/src/model.rs",
    "queue-core/src/sync/modelled.rs",
    "queue-process/src/model/",
    "queue-process/src/shared/noticed.rs",
    "queue-thread/src/lock_free/stand_in.rs",
];

/// One change of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// Names it for good: file, function, change, and a number where that is not unique.
    pub id: String,
    /// The file, relative to the root.
    pub file: String,
    /// The bytes of the file that are replaced.
    pub place: Range<usize>,
    /// What they are replaced by.
    pub replacement: String,
}

impl Mutation {
    /// Whether it weakens an ordering, or the fence of one.
    pub fn is_ordering(&self) -> bool {
        let weaker = self
            .id
            .trim_end_matches(|c: char| c == '#' || c == ' ' || c.is_numeric());
        let orders = ["Relaxed", "Acquire", "Release", "AcqRel"];
        orders
            .iter()
            .any(|order| weaker.ends_with(&format!(" to {order}")))
    }

    /// `text`, the file's, with this change.
    pub fn apply(&self, text: &str) -> String {
        let Range { start, end } = self.place;
        format!("{}{}{}", &text[..start], self.replacement, &text[end..])
    }
}

/// All mutations of the sources below `root`, in the order of their files: those found by
/// reading them, and those of the kept list; and that list.
///
/// # Errors
/// If a source cannot be read, or the list does not fit them.
pub fn all(root: &Path) -> io::Result<(Vec<Mutation>, List)> {
    let kept = std::fs::read_to_string(root.join("tests/mutations.txt"))?;
    let list = list::read(&kept, root).map_err(io::Error::other)?;
    let mut all = list.mutations.clone();
    for package in PACKAGES {
        let mut directories = vec![root.join(package).join("src")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let file = path.strip_prefix(root).unwrap_or(&path);
                    let file = file.to_string_lossy();
                    if !JUDGES.iter().any(|judge| file.starts_with(judge)) {
                        all.extend(scan(&file, &std::fs::read_to_string(&path)?));
                    }
                }
            }
        }
    }
    // Stable: within a file, first the list's, then those of its lines.
    all.sort_by(|a, b| a.file.cmp(&b.file));
    Ok((all, list))
}

/// Numbers those mutations that would have the same name.
fn number_repeated(mutations: &mut [Mutation]) {
    let names: Vec<String> = mutations.iter().map(|m| m.id.clone()).collect();
    for (n, mutation) in mutations.iter_mut().enumerate() {
        let same = |others: &[String]| others.iter().filter(|id| **id == names[n]).count();
        if same(&names) > 1 {
            mutation.id = format!("{} #{}", names[n], same(&names[..n]) + 1);
        }
    }
}
