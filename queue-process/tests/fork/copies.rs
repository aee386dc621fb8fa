//! Copies of handles in a forked child: dropped, kept and forgotten, they change nothing for
//! anybody; and what is made in the child works.

use crate::tools::*;
use crate::{Jobs, Role, roles};
use queue_process::{FailureKind, PopTimeoutError, TryPopError};
use std::cell::RefCell;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Role> {
    roles![
        dropped,
        dropped_halves,
        dropped_in_bare_child,
        kept_by_a_thread,
        a_name_stays_with_the_parent,
        a_name_ends_with_the_parent,
        futures_of_a_new_queue_wake,
        a_future_goes_on_in_the_child,
        amid_busy_threads,
    ]
}

/// Nobody sees any difference: not at once, and not when the dead are looked for.
#[track_caller]
fn goes_on<Q: Jobs>(queue: &Q) {
    for n in 0..3 {
        queue.push_timeout(n, LONG).unwrap();
        assert_eq!(queue.pop_timeout(LONG), Ok(n));
        thread::sleep(Duration::from_millis(100));
        assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
        assert!(!queue.is_closed());
    }
}

fn dropped<Q: Jobs>() {
    let queue = Q::of(4);
    let Some(child) = fork() else {
        drop(queue);
        exit()
    };
    child.succeeds();
    goes_on(&queue);
}

fn dropped_halves<Q: Jobs>() {
    let queue = Q::of(4);
    let (producer, consumer) = queue.clone().into_ends();
    let Some(child) = fork() else {
        drop(queue);
        drop((producer, consumer.clone()));
        // A child of the child has less still.
        let Some(child) = fork() else {
            drop(consumer);
            exit()
        };
        child.succeeds();
        exit()
    };
    child.succeeds();
    goes_on(&queue);
    drop(producer);
    assert!(consumer.is_closed(), "no other counts");
}

fn dropped_in_bare_child<Q: Jobs>() {
    let queue = Q::of(4);
    let (producer, consumer) = queue.clone().into_ends();
    let Some(child) = bare_fork() else {
        drop((queue, producer, consumer));
        exit()
    };
    child.succeeds();
    goes_on(&queue);
    let Some(child) = bare_fork() else {
        producer.push(7).unwrap();
        exit()
    };
    assert_eq!(consumer.pop_timeout(LONG), Ok(7));
    child.succeeds();
    goes_on(&queue);
}

/// Dropped by the end of its thread, which is that of the process.
fn kept_by_a_thread<Q: Jobs>() {
    trait Kept {}
    impl<Q: Jobs> Kept for Q {}
    thread_local! {
        static KEPT: RefCell<Option<Box<dyn Kept>>> = const { RefCell::new(None) };
    }
    let queue = Q::of(4);
    let (producer, consumer) = queue.clone().into_ends();
    KEPT.set(Some(Box::new(queue.clone())));
    let Some(child) = fork() else {
        drop((producer, consumer, queue));
        exit()
    };
    child.succeeds();
    goes_on(&queue);
}

fn name<Q: Jobs>(what: &str) -> String {
    format!("fork {what} {} {}", Q::KIND, std::process::id())
}

fn a_name_stays_with_the_parent<Q: Jobs>() {
    let name = name::<Q>("stays");
    let queue = Q::named(&name).unwrap();
    let Some(child) = fork() else {
        drop(queue);
        exit()
    };
    child.succeeds();
    Q::open(&name).unwrap().push(7).unwrap();
    assert_eq!(queue.pop(), Ok(7));
}

fn a_name_ends_with_the_parent<Q: Jobs>() {
    let name = name::<Q>("ends");
    let queue = Q::named(&name).unwrap();
    let Some(child) = fork() else {
        thread::sleep(2 * LONG);
        exit()
    };
    drop(queue);
    // The child has a copy of all.
    let gone = Q::open(&name).unwrap_err();
    assert_eq!(gone.kind(), FailureKind::PeerGone, "{gone:#}");
    let next = Q::named(&name).unwrap();
    Q::open(&name).unwrap().push(7).unwrap();
    assert_eq!(next.pop(), Ok(7));
    child.kill();
}

/// Awaits an item that a thread pushes when it is waited for.
fn await_one<Q: Jobs>(queue: &Q) {
    let other = queue.clone();
    let pusher = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        other.push(7).unwrap();
    });
    assert_eq!(in_time(pin!(queue.pop_async())), Ok(7));
    pusher.join().unwrap();
}

fn futures_of_a_new_queue_wake<Q: Jobs>() {
    let queue = Q::of(1);
    await_one(&queue);
    let Some(child) = fork() else {
        await_one(&Q::of(1));
        await_one(&queue);
        let Some(child) = fork() else {
            await_one(&Q::of(1));
            exit()
        };
        child.succeeds();
        exit()
    };
    child.succeeds();
    await_one(&queue);
}

fn a_future_goes_on_in_the_child<Q: Jobs>() {
    let queue = Q::of(1);
    let mut waiting = pin!(queue.pop_async());
    let waker = waker();
    assert!(
        waiting
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let Some(child) = fork() else {
        let other = queue.clone();
        let pusher = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            other.push(7).unwrap();
        });
        assert_eq!(in_time(waiting), Ok(7));
        pusher.join().unwrap();
        exit()
    };
    child.succeeds();
    let poll = waiting.as_mut().poll(&mut Context::from_waker(&waker));
    assert_eq!(poll, Poll::Pending, "that was the child's");
    queue.push(8).unwrap();
    assert_eq!(in_time(waiting), Ok(8));
}

/// Whatever other threads hold at that moment, the child waits for none of them.
fn amid_busy_threads<Q: Jobs>() {
    static OVER: AtomicBool = AtomicBool::new(false);
    let queue = Q::of(4);
    let work = |queue: Q, n: u64| {
        while !OVER.load(Ordering::Relaxed) {
            let (producer, consumer) = queue.clone().into_ends();
            let _ = producer.push_timeout(n, Duration::from_millis(1));
            let _ = in_time(pin!(consumer.pop_async()));
            drop((producer, consumer));
            drop(Q::of(1));
        }
    };
    // So that no half of a thread is the last.
    let ends = queue.clone().into_ends();
    let threads: Vec<_> = (0..3)
        .map(|n| {
            let queue = queue.clone();
            thread::spawn(move || work(queue, n))
        })
        .collect();
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < 60 && begun.elapsed() < 2 * LONG {
        let Some(child) = fork() else {
            let (producer, consumer) = queue.clone().into_ends();
            for n in 0..20 {
                let _ = producer.push_timeout(n, Duration::from_millis(1));
                let popped = consumer.pop_timeout(Duration::from_millis(1));
                assert!(
                    !matches!(popped, Err(PopTimeoutError::Failed(_))),
                    "{popped:?}"
                );
            }
            drop((producer, consumer));
            await_one(&Q::of(1));
            drop(queue);
            exit_at_once()
        };
        child.succeeds();
        rounds += 1;
    }
    OVER.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|it| it.join().unwrap());
    let _ = ends.1.try_iter().count();
    goes_on(&queue);
}
