//! The verbs against a real server.

mod server;

use queue_nats::{
    Capacity, NatsQueue, PopTimeoutError, Queue, TryPopError, TryPushError, WorkQueue,
};
use server::Server;
use std::collections::VecDeque;
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
