//! A copy of the tree, where it can be changed, with build directories of its own.

use crate::mutant::{Mutant, hash};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of the sources.
#[derive(Debug)]
pub(super) struct Copy {
    /// Where they lie.
    pub(super) tree: PathBuf,
    /// Where they are built as they ship.
    pub(super) std: PathBuf,
    /// Where they are built for models.
    pub(super) loom: PathBuf,
}

impl Copy {
    /// Makes the copy in `home` the same as `root`. What `like`, another one, has built of others'
    /// crates it takes over.
    pub(super) fn new(root: &Path, home: &Path, like: Option<&Self>) -> io::Result<Self> {
        let copy = Self {
            tree: home.join("tree"),
            std: home.join("std"),
            loom: home.join("loom"),
        };
        mirror(root, &copy.tree)?;
        for (from, to) in like
            .iter()
            .flat_map(|l| [(&l.std, &copy.std), (&l.loom, &copy.loom)])
        {
            if !to.exists() && from.exists() {
                Command::new("cp").arg("-a").args([from, to]).status()?;
            }
        }
        Ok(copy)
    }

    /// Has each of `files` hold its text.
    pub(super) fn write(&self, files: &BTreeMap<String, String>) -> io::Result<()> {
        let write =
            |(file, text): (&String, &String)| write(&self.tree.join(file), text.as_bytes());
        files.iter().try_for_each(write)
    }

    /// Does `work` while the change of `mutant` is made.
    pub(super) fn with<R>(
        &self,
        mutant: &Mutant,
        work: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let file = self.tree.join(&mutant.file);
        let text = std::fs::read_to_string(&file)?;
        if text.get(mutant.place.clone()) != Some(&mutant.original) {
            let moved = format!("{} was changed meanwhile", mutant.file);
            return Err(io::Error::other(moved));
        }
        while_written(&file, &mutant.apply(&text), &text, work)
    }

    /// Does `work` without the change of `mutant`, within the work that is done with it.
    pub(super) fn without<R>(
        &self,
        mutant: &Mutant,
        work: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let file = self.tree.join(&mutant.file);
        let text = std::fs::read_to_string(&file)?;
        while_written(&file, &mutant.take_back(&text), &text, work)
    }
}

/// Does `work` while `file` holds `text`, and `before` again afterwards.
fn while_written<R>(
    file: &Path,
    text: &str,
    before: &str,
    work: impl FnOnce() -> io::Result<R>,
) -> io::Result<R> {
    std::fs::write(file, text)?;
    let result = work();
    std::fs::write(file, before)?;
    result
}

/// What is no source.
fn is_left_out(name: &str) -> bool {
    matches!(name, "target" | ".git" | "bench")
}

/// Writes `content` to `file`, and leaves it alone if it holds that, so that it is not built anew.
fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    match std::fs::read(file) {
        Ok(there) if there == content => Ok(()),
        _ => std::fs::write(file, content),
    }
}

/// Makes `to` a copy of `from`.
fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let (source, copied) = (entry.path(), to.join(&name));
        if is_left_out(&name.to_string_lossy()) {
            continue;
        }
        if kind.is_dir() {
            mirror(&source, &copied)?;
        } else if kind.is_file() {
            write(&copied, &std::fs::read(&source)?)?;
        }
    }
    // What is gone from the sources goes from the copy.
    for entry in std::fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            match entry.file_type()?.is_dir() {
                true => std::fs::remove_dir_all(entry.path())?,
                false => std::fs::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}

/// A hash of all that decides what the tests of the tree at `root` do.
pub(super) fn sources(root: &Path) -> io::Result<String> {
    let (mut files, mut directories) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_source = matches!(
                path.extension().and_then(|extension| extension.to_str()),
                Some("rs" | "toml" | "lock" | "txt")
            );
            if path.is_dir() && !is_left_out(&name) {
                directories.push(path);
            } else if is_source && name != "mutations.txt" {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut all = Vec::new();
    for file in files {
        // This tool is none of it.
        if !file.starts_with(root.join("tests/mutate")) {
            all.extend(
                file.strip_prefix(root)
                    .unwrap_or(&file)
                    .to_string_lossy()
                    .bytes(),
            );
            all.extend(std::fs::read(&file)?);
        }
    }
    Ok(format!("{:010x}", hash(all.into_iter()) >> 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_made_and_taken_back() {
        let home = std::env::temp_dir().join(format!("family-mutate-copy-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&home);
        let (root, file) = (home.join("root"), "a/src/b.rs");
        std::fs::create_dir_all(root.join("a/src")).unwrap();
        let text = "fn f() { if a > b { c(); } }";
        std::fs::write(root.join(file), text).unwrap();
        let before = sources(&root).unwrap();
        let copy = Copy::new(&root, &home.join("copy"), None).unwrap();
        let mutant = &crate::operators::scan(file, text).unwrap()[0];
        let read = |root: &Path| std::fs::read_to_string(root.join(file)).unwrap();
        let (changed, between) = copy
            .with(mutant, || {
                let between = copy.without(mutant, || Ok(read(&copy.tree)))?;
                Ok((read(&copy.tree), between))
            })
            .unwrap();
        assert_eq!(changed, mutant.apply(text));
        assert_eq!(between, text);
        assert_ne!(changed, text);
        assert_eq!(
            (read(&copy.tree), read(&root)),
            (text.to_string(), text.to_string())
        );

        // What is gone is gone from the copy as well, and what is changed is seen.
        std::fs::rename(root.join(file), root.join("a/src/c.rs")).unwrap();
        assert_ne!(sources(&root).unwrap(), before);
        let copy = Copy::new(&root, &home.join("copy"), None).unwrap();
        assert!(!copy.tree.join(file).exists() && copy.tree.join("a/src/c.rs").exists());
        std::fs::remove_dir_all(&home).unwrap();
    }
}
