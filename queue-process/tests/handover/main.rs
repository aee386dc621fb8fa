//! Handing queues to real processes: children, strangers, and whoever gets a message.
//!
//! The other processes are this very program, told by an environment variable to be a
//! worker instead of a test.

#![cfg(all(target_os = "linux", not(loom)))]

mod tools;

use queue_process::{
    Bound, Consumer, FailureKind, Handover, PipeQueue, PopError, Producer, Queue, ShmQueue,
    TryPopError, TryPushError,
};
use std::env;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tools::*;

macro_rules! suite {
    ($kind:ident, $module:ident) => {
        mod $module {
            use super::*;

            type Jobs = $kind<u64>;

            fn role(name: &str) -> Command {
                worker(&format!("{} {name}", stringify!($module)))
            }

            /// What a worker of this kind does.
            pub(super) fn work(role: &str) {
                match role {
                    "double" => {
                        let jobs = Jobs::from_parent("JOBS").unwrap();
                        let results = Jobs::from_parent("RESULTS").unwrap();
                        // It ends when the parent's last producer is gone, so this
                        // process must not count as one.
                        let (_, jobs) = jobs.into_ends();
                        let (results, _) = results.into_ends();
                        jobs.iter().for_each(|job| results.push(job * 2).unwrap());
                    }
                    "double halves" => {
                        let jobs = Consumer::<u64, Jobs>::from_parent("JOBS").unwrap();
                        let results = Jobs::producer_from_parent("RESULTS").unwrap();
                        jobs.iter().for_each(|job| results.push(job * 2).unwrap());
                    }
                    "restricted" => {
                        let wrong = Jobs::producer_from_parent("JOBS").unwrap_err();
                        assert_eq!(wrong.kind(), FailureKind::Denied);
                        let jobs = Jobs::from_parent("JOBS").unwrap();
                        let Err(TryPushError::Failed(9, failure)) = jobs.try_push(9) else {
                            panic!("a consumer may not push");
                        };
                        assert_eq!(failure.kind(), FailureKind::Denied);
                        let mut command = Command::new("true");
                        jobs.share_with(&mut command, "ON").unwrap();
                        let denied = Producer::new(jobs.clone()).share_with(&mut command, "ON");
                        assert_eq!(denied.unwrap_err().kind(), FailureKind::Denied);
                        assert_eq!(jobs.pop(), Ok(7));
                        assert_eq!(jobs.pop(), Err(PopError::Closed));
                    }
                    "parent" => {
                        let jobs = Jobs::from_parent("JOBS").unwrap();
                        let mut child = worker(concat!(stringify!($module), " push one"));
                        jobs.share_with(&mut child, "JOBS").unwrap();
                        succeeded(child.spawn().unwrap());
                    }
                    "push one" => Jobs::from_parent("JOBS").unwrap().push(1).unwrap(),
                    "push on" => {
                        let jobs = Jobs::producer_from_parent("JOBS").unwrap();
                        (0..).take_while(|n| jobs.push(*n).is_ok()).for_each(drop);
                    }
                    "pop two, wait" => {
                        let jobs = Jobs::consumer_from_parent("JOBS").unwrap();
                        assert_eq!((jobs.pop(), jobs.pop()), (Ok(0), Ok(1)));
                        loop {
                            std::thread::park();
                        }
                    }
                    "strange" => {
                        let kind = |failure: queue_process::Failure| failure.kind();
                        let missing = Jobs::from_parent("NOTHING").map_err(kind);
                        assert_eq!(missing.unwrap_err(), FailureKind::PeerGone);
                        let signed = $kind::<i64>::from_parent("JOBS").map_err(kind);
                        assert_eq!(signed.unwrap_err(), FailureKind::Corrupt);
                        let raw = $kind::<Vec<u8>, queue_process::codec::Raw>::from_parent("JOBS");
                        assert_eq!(raw.map_err(kind).unwrap_err(), FailureKind::Corrupt);
                        let jobs = Jobs::from_parent("JOBS").unwrap();
                        let again = Jobs::from_parent("JOBS").map_err(kind);
                        assert_eq!(again.unwrap_err(), FailureKind::Denied);
                        assert_eq!(jobs.pop(), Ok(3));
                    }
                    "leak" => {
                        assert!(of_queues(descriptors("self")).len() >= 3);
                        let jobs = Jobs::from_parent("JOBS").unwrap();
                        // Everything that was taken is close-on-exec again.
                        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
                        let inherited = of_queues(descriptors(&child.id().to_string()));
                        kill(&mut child);
                        assert_eq!(inherited, [""; 0]);
                        let own = of_queues(descriptors("self")).len();
                        drop(jobs);
                        assert!(own > 0);
                        assert_eq!(of_queues(descriptors("self")), [""; 0], "closed in the end");
                    }
                    "open" => {
                        let jobs = Jobs::open_named(&env::var("NAME").unwrap()).unwrap();
                        jobs.push(11).unwrap();
                    }
                    "creator" => {
                        let jobs = Jobs::create_named(&env::var("NAME").unwrap(), Bound::items(4));
                        let _jobs = jobs.unwrap();
                        Jobs::from_parent("READY").unwrap().push(1).unwrap();
                        loop {
                            std::thread::park();
                        }
                    }
                    "message" => {
                        let (sender, receiver) = ipc_channel::ipc::channel().unwrap();
                        let to = env::var("SERVER").unwrap();
                        let to = ipc_channel::ipc::IpcSender::connect(to).unwrap();
                        to.send(sender).unwrap();
                        let (jobs, replies): (Jobs, Jobs) = receiver.recv().unwrap();
                        let denied = jobs.try_push(1).unwrap_err();
                        assert_eq!(denied.failure().unwrap().kind(), FailureKind::Denied);
                        jobs.iter().for_each(|job| replies.push(job + 1).unwrap());
                    }
                    "altered" => {
                        let refused = Jobs::from_parent("JOBS").unwrap_err();
                        let expected = env::var("EXPECTED").unwrap();
                        assert_eq!(format!("{:?}", refused.kind()), expected, "{refused}");
                    }
                    "foreigner" => {
                        let refused = Jobs::open_named(&env::var("NAME").unwrap()).unwrap_err();
                        assert_eq!(refused.kind(), FailureKind::Denied);
                    }
                    "exhausted" => {
                        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
                        let jobs = Jobs::from_parent("JOBS").unwrap();
                        let maximum = getrlimit(Resource::Nofile).maximum;
                        let current = Some(64);
                        setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
                        let mut files: Vec<_> =
                            std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
                        files.pop();
                        let io = |failure: queue_process::Failure| {
                            assert_eq!(failure.kind(), FailureKind::Io, "{failure}");
                        };
                        for _ in 0..5 {
                            io(Jobs::bounded(1).unwrap_err());
                            io(jobs
                                .share_with(&mut Command::new("true"), "ON")
                                .unwrap_err());
                            io(jobs.half(queue_core::Side::Producers).unwrap_err());
                            io(
                                Jobs::create_named(&env::var("NAME").unwrap(), Bound::items(1))
                                    .unwrap_err(),
                            );
                            // What is there works on.
                            jobs.push(1).unwrap();
                            assert_eq!(jobs.pop(), Ok(1));
                        }
                        // None was kept by what failed.
                        files.truncate(files.len() - 16);
                        Jobs::bounded(1).unwrap();
                    }
                    other => panic!("no such role: {other}"),
                }
            }

            #[test]
            fn a_child_gets_two_whole_queues() {
                let jobs = Jobs::bounded(4).unwrap();
                let results = Jobs::unbounded().unwrap();
                let mut command = role("double");
                jobs.share_with(&mut command, "JOBS").unwrap();
                results.share_with(&mut command, "RESULTS").unwrap();
                let child = command.spawn().unwrap();
                let ((jobs, _), (_, results)) = (jobs.into_ends(), results.into_ends());
                (0..1000).for_each(|n| jobs.push(n).unwrap());
                drop(jobs);
                let sum: u64 = results.iter().sum();
                assert_eq!(sum, 999 * 1000);
                succeeded(child);
            }

            #[test]
            fn one_command_starts_two_children_with_halves() {
                let (jobs, todo) = Jobs::bounded(4).unwrap().into_ends();
                let (done, results) = Jobs::bounded(4).unwrap().into_ends();
                let mut command = role("double halves");
                todo.share_with(&mut command, "JOBS").unwrap();
                done.share_with(&mut command, "RESULTS").unwrap();
                let children = [command.spawn().unwrap(), command.spawn().unwrap()];
                drop((todo, done));
                let pusher = std::thread::spawn(move || {
                    (0..1000).for_each(|n| jobs.push(n).unwrap());
                });
                let mut all: Vec<u64> = results.iter().collect();
                all.sort();
                assert!(all.into_iter().eq((0..1000).map(|n| n * 2)));
                pusher.join().unwrap();
                children.into_iter().for_each(succeeded);
            }

            #[test]
            fn a_half_is_no_more_than_that() {
                let (jobs, todo) = Jobs::bounded(4).unwrap().into_ends();
                let mut command = role("restricted");
                todo.share_with(&mut command, "JOBS").unwrap();
                let child = command.spawn().unwrap();
                jobs.push(7).unwrap();
                drop(jobs);
                succeeded(child);
            }

            #[test]
            fn a_child_shares_on() {
                let jobs = Jobs::bounded(4).unwrap();
                let mut command = role("parent");
                jobs.share_with(&mut command, "JOBS").unwrap();
                let child = command.spawn().unwrap();
                assert_eq!(jobs.pop_timeout(Duration::from_secs(20)), Ok(1));
                succeeded(child);
            }

            #[test]
            fn a_shell_may_stand_between() {
                let jobs = Jobs::bounded(4).unwrap();
                let worker = role("push one");
                let mut command = Command::new("sh");
                command.args(["-c", "\"$@\"; exit $?", "sh"]);
                command.arg(worker.get_program()).args(worker.get_args());
                let envs = worker.get_envs().map(|(key, value)| (key, value.unwrap()));
                command.envs(envs).stdout(Stdio::null());
                jobs.share_with(&mut command, "JOBS").unwrap();
                let child = command.spawn().unwrap();
                assert_eq!(jobs.pop_timeout(Duration::from_secs(20)), Ok(1));
                succeeded(child);
            }

            #[test]
            fn a_child_counts_from_its_start_to_its_end_and_its_command_does_not() {
                let (jobs, todo) = Jobs::bounded(4).unwrap().into_ends();
                // It never asks for the queue.
                let mut command = Command::new("sleep");
                command.arg("60");
                jobs.share_with(&mut command, "JOBS").unwrap();
                jobs.push(5).unwrap();
                let mut child = command.spawn().unwrap();
                drop(jobs);
                assert_eq!(todo.try_pop(), Ok(5));
                let waited = todo.pop_timeout(Duration::from_millis(150)).unwrap_err();
                assert!(waited.is_timeout(), "{waited:?}");
                let killed = kill(&mut child);
                assert_eq!(todo.pop(), Err(PopError::Closed));
                assert!(killed.elapsed() < NOTICED, "{:?}", killed.elapsed());
                drop(command);
            }

            #[test]
            fn the_last_producer_is_killed() {
                let (jobs, todo) = Jobs::bounded(64).unwrap().into_ends();
                let mut command = role("push on");
                jobs.share_with(&mut command, "JOBS").unwrap();
                drop(jobs.clone());
                let mut child = command.spawn().unwrap();
                drop(jobs);
                (0..1000).for_each(|n| assert_eq!(todo.pop(), Ok(n)));
                let killed = kill(&mut child);
                // What it had pushed is still there, and then no more comes.
                let left: Vec<u64> = todo.iter().collect();
                let noticed = killed.elapsed();
                assert!(left.iter().copied().eq((1000..).take(left.len())));
                assert!(noticed < NOTICED, "{noticed:?}");
                assert_eq!(todo.try_pop(), Err(TryPopError::Closed));
            }

            #[test]
            fn the_last_consumer_is_killed() {
                let (jobs, todo) = Jobs::bounded(4).unwrap().into_ends();
                let mut command = role("pop two, wait");
                todo.share_with(&mut command, "JOBS").unwrap();
                let mut child = command.spawn().unwrap();
                drop(todo);
                // The sixth finds a place when the child has popped two.
                (0..6).for_each(|n| jobs.push(n).unwrap());
                let pusher = std::thread::spawn(move || {
                    let error = jobs.push(6).unwrap_err();
                    assert!(error.is_closed());
                    assert_eq!(error.into_item(), 6);
                    Instant::now()
                });
                std::thread::sleep(Duration::from_millis(50));
                assert!(!pusher.is_finished());
                let killed = kill(&mut child);
                let noticed = pusher.join().unwrap() - killed;
                assert!(noticed < NOTICED, "{noticed:?}");
            }

            #[test]
            fn strangers_are_refused_at_once() {
                let jobs = Jobs::bounded(4).unwrap();
                let mut command = role("strange");
                jobs.share_with(&mut command, "JOBS").unwrap();
                jobs.push(3).unwrap();
                succeeded(command.spawn().unwrap());
                for name in ["", "A=B", "A\0B"] {
                    let refused = jobs.share_with(&mut command, name).unwrap_err();
                    assert_eq!(refused.kind(), FailureKind::Unsupported);
                    let refused = Jobs::from_parent(name).unwrap_err();
                    assert_eq!(refused.kind(), FailureKind::Unsupported);
                }
            }

            #[test]
            fn nothing_is_inherited_but_what_was_shared() {
                let jobs = Jobs::bounded(4).unwrap();
                let mut command = role("leak");
                jobs.share_with(&mut command, "JOBS").unwrap();
                let mut other = Command::new("sleep").arg("60").spawn().unwrap();
                assert_eq!(of_queues(descriptors(&other.id().to_string())), [""; 0]);
                kill(&mut other);
                succeeded(command.spawn().unwrap());
            }

            #[test]
            fn what_the_environment_says_is_looked_at() {
                let jobs = Jobs::bounded(4).unwrap();
                let mut command = role("altered");
                jobs.share_with(&mut command, "JOBS").unwrap();
                let variable = "QUEUE_PROCESS_JOBS";
                let value = command
                    .get_envs()
                    .find(|(key, _)| *key == variable)
                    .unwrap()
                    .1;
                let value = value.unwrap().to_str().unwrap().to_owned();
                let (label, numbers) = value.rsplit_once(' ').unwrap();
                let (form, rest) = label.split_once(' ').unwrap();
                let (id, half) = rest.split_once(' ').unwrap();
                let other = u64::from_str_radix(id, 16).unwrap() ^ 1;
                for (value, expected) in [
                    (format!("{form} {other:016x} {half} {numbers}"), "PeerGone"),
                    (format!("{label} 300,301,302"), "PeerGone"),
                    (format!("{label} 0,1,2"), "PeerGone"),
                    (
                        format!("{label} {}", numbers.split_once(',').unwrap().0),
                        "Corrupt",
                    ),
                    (format!("{label} x"), "Corrupt"),
                    (format!("{label} "), "Corrupt"),
                    (format!("{form}0 {id} {half} {numbers}"), "Corrupt"),
                    (format!("{form} {id} {numbers}"), "Corrupt"),
                    ("nonsense".to_owned(), "Corrupt"),
                    (String::new(), "Corrupt"),
                ] {
                    command.env(variable, value).env("EXPECTED", expected);
                    succeeded(command.spawn().unwrap());
                }
            }

            #[test]
            fn another_user_gets_nothing_and_deceives_nobody() {
                use std::os::linux::net::SocketAddrExt;
                use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
                use std::os::unix::process::CommandExt;
                if !rustix::process::geteuid().is_root() {
                    return; // Only root can be two users.
                }
                let name = &name(concat!("foreign ", stringify!($module)));
                let nobody = 65534;

                // Root takes the name that the other user would use.
                let planted = format!("queue-process/{nobody}/{name}");
                let planted = SocketAddr::from_abstract_name(planted).unwrap();
                let _planted = UnixListener::bind_addr(&planted).unwrap();
                let mut command = role("foreigner");
                match command.env("NAME", name).uid(nobody).spawn() {
                    Ok(child) => succeeded(child),
                    // It may not read this program where it lies.
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
                }

                // The other user's process connects to root's queue.
                let jobs = Jobs::create_named(name, Bound::items(1)).unwrap();
                let address = format!("queue-process/0/{name}");
                let address = SocketAddr::from_abstract_name(address).unwrap();
                let connected = std::thread::spawn(move || {
                    // This thread alone, for the length of its life.
                    rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(nobody)).unwrap();
                    std::io::Read::read(&mut UnixStream::connect_addr(&address).unwrap(), &mut [0])
                });
                assert_eq!(connected.join().unwrap().unwrap(), 0, "not a byte");
                drop(jobs);
            }

            #[test]
            fn a_process_without_descriptors_fails_and_loses_nothing() {
                let jobs = Jobs::bounded(4).unwrap();
                let mut command = role("exhausted");
                command.env("NAME", name(concat!("exhausted ", stringify!($module))));
                jobs.share_with(&mut command, "JOBS").unwrap();
                succeeded(command.spawn().unwrap());
            }

            #[test]
            fn a_queue_has_a_name_while_its_creator_has_it() {
                let name = &name(concat!("named ", stringify!($module)));
                let missing = Jobs::open_named(name).unwrap_err();
                assert_eq!(missing.kind(), FailureKind::PeerGone);
                let jobs = Jobs::create_named(name, Bound::items(4)).unwrap();
                assert_eq!(jobs.capacity(), Some(4));
                let twice = Jobs::create_named(name, Bound::items(4)).unwrap_err();
                assert_eq!(twice.kind(), FailureKind::Denied);
                succeeded(role("open").env("NAME", name).spawn().unwrap());
                assert_eq!(jobs.pop(), Ok(11));
                let strange = $kind::<String>::open_named(name).unwrap_err();
                assert_eq!(strange.kind(), FailureKind::Corrupt);

                // The last handle of the creator takes the name with it.
                let opened = Jobs::open_named(name).unwrap();
                let ends = jobs.into_ends();
                assert!(Jobs::open_named(name).is_ok());
                drop(ends);
                assert_eq!(
                    Jobs::open_named(name).unwrap_err().kind(),
                    FailureKind::PeerGone
                );
                opened.push(1).unwrap();
                assert_eq!(opened.pop(), Ok(1), "the queue lives on");
                Jobs::create_named(name, Bound::Unbounded).unwrap();
            }

            #[test]
            fn a_killed_creator_leaves_no_name() {
                let name = &name(concat!("killed ", stringify!($module)));
                let ready = Jobs::bounded(1).unwrap();
                let mut command = role("creator");
                command.env("NAME", name);
                ready.share_with(&mut command, "READY").unwrap();
                let mut child = command.spawn().unwrap();
                ready.pop().unwrap();
                let (jobs, _todo) = Jobs::open_named(name).unwrap().into_ends();
                jobs.push(1).unwrap();
                kill(&mut child);
                assert_eq!(
                    Jobs::open_named(name).unwrap_err().kind(),
                    FailureKind::PeerGone
                );
                jobs.push(2).unwrap();
                Jobs::create_named(name, Bound::Unbounded).unwrap();
            }

            #[test]
            fn a_queue_travels_in_a_message() {
                let (server, address) = ipc_channel::ipc::IpcOneShotServer::new().unwrap();
                let child = role("message").env("SERVER", address).spawn().unwrap();
                let (_, sender) = server.accept().unwrap();
                let sender: ipc_channel::ipc::IpcSender<(Jobs, Jobs)> = sender;
                let jobs = Jobs::bounded(4).unwrap();
                let replies = Jobs::bounded(4).unwrap();
                let half = jobs.half(queue_core::Side::Consumers).unwrap();
                sender.send((half, replies.clone())).unwrap();
                let ((jobs, todo), (done, replies)) = (jobs.into_ends(), replies.into_ends());
                // On its way it is nobody's but its own.
                drop((todo, done));
                let pusher = std::thread::spawn(move || {
                    (0..100).for_each(|n| jobs.push(n).unwrap());
                });
                assert!((1..=100).all(|n| replies.pop() == Ok(n)));
                pusher.join().unwrap();
                succeeded(child);
            }
        }
    };
}

suite!(PipeQueue, pipe);
suite!(ShmQueue, shm);

/// Not a test: a process that the tests start.
#[test]
#[ignore = "run by the tests, in processes of its own"]
fn worker_process() {
    let Ok(role) = env::var(ROLE) else { return };
    match role.split_once(' ') {
        Some(("pipe", role)) => pipe::work(role),
        Some(("shm", role)) => shm::work(role),
        _ => panic!("no such role: {role}"),
    }
}
