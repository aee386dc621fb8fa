//! What a process that ends by itself has in its hands is in the queue again at once.

mod server;

use queue_nats::{Capacity, Delivery, NatsQueue, Producer, Queue, WorkQueue};
use server::Server;
use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::process::{self, Command, Stdio};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

const NAME: &str = "jobs";

fn queue(server: &str) -> NatsQueue<u64> {
    let options = queue_nats::NatsOptions::new(server).capacity(Capacity::bounded(3));
    NatsQueue::open(NAME, &options).unwrap()
}

/// Not a test: a process that leaves while it pops.
#[test]
fn leaver() {
    let Some(server) = std::env::var_os("QUEUE_NATS_LEAVER") else {
        return;
    };
    let jobs = queue(server.to_str().unwrap());
    let ready = {
        let pop = pin!(jobs.pop_async());
        let ready = pop.poll(&mut Context::from_waker(Waker::noop())).is_ready();
        // About as long as a server needs for what it was asked.
        thread::sleep(Duration::from_micros(u64::from(process::id()) % 10 * 100));
        ready
    };
    drop(jobs);
    // Without the time that the end of a test gives to other threads.
    process::exit(i32::from(ready));
}

#[test]
fn who_leaves_gives_back_first() {
    const ROUNDS: u32 = 20;
    let Some(server) = Server::start("leaving") else {
        return;
    };
    let jobs = queue(&server.url());
    jobs.push(1).unwrap();
    let mut at_once = 0;
    for round in 0..ROUNDS {
        let leaver = Command::new(std::env::current_exe().unwrap())
            .args(["leaver", "--exact"])
            .env("QUEUE_NATS_LEAVER", server.url())
            .stdout(Stdio::null())
            .status();
        match leaver.unwrap().code() {
            Some(0) => {}
            // Its first look was slow, or the answer quick: it has the item for good.
            Some(1) => {
                jobs.push(1).unwrap();
                at_once += 1;
                continue;
            }
            other => panic!("{other:?}"),
        }
        // Its lease would last for 30 seconds.
        let job = jobs.receive_timeout(Duration::from_secs(5));
        assert_eq!(
            *job.unwrap_or_else(|why| panic!("{why} in round {round}")),
            1
        );
    }
    assert!(at_once < ROUNDS, "nobody left while it popped");
}

type Late = (Delivery<NatsQueue<u64>>, Producer<NatsQueue<u64>>);

thread_local! {
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

/// Tokio has no context any more where the locals of a thread are dropped.
#[test]
fn what_a_thread_keeps_until_its_end_goes_back() {
    let Some(server) = Server::start("thread locals") else {
        return;
    };
    let jobs = queue(&server.url());
    jobs.push(1).unwrap();
    let own = queue(&server.url());
    let ends = thread::spawn(move || {
        // Before those of Tokio, so that it is dropped after them.
        LATE.with(|late| {
            let job = own.receive().unwrap();
            *late.borrow_mut() = Some((job, Producer::new(own)));
        });
    });
    ends.join().unwrap();
    let again = jobs.receive_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!((*again, again.attempt()), (1, 2));
    drop(again);
    assert!(jobs.is_closed());
}
