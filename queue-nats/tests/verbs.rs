//! The verbs against a real server.

mod server;

use queue_nats::{
    Capacity, FailureKind, NatsOptions, NatsQueue, PopError, PopTimeoutError, Queue, TryPopError,
    TryPushError, WorkQueue,
};
use server::{Network, Proxy, Server};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

fn queue(server: &Server, capacity: usize) -> NatsQueue<u64> {
    let options = server.options().capacity(Capacity::bounded(capacity));
    NatsQueue::open("jobs", &options).unwrap()
}

#[test]
fn pushes_pops_and_closes() {
    let Some(server) = Server::start("verbs") else {
        return;
    };
    let jobs = queue(&server, 3);
    for n in 0..3 {
        jobs.try_push(n).unwrap();
    }
    assert!(matches!(jobs.try_push(3), Err(TryPushError::Full(3))));
    assert_eq!((jobs.len(), jobs.in_flight(), jobs.is_full()), (3, 0, true));
    assert_eq!(jobs.try_pop(), Ok(0));
    jobs.try_push(3).unwrap();
    let other = queue(&server, 3);
    assert!(jobs.same_queue(&other));
    // Whoever asks: the server counts.
    let stats = other.stats();
    assert_eq!((stats.pushed, stats.popped), (Some(4), Some(1)));
    let popper = std::thread::spawn(move || {
        let mut all = Vec::new();
        while let Ok(n) = other.pop() {
            all.push(n);
        }
        all
    });
    let mut more: VecDeque<u64> = (4..50).collect();
    jobs.push_many(&mut more).unwrap();
    let start = Instant::now();
    jobs.join();
    assert_eq!(jobs.try_pop(), Err(TryPopError::Empty));
    assert!(jobs.close());
    assert!(!jobs.close());
    assert_eq!(popper.join().unwrap(), (1..50).collect::<Vec<_>>());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        jobs.pop_timeout(Duration::from_secs(1)),
        Err(PopTimeoutError::Closed)
    );
    assert!(matches!(jobs.try_push(3), Err(TryPushError::Closed(3))));
}

/// A close is the first one once, though its mark has made room for younger ones.
#[test]
fn closed_once() {
    let Some(server) = Server::start("closed once") else {
        return;
    };
    let jobs = queue(&server, 3);
    assert!(jobs.close());
    assert_eq!(server.ask("STREAM.PURGE.QM_jobs", "")["purged"], 1);
    assert!(!jobs.close() && !queue(&server, 3).close());
    // One that is made anew is another one.
    for _ in 0..2 {
        queue(&server, 3).delete().unwrap();
        assert!(queue(&server, 3).close());
    }
    queue(&server, 3).delete().unwrap();
    assert_eq!(server.ask("STREAM.NAMES", "")["total"], 0);
}

/// Somebody who waits ends a close that another process began with, which may have died.
#[test]
fn closed_by_half() {
    let Some(server) = Server::start("half a close") else {
        return;
    };
    let jobs = queue(&server, 3);
    let popper = std::thread::spawn(move || jobs.pop_timeout(Duration::from_secs(30)));
    // It sleeps by then.
    std::thread::sleep(Duration::from_millis(100));
    server.rename("q.jobs.closing");
    assert_eq!(popper.join().unwrap(), Err(PopTimeoutError::Closed));
}

/// Others may be taking out what is still counted.
#[test]
fn a_try_at_a_closed_queue_gets_an_item_or_the_end() {
    let Some(server) = Server::start("closed") else {
        return;
    };
    let options = server.options().capacity(Capacity::bounded(8));
    for round in 0..25 {
        let jobs = NatsQueue::<u64>::open(&format!("jobs{round}"), &options).unwrap();
        for n in 0..6 {
            jobs.push(n).unwrap();
        }
        jobs.close();
        let popped = std::thread::scope(|scope| {
            let tries = || {
                let all = std::iter::from_fn(|| Some(jobs.try_pop()));
                let mut popped = 0;
                for tried in all {
                    match tried {
                        Ok(_) => popped += 1,
                        Err(TryPopError::Closed) => break,
                        Err(why) => panic!("{why:?} in round {round}"),
                    }
                }
                popped
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(tries)).collect();
            threads
                .into_iter()
                .map(|one| one.join().unwrap())
                .sum::<i32>()
        });
        assert_eq!(popped, 6);
    }
}

#[test]
fn lends_items() {
    let Some(server) = Server::start("deliveries") else {
        return;
    };
    let jobs = queue(&server, 3);
    jobs.push(7).unwrap();
    let job = jobs.receive().unwrap();
    assert_eq!((*job, job.attempt()), (7, 1));
    assert_eq!((jobs.len(), jobs.in_flight()), (0, 1));
    job.nack().unwrap();
    assert_eq!((jobs.len(), jobs.in_flight()), (1, 0));
    let job = jobs.receive().unwrap();
    assert_eq!(job.attempt(), 2);
    job.release().unwrap();
    let job = jobs.receive().unwrap();
    assert_eq!(job.attempt(), 2);
    drop(job);
    let other = queue(&server, 3);
    let job = other.receive().unwrap();
    assert_eq!(job.attempt(), 3);
    job.ack().unwrap();
    assert_eq!((jobs.len(), jobs.in_flight()), (0, 0));
    jobs.join();
}

/// Whoever works for longer than `ack_wait` keeps its item, also if there was none for a while before.
#[test]
fn a_long_delivery_is_kept() {
    let Some(server) = Server::start("a long delivery") else {
        return;
    };
    let wait = Duration::from_millis(300);
    let options = server.options().ack_wait(wait);
    let kept = (0..5).any(|round| {
        let open = || NatsQueue::<u64>::open(&format!("jobs{round}"), &options).unwrap();
        let (jobs, other) = (open(), open());
        let receive = || {
            jobs.push(7).unwrap();
            jobs.receive().unwrap()
        };
        receive().ack().unwrap();
        std::thread::sleep(wait);
        let job = receive();
        let taken = other.receive_timeout(2 * wait).map(drop);
        // On a busy machine it may come too late to extend it.
        job.ack().is_ok() && taken == Err(PopTimeoutError::Timeout)
    });
    assert!(kept, "it was lost, five times");
}

/// Whoever was cut off for so long that another worker has the item is told.
#[test]
fn a_lost_delivery_is_told() {
    let Some(server) = Server::start("a lost delivery") else {
        return;
    };
    let proxy = Proxy::to(server.port);
    let wait = Duration::from_millis(200);
    let options = server.options().ack_wait(wait);
    let other = NatsQueue::<u64>::open("jobs", &options).unwrap();
    let options = NatsOptions::new(proxy.url()).ack_wait(wait);
    let jobs = NatsQueue::<u64>::open("jobs", &options).unwrap();
    jobs.push(7).unwrap();
    let lost = jobs.receive().unwrap();
    proxy.be(Network::Silent);
    let job = other.receive().unwrap();
    proxy.be(Network::Works);
    std::thread::sleep(wait);
    let told = lost.ack().unwrap_err();
    assert_eq!(told.kind(), FailureKind::PeerGone, "{told}");
    assert_eq!((*job, job.attempt()), (7, 2));
    job.ack().unwrap();
    jobs.join();
}

/// More may be in flight at once than a server allows by itself.
#[test]
fn many_deliveries_at_once() {
    let Some(server) = Server::start("many deliveries") else {
        return;
    };
    const MANY: usize = 1100;
    let jobs = queue(&server, MANY);
    jobs.push_many(&mut (0..MANY as u64).collect()).unwrap();
    let mut held = Vec::new();
    while held.len() < MANY {
        jobs.try_receive_many(&mut held, MANY).unwrap();
    }
    assert_eq!(jobs.in_flight(), MANY);
    held.into_iter().for_each(|job| job.ack().unwrap());
}

/// An item is there for the next pop as soon as its push has returned.
#[test]
fn what_was_pushed_is_there() {
    let Some(server) = Server::start("push, then pop") else {
        return;
    };
    let jobs = queue(&server, 2);
    for n in 0..300 {
        jobs.try_push(n).unwrap();
        assert_eq!(jobs.try_pop(), Ok(n), "after {n}");
        assert_eq!(jobs.len(), 0);
    }
}

/// Who waits for an item that somebody else has is told as soon as that one is done, though the other does
/// not know that the queue is closed.
#[test]
fn the_last_ack_of_a_closed_queue_ends_it() {
    let Some(server) = Server::start("the last ack") else {
        return;
    };
    let soon = (0..5).any(|round| {
        let options = server.options().capacity(Capacity::bounded(3));
        let open = || NatsQueue::<u64>::open(&format!("jobs{round}"), &options).unwrap();
        let (jobs, other, third) = (open(), open(), open());
        jobs.push(1).unwrap();
        let job = other.receive().unwrap();
        let popper = std::thread::spawn(move || (jobs.pop(), Instant::now()));
        third.close();
        // By now the popper has seen that it is closed. It looks again a second later.
        std::thread::sleep(Duration::from_millis(300));
        assert!(!popper.is_finished(), "its last item may come back");
        let acked = Instant::now();
        job.ack().unwrap();
        let (popped, told) = popper.join().unwrap();
        assert_eq!(popped, Err(PopError::Closed));
        told - acked < Duration::from_millis(500)
    });
    assert!(soon, "it took too long, five times");
}

/// Halves of several processes that go at once hold up nobody, and the last one closes the queue.
#[test]
fn halves_that_go_at_once() {
    let Some(server) = Server::start("halves") else {
        return;
    };
    for round in 0..10 {
        let options = server.options().capacity(Capacity::bounded(3));
        let open = || NatsQueue::<u64>::open(&format!("round{round}"), &options).unwrap();
        let ends: Vec<_> = (0..3).map(|_| open().into_ends()).collect();
        let watching = open();
        let (producers, _consumers): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
        let go = std::sync::Barrier::new(producers.len());
        let start = Instant::now();
        std::thread::scope(|scope| {
            for producer in producers {
                let go = &go;
                scope.spawn(move || {
                    go.wait();
                    drop(producer);
                });
            }
        });
        let took = start.elapsed();
        assert!(took < Duration::from_secs(2), "round {round}: {took:?}");
        assert!(watching.is_closed(), "round {round}");
    }
}

/// What this process gave back and another one took is no more waited for.
#[test]
fn what_came_back_went_elsewhere() {
    let Some(server) = Server::start("given back") else {
        return;
    };
    let (jobs, other) = (queue(&server, 10), queue(&server, 10));
    for close in [false, true] {
        jobs.push(0).unwrap();
        jobs.receive().unwrap().nack().unwrap();
        assert_eq!(other.pop(), Ok(0));
        (1..9).for_each(|n| jobs.push(n).unwrap());
        let start = Instant::now();
        let all = match close {
            true => jobs.close_now(),
            false => {
                let mut all = Vec::new();
                jobs.pop_many(&mut all, 100).unwrap();
                all
            }
        };
        assert!(all.into_iter().eq(1..9));
        let took = start.elapsed();
        assert!(took < Duration::from_secs(2), "it took {took:?}");
    }
}

/// Who waits on a queue that is deleted is told.
#[test]
fn a_deleted_queue_is_gone_for_all() {
    let Some(server) = Server::start("deleted") else {
        return;
    };
    let (empty, full) = (queue(&server, 1), {
        let options = server.options().capacity(Capacity::bounded(1));
        NatsQueue::<u64>::open("full", &options).unwrap()
    });
    full.push(1).unwrap();
    let (pops, receives, pushes, joins) =
        (empty.clone(), empty.clone(), full.clone(), full.clone());
    let waiting = [
        std::thread::spawn(move || pops.pop().unwrap_err().failure().map(|f| f.kind())),
        std::thread::spawn(move || receives.receive().unwrap_err().failure().map(|f| f.kind())),
        std::thread::spawn(move || {
            let failed = pushes.push(2).unwrap_err();
            failed.failure().map(|f| f.kind())
        }),
        std::thread::spawn(move || {
            joins.join();
            Some(FailureKind::PeerGone)
        }),
    ];
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    empty.delete().unwrap();
    full.delete().unwrap();
    for waiter in waiting {
        assert_eq!(waiter.join().unwrap(), Some(FailureKind::PeerGone));
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(4), "it took {took:?}");
}

/// Somebody who waited, and has gone, does not hold up an item for long.
#[test]
fn who_has_gone_keeps_no_item() {
    let Some(server) = Server::start("gone") else {
        return;
    };
    let (jobs, other) = (queue(&server, 3), queue(&server, 3));
    let waited = Duration::from_millis(50);
    assert_eq!(other.pop_timeout(waited), Err(PopTimeoutError::Timeout));
    let popper = jobs.clone();
    let popper = std::thread::spawn(move || (popper.pop(), Instant::now()));
    std::thread::sleep(Duration::from_millis(100));
    let pushed = Instant::now();
    jobs.push(1).unwrap();
    let (popped, when) = popper.join().unwrap();
    assert_eq!(popped, Ok(1));
    let took = when - pushed;
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

/// A pop that is polled a few times, and dropped: whether it had an item.
fn drop_a_pop<R>(pop: impl Future<Output = R>, polls: u32, pause: Duration) -> Option<R> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut pop = pin!(pop);
    for _ in 0..polls {
        if let Poll::Ready(popped) = pop.as_mut().poll(&mut cx) {
            return Some(popped);
        }
        std::thread::sleep(pause);
    }
    None
}

/// Whenever the future of a pop is dropped, it has taken nothing out: its items are in the queue, take up
/// slots, are joined, and are there for another process.
#[test]
fn a_pop_that_is_dropped_has_taken_nothing() {
    let Some(server) = Server::start("dropped pops") else {
        return;
    };
    // One of 2.9 sends what a dropped pop asked for, at any time, or keeps it for `ack_wait`.
    let withdraws = !server.is_of_2_9();
    let options = server.options().ack_wait(Duration::from_secs(2));
    let options = options.capacity(Capacity::bounded(5));
    for round in 0..24u64 {
        let open = || NatsQueue::<u64>::open(&format!("jobs{round}"), &options).unwrap();
        let (jobs, other) = (open(), open());
        jobs.push_many(&mut (0..5).collect()).unwrap();
        let (polls, pause) = (
            1 + round as u32 % 4,
            Duration::from_micros(300 * (round % 5)),
        );
        let mut popped = Vec::new();
        match round % 2 {
            0 => popped.extend(drop_a_pop(jobs.pop_async(), polls, pause).map(Result::unwrap)),
            _ => {
                drop_a_pop(jobs.pop_many_async(&mut popped, 3), polls, pause);
            }
        }
        let first = popped.len() as u64;
        assert_eq!(popped, (0..first).collect::<Vec<_>>(), "round {round}");
        if withdraws {
            assert_eq!(jobs.len() as u64, 5 - first, "round {round}");
        }
        for n in 0..first {
            jobs.try_push(5 + n).unwrap();
        }
        assert!(matches!(jobs.try_push(9), Err(TryPushError::Full(9))));
        assert!(!other.join_timeout(Duration::ZERO));
        match round % 3 {
            // By somebody else, when this process has gone.
            _ if round % 3 == 0 || !withdraws => {
                drop(jobs);
                let mut left = Vec::new();
                while left.len() < 5 {
                    left.push(other.pop_timeout(Duration::from_secs(5)).unwrap());
                }
                left.sort_unstable();
                assert_eq!(left, (first..first + 5).collect::<Vec<_>>());
            }
            1 => {
                let job = jobs.try_receive().unwrap();
                jobs.close();
                let mut left = Vec::new();
                assert_eq!(jobs.try_pop_many(&mut left, 9), Ok(4), "round {round}");
                assert_eq!(jobs.try_pop(), Err(TryPopError::Empty), "it may come back");
                let back = *job;
                job.nack().unwrap();
                assert_eq!(jobs.try_pop(), Ok(back));
                assert_eq!(jobs.try_pop(), Err(TryPopError::Closed));
                left.push(back);
                left.sort_unstable();
                assert_eq!(left, (first..first + 5).collect::<Vec<_>>());
            }
            _ => {
                let mut left = jobs.close_now();
                left.sort_unstable();
                assert_eq!(left, (first..first + 5).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn a_question_may_take_longer_than_any_clock_runs() {
    let Some(server) = Server::start("patient") else {
        return;
    };
    let options = server.options().timeout(Duration::MAX);
    let jobs = NatsQueue::<u64>::open("jobs", &options).unwrap();
    let mut items: VecDeque<u64> = (0..100).collect();
    jobs.push_many(&mut items).unwrap();
    jobs.push(100).unwrap();
    let mut all = Vec::new();
    while all.len() <= 100 {
        jobs.pop_many(&mut all, 50).unwrap();
    }
    assert_eq!(all, (0..=100).collect::<Vec<_>>());
}
