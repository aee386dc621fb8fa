//! Pops that end without an item, by time or because their future is dropped: what comes later is not
//! for them, whoever asks for it then.

mod server;

use queue_nats::{NatsQueue, PopTimeoutError, Queue, TryPopError, WorkQueue};
use server::Server;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(20);

/// A queue of this server, with a connection of its own.
fn queue(server: &Server, name: &str, prefetch: usize) -> NatsQueue<u64> {
    NatsQueue::open(name, &server.options().prefetch(prefetch)).unwrap()
}

/// A pop that waits, and is dropped.
fn pop_in_vain(queue: &NatsQueue<u64>) {
    let mut pop = pin!(queue.pop_async());
    let mut cx = Context::from_waker(Waker::noop());
    let polled = Instant::now();
    while polled.elapsed() < SHORT {
        assert!(pop.as_mut().poll(&mut cx).is_pending());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_is_pushed_later_is_there_for_others() {
    let Some(server) = Server::start("given up") else {
        return;
    };
    // There a question stays for its five seconds.
    if server.is_of_2_9() {
        return eprintln!("left out: given up, which takes a nats-server of 2.10");
    }
    for (name, prefetch) in [("single", 0), ("ahead", 16)] {
        let (jobs, other) = (queue(&server, name, 0), queue(&server, name, prefetch));
        let three = || (1..=3).for_each(|n| jobs.push(n).unwrap());
        let all = || [(); 4].map(|()| jobs.try_pop());
        let expected = [Ok(1), Ok(2), Ok(3), Err(TryPopError::Empty)];
        for giver in [&jobs, &other] {
            assert_eq!(giver.pop_timeout(SHORT), Err(PopTimeoutError::Timeout));
            three();
            assert_eq!(all(), expected);
            pop_in_vain(giver);
            // Another process is told nothing of the drop: its question is away soon.
            thread::sleep(SHORT);
            three();
            assert_eq!(all(), expected);
            let received = giver.receive_timeout(SHORT).map(drop);
            assert_eq!(received, Err(PopTimeoutError::Timeout));
            three();
            assert_eq!(jobs.len(), 3);
            let mut some = Vec::new();
            assert_eq!(jobs.try_pop_many(&mut some, 9), Ok(3));
            assert_eq!(some, [1, 2, 3]);
        }
        assert_eq!(other.pop_timeout(SHORT), Err(PopTimeoutError::Timeout));
        pop_in_vain(&jobs);
        three();
        assert_eq!(jobs.len(), 3);
        assert_eq!(jobs.close_now(), [1, 2, 3]);
    }
}

#[test]
fn to_give_up_takes_no_longer_than_a_word_with_the_server() {
    let Some(server) = Server::start("given up soon") else {
        return;
    };
    let jobs = queue(&server, "jobs", 0);
    let took = [(); 10].map(|()| {
        let begun = Instant::now();
        assert_eq!(jobs.pop_timeout(SHORT), Err(PopTimeoutError::Timeout));
        begun.elapsed()
    });
    assert!(took.iter().any(|took| *took < 2 * SHORT), "{took:?}");
}

/// Items that come just when somebody gives up are neither away for `ack_wait` nor out of order.
#[test]
fn what_comes_at_that_moment_is_not_lost() {
    let Some(server) = Server::start("given up in time") else {
        return;
    };
    let (jobs, other) = (queue(&server, "jobs", 0), queue(&server, "jobs", 0));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let nervous = scope.spawn(|| {
            let mut all = Vec::new();
            for round in 0.. {
                if over.load(Ordering::Relaxed) {
                    return all;
                }
                match round % 3 {
                    0 => pop_in_vain_or(&other, &mut all),
                    _ => all.extend(other.pop_timeout(Duration::from_micros(300 * (round % 7)))),
                }
            }
            all
        });
        let mut all = Vec::new();
        for n in 0..300 {
            jobs.push(n).unwrap();
            thread::sleep(Duration::from_micros(200 * (n % 11)));
            if n % 2 == 0 {
                all.extend(jobs.pop_timeout(Duration::from_micros(300 * (n % 5))));
            }
        }
        let end = Instant::now() + LONG;
        while !jobs.join_timeout(Duration::from_millis(1)) {
            assert!(
                Instant::now() < end,
                "{} and {}",
                jobs.len(),
                jobs.in_flight()
            );
            all.extend(jobs.pop_timeout(Duration::from_millis(1)));
        }
        over.store(true, Ordering::Relaxed);
        all.extend(nervous.join().unwrap());
        // A pop that was dropped just as it had its item left it to the next one of its process.
        all.extend(other.try_iter());
        all.extend(jobs.try_iter());
        all.sort_unstable();
        let expected: Vec<_> = (0..300).collect();
        assert_eq!(all, expected);
    });
}

/// A pop that is polled for a moment, and dropped unless it has got something.
fn pop_in_vain_or(queue: &NatsQueue<u64>, all: &mut Vec<u64>) {
    let mut pop = pin!(queue.pop_async());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        if let std::task::Poll::Ready(popped) = pop.as_mut().poll(&mut cx) {
            return all.extend(popped);
        }
        thread::sleep(Duration::from_micros(300));
    }
}

/// Pops whose time is up just when items come: whichever way the two meet, no item overtakes another.
#[test]
fn items_that_meet_the_end_of_a_pop_keep_their_place() {
    let Some(server) = Server::start("given up in order") else {
        return;
    };
    if server.is_of_2_9() {
        return eprintln!("left out: given up in order, which takes a nats-server of 2.10");
    }
    const PRODUCERS: u64 = 6;
    const ROUNDS: u64 = 100;
    const BATCH: u64 = 100;
    let round = Arc::new(Barrier::new(PRODUCERS as usize + 1));
    for producer in 0..PRODUCERS {
        let (jobs, round) = (queue(&server, "order", 0), round.clone());
        thread::spawn(move || {
            for nth in 0..ROUNDS {
                round.wait();
                let first = (producer << 32) + nth * BATCH;
                jobs.push_many(&mut (first..first + BATCH).collect())
                    .unwrap();
            }
        });
    }
    let jobs = queue(&server, "order", 0);
    let mut last = [None; PRODUCERS as usize];
    for nth in 0..ROUNDS {
        // It waits in vain, and its time is up when the items come.
        let (other, began) = (round.clone(), Instant::now());
        let starts = thread::spawn(move || {
            thread::sleep(Duration::from_millis(10));
            other.wait();
        });
        let mut all = Vec::new();
        let mut time = Duration::from_micros(9_000 + nth * 37 % 3_000);
        while all.len() < (PRODUCERS * BATCH) as usize {
            match jobs.pop_timeout(time) {
                Ok(item) => all.push(item),
                Err(timeout) => assert_eq!(timeout, PopTimeoutError::Timeout),
            }
            let most = 100 * usize::from(all.len() > 2);
            let _ = jobs.pop_many_timeout(&mut all, most, Duration::from_millis(1));
            time = Duration::from_millis(1);
            assert!(began.elapsed() < LONG);
        }
        for item in all {
            let last = &mut last[(item >> 32) as usize];
            assert!(*last < Some(item), "{item:x} after {last:x?}");
            *last = Some(item);
        }
        starts.join().unwrap();
    }
}
