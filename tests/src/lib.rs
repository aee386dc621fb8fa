//! What concerns the whole family, and is not published: the swap, the main program's
//! real processes, tidiness, and `cargo loom`, which runs every model and requires each to
//! have completed ([`models`]). `cargo mutate` is a crate of its own, below `mutate/`.

#![forbid(unsafe_code)]

pub mod models;

/// The README's code, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub mod readme {}

/// The recipes, each a program of its own.
#[cfg(doctest)]
#[doc = include_str!("../../docs/recipes.md")]
pub mod recipes {}

/// Presses Ctrl-C a moment later, for this process alone: what a recipe waits for.
///
/// # Panics
/// If there is no shell.
pub fn press_ctrl_c() {
    let press = format!("sleep 0.2; kill -INT {}", std::process::id());
    let shell = std::process::Command::new("sh")
        .args(["-c", &press])
        .spawn();
    drop(shell.expect("a shell"));
}

/// So that of `queue-core`, whose own tests know no kind.
#[cfg(doctest)]
#[doc = include_str!("../../queue-core/README.md")]
pub mod readme_of_core {}

use std::path::{Path, PathBuf};

/// The root of the repository.
///
/// # Panics
/// If this package was moved out of the workspace.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("tests/ lies in the workspace").to_path_buf()
}
