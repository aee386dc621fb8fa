//! What a run says: tables for people, JSON for programs, a chart for the README.

mod chart;
mod page;
mod stats;
mod table;

pub(crate) use page::renew;
pub(crate) use stats::short;
pub(crate) use table::label;

use crate::machine;
use crate::runner::{Care, Quiet, Row};
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// What it ran on.
    pub machine: String,
    /// The profile that it was built with.
    #[serde(default)]
    pub profile: String,
    /// The peers' versions.
    pub versions: Vec<String>,
    /// How thoroughly it measured.
    pub care: Care,
    /// How quiet the machine was.
    pub quiet: Quiet,
    /// What was measured.
    pub rows: Vec<Row>,
}

impl Report {
    /// Of what was measured just now, here.
    pub fn new(rows: Vec<Row>, quiet: Quiet, care: Care) -> Self {
        Self {
            machine: machine::describe(),
            profile: profile(),
            versions: versions(),
            care,
            quiet,
            rows,
        }
    }
}

/// That of this program: cargo builds each into a folder of its name.
fn profile() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let folder = program.parent().and_then(|folder| folder.file_name());
    folder.unwrap_or_default().to_string_lossy().into_owned()
}

/// The peers and their versions, from the lock file that this program was built with.
fn versions() -> Vec<String> {
    const LOCK: &str = include_str!("../../Cargo.lock");
    const MANIFEST: &str = include_str!("../../Cargo.toml");
    let wanted = |name: &str| {
        let peers = MANIFEST.split("# The peers").skip(1);
        peers
            .flat_map(str::lines)
            .any(|line| line.split([' ', '=']).next() == Some(name))
    };
    LOCK.split("[[package]]")
        .filter_map(|package| {
            let field = |key: &str| {
                let line = package.lines().find(|line| line.starts_with(key))?;
                line.split('"').nth(1)
            };
            let name = field("name = ")?;
            wanted(name).then(|| format!("{name} {}", field("version = ").unwrap_or("?")))
        })
        .collect()
}
