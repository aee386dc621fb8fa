//! Starting the real program, and ending it whatever happens.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The kinds that have names.
pub(crate) const SCHEMES: [&str; 2] = ["pipe", "shm"];

/// Nothing here takes as long: it guards against hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Whoever has it starts a process: until that is another program, it has copies of all descriptors.
static STARTING: Mutex<()> = Mutex::new(());

/// Drops `what`, of whose descriptors nobody has a copy then.
pub(crate) fn let_go<T>(what: T) {
    let _starting = STARTING.lock();
    drop(what);
}

/// One test's processes, which all bear its mark.
pub(crate) struct Stage {
    mark: String,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status, or 128 and the signal.
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            mark: format!("cli-{}-{number}", std::process::id()),
        }
    }

    /// A URL of this test's own.
    pub(crate) fn url(&self, scheme: &str, name: &str) -> String {
        format!("{scheme}://{}-{name}", self.mark)
    }

    /// The path of a file of this test's own.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{}-{name}", env!("CARGO_TARGET_TMPDIR"), self.mark)
    }

    /// `queue` with these arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.spawn(self.command(arguments))
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_queue"));
        command.args(arguments);
        command
    }

    /// Runs it to its end, with `input`.
    pub(crate) fn queue(&self, arguments: &[&str], input: &str) -> Ended {
        self.start(arguments).end_with(input)
    }

    /// Runs a line of a shell, which finds `queue`.
    pub(crate) fn shell(&self, line: &str) -> Ended {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        self.spawn(command).end_with("")
    }

    pub(crate) fn spawn(&self, mut command: Command) -> Running {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_queue"));
        let paths = std::env::var("PATH").unwrap();
        command.env(
            "PATH",
            format!("{}:{paths}", program.parent().unwrap().display()),
        );
        command.env("QUEUE_TEST", &self.mark);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0);
        let _starting = STARTING.lock();
        Running(command.spawn().unwrap())
    }

    /// A served queue, which is there when this returns.
    pub(crate) fn serve(&self, url: &str) -> Running {
        let mut serve = self.start(&["serve", url, "--json"]);
        assert!(read_line(serve.out()).contains("ready"), "{url}");
        serve
    }

    /// Until no process of this test is left.
    pub(crate) fn is_empty(&self) {
        let mark = format!("QUEUE_TEST={}\0", self.mark);
        eventually("no process is left", || {
            let processes = fs::read_dir("/proc").unwrap().flatten();
            let marked = processes.filter(|process| {
                let its = fs::read(process.path().join("environ")).unwrap_or_default();
                String::from_utf8_lossy(&its).contains(&mark)
            });
            marked.count() == 0
        });
    }
}

/// A process, killed with its group when this is dropped.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn out(&mut self) -> &mut ChildStdout {
        self.0.stdout.as_mut().unwrap()
    }

    pub(crate) fn take_out(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }

    pub(crate) fn input(&mut self) -> ChildStdin {
        self.0.stdin.take().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// A line of its standard error.
    pub(crate) fn says(&mut self) -> String {
        read_line(self.0.stderr.as_mut().unwrap())
    }

    pub(crate) fn end(self) -> Ended {
        self.end_with("")
    }

    fn end_with(mut self, input: &str) -> Ended {
        use std::io::Write;
        if let Some(mut stdin) = self.0.stdin.take() {
            // It may have ended without reading it.
            let _ = stdin.write_all(input.as_bytes());
        }
        let out = self.0.stdout.take().map(read);
        let err = self.0.stderr.take().map(read);
        let mut status = None;
        eventually("it ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        let text = |read: Option<thread::JoinHandle<String>>| {
            read.map_or(String::new(), |read| read.join().unwrap())
        };
        Ended {
            status: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap()),
            out: text(out),
            err: text(err),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A group whose leader was waited for may be gone.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    /// It ended well, and this is what it wrote.
    #[track_caller]
    pub(crate) fn wrote(&self, out: &str) {
        assert_eq!((self.status, &*self.out), (0, out), "{}", self.err);
    }

    /// It ended with `status`, and one line that has `words`.
    #[track_caller]
    pub(crate) fn failed(&self, status: i32, words: &[&str]) {
        assert_eq!(
            (self.status, self.err.lines().count()),
            (status, 1),
            "{self:?}"
        );
        assert!(words.iter().all(|word| self.err.contains(word)), "{self:?}");
    }
}

fn read(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// A line, and nothing behind it.
pub(crate) fn read_line(from: &mut impl Read) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while from.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
