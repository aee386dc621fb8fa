//! Workers that are killed while they hold jobs: each job is done, settled once, back in time, and
//! nothing of a lease is left.
//!
//! Victims come and go: processes that receive jobs, work a moment, and ack them, give them back or
//! pop some, and are killed with `SIGKILL` a random moment after they began. They write down what
//! they received and what they settled, by a system call each.
//!
//! `QUEUE_LEASE_KILLS=10000` makes it long, `QUEUE_LEASE_SEED=..` repeats the moments of a run (as
//! far as the machine does).

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::{IpcQueue, PipeQueue, Queue, ShmQueue, TryPushError, WorkQueue};
use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Its number, and bytes that follow from it.
type Job = (u64, Vec<u8>);

const CAPACITY: usize = 12;

/// A job that is the end of each worker that touches it, and how often it is tried.
const POISON: u64 = 5;
const ATTEMPTS: u32 = 3;

/// By when a survivor has noticed a death, unless the machine is busy.
const NOTICED: Duration = Duration::from_millis(100);

/// What a victim writes down of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    Begun,
    Received,
    Done,
    Back,
}

/// What it did, with which job, and for the how-manieth time that was delivered.
type Entry = (Did, u64, u64);

fn write(mut out: &File, (did, number, attempt): Entry) {
    let words = [did as u64, number, attempt].map(u64::to_ne_bytes);
    out.write_all(words.as_flattened()).unwrap();
}

fn read_diary(mut from: impl Read) -> Vec<Entry> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    let all = [Did::Begun, Did::Received, Did::Done, Did::Back];
    let entries = bytes.chunks_exact(24).map(|entry| {
        let word = |n: usize| u64::from_ne_bytes(entry[8 * n..][..8].try_into().unwrap());
        (all[word(0) as usize], word(1), word(2))
    });
    entries.collect()
}

fn stderr() -> File {
    File::from(std::io::stderr().as_fd().try_clone_to_owned().unwrap())
}

macro_rules! killed_workers {
    ($name:ident, $kind:ident, $largest:expr) => {
        mod $name {
            use super::*;

            /// Mostly small, now and then some pages, seldom as large as may be.
            fn job(number: u64) -> Job {
                let len = match number % 40 {
                    39 => $largest,
                    n if n % 8 == 7 => 9_000,
                    n => n as usize * 7,
                };
                (number, vec![number as u8; len])
            }

            fn child(role: &str, queue: &$kind<Job>) -> Command {
                let mut command = Command::new(env::current_exe().unwrap());
                let test = concat!(stringify!($name), "::child_process");
                command.args(["--exact", test, "--ignored", "--nocapture"]);
                command.env("LEASE_ROLE", role);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                queue.share_with(&mut command, "JOBS").unwrap();
                command
            }

            fn victim(role: &str, queue: &$kind<Job>) -> (Child, ChildStderr) {
                let mut command = child(role, queue);
                command.stderr(Stdio::piped());
                let mut child = command.spawn().unwrap();
                let mut diary = child.stderr.take().unwrap();
                // It says that it begins.
                diary.read_exact(&mut [0; 24]).unwrap();
                (child, diary)
            }

            /// Not a test: what is killed.
            #[test]
            #[ignore = "started by the test"]
            fn child_process() {
                let Ok(role) = env::var("LEASE_ROLE") else {
                    return;
                };
                let queue = $kind::<Job>::from_parent("JOBS").unwrap();
                if role == "poison" {
                    return work_until_killed(&queue);
                }
                let out = stderr();
                write(&out, (Did::Begun, 0, 0));
                if role == "holds" {
                    let job = queue.receive().unwrap();
                    write(&out, (Did::Received, job.0, job.attempt().into()));
                    thread::sleep(Duration::from_secs(60));
                    return;
                }
                let mut dice = fastrand::Rng::with_seed(role.parse().unwrap());
                loop {
                    let mut some = Vec::new();
                    match dice.u8(..8) {
                        0 => drop(queue.receive_many(&mut some, 3).unwrap()),
                        _ => some.push(queue.receive().unwrap()),
                    }
                    for job in &some {
                        write(&out, (Did::Received, job.0, job.attempt().into()));
                    }
                    for delivery in some {
                        assert_eq!(*delivery, job(delivery.0), "damaged");
                        thread::sleep(Duration::from_micros(dice.u64(..300)));
                        let (number, attempt) = (delivery.0, u64::from(delivery.attempt()));
                        match dice.u8(..8) {
                            0 => {
                                delivery.nack().unwrap();
                                write(&out, (Did::Back, number, attempt));
                            }
                            _ => {
                                delivery.ack().unwrap();
                                write(&out, (Did::Done, number, attempt));
                            }
                        }
                    }
                }
            }

            /// A worker as the recipe for dead letters has it, but that one job kills it.
            fn work_until_killed(jobs: &$kind<Job>) {
                let dead = $kind::<Job>::from_parent("DEAD").unwrap();
                for delivery in jobs.deliveries().map(Result::unwrap) {
                    if delivery.attempt() > ATTEMPTS {
                        dead.push((*delivery).clone()).unwrap();
                    } else if delivery.0 == POISON {
                        std::process::abort();
                    }
                    delivery.ack().unwrap();
                }
            }

            /// It costs as many workers as it has attempts, and not the queue.
            #[test]
            fn a_job_that_kills_its_workers_is_set_aside() {
                let (jobs, dead) = ($kind::bounded(CAPACITY), $kind::<Job>::unbounded());
                (0..CAPACITY as u64).for_each(|number| jobs.push(job(number)).unwrap());
                jobs.close();
                let mut killed = 0;
                loop {
                    let mut command = child("poison", &jobs);
                    dead.share_with(&mut command, "DEAD").unwrap();
                    if command.status().unwrap().success() {
                        break;
                    }
                    killed += 1;
                    assert!(killed <= ATTEMPTS, "it is not set aside");
                }
                assert_eq!(killed, ATTEMPTS);
                assert_eq!(dead.try_pop().unwrap(), job(POISON));
                assert!(dead.is_empty() && jobs.join_timeout(Duration::ZERO));
            }

            /// Each job is done, settled once, and nothing is left.
            #[test]
            fn each_job_is_done() {
                let number = |name: &str, default| {
                    env::var(name).map_or(default, |value| value.parse().unwrap())
                };
                let kills = number("QUEUE_LEASE_KILLS", 30);
                let seed = number(
                    "QUEUE_LEASE_SEED",
                    0x1ea5_0000 + u64::from(std::process::id()),
                );
                println!("seed {seed}");
                let queue = $kind::<Job>::bounded(CAPACITY);
                let mut dice = fastrand::Rng::with_seed(seed);
                let mut entries = Vec::new();
                let mut pushed = 0;
                let mut begin = |victims: &mut Vec<_>| {
                    victims.push(victim(&dice.u32(..).to_string(), &queue));
                    dice.u64(..20_000)
                };
                let mut victims = Vec::new();
                (0..2).for_each(|_| _ = begin(&mut victims));
                for _ in 0..kills {
                    let pause = begin(&mut victims);
                    let until = Instant::now() + Duration::from_micros(pause);
                    loop {
                        match queue.try_push(job(pushed)) {
                            Ok(()) => pushed += 1,
                            Err(TryPushError::Full(_)) => thread::yield_now(),
                            Err(error) => panic!("{error}"),
                        }
                        assert!(queue.in_flight() <= CAPACITY && queue.len() <= CAPACITY);
                        if Instant::now() >= until {
                            break;
                        }
                    }
                    let (mut child, diary): (Child, ChildStderr) = victims.remove(0);
                    child.kill().unwrap();
                    child.wait().unwrap();
                    entries.push(read_diary(diary));
                }
                for (mut child, diary) in victims {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    entries.push(read_diary(diary));
                }
                // What is left is done here.
                let late = Instant::now() + Duration::from_secs(60);
                let mut ours = Vec::new();
                while !queue.join_timeout(Duration::ZERO) {
                    assert!(
                        Instant::now() < late,
                        "a lease is left: {} in flight",
                        queue.in_flight()
                    );
                    if let Ok(delivery) = queue.receive_timeout(Duration::from_millis(100)) {
                        assert_eq!(*delivery, job(delivery.0), "damaged");
                        let entry = (delivery.0, u64::from(delivery.attempt()));
                        ours.push((Did::Received, entry.0, entry.1));
                        delivery.ack().unwrap();
                        ours.push((Did::Done, entry.0, entry.1));
                    }
                }
                entries.push(ours);
                judge(&entries, pushed, kills + 2);
                assert_eq!((queue.len(), queue.in_flight()), (0, 0));
                for n in 0..CAPACITY as u64 {
                    queue.try_push(job(n)).unwrap();
                }
                assert!(
                    queue.is_full() && matches!(queue.try_push(job(0)), Err(TryPushError::Full(_)))
                );
                for n in 0..CAPACITY as u64 {
                    assert_eq!(queue.try_pop().unwrap(), job(n));
                }
            }

            /// A job is back soon after its holder is killed, for who waits as a thread; and is not
            /// while the holder is only stopped.
            #[test]
            fn a_dead_workers_job_is_back_in_time() {
                let mut delays = Vec::new();
                while delays.len() < 20 {
                    let queue = $kind::<Job>::bounded(2);
                    queue.push(job(7)).unwrap();
                    let (mut child, mut diary) = victim("holds", &queue);
                    diary.read_exact(&mut [0; 24]).unwrap();
                    assert_eq!((queue.len(), queue.in_flight()), (0, 1));
                    let stopped = Command::new("kill")
                        .args(["-STOP", &child.id().to_string()])
                        .status();
                    assert!(stopped.unwrap().success());
                    let none = queue.receive_timeout(Duration::from_millis(250));
                    assert!(
                        none.is_err_and(|error| error.is_timeout()),
                        "its holder lives"
                    );
                    let delay = thread::scope(|scope| {
                        let waits = scope.spawn(|| {
                            let delivery = queue.receive().unwrap();
                            let now = Instant::now();
                            assert_eq!((&*delivery, delivery.attempt()), (&job(7), 2));
                            delivery.ack().unwrap();
                            now
                        });
                        child.kill().unwrap();
                        child.wait().unwrap();
                        let killed = Instant::now();
                        waits.join().unwrap().saturating_duration_since(killed)
                    });
                    assert_eq!((queue.len(), queue.in_flight()), (0, 0));
                    if delay < NOTICED {
                        return;
                    }
                    delays.push(delay);
                }
                panic!("{delays:?}");
            }
        }
    };
}

/// Of all that was written down of so many jobs, by so many that were killed and one that was not.
fn judge(entries: &[Vec<Entry>], pushed: u64, kills: u64) {
    let mut done = HashMap::new();
    let mut received = HashMap::<u64, Vec<u64>>::new();
    for &(did, number, attempt) in entries.iter().flatten() {
        match did {
            Did::Begun => {}
            Did::Received => received.entry(number).or_default().push(attempt),
            Did::Done => assert_eq!(done.insert(number, attempt), None, "{number} is done twice"),
            Did::Back => assert!(received[&number].contains(&attempt)),
        }
    }
    // Who received it, and which time that was.
    let of = |number, attempt| {
        let mut diaries = entries.iter();
        diaries.position(|diary| diary.contains(&(Did::Received, number, attempt)))
    };
    let mut unsaid = HashMap::<usize, u64>::new();
    for number in 0..pushed {
        // A victim that was killed between a receive and writing that down counts too.
        let attempts = received.get(&number).cloned().unwrap_or_default();
        let mut once = attempts.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(
            once.len(),
            attempts.len(),
            "{number} was lent to two at a time"
        );
        let last = once.last().copied();
        match done.get(&number) {
            Some(attempt) => assert_eq!(last, Some(*attempt), "{number} after it was done"),
            // Done by one that was killed before it could write that down.
            None => {
                let last = last.unwrap_or_else(|| panic!("{number} is lost"));
                *unsaid
                    .entry(of(number, last).expect("a diary"))
                    .or_default() += 1;
            }
        }
    }
    assert!(unsaid.values().all(|count| *count == 1), "lost: {unsaid:?}");
    let unsaid = unsaid.len();
    println!("{pushed} jobs, {kills} kills, {unsaid} acks unsaid");
}

killed_workers!(shm, ShmQueue, 500_000);
killed_workers!(pipe, PipeQueue, 2_000_000);
killed_workers!(ipc, IpcQueue, 500_000);
