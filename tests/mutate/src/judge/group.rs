//! A step that runs, in a group of processes of its own.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Each target passed, and took so long.
    Passed(Vec<(String, Duration)>),
    /// In this target this test failed.
    Failed(String, String),
    /// This target did not end in time.
    OutOfTime(String),
    /// The compiler's first error.
    NotBuilt(String),
}

/// Stands for the name of the test in a run that ended without naming one.
pub(super) const ABORTED: &str = "aborted";

/// How long cargo may take before the tests run.
const BUILD: Duration = Duration::from_secs(900);

/// A running step: cargo, and the tests below it.
pub(super) struct Group {
    cargo: Child,
    /// Kills the group as soon as nobody holds the other end of its input: if this program is ended
    /// in whatever way, no test that hangs is left behind.
    watcher: Child,
}

impl Group {
    pub(super) fn start(mut cargo: Command) -> io::Result<Self> {
        cargo.stdin(Stdio::null()).stdout(Stdio::piped());
        cargo.stderr(Stdio::piped()).process_group(0);
        let mut cargo = cargo.spawn()?;
        let watcher = Command::new("sh")
            .args(["-c", "read -r _; exec kill -KILL -- \"-$0\" 2>/dev/null"])
            .arg(cargo.id().to_string())
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn();
        match watcher {
            Ok(watcher) => Ok(Self { cargo, watcher }),
            Err(error) => {
                let _ = cargo.kill();
                let _ = cargo.wait();
                Err(error)
            }
        }
    }

    /// Waits for every target to pass, or for the first sign that one will not: a test that
    /// failed or, among `models`, one that panicked. A target may take its `limit`.
    pub(super) fn end(mut self, models: bool, limit: &dyn Fn(&str) -> Duration) -> io::Result<End> {
        let (lines, incoming) = mpsc::channel();
        follow(self.cargo.stdout.take(), &lines);
        follow(self.cargo.stderr.take(), &lines);
        drop(lines);
        let mut deadline = Instant::now() + BUILD;
        let mut running: Option<(String, Instant)> = None;
        let (mut passed, mut error) = (Vec::new(), String::new());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let now = |running: &Option<(String, Instant)>| {
                running
                    .as_ref()
                    .map_or("build", |(target, _)| target)
                    .to_string()
            };
            match incoming.recv_timeout(left) {
                Ok(line) => {
                    if let Some(target) = target(&line) {
                        deadline = Instant::now() + limit(target);
                        let started = (target.to_string(), Instant::now());
                        if let Some((target, started)) = running.replace(started) {
                            passed.push((target, started.elapsed()));
                        }
                    } else if error.is_empty() && line.starts_with("error") {
                        error = line;
                    } else {
                        let panicked = panicked_test(&line).filter(|_| models);
                        if let Some(test) = failed_test(&line).or(panicked) {
                            return Ok(End::Failed(now(&running), test.to_string()));
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(End::OutOfTime(now(&running))),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Both pipes are closed: it has ended, or is about to.
        let succeeded = self.cargo.wait()?.success();
        Ok(match (succeeded, running) {
            (true, last) => {
                passed.extend(last.map(|(target, started)| (target, started.elapsed())));
                End::Passed(passed)
            }
            (false, Some((target, _))) => End::Failed(target, ABORTED.to_string()),
            (false, None) => End::NotBuilt(error),
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The whole group: a test may have started processes that outlive it. Killing what
        // has ended already is no error.
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
        let _ = self.cargo.wait();
    }
}

/// Sends what comes out of `pipe`, line by line. What is no text does not end it.
fn follow(pipe: Option<impl Read + Send + 'static>, lines: &mpsc::Sender<String>) {
    let (pipe, lines) = (pipe.expect("it is piped"), lines.clone());
    std::thread::spawn(move || {
        BufReader::new(pipe)
            .split(b'\n')
            .map_while(Result::ok)
            .try_for_each(|line| lines.send(String::from_utf8_lossy(&line).into_owned()))
    });
}

/// The target of which cargo says that it runs now: `contract` of
/// `Running tests/contract.rs (..)`, `handover` of `Running tests/handover/main.rs (..)`.
fn target(line: &str) -> Option<&str> {
    // Not "running": some tests have no harness that says so.
    let path = line.trim_start().strip_prefix("Running ")?;
    let path = path
        .strip_prefix("unittests ")
        .unwrap_or(path)
        .split(' ')
        .next()?;
    let path = path.strip_suffix(".rs")?;
    path.strip_suffix("/main")
        .unwrap_or(path)
        .rsplit('/')
        .next()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a shell script comes to that speaks as cargo does.
    fn end(script: &str, models: bool, limit: u64) -> End {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        let limit = |_: &str| Duration::from_millis(limit);
        Group::start(shell).unwrap().end(models, &limit).unwrap()
    }

    const LONG: u64 = 60_000;

    #[test]
    fn a_judge_that_hangs_is_ended_with_all_that_it_started() {
        let left = std::env::temp_dir().join(format!("family-mutate-hang-{}", std::process::id()));
        let _ = std::fs::remove_file(&left);
        let script = format!(
            "echo '     Running tests/shm.rs (x)' >&2; (sleep 2; : > {}) & sleep 600",
            left.display()
        );
        let started = Instant::now();
        assert_eq!(end(&script, false, 200), End::OutOfTime("shm".to_string()));
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_secs(3));
        assert!(!left.exists(), "the child of the judge lived on");
    }

    #[test]
    fn the_first_failure_ends_it() {
        let script = "echo '     Running tests/shm.rs (x)' >&2; sleep 0.2; \
                      echo 'test a ... ok'; echo 'test b::c ... FAILED'; sleep 600";
        let failed = End::Failed("shm".to_string(), "b::c".to_string());
        assert_eq!(end(script, false, LONG), failed);
    }

    #[test]
    fn a_panic_is_the_end_of_a_model_alone() {
        let script = "echo '     Running tests/loom_a.rs (x)' >&2; sleep 0.2; \
                      echo \"thread 'close' (1) panicked at x.rs:1:1:\" >&2";
        let failed = End::Failed("loom_a".to_string(), "close".to_string());
        assert_eq!(end(script, true, LONG), failed);
        assert!(matches!(end(script, false, LONG), End::Passed(_)));
    }

    #[test]
    fn each_target_has_its_time_and_is_named() {
        let script = "echo '     Running unittests src/lib.rs (x)' >&2; sleep 0.2
                      echo '     Running tests/handover/main.rs (x)' >&2; sleep 0.2";
        let End::Passed(targets) = end(script, false, LONG) else {
            panic!("it passes")
        };
        let names: Vec<_> = targets.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["lib", "handover"]);
        assert!(
            targets
                .iter()
                .all(|(_, took)| *took >= Duration::from_millis(100))
        );
    }

    #[test]
    fn what_does_not_build_is_told_from_what_crashes() {
        let script = "echo 'error[E0382]: borrow of moved value' >&2; exit 101";
        let error = "error[E0382]: borrow of moved value".to_string();
        assert_eq!(end(script, false, LONG), End::NotBuilt(error));
        let script = "echo '     Running tests/shm.rs (x)' >&2; exit 101";
        let aborted = End::Failed("shm".to_string(), ABORTED.to_string());
        assert_eq!(end(script, false, LONG), aborted);
    }
}
