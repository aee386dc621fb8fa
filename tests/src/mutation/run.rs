//! Trying a mutation: in a copy of the sources, against the models and tests that could
//! notice, until one does.

use super::Mutation;
use crate::models::{self, Depth, ModelFile};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

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

/// How a suite ended.
enum End {
    Passed,
    Failed(String),
    OutOfTime,
    NotBuilt,
}

/// Stands for the name of the test in a run that ended without naming one.
const ABORTED: &str = "aborted";

/// How long cargo may take before the tests run.
const BUILD: Duration = Duration::from_secs(900);

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
        copy(root, &bench.tree)?;
        Ok(bench)
    }

    /// The suites that could notice the mutation, those nearest to it first: the models, as
    /// far as its file is part of them, and the tests, of its package and of those
    /// whose waiting is built on it. Not the tests if it is an ordering that is weaker:
    /// common processors keep the stronger one anyway.
    ///
    /// # Errors
    /// If a directory cannot be read.
    pub fn suites(&self, mutation: &Mutation) -> io::Result<Vec<Suite>> {
        let file = mutation.file.as_str();
        let (package, _) = file.split_once('/').unwrap_or((file, ""));
        let packages: &[&str] = match package {
            "queue-core" => &["queue-core", "queue-thread", "queue-async"],
            _ => &[package],
        };
        let modelled = self.is_modelled(file)?;
        let all_models = models::find(&self.tree)?;
        let (mut suites, mut tests) = (Vec::new(), Vec::new());
        for package in packages {
            let own = |model: &&ModelFile| modelled && model.package == *package;
            suites.extend(all_models.iter().filter(own).cloned().map(Suite::Models));
            if mutation.is_ordering() {
                continue;
            }
            let unit = Suite::Tests((*package).to_string(), None);
            let mut files = self.test_files(package)?;
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
    fn test_files(&self, package: &str) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.tree.join(package).join("tests"))? {
            let path = entry?.path();
            let target = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let is_file =
                path.extension().is_some_and(|e| e == "rs") && !target.starts_with("loom_");
            if is_file || path.join("main.rs").is_file() {
                found.push(target);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Whether `file` is compiled into models: what the compiler noted down when it last
    /// built them says so. Until it has, anything may be.
    fn is_modelled(&self, file: &str) -> io::Result<bool> {
        let Ok(notes) = std::fs::read_dir(self.builds.join("loom/release/deps")) else {
            return Ok(true);
        };
        let (package, _) = file.split_once('/').unwrap_or((file, ""));
        let package = format!("{}-", package.replace('-', "_"));
        let mut built = false;
        for note in notes {
            let path = note?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&package) && name.ends_with(".d") {
                built = true;
                let sources = std::fs::read_to_string(&path)?;
                if sources
                    .split_whitespace()
                    .any(|source| plain(source) == file)
                {
                    return Ok(true);
                }
            }
        }
        Ok(!built)
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
                End::NotBuilt => return Ok(Fate::NotBuilt),
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
                Ok(End::NotBuilt) => return Err(format!("{suite} does not build unchanged")),
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
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(Stdio::piped()).process_group(0);
        // Tests end soon or not at all.
        let limit = if models { self.limit } else { self.limit / 4 };
        Group(command.spawn()?).end(limit, models)
    }
}

/// A running suite: cargo, and the tests below it.
struct Group(Child);

impl Group {
    /// Waits for the suite to pass, or for the first sign that it will not: a test that
    /// failed or, among `models`, one that panicked.
    fn end(mut self, limit: Duration, models: bool) -> io::Result<End> {
        let (lines, incoming) = mpsc::channel();
        follow(self.0.stdout.take(), &lines);
        follow(self.0.stderr.take(), &lines);
        drop(lines);
        let mut deadline = Instant::now() + BUILD;
        let mut was_built = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match incoming.recv_timeout(left) {
                // Not "running": some tests have no harness that says so.
                Ok(line) if line.trim_start().starts_with("Running ") => {
                    was_built = true;
                    deadline = Instant::now() + limit;
                }
                Ok(line) => {
                    let panicked = panicked_test(&line).filter(|_| models);
                    if let Some(test) = failed_test(&line).or(panicked) {
                        return Ok(End::Failed(test.to_string()));
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(End::OutOfTime),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(match (self.0.wait()?.success(), was_built) {
            (true, _) => End::Passed,
            (false, true) => End::Failed(ABORTED.to_string()),
            (false, false) => End::NotBuilt,
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The whole group: a test may have started processes that outlive it. Killing what
        // has ended already is no error.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.wait();
    }
}

/// Sends what comes out of `pipe`, line by line.
fn follow(pipe: Option<impl Read + Send + 'static>, lines: &mpsc::Sender<String>) {
    let (pipe, lines) = (pipe.expect("it is piped"), lines.clone());
    std::thread::spawn(move || {
        BufReader::new(pipe)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| lines.send(line))
    });
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

/// The name in `thread 'NAME' (..) panicked at`.
fn panicked_test(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix("thread '")?.split_once('\'')?;
    rest.contains(" panicked at ").then_some(name)
}

/// The name in `test NAME ... FAILED`.
fn failed_test(line: &str) -> Option<&str> {
    let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some(name.trim_end_matches(" - should panic"))
}

/// Makes `to` a copy of the sources in `from`, and leaves alone what is the same, so that
/// it is not built anew.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let (source, copied) = (entry.path(), to.join(&name));
        if matches!(name.to_str(), Some("target" | ".git" | "bench")) {
            continue;
        }
        if kind.is_dir() {
            copy(&source, &copied)?;
        } else if kind.is_file() {
            let content = std::fs::read(&source)?;
            if std::fs::read(&copied).ok().as_ref() != Some(&content) {
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
    Ok(())
}
