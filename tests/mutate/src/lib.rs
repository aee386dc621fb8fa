//! `cargo mutate`: weakens the sources one place at a time, and asks the models and tests
//! which of them notices.
//!
//! * [`sources`] follows the modules of each crate to the functions that are compiled here;
//! * [`operators`] find the places in a function by its syntax, one way of weakening each;
//! * [`list`] holds what needs judgement: changes in words of their own, and arguments for
//!   what no test can notice (`tests/mutations.txt`);
//! * [`sample`] draws some of them by a seed;
//! * [`judge`] makes the changes in a copy of the tree, and runs models and tests;
//! * [`results`] keeps what became of each, and [`table`] writes `docs/mutations.md` from that.

#![forbid(unsafe_code)]

pub mod judge;
pub mod list;
pub mod mutant;
pub mod operators;
pub mod options;
pub mod results;
pub mod sample;
pub mod sources;
mod syntax;
pub mod table;

use list::List;
use mutant::Mutant;
use std::io;
use std::path::Path;

/// Every mutant of the sources below `root`, in the order of their files: those that the
/// operators find and those of the kept list; and that list.
///
/// # Errors
/// If a source cannot be read or parsed, or the list does not fit them.
pub fn all(root: &Path) -> io::Result<(Vec<Mutant>, List)> {
    let kept = std::fs::read_to_string(root.join("tests/mutations.txt"))?;
    let list = list::read(&kept, root).map_err(io::Error::other)?;
    let mut all = list.mutants.clone();
    for (file, text) in sources::find(root)? {
        all.extend(operators::scan(&file, &text)?);
    }
    // Stable: within a file, first the list's, then those of its functions.
    all.sort_by(|a, b| a.file.cmp(&b.file));
    mutant::number_repeated(&mut all);
    Ok((all, list))
}
