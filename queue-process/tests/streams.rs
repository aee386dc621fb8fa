//! Queues in processes whose standard streams are closed, in whatever combination, so that
//! what is opened next may get their numbers: what a queue consists of never does.

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::{Capacity, IpcQueue, PipeQueue, Queue, ShmQueue};
use std::panic::{UnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

const ROLE: &str = "STREAMS_ROLE";
const CLOSED: &str = "STREAMS_CLOSED";
const REPORT: &str = "STREAMS_REPORT";
const LONG: Duration = Duration::from_secs(20);

/// This program in that role, with the standard streams closed whose bits are set.
fn process(role: &str, closed: u8) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    let name = "queues_work_whatever_streams_are_closed";
    command.args(["--exact", name, "--nocapture"]);
    command.env(ROLE, role).env(CLOSED, closed.to_string());
    command
}

/// Closes the standard streams that this process is to do without: which they are.
fn close_streams() -> Vec<i32> {
    let closed: u8 = env::var(CLOSED).unwrap().parse().unwrap();
    let streams = (0..3).filter(|stream| closed & 1 << stream != 0);
    streams
        .inspect(|&stream| {
            // SAFETY: nothing in this process owns a standard stream, and who prints to it
            // copes with that it is closed.
            let closed = unsafe { libc::close(stream) };
            assert_eq!(closed, 0, "it was open");
        })
        .collect()
}

/// Nothing that stays has got the numbers of these streams.
fn are_free(streams: &[i32]) {
    let begun = Instant::now();
    for stream in streams {
        let file = || fs::read_link(format!("/proc/self/fd/{stream}"));
        // A server that just answered somebody may still be about to close that. An `IpcQueue`
        // opens nothing in their place.
        while let Some(file) = file().ok().filter(|file| file.as_os_str() != "/dev/null") {
            assert!(begun.elapsed() < LONG, "descriptor {stream} is {file:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A guest of an `IpcQueue` has them filled, so that no socket gets their numbers later.
fn are_filled(streams: &[i32]) {
    for stream in streams {
        let file = fs::read_link(format!("/proc/self/fd/{stream}"));
        assert_eq!(
            file.unwrap().as_os_str(),
            "/dev/null",
            "descriptor {stream}"
        );
    }
}

/// Does what a role is, and ends this process; a panic is reported in a file, for there may be
/// no stream to print it to.
fn play(role: impl FnOnce() + UnwindSafe) -> ! {
    let Err(panic) = catch_unwind(role) else {
        process::exit(0);
    };
    let said = panic.downcast_ref::<String>().cloned();
    let said = said.or_else(|| panic.downcast_ref::<&str>().map(|&said| said.into()));
    fs::write(env::var_os(REPORT).unwrap(), said.unwrap_or_default()).unwrap();
    process::exit(1);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Starts children with all sorts of streams, each of which comes to these queues in every way.
fn parent() {
    let closed = close_streams();
    let name = format!("streams {}", process::id());
    let names = ["PIPE", "SHM"].map(|kind| format!("{name} {kind}"));
    let pipe = PipeQueue::<u8>::create_named(&names[0], Capacity::bounded(64)).unwrap();
    let shm = ShmQueue::<u8>::create_named(&names[1], Capacity::bounded(64)).unwrap();
    let ipc = IpcQueue::<u8>::bounded(64);
    for sort in ["null", "piped", "inherit"] {
        let stdio = || match sort {
            "null" => Stdio::null(),
            "piped" => Stdio::piped(),
            _ => Stdio::inherit(),
        };
        for closed_there in 0..8 {
            let mut child = process("child", closed_there);
            child.stdin(stdio()).stdout(stdio()).stderr(stdio());
            pipe.share_with(&mut child, "PIPE").unwrap();
            shm.share_with(&mut child, "SHM").unwrap();
            ipc.share_with(&mut child, "IPC").unwrap();
            let messages = [
                postcard::to_stdvec(&pipe).unwrap(),
                postcard::to_stdvec(&shm).unwrap(),
            ];
            for n in 0..2 {
                let kind = ["PIPE", "SHM"][n];
                child.env(format!("NAME_{kind}"), &names[n]);
                child.env(format!("MESSAGE_{kind}"), hex(&messages[n]));
            }
            let done = child.spawn().unwrap().wait_with_output().unwrap();
            let said = fs::read_to_string(env::var_os(REPORT).unwrap()).unwrap_or_default();
            let which = format!("{closed_there:03b} closed in a child of {sort} streams");
            assert!(done.status.success(), "{which}: {said}");
            let got = |pop: &dyn Fn() -> u8| (0..3).map(|_| pop()).collect::<Vec<_>>();
            assert_eq!(
                got(&|| pipe.pop_timeout(LONG).unwrap()),
                [1, 2, 3],
                "{which}"
            );
            assert_eq!(
                got(&|| shm.pop_timeout(LONG).unwrap()),
                [1, 2, 3],
                "{which}"
            );
            assert_eq!(ipc.pop_timeout(LONG), Ok(1), "{which}");
            are_free(&closed);
        }
    }
}

fn child() {
    let closed = close_streams();
    let message = |kind: &str| unhex(&env::var(format!("MESSAGE_{kind}")).unwrap());
    let name = |kind: &str| env::var(format!("NAME_{kind}")).unwrap();
    let pipes = [
        PipeQueue::<u8>::from_parent("PIPE").unwrap(),
        PipeQueue::open_named(&name("PIPE")).unwrap(),
        postcard::from_bytes(&message("PIPE")).unwrap(),
    ];
    let shms = [
        ShmQueue::<u8>::from_parent("SHM").unwrap(),
        ShmQueue::open_named(&name("SHM")).unwrap(),
        postcard::from_bytes(&message("SHM")).unwrap(),
    ];
    let ipc = IpcQueue::<u8>::from_parent("IPC").unwrap();
    are_free(&closed);
    // The streams of this process are not the queue's: it may print.
    println!("something");
    eprintln!("something");
    for (number, (pipe, shm)) in (1..).zip(pipes.iter().zip(&shms)) {
        pipe.push(number).unwrap();
        shm.push(number).unwrap();
    }
    ipc.push(1).unwrap();
    println!("something");
    are_filled(&closed);
}

#[test]
fn queues_work_whatever_streams_are_closed() {
    match env::var(ROLE).as_deref() {
        Ok("parent") => play(parent),
        Ok(_) => play(child),
        Err(_) => {}
    }
    let reports: Vec<PathBuf> = (0..8)
        .map(|closed| {
            let file = format!("queue-streams-{}-{closed}", process::id());
            env::temp_dir().join(file)
        })
        .collect();
    for (closed, report) in (0..8).zip(&reports) {
        let mut parent = process("parent", closed);
        parent
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let done = parent.env(REPORT, report).status();
        let said = fs::read_to_string(report).unwrap_or_default();
        let _ = fs::remove_file(report);
        assert!(done.unwrap().success(), "{closed:03b} closed: {said}");
    }
}
