//! A target that runs, in a group of processes of its own.

use super::target;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How a target ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It passed, and took so long.
    Passed(Duration),
    /// This test failed.
    Failed(String),
    /// It did not end in time.
    OutOfTime,
    /// The compiler's first error.
    NotBuilt(String),
}

/// Stands for the name of the test in a run that ended without naming one.
pub(super) const ABORTED: &str = "aborted";

/// How long cargo may take before the tests run.
const BUILD: Duration = Duration::from_secs(900);

/// A running target: it, or cargo and it below.
pub(super) struct Group {
    leader: Child,
    /// Since when the tests run, if that does not start with a build.
    started: Option<Instant>,
    /// Kills the group as soon as nobody holds the other end of its input: if this program is ended
    /// in whatever way, no test that hangs is left behind.
    watcher: Child,
}

impl Group {
    /// Starts `leader`; if it `is_cargo`, the tests run once that says so.
    pub(super) fn start(mut leader: Command, is_cargo: bool) -> io::Result<Self> {
        leader.stdin(Stdio::null()).stdout(Stdio::piped());
        leader.stderr(Stdio::piped()).process_group(0);
        let mut leader = leader.spawn()?;
        let watcher = Command::new("sh")
            .args(["-c", "read -r _; exec kill -KILL -- \"-$0\" 2>/dev/null"])
            .arg(leader.id().to_string())
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn();
        match watcher {
            Ok(watcher) => Ok(Self {
                leader,
                started: (!is_cargo).then(Instant::now),
                watcher,
            }),
            Err(error) => {
                let _ = leader.kill();
                let _ = leader.wait();
                Err(error)
            }
        }
    }

    /// Waits for it to pass within `limit`, or for the first sign that it will not: a test that
    /// failed or, among `models`, one that panicked.
    pub(super) fn end(mut self, models: bool, limit: Duration) -> io::Result<End> {
        let (lines, incoming) = mpsc::channel();
        follow(self.leader.stdout.take(), &lines);
        follow(self.leader.stderr.take(), &lines);
        drop(lines);
        let building = Instant::now() + BUILD;
        let mut error = String::new();
        loop {
            let deadline = self.started.map_or(building, |started| started + limit);
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match left.is_zero() {
                // Even if it prints without end.
                true => Err(RecvTimeoutError::Timeout),
                false => incoming.recv_timeout(left),
            };
            match line {
                Ok(line) => {
                    if self.started.is_none() && target::named(&line, "Running ").is_some() {
                        self.started = Some(Instant::now());
                    } else if error.is_empty() && line.starts_with("error") {
                        error = line;
                    } else {
                        let panicked = panicked_test(&line).filter(|_| models);
                        if let Some(test) = failed_test(&line).or(panicked) {
                            return Ok(End::Failed(test.to_string()));
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.started.is_none() => {
                    return Err(io::Error::other("cargo does not end"));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(End::OutOfTime),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Both pipes are closed: it has ended, or is about to.
        let succeeded = self.leader.wait()?.success();
        Ok(match (succeeded, self.started) {
            (true, started) => End::Passed(started.map_or(Duration::ZERO, |at| at.elapsed())),
            (false, Some(_)) => End::Failed(ABORTED.to_string()),
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
        let _ = self.leader.wait();
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
        let limit = Duration::from_millis(limit);
        let group = Group::start(shell, true).unwrap();
        group.end(models, limit).unwrap()
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
        assert_eq!(end(&script, false, 200), End::OutOfTime);
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_secs(3));
        assert!(!left.exists(), "the child of the judge lived on");
    }

    #[test]
    fn the_first_failure_ends_it() {
        let script = "echo '     Running tests/shm.rs (x)' >&2; sleep 0.2; \
                      echo 'test a ... ok'; echo 'test b::c ... FAILED'; sleep 600";
        assert_eq!(end(script, false, LONG), End::Failed("b::c".to_string()));
    }

    #[test]
    fn a_panic_is_the_end_of_a_model_alone() {
        let script = "echo '     Running tests/loom_a.rs (x)' >&2; sleep 0.2; \
                      echo \"thread 'close' (1) panicked at x.rs:1:1:\" >&2";
        assert_eq!(end(script, true, LONG), End::Failed("close".to_string()));
        assert!(matches!(end(script, false, LONG), End::Passed(_)));
    }

    #[test]
    fn its_time_is_that_of_its_tests() {
        let script = "sleep 0.5; echo '     Running unittests src/lib.rs (x)' >&2; sleep 0.2";
        let End::Passed(took) = end(script, false, 400) else {
            panic!("the build is not limited")
        };
        assert!(took >= Duration::from_millis(100) && took < Duration::from_millis(400));
        for endless in ["sleep 600", "while :; do echo on; done"] {
            let mut shell = Command::new("sh");
            shell.args(["-c", endless]);
            let program = Group::start(shell, false).unwrap();
            let end = program.end(false, Duration::from_millis(200)).unwrap();
            assert_eq!(end, End::OutOfTime);
        }
    }

    #[test]
    fn what_does_not_build_is_told_from_what_crashes() {
        let script = "echo 'error[E0382]: borrow of moved value' >&2; exit 101";
        let error = "error[E0382]: borrow of moved value".to_string();
        assert_eq!(end(script, false, LONG), End::NotBuilt(error));
        let script = "echo '     Running tests/shm.rs (x)' >&2; exit 101";
        assert_eq!(end(script, false, LONG), End::Failed(ABORTED.to_string()));
    }
}
