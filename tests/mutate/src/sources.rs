//! Which files are weakened: those that are compiled here into the crates that ship.

use crate::syntax::{is_off, path_attribute};
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Whose sources are weakened.
pub const PACKAGES: &[&str] = &["queue-core", "queue-thread", "queue-async", "queue-process"];

/// What is left alone below these paths, and why.
pub const EXCLUDED: &[(&str, &str)] = &[
    (
        "queue-core/src/contract/",
        "it judges: tests/broken.rs shows that each clause can fail",
    ),
    ("queue-core/src/model.rs", "it judges"),
    ("queue-core/src/error.rs", "plain data"),
    ("queue-core/src/failure.rs", "plain data"),
    (
        "queue-core/src/create.rs",
        "calls constructors, keeps no state",
    ),
    (
        "queue-core/src/dynamic.rs",
        "passes each call on, keeps no state",
    ),
    ("queue-process/src/ipc/handle_serde.rs", "plain data"),
    (
        "queue-process/src/linux/share/handle_serde.rs",
        "plain data",
    ),
];

/// Every file that is weakened, relative to `root`, and its text.
///
/// # Errors
/// If a module cannot be found or parsed.
pub fn find(root: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for package in PACKAGES {
        let mut files = vec![format!("{package}/src/lib.rs")];
        while let Some(file) = files.pop() {
            if found.contains_key(&file) {
                continue;
            }
            let text = std::fs::read_to_string(root.join(&file))
                .map_err(|error| io::Error::other(format!("{file}: {error}")))?;
            let parsed = syn::parse_file(&text)
                .map_err(|error| io::Error::other(format!("{file}: {error}")))?;
            modules(root, &file, &children(&file), &parsed.items, &mut files);
            found.insert(file, text);
        }
    }
    found.retain(|file, _| !EXCLUDED.iter().any(|(path, _)| file.starts_with(path)));
    Ok(found)
}

/// The files of the modules that `items` of `file` declare, and that are compiled here.
fn modules(root: &Path, file: &str, below: &Path, items: &[syn::Item], files: &mut Vec<String>) {
    for item in items {
        let syn::Item::Mod(module) = item else {
            continue;
        };
        if is_off(&module.attrs) {
            continue;
        }
        let name = module.ident.to_string();
        if let Some((_, items)) = &module.content {
            modules(root, file, &below.join(name), items, files);
            continue;
        }
        let path = match path_attribute(&module.attrs) {
            Some(path) => plain(&Path::new(file).with_file_name("").join(path)),
            None => {
                let flat = below.join(format!("{name}.rs"));
                if root.join(&flat).is_file() {
                    plain(&flat)
                } else {
                    plain(&below.join(name).join("mod.rs"))
                }
            }
        };
        files.push(path);
    }
}

/// Where the modules lie that `file` declares.
fn children(file: &str) -> PathBuf {
    let path = Path::new(file);
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") | None => path.with_file_name(""),
        Some(_) => path.with_extension(""),
    }
}

/// `path` without its steps up, and with `/`.
fn plain(path: &Path) -> String {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = parts.pop(),
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            _ => {}
        }
    }
    parts.join("/")
}
