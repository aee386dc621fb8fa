//! Participants killed at random moments, by the hundred; what the survivors find.
//!
//! One thread of this process pushes and one pops all the time. Beside them victims come
//! and go: processes that push, pop, or wait, and are killed with `SIGKILL` a random moment
//! after they began. In one run they write down what they did, by a system call after each
//! operation; in the other they do nothing else, so that the kill hits the queue's own code
//! more often, and what those that pop had in their hands cannot be known.
//!
//! `QUEUE_STORM_KILLS=10000` makes it long, `QUEUE_STORM_SEED=..` repeats the moments of a
//! run (as far as the machine does).

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::{PipeQueue, Queue, ShmQueue, TryPopError, TryPushError};
use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Who pushed it, its number, and bytes that follow from these.
type Item = (u64, u64, Vec<u8>);

fn item(who: u64, number: u64) -> Item {
    let len = (who * 31 + number * 17) % 300;
    (who, number, vec![(who + number) as u8; len as usize])
}

/// The items of this process's own producer.
const OURS: u64 = 0;

const CAPACITY: usize = 16;

/// In a diary: popped, not pushed.
const POPPED: u64 = 1 << 63;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Producer,
    Consumer,
    /// Pushes and pops in batches.
    Batches,
}

/// What a victim wrote down: who and which, for each item it pushed or popped.
fn read_diary(mut from: impl Read) -> Vec<(u64, u64)> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
    bytes
        .chunks_exact(16)
        .map(|entry| (word(&entry[..8]), word(&entry[8..])))
        .collect()
}

/// What was seen of one storm.
#[derive(Default)]
struct Storm {
    /// Popped by this process, in order.
    popped: Mutex<Vec<(u64, u64)>>,
    pushed: AtomicU64,
    stop: AtomicBool,
}

/// Calls what it holds when dropped.
struct End<F: FnMut()>(F);

impl<F: FnMut()> Drop for End<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

macro_rules! storm {
    ($name:ident, $kind:ident) => {
        mod $name {
            use super::*;

            #[test]
            fn nothing_is_lost() {
                run(false);
            }

            #[test]
            fn survivors_get_on() {
                run(true);
            }

            /// Capacity and length of the empty `queue` are exact.
            fn is_exact(queue: &$kind<Item>) {
                assert_eq!(queue.len(), 0);
                for n in 0..CAPACITY as u64 {
                    queue.try_push(item(9, n)).unwrap();
                    assert_eq!(queue.len() as u64, n + 1);
                }
                assert!(matches!(queue.try_push(item(9, 0)), Err(TryPushError::Full(_))));
                for n in 0..CAPACITY as u64 {
                    assert_eq!(queue.try_pop().unwrap(), item(9, n));
                }
            }

            /// `blind`: nobody writes anything down but us.
            fn run(blind: bool) {
                let number = |name: &str, default| {
                    env::var(name).map_or(default, |value| value.parse().unwrap())
                };
                let kills = number("QUEUE_STORM_KILLS", 100);
                let seed = number("QUEUE_STORM_SEED", 0x5eed_0000 + u64::from(std::process::id()));
                println!("seed {seed}");
                let queue = $kind::<Item>::bounded(CAPACITY);
                let storm = Storm::default();
                let mut accepted = Vec::new();
                let mut theirs = Vec::new();
                // How many items may be missing: those in the hands of victims that popped
                // and could not say so any more.
                let (mut slack, mut slowest) = (0, Duration::ZERO);
                let batch = 8;

                thread::scope(|scope| {
                    scope.spawn(|| {
                        let mut n = 0;
                        // In slices: nobody pops any more once it is time to stop.
                        while !storm.stop.load(Ordering::Relaxed) {
                            match queue.push_timeout(item(OURS, n), Duration::from_millis(20)) {
                                Ok(()) => n += 1,
                                Err(error) if error.is_timeout() => {}
                                Err(_) => return,
                            }
                            storm.pushed.store(n, Ordering::Relaxed);
                        }
                    });
                    scope.spawn(|| {
                        while !storm.stop.load(Ordering::Relaxed) {
                            let Ok(got) = queue.pop_timeout(Duration::from_millis(20)) else { continue };
                            assert_eq!(got, item(got.0, got.1), "damaged");
                            storm.popped.lock().unwrap().push((got.0, got.1));
                        }
                    });
                    // If this panics, the threads must end too.
                    let _end = End(|| {
                        storm.stop.store(true, Ordering::Relaxed);
                        if thread::panicking() {
                            queue.close();
                        }
                    });
                    let mut dice = fastrand::Rng::with_seed(seed);
                    for victim in 1..=kills {
                        let role = [Role::Producer, Role::Consumer, Role::Batches][dice.usize(..3)];
                        let mut command = Command::new(env::current_exe().unwrap());
                        command.args(["--exact", concat!(stringify!($name), "::victim"), "--ignored", "--nocapture"]);
                        command.env("STORM_ROLE", format!("{role:?}")).env("STORM_WHO", victim.to_string());
                        command.env("STORM_DIARY", (!blind).to_string());
                        command.stdout(Stdio::null()).stderr(Stdio::piped());
                        queue.share_with(&mut command, "STORM").unwrap();
                        let mut child = command.spawn().unwrap();
                        let mut diary_of = child.stderr.take().unwrap();
                        // It says that it begins.
                        let mut begun = [0; 16];
                        diary_of.read_exact(&mut begun).unwrap();
                        thread::sleep(Duration::from_micros(dice.u64(..1500)));
                        child.kill().unwrap();
                        let killed = Instant::now();
                        let before = (storm.pushed.load(Ordering::Relaxed), storm.popped.lock().unwrap().len());
                        while storm.pushed.load(Ordering::Relaxed) == before.0
                            || storm.popped.lock().unwrap().len() == before.1
                        {
                            assert!(killed.elapsed() < Duration::from_secs(60), "stuck after {role:?} {victim}");
                            thread::sleep(Duration::from_micros(200));
                        }
                        slowest = slowest.max(killed.elapsed());
                        child.wait().unwrap();
                        let entries = read_diary(diary_of);
                        if role != Role::Producer {
                            slack += if role == Role::Batches { batch } else { 1 };
                        }
                        for entry in entries {
                            match entry.0 & POPPED {
                                0 => accepted.push(entry),
                                _ => theirs.push((entry.0 & !POPPED, entry.1)),
                            }
                        }
                    }
                });

                loop {
                    match queue.try_pop() {
                        Ok(got) => storm.popped.lock().unwrap().push((got.0, got.1)),
                        Err(TryPopError::Empty) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                is_exact(&queue);

                // What we popped of each producer is in order, and none twice.
                let popped = storm.popped.into_inner().unwrap();
                let mut last = HashMap::new();
                for &(who, number) in &popped {
                    let before = last.insert(who, number);
                    assert!(before < Some(number), "{who}: {number} after {before:?}");
                }
                // What was accepted is somewhere.
                accepted.extend((0..storm.pushed.into_inner()).map(|n| (OURS, n)));
                let mut seen: HashMap<(u64, u64), u32> = HashMap::new();
                for entry in popped.iter().chain(&theirs) {
                    *seen.entry(*entry).or_default() += 1;
                }
                assert!(seen.values().all(|&times| times == 1), "twice");
                let missing = accepted.iter().filter(|entry| !seen.contains_key(entry)).count();
                println!(
                    "{}: {kills} kills, {} popped here, {} there, {missing} missing, slowest {slowest:?}",
                    stringify!($name), popped.len(), theirs.len(),
                );
                assert!(blind || missing <= slack, "{missing} missing, {slack} explained");
            }

            /// Not a test: what is killed.
            #[test]
            #[ignore = "started by the test"]
            fn victim() {
                let (Ok(role), Ok(who)) = (env::var("STORM_ROLE"), env::var("STORM_WHO")) else { return };
                let queue = $kind::<Item>::from_parent("STORM").unwrap();
                let who: u64 = who.parse().unwrap();
                let diary = env::var("STORM_DIARY").unwrap() == "true";
                let mut out = File::from(std::io::stderr().as_fd().try_clone_to_owned().unwrap());
                let mut say = |entry: (u64, u64)| {
                    let mut bytes = [0; 16];
                    bytes[..8].copy_from_slice(&entry.0.to_ne_bytes());
                    bytes[8..].copy_from_slice(&entry.1.to_ne_bytes());
                    out.write_all(&bytes).unwrap();
                };
                say((u64::MAX, 0));
                for n in 0.. {
                    match role.as_str() {
                        "Producer" => {
                            queue.push(item(who, n)).unwrap();
                            if diary { say((who, n)) }
                        }
                        "Consumer" => {
                            let got = queue.pop().unwrap();
                            if diary { say((got.0 | POPPED, got.1)) }
                        }
                        _ => {
                            let mut got = Vec::new();
                            queue.pop_many(&mut got, 8).unwrap();
                            if diary { got.iter().for_each(|got| say((got.0 | POPPED, got.1))) }
                            let mut items = (n * 4..n * 4 + 4).map(|n| item(who, n)).collect();
                            queue.push_many(&mut items).unwrap();
                            if diary { (n * 4..n * 4 + 4).for_each(|n| say((who, n))) }
                        }
                    }
                }
            }
        }
    };
}

storm!(shm, ShmQueue);
storm!(pipe, PipeQueue);
