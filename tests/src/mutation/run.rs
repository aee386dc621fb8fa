//! Trying a mutation: in a copy of the sources, against the models and tests that could
//! notice, until one does.

use super::Mutation;
use super::group::{ABORTED, End, Group};
use super::suites::{self, Suite};
use crate::models::{self, Depth};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What became of a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A test noticed: its suite, and its name.
    Caught(String, String),
    /// A suite ran over its time, as a hung test does.
    Hung(String),
    /// Every suite passed.
    Survived,
    /// The change is not a program.
    NotBuilt,
}

/// A copy of the sources, with build directories of its own.
#[derive(Debug)]
pub struct Bench {
    tree: PathBuf,
    builds: PathBuf,
    limit: Duration,
}

impl Bench {
    /// Copies the sources of `root` to where they can be changed. A suite that takes
    /// longer than `limit` is ended.
    ///
    /// # Errors
    /// If they cannot be copied.
    pub fn new(root: &Path, limit: Duration) -> io::Result<Self> {
        let builds = root.join("target/mutate");
        let bench = Self {
            tree: builds.join("tree"),
            builds,
            limit,
        };
        if copy(root, &bench.tree)? {
            suites::forget_models(&bench.builds)?;
        }
        Ok(bench)
    }

    /// The suites that could notice the mutation, those nearest to it first.
    ///
    /// # Errors
    /// If a directory cannot be read.
    pub fn suites(&self, mutation: &Mutation) -> io::Result<Vec<Suite>> {
        suites::find(&self.tree, &self.builds, mutation)
    }

    /// Makes the change, runs `suites` until one notices, and takes it back. The test
    /// `hint` that noticed before is asked first.
    ///
    /// # Errors
    /// If the sources cannot be changed or cargo cannot be run.
    pub fn try_out(
        &self,
        mutation: &Mutation,
        suites: &[Suite],
        hint: Option<&(String, String)>,
    ) -> io::Result<Fate> {
        let file = self.tree.join(&mutation.file);
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, mutation.apply(&text))?;
        let fate = self.judge(suites, hint);
        std::fs::write(&file, text)?;
        fate
    }

    fn judge(&self, suites: &[Suite], hint: Option<&(String, String)>) -> io::Result<Fate> {
        let hinted = hint.and_then(|(suite, test)| {
            let suite = suites.iter().find(|s| s.to_string() == *suite)?;
            Some((suite, Some(test.as_str())))
        });
        let all = suites.iter().map(|suite| (suite, None));
        for (suite, test) in hinted.into_iter().chain(all) {
            match self.run(suite, test)? {
                End::Passed => {}
                End::Failed(test) => {
                    if self.is_sure(suite, &test)? {
                        return Ok(Fate::Caught(suite.to_string(), test));
                    }
                }
                End::NotBuilt(_) => return Ok(Fate::NotBuilt),
                End::OutOfTime => return Ok(Fate::Hung(suite.to_string())),
            }
        }
        Ok(Fate::Survived)
    }

    /// A model fails always or never. A test that looks at the clock may fail because
    /// the machine is busy, so it is asked again.
    fn is_sure(&self, suite: &Suite, test: &str) -> io::Result<bool> {
        if matches!(suite, Suite::Models(_)) || test == ABORTED {
            return Ok(true);
        }
        for _ in 0..2 {
            if !matches!(self.run(suite, Some(test))?, End::Passed) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Runs the unchanged sources: what does not pass now cannot notice anything.
    ///
    /// # Errors
    /// In words, if a suite does not pass.
    pub fn check_baseline(&self, suites: &[Suite]) -> Result<(), String> {
        for suite in suites {
            let started = Instant::now();
            match self.run(suite, None) {
                Ok(End::Passed) => {}
                Ok(End::Failed(test)) => return Err(format!("{suite}: {test} fails unchanged")),
                Ok(End::OutOfTime) => return Err(format!("{suite} runs over its time unchanged")),
                Ok(End::NotBuilt(error)) => {
                    return Err(format!("{suite} does not build unchanged: {error}"));
                }
                Err(error) => return Err(format!("{suite}: {error}")),
            }
            println!(
                "unchanged: {suite} passes, {} s with its build",
                started.elapsed().as_secs()
            );
        }
        Ok(())
    }

    fn run(&self, suite: &Suite, test: Option<&str>) -> io::Result<End> {
        let mut command = match suite {
            Suite::Models(file) => {
                let mut command =
                    models::cargo_test(&self.tree, &self.builds.join("loom"), Depth::Bounded);
                command.args(["-p", &file.package, "--test", &file.target]);
                command
            }
            Suite::Tests(package, target) => {
                let mut command = Command::new(models::cargo());
                command
                    .args(["test", "-p", package, "--all-features"])
                    .current_dir(&self.tree)
                    .env("CARGO_TARGET_DIR", self.builds.join("std"));
                match target {
                    Some(target) => command.args(["--test", target]),
                    None => command.arg("--lib"),
                };
                command
            }
        };
        // Each change is a new build: the faster the better.
        command.env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        command.env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true");
        command.arg("--");
        if let Some(test) = test {
            command.args(["--exact", test]);
        }
        let models = matches!(suite, Suite::Models(_));
        if models {
            // A model that panics does so for good, and says so at once.
            command.arg("--nocapture");
        }
        // Tests end soon or not at all.
        let limit = if models { self.limit } else { self.limit / 4 };
        Group::start(command)?.end(limit, models)
    }
}

/// Makes `to` a copy of the sources in `from`, and leaves alone what is the same, so that
/// it is not built anew. Whether there are files that were not there before.
fn copy(from: &Path, to: &Path) -> io::Result<bool> {
    std::fs::create_dir_all(to)?;
    let mut new = false;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let (source, copied) = (entry.path(), to.join(&name));
        if matches!(name.to_str(), Some("target" | ".git" | "bench")) {
            continue;
        }
        if kind.is_dir() {
            new |= copy(&source, &copied)?;
        } else if kind.is_file() {
            let content = std::fs::read(&source)?;
            let old = std::fs::read(&copied).ok();
            new |= old.is_none();
            if old.as_ref() != Some(&content) {
                std::fs::write(&copied, content)?;
            }
        }
    }
    // What is gone from the sources goes from the copy.
    for entry in std::fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() && entry.file_type()?.is_file() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(new)
}
