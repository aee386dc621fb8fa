//! Running one command for one job.
//!
//! On Linux it runs under a *guard*: this program again, which starts the command and kills it if the
//! worker dies. So a job that is given back, for its worker was killed, does not run on meanwhile.

use crate::end::End;
use std::collections::HashSet;
use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What to run for each job.
#[derive(Debug)]
pub(crate) struct Program {
    words: Vec<String>,
    /// Whether they are a line for the shell.
    shell: bool,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed(String),
    /// It was killed, for this process is to end.
    Stopped,
}

/// The place of the job in the words.
const PLACE: &str = "{}";

impl Program {
    /// # Errors
    /// `Usage` if there is no such program: better than to fail job after job.
    pub(crate) fn new(words: Vec<String>, shell: bool) -> Result<Self, End> {
        let program = if shell { "sh" } else { &words[0] };
        if !program.contains(PLACE) && find(program).is_none() {
            return Err(End::Usage(format!("there is no program {program:?}")));
        }
        Ok(Self { words, shell })
    }

    /// The words of the command for `job`.
    fn words(&self, job: &str) -> Vec<String> {
        if self.shell {
            // The shell never reads the job as a command.
            let line = self.words.join(" ").replace(PLACE, "\"$1\"");
            return ["sh", "-c", &line, "sh", job].map(String::from).into();
        }
        self.words
            .iter()
            .map(|word| word.replace(PLACE, job))
            .collect()
    }

    /// Whether the job stands among the words, and not on standard input.
    fn has_place(&self) -> bool {
        self.words.iter().any(|word| word.contains(PLACE))
    }

    /// Runs the command for `job`, and waits for its end.
    pub(crate) fn run(&self, job: &str, attempt: u32, running: &Running) -> Outcome {
        let mut command = guarded(&self.words(job));
        command.env("QUEUE_ATTEMPT", attempt.to_string());
        command.stdin(match self.has_place() {
            true => Stdio::null(),
            false => Stdio::piped(),
        });
        let status = running.run(command, |child| {
            if let Some(mut input) = child.stdin.take() {
                // Whoever does not read its job is not made to.
                let _ = input.write_all(format!("{job}\n").as_bytes());
            }
        });
        match status {
            Ok(status) if status.success() => Outcome::Done,
            _ if running.lock().stopped => Outcome::Stopped,
            Ok(status) => Outcome::Failed(status.to_string()),
            Err(error) => Outcome::Failed(format!("it could not be started: {error}")),
        }
    }
}

/// The file of `program`, as the system finds it.
fn find(program: &str) -> Option<PathBuf> {
    if cfg!(windows) {
        // There it is more than a path that decides.
        return Some(program.into());
    }
    if program.contains('/') {
        return Path::new(program).exists().then(|| program.into());
    }
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths)
        .map(|path| path.join(program))
        .find(|file| file.is_file())
}

/// The commands that run now, each in a process group of its own, so that Ctrl-C at a terminal
/// reaches this process alone.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<Groups>);

#[derive(Debug, Default)]
struct Groups {
    leaders: HashSet<u32>,
    stopped: bool,
}

impl Running {
    /// How many run.
    pub(crate) fn count(&self) -> usize {
        self.lock().leaders.len()
    }

    /// Kills all that run, and those that are started from now on.
    pub(crate) fn stop(&self) {
        let mut groups = self.lock();
        groups.stopped = true;
        groups.leaders.iter().for_each(|leader| kill(*leader));
    }

    fn run(&self, mut command: Command, begin: impl FnOnce(&mut Child)) -> io::Result<ExitStatus> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut groups = self.lock();
        // Within the lock: who sees what it writes finds it counted.
        let mut child = command.spawn()?;
        let leader = child.id();
        groups.leaders.insert(leader);
        if groups.stopped {
            kill(leader);
        }
        drop(groups);
        begin(&mut child);
        wait_for_end(leader);
        // Before it is waited for: then its number may come again, and is not to be killed.
        self.lock().leaders.remove(&leader);
        child.wait()
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn kill(leader: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(leader) = Pid::from_raw(leader as i32) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// Waits until it has ended, and leaves it to be waited for.
#[cfg(unix)]
fn wait_for_end(leader: u32) {
    use rustix::io::Errno;
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let Some(leader) = Pid::from_raw(leader as i32) else {
        return;
    };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(Errno::INTR) = waitid(WaitId::Pid(leader), options) {}
}

#[cfg(not(unix))]
fn kill(_: u32) {}

#[cfg(not(unix))]
fn wait_for_end(_: u32) {}

#[cfg(not(target_os = "linux"))]
fn guarded(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

#[cfg(target_os = "linux")]
pub(crate) use guard::{GUARD, Guard, guarded};

#[cfg(target_os = "linux")]
mod guard {
    use crate::end::say;
    use clap::Args;
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::{
        Pid, PidfdFlags, Signal, getpgrp, getpid, getppid, kill_current_process_group, pidfd_open,
    };
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitCode};
    use std::{io, thread};

    /// The name of the command. It is for this program alone.
    pub(crate) const GUARD: &str = "guard-job";

    pub(crate) fn guarded(words: &[String]) -> Command {
        // This program, even if its file was replaced since it was started.
        let mut command = Command::new("/proc/self/exe");
        command.args([GUARD, &std::process::id().to_string(), "--"]);
        command.args(words);
        command
    }

    /// Runs a command, and kills it if the worker dies.
    #[derive(Args, Debug)]
    pub(crate) struct Guard {
        worker: i32,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    }

    impl Guard {
        pub(crate) fn run(self) -> ExitCode {
            if let Err(error) = watch(self.worker) {
                say(&format!("cannot watch the worker: {error}"));
                return ExitCode::FAILURE;
            }
            let ended = Command::new(&self.command[0])
                .args(&self.command[1..])
                .status();
            // As a shell says it.
            let status = match ended {
                Ok(status) => status.code().or(status.signal().map(|signal| 128 + signal)),
                Err(error) => {
                    say(&format!("cannot run {:?}: {error}", self.command[0]));
                    Some(127)
                }
            };
            ExitCode::from(status.unwrap_or(1) as u8)
        }
    }

    /// From now on the death of the worker is that of all in this process group.
    fn watch(worker: i32) -> io::Result<()> {
        let worker = Pid::from_raw(worker).ok_or(io::ErrorKind::InvalidInput)?;
        let watched = pidfd_open(worker, PidfdFlags::empty())?;
        // If it died before that, the number may be another's by now.
        if getppid() != Some(worker) || getpgrp() != getpid() {
            return Err(io::Error::other("it is gone"));
        }
        thread::spawn(move || {
            let mut ends = [PollFd::new(&watched, PollFlags::IN)];
            while poll(&mut ends, None).is_err() {}
            let _ = kill_current_process_group(Signal::KILL);
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(words: &[&str], shell: bool) -> Program {
        Program::new(words.iter().map(|word| (*word).into()).collect(), shell).unwrap()
    }

    #[test]
    fn the_job_takes_its_place() {
        let echo = program(&["echo", "a{}b", "{}"], false);
        assert_eq!(echo.words("$(x) y"), ["echo", "a$(x) yb", "$(x) y"]);
        assert!(echo.has_place());
        assert!(!program(&["cat", "-n"], false).has_place());
        // Whatever the job says, it is one word.
        let shell = program(&["echo {} >&2;", "true"], true);
        assert_eq!(
            shell.words("a; b"),
            ["sh", "-c", "echo \"$1\" >&2; true", "sh", "a; b"]
        );
    }

    #[test]
    fn a_program_that_is_missing_is_told_before_a_job_is_taken() {
        for word in ["no-such-program", "/no/such/program", "/no/../such"] {
            let error = Program::new(vec![word.into()], false).unwrap_err();
            assert!(matches!(error, End::Usage(text) if text.contains(word)));
        }
        assert!(Program::new(vec!["{}".into()], false).is_ok());
    }
}
