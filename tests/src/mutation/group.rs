//! A suite that runs, in a group of processes of its own.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How a suite ended.
pub(super) enum End {
    Passed,
    Failed(String),
    OutOfTime,
    /// The compiler's first error.
    NotBuilt(String),
}

/// Stands for the name of the test in a run that ended without naming one.
pub(super) const ABORTED: &str = "aborted";

/// How long cargo may take before the tests run.
const BUILD: Duration = Duration::from_secs(900);

/// A running suite: cargo, and the tests below it.
pub(super) struct Group(Child);

impl Group {
    pub(super) fn start(mut cargo: Command) -> io::Result<Self> {
        cargo.stdin(Stdio::null()).stdout(Stdio::piped());
        cargo.stderr(Stdio::piped()).process_group(0);
        Ok(Self(cargo.spawn()?))
    }

    /// Waits for the suite to pass, or for the first sign that it will not: a test that
    /// failed or, among `models`, one that panicked.
    pub(super) fn end(mut self, limit: Duration, models: bool) -> io::Result<End> {
        let (lines, incoming) = mpsc::channel();
        follow(self.0.stdout.take(), &lines);
        follow(self.0.stderr.take(), &lines);
        drop(lines);
        let mut deadline = Instant::now() + BUILD;
        let (mut was_built, mut error) = (false, String::new());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match incoming.recv_timeout(left) {
                // Not "running": some tests have no harness that says so.
                Ok(line) if line.trim_start().starts_with("Running ") => {
                    was_built = true;
                    deadline = Instant::now() + limit;
                }
                Ok(line) if error.is_empty() && line.starts_with("error") => error = line,
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
            (false, false) => End::NotBuilt(error),
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
