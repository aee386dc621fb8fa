//! Which tests could notice a mutation.

use super::Mutation;
use crate::models::{self, ModelFile};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Tests that are run together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suite {
    /// One file of loom models.
    Models(ModelFile),
    /// The unit tests of a package, or one file of its other tests.
    Tests(String, Option<String>),
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Models(file) => file.fmt(f),
            Self::Tests(package, None) => f.write_str(package),
            Self::Tests(package, Some(target)) => write!(f, "{package}/tests/{target}"),
        }
    }
}

/// The suites in `tree` that could notice the mutation, those nearest to it first: the models, as
/// far as its file is part of them, and the tests, of its package and of those
/// whose waiting is built on it. Not the tests if it is an ordering that is weaker:
/// common processors keep the stronger one anyway.
pub(super) fn find(tree: &Path, builds: &Path, mutation: &Mutation) -> io::Result<Vec<Suite>> {
    let file = mutation.file.as_str();
    let (package, _) = file.split_once('/').unwrap_or((file, ""));
    let packages: &[&str] = match package {
        "queue-core" => &["queue-core", "queue-thread", "queue-async"],
        _ => &[package],
    };
    let modelled = is_modelled(builds, file)?;
    let all_models = models::find(tree)?;
    let (mut suites, mut tests) = (Vec::new(), Vec::new());
    for package in packages {
        let own = |model: &&ModelFile| modelled && model.package == *package;
        suites.extend(all_models.iter().filter(own).cloned().map(Suite::Models));
        if mutation.is_ordering() {
            continue;
        }
        let unit = Suite::Tests((*package).to_string(), None);
        let mut files = test_files(tree, package)?;
        // `shm/ring.rs` is the business of `shm` and of `contract_shm`.
        files.sort_by_key(|test| {
            !file
                .split(['/', '.'])
                .any(|part| test.split('_').any(|word| word == part))
        });
        tests.push(unit);
        tests.extend(
            files
                .into_iter()
                .map(|test| Suite::Tests((*package).to_string(), Some(test))),
        );
    }
    suites.extend(tests);
    Ok(suites)
}

/// The names of a package's test targets that are no models.
fn test_files(tree: &Path, package: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(tree.join(package).join("tests"))? {
        let path = entry?.path();
        let target = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_file = path.extension().is_some_and(|e| e == "rs") && !target.starts_with("loom_");
        if is_file || path.join("main.rs").is_file() {
            found.push(target);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether `file` is compiled into models: what the compiler noted down when it last
/// built them says so. Until it has, anything may be.
fn is_modelled(builds: &Path, file: &str) -> io::Result<bool> {
    let (package, _) = file.split_once('/').unwrap_or((file, ""));
    let notes = notes(builds, &format!("{}-", package.replace('-', "_")))?;
    for note in &notes {
        let sources = std::fs::read_to_string(note)?;
        if sources
            .split_whitespace()
            .any(|source| plain(source) == file)
        {
            return Ok(true);
        }
    }
    Ok(notes.is_empty())
}

/// Forgets of which files the models are made, for there are new ones.
pub(super) fn forget_models(builds: &Path) -> io::Result<()> {
    notes(builds, "queue_")?
        .iter()
        .try_for_each(std::fs::remove_file)
}

/// What the compiler noted down of the models' libraries whose names begin so.
fn notes(builds: &Path, library: &str) -> io::Result<Vec<PathBuf>> {
    let Ok(built) = std::fs::read_dir(builds.join("loom/release/deps")) else {
        return Ok(Vec::new());
    };
    let mut notes = Vec::new();
    for file in built {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(library) && name.ends_with(".d") {
            notes.push(path);
        }
    }
    Ok(notes)
}

/// `path` without its steps up: `a/b/../c` is `a/c`.
fn plain(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
