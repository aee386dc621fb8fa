//! Weakening the sources one place at a time, to see which test notices.
//!
//! [`scan`](self::scan()) finds every memory ordering, fence and notification by itself;
//! what it cannot find (a re-check after registering, a wake that is passed on, a look at
//! the closed flag) stands in a kept list, `tests/mutations.txt`, read by [`list`]. That
//! list also argues for the mutations that no test can notice.

pub mod list;
mod places;
pub mod run;
mod scan;
pub mod table;

pub use scan::scan;

use std::ops::Range;

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
    /// The package that it is in.
    pub fn package(&self) -> &str {
        self.file.split('/').next().unwrap_or_default()
    }

    /// `text`, the file's, with this change.
    pub fn apply(&self, text: &str) -> String {
        let Range { start, end } = self.place;
        format!("{}{}{}", &text[..start], self.replacement, &text[end..])
    }
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
