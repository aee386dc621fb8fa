//! What a process that ends by itself has in its hands is in the queue again at once.

mod server;

use queue_nats::{Capacity, NatsQueue, Queue, WorkQueue};
use server::Server;
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
