//! Forked children that use what they have a copy of: as participants of their own, of whom one
//! may die without the other.

use crate::tools::*;
use crate::{Jobs, Role, program, roles};
use queue_process::{
    FailureKind, PopTimeoutError, Queue, ShmQueue, TryPopError, TryPushError, WorkQueue,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Role> {
    let deferred = "shm a_delivery_of_a_deferred_item_stays_its_parents".to_owned();
    let mut tests: Vec<Role> = roles![
        a_child_counts_once_it_pushes,
        a_child_that_starts_a_program_counts_no_more,
        an_idle_child_keeps_nobody,
        a_delivery_stays_its_parents,
        what_a_child_received_comes_back,
        what_a_killed_child_had_comes_before_what_is_younger,
        a_holder_that_was_started_dies_though_its_child_lives,
        a_holder_dies_though_its_bare_child_takes_part,
        a_holder_dies_that_dropped_what_it_was_forked_with,
        killed_children_leave_their_locks,
        a_killed_parent_leaves_its_locks,
        a_daemon_goes_on,
        a_daemon_owns_the_queue,
        who_cannot_take_part_is_told,
        who_cannot_take_part_yet_joins_no_sooner,
        one_number_in_two_namespaces,
    ];
    tests.push((deferred, a_delivery_of_a_deferred_item_stays_its_parents));
    tests
}

/// What other processes of these tests can be told to be.
pub(crate) fn roles() -> Vec<Role> {
    roles![daemon, push_seven, receive_and_fork]
}

/// This program, to be `role` with that kind, not yet started.
fn program_of<Q: Jobs>(role: &str) -> Command {
    let kind = if Q::KIND == "PipeQueue" {
        "pipe"
    } else {
        "shm"
    };
    program(&format!("{kind} {role}"))
}

fn a_child_counts_once_it_pushes<Q: Jobs>() {
    let (producer, consumer) = Q::of(4).into_ends();
    let Some(child) = fork() else {
        producer.push(7).unwrap();
        thread::sleep(2 * LONG);
        exit()
    };
    assert_eq!(consumer.pop_timeout(LONG), Ok(7));
    drop(producer);
    let open = consumer.pop_timeout(Duration::from_millis(300));
    assert_eq!(
        open,
        Err(PopTimeoutError::Timeout),
        "the child is a producer"
    );
    child.kill();
    assert_eq!(consumer.pop_timeout(LONG), Err(PopTimeoutError::Closed));
}

fn a_child_that_starts_a_program_counts_no_more<Q: Jobs>() {
    let (producer, consumer) = Q::of(4).into_ends();
    let Some(child) = fork() else {
        producer.push(7).unwrap();
        panic!("{}", Command::new("sleep").arg("60").exec());
    };
    assert_eq!(consumer.pop_timeout(LONG), Ok(7));
    drop(producer);
    assert_eq!(consumer.pop_timeout(LONG), Err(PopTimeoutError::Closed));
    child.kill();
}

/// A child's copy of a delivery settles nothing, and to drop it changes nothing.
fn a_delivery_stays_its_parents<Q: Jobs>() {
    let queue = Q::of(4);
    queue.push(7).unwrap();
    queue.push(8).unwrap();
    let (seven, eight) = (queue.receive().unwrap(), queue.receive().unwrap());
    let Some(child) = fork() else {
        let denied = seven.ack().unwrap_err();
        assert_eq!(denied.kind(), FailureKind::Denied);
        drop(eight);
        // It takes part from here on, and can do no more than before.
        assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
        exit()
    };
    child.succeeds();
    assert_eq!((queue.len(), queue.in_flight()), (0, 2));
    seven.ack().unwrap();
    eight.nack().unwrap();
    let eight = queue.receive().unwrap();
    assert_eq!((*eight, eight.attempt()), (8, 2));
}

/// An item; to bring a two out of the queue is a panic.
#[derive(Debug, PartialEq, Serialize)]
struct Moody(u64);

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            2 => panic!("as it is meant to be"),
            number => Ok(Self(number)),
        }
    }
}

/// The same where the item came out of the queue in a batch before, and is in the parent's hands.
fn a_delivery_of_a_deferred_item_stays_its_parents() {
    let queue = ShmQueue::bounded(4);
    for number in [2, 3, 5] {
        queue.push(Moody(number)).unwrap();
    }
    let popped = catch_unwind(AssertUnwindSafe(|| queue.pop_many(&mut Vec::new(), 4)));
    assert!(popped.is_err(), "no panic");
    let (three, five) = (queue.receive().unwrap(), queue.receive().unwrap());
    let Some(child) = fork() else {
        assert_eq!(three.ack().unwrap_err().kind(), FailureKind::Denied);
        drop(five);
        assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
        exit()
    };
    child.succeeds();
    three.nack().unwrap();
    five.nack().unwrap();
    assert_eq!((queue.pop(), queue.pop()), (Ok(Moody(3)), Ok(Moody(5))));
}

/// A child that received as a participant of its own is killed.
fn what_a_child_received_comes_back<Q: Jobs>() {
    let queue = Q::of(4);
    queue.push(7).unwrap();
    let Some(child) = fork() else {
        let seven = queue.receive().unwrap();
        queue.push(8).unwrap();
        thread::sleep(2 * LONG);
        seven.ack().unwrap();
        exit()
    };
    let begun = Instant::now();
    while queue.in_flight() == 0 {
        assert!(begun.elapsed() < LONG, "the child receives nothing");
        thread::sleep(Duration::from_millis(1));
    }
    let eight = queue.receive_timeout(LONG).unwrap();
    assert_eq!((*eight, queue.in_flight()), (8, 2));
    child.kill();
    let seven = queue.receive_timeout(LONG).unwrap();
    assert_eq!((*seven, seven.attempt(), queue.in_flight()), (7, 2, 2));
}

/// A child that only has a copy: when its parent leaves, nobody waits for it; when its parent is
/// killed, nobody for long.
fn an_idle_child_keeps_nobody<Q: Jobs>() {
    let (producer, consumer) = Q::of(4).into_ends();
    let Some(child) = fork() else {
        thread::sleep(2 * LONG);
        exit()
    };
    drop(producer);
    assert!(consumer.is_closed(), "at once");
    child.kill();

    let (producer, consumer) = Q::of(4).into_ends();
    let Some(child) = fork() else {
        producer.push(7).unwrap();
        let Some(idle) = fork() else {
            thread::sleep(2 * LONG);
            exit()
        };
        std::mem::forget(idle);
        producer.push(8).unwrap();
        thread::sleep(2 * LONG);
        exit()
    };
    assert_eq!(consumer.pop_timeout(LONG), Ok(7));
    assert_eq!(consumer.pop_timeout(LONG), Ok(8));
    drop(producer);
    child.kill();
    assert_eq!(consumer.pop_timeout(LONG), Err(PopTimeoutError::Closed));
}

/// Pushes and pops as long as it lives.
fn busily<Q: Jobs>(queue: &Q) -> ! {
    loop {
        let _ = queue.push_timeout(1, Duration::from_millis(1));
        let _ = queue.try_pop();
    }
}

/// Pushes and pops for a moment: nobody may keep it from that.
#[track_caller]
fn still_moves<Q: Jobs>(queue: &Q) {
    let begun = Instant::now();
    for n in 0..100 {
        match queue.try_push(n) {
            Ok(()) | Err(TryPushError::Full(_)) => {}
            other => panic!("{other:?}"),
        }
        match queue.try_pop() {
            Ok(_) | Err(TryPopError::Empty) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(begun.elapsed() < LONG);
}

fn killed_children_leave_their_locks<Q: Jobs>() {
    let queue = Q::of(4);
    for round in 0..60 {
        let Some(child) = fork() else { busily(&queue) };
        thread::sleep(Duration::from_micros(1000 + 50 * round));
        child.kill();
        still_moves(&queue);
    }
}

/// While a child has a copy of all that the parent had; one that is idle, and one that is not.
fn a_killed_parent_leaves_its_locks<Q: Jobs>() {
    let queue = Q::of(4);
    for round in 0..60 {
        let Some(parent) = fork() else {
            still_moves(&queue);
            let Some(child) = fork() else {
                if round % 2 == 0 {
                    thread::sleep(Duration::from_secs(5));
                }
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(50) {
                    still_moves(&queue);
                }
                exit()
            };
            std::mem::forget(child);
            busily(&queue)
        };
        thread::sleep(Duration::from_micros(2000 + 50 * round));
        parent.kill();
        let begun = Instant::now();
        still_moves(&queue);
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "it waits for the child"
        );
    }
}

/// A program that takes its queue, and forks; its parent ends, and it goes on.
fn daemon<Q: Jobs>() {
    let jobs = Q::consumer_named("JOBS");
    let results = Q::producer_named("RESULTS");
    for _ in 0..2 {
        let Some(child) = fork() else { continue };
        std::mem::forget(child);
        exit_at_once();
    }
    // It has other things to do first.
    thread::sleep(Duration::from_millis(300));
    jobs.iter().for_each(|job| results.push(job * 2).unwrap());
}

fn a_daemon_goes_on<Q: Jobs>() {
    let (jobs, todo) = Q::of(4).into_ends();
    let (done, results) = Q::of(4).into_ends();
    let mut command = program_of::<Q>("daemon");
    Q::share_consumer(&todo, &mut command, "JOBS");
    Q::share_producer(&done, &mut command, "RESULTS");
    assert!(command.status().unwrap().success());
    drop((todo, done));
    // Both sides would be closed, were nobody there.
    let idle = results.pop_timeout(Duration::from_millis(200));
    assert_eq!(idle, Err(PopTimeoutError::Timeout));
    let pusher = thread::spawn(move || (1..=10).for_each(|n| jobs.push(n).unwrap()));
    for n in 1..=10 {
        assert_eq!(results.pop_timeout(LONG), Ok(2 * n));
    }
    pusher.join().unwrap();
    assert_eq!(results.pop_timeout(LONG), Err(PopTimeoutError::Closed));
}

/// Where nobody else has the queue.
fn a_daemon_owns_the_queue<Q: Jobs>() {
    let said = Q::of(4);
    let Some(child) = fork() else {
        let queue = Q::of(4);
        queue.push(1).unwrap();
        let Some(daemon) = fork() else {
            thread::sleep(Duration::from_millis(200));
            assert_eq!(queue.pop_timeout(LONG), Ok(1));
            let empty = queue.pop_timeout(Duration::from_millis(200));
            assert_eq!(empty, Err(PopTimeoutError::Timeout), "it is open");
            queue.push(2).unwrap();
            assert_eq!(queue.pop(), Ok(2));
            let (producer, consumer) = queue.into_ends();
            drop(producer);
            assert!(consumer.is_closed());
            said.push(1).unwrap();
            exit()
        };
        std::mem::forget(daemon);
        exit_at_once()
    };
    child.succeeds();
    assert_eq!(said.pop_timeout(LONG), Ok(1));
}

/// Also where nobody waited meanwhile.
fn what_a_killed_child_had_comes_before_what_is_younger<Q: Jobs>() {
    let takes: [fn(&Q) -> Vec<u64>; 4] = [
        |queue| (0..3).map(|_| queue.pop().unwrap()).collect(),
        |queue| {
            let mut all = Vec::new();
            queue.pop_many(&mut all, 9).unwrap();
            all
        },
        |queue| queue.close_now(),
        |queue| {
            assert_eq!(queue.len(), 3);
            queue.close_now()
        },
    ];
    for take in takes {
        let (queue, said) = (Q::of(4), Q::of(1));
        (1..4).for_each(|n| queue.push(n).unwrap());
        let Some(child) = fork() else {
            let _lent = queue.receive().unwrap();
            said.push(1).unwrap();
            thread::sleep(2 * LONG);
            exit()
        };
        assert_eq!(said.pop_timeout(LONG), Ok(1));
        child.kill();
        // Since the pushes looked for the dead.
        thread::sleep(Duration::from_millis(100));
        assert_eq!(take(&queue), [1, 2, 3]);
    }
}

/// Who received the seven, left a child behind and then said so is killed.
#[track_caller]
fn seven_comes_back<Q: Jobs>(queue: &Q, said: &Q, kill: impl FnOnce()) {
    assert_eq!(said.pop_timeout(LONG), Ok(1));
    assert_eq!(queue.in_flight(), 1);
    kill();
    let seven = queue.receive_timeout(LONG).unwrap();
    assert_eq!((*seven, seven.attempt()), (7, 2));
}

fn receive_and_fork<Q: Jobs>() {
    let [queue, said] = ["JOBS", "SAID"].map(|name| Q::from_parent(name).unwrap());
    let _lent = queue.receive().unwrap();
    let idle = fork();
    if idle.is_some() {
        said.push(1).unwrap();
    }
    thread::sleep(2 * LONG);
}

fn a_holder_that_was_started_dies_though_its_child_lives<Q: Jobs>() {
    let (queue, said) = (Q::of(4), Q::of(1));
    queue.push(7).unwrap();
    let mut command = program_of::<Q>("receive_and_fork");
    queue.share_with(&mut command, "JOBS").unwrap();
    said.share_with(&mut command, "SAID").unwrap();
    let mut holder = command.spawn().unwrap();
    seven_comes_back(&queue, &said, || {
        holder.kill().unwrap();
        holder.wait().unwrap();
    });
}

fn a_holder_dies_though_its_bare_child_takes_part<Q: Jobs>() {
    let (queue, said) = (Q::of(4), Q::of(1));
    queue.push(7).unwrap();
    let Some(holder) = fork() else {
        let _lent = queue.receive().unwrap();
        let child = bare_fork();
        if child.is_none() {
            assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
            said.push(1).unwrap();
        }
        thread::sleep(2 * LONG);
        exit()
    };
    seven_comes_back(&queue, &said, || holder.kill());
}

/// Where that was registered something of its own may be by then.
fn a_holder_dies_that_dropped_what_it_was_forked_with<Q: Jobs>() {
    let (older, queue, said) = (Q::of(4), Q::of(4), Q::of(1));
    queue.push(7).unwrap();
    let Some(holder) = fork() else {
        let _lent = queue.receive().unwrap();
        drop(older);
        let idle = fork();
        if idle.is_some() {
            said.push(1).unwrap();
        }
        thread::sleep(2 * LONG);
        exit()
    };
    seven_comes_back(&queue, &said, || holder.kill());
}

fn who_cannot_take_part_is_told<Q: Jobs>() {
    let queue = Q::of(4);
    queue.push(7).unwrap();
    let Some(child) = fork() else {
        open_no_more();
        let Err(TryPushError::Failed(8, failure)) = queue.try_push(8) else {
            panic!("it has no descriptor for a place of its own");
        };
        assert_eq!(failure.kind(), FailureKind::Io, "{failure:#}");
        let popped = queue.pop_timeout(LONG).unwrap_err();
        assert_eq!(popped.failure().unwrap().kind(), FailureKind::Io);
        assert_eq!((queue.len(), queue.close()), (1, false));
        exit()
    };
    child.succeeds();
    assert_eq!(queue.pop(), Ok(7));
    assert!(!queue.is_closed());
}

fn who_cannot_take_part_yet_joins_no_sooner<Q: Jobs>() {
    let queue = Q::of(4);
    // So that there was a moment in which somebody joined, and it was idle.
    queue.push(1).unwrap();
    assert!(!queue.join_timeout(Duration::from_millis(1)));
    assert_eq!(queue.pop(), Ok(1));
    queue.push(2).unwrap();
    let a_while = Duration::from_millis(300);
    let Some(as_thread) = fork() else {
        open_no_more();
        let later = thread::spawn(move || {
            thread::sleep(a_while / 2);
            let spent = processor_time();
            open_again();
            spent
        });
        assert!(!queue.join_timeout(a_while), "an item is inside");
        assert!(later.join().unwrap() < a_while / 6, "it does not sleep");
        exit()
    };
    as_thread.succeeds();
    // So that nobody is said to join any more.
    assert_eq!(queue.pop(), Ok(2));
    queue.push(2).unwrap();
    let said = Q::of(1);
    let Some(as_future) = fork() else {
        open_no_more();
        let mut joined = Box::pin(queue.join_async());
        let mut poll = || {
            let mut cx = Context::from_waker(Waker::noop());
            joined.as_mut().poll(&mut cx).is_pending()
        };
        assert!(poll());
        // It is woken once, for the moment before it came.
        thread::sleep(a_while / 2);
        assert!(poll());
        open_again();
        let begun = Instant::now();
        while begun.elapsed() < a_while {
            assert!(poll(), "an item is inside");
            thread::sleep(Duration::from_millis(1));
        }
        said.push(1).unwrap();
        in_time(joined);
        said.push(2).unwrap();
        exit()
    };
    assert_eq!(said.pop_timeout(LONG), Ok(1));
    // It is told of the moments in between.
    let begun = Instant::now();
    while said.try_pop() != Ok(2) {
        assert!(begun.elapsed() < LONG, "it is not told");
        assert_eq!(queue.pop(), Ok(2));
        queue.push(2).unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    as_future.succeeds();
}

/// A program that is a producer for a moment, and a consumer as long as it lives.
fn push_seven<Q: Jobs>() {
    let (producer, _consumer) = Q::from_parent("JOBS").unwrap().into_ends();
    producer.push(7).unwrap();
    drop(producer);
    thread::sleep(3 * LONG);
}

/// Two children that both have number 1, each in its namespace: the first ends before it takes
/// its share, and the second takes its own, and leaves a side.
#[allow(clippy::zombie_processes)] // It lives as long as the test.
fn one_number_in_two_namespaces<Q: Jobs>() {
    let queue = Q::of(4);
    let (producer, consumer) = queue.clone().into_ends();
    let first = Command::new("true");
    let second = program_of::<Q>("push_seven");
    for (mut command, is_first) in [(first, true), (second, false)] {
        // From a process of its own, so that the other's namespace is another.
        let Some(starter) = fork() else {
            if !own_numbers() {
                eprintln!("the system gives no namespaces: this is left to the tests of one");
                producer.push(7).unwrap();
                exit()
            }
            queue.share_with(&mut command, "JOBS").unwrap();
            let mut child = command.spawn().unwrap();
            if is_first {
                assert!(child.wait().unwrap().success());
            }
            exit()
        };
        starter.succeeds();
    }
    assert_eq!(consumer.pop_timeout(LONG), Ok(7));
    // This one is the last to leave, and so it is the one to see whether anybody is there.
    thread::sleep(Duration::from_millis(300));
    drop(producer);
    let mut end = consumer.pop_timeout(LONG);
    if end == Ok(7) {
        // Without namespaces.
        end = consumer.pop_timeout(LONG);
    }
    assert_eq!(end, Err(PopTimeoutError::Closed), "the second still counts");
}
