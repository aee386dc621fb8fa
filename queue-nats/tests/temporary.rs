//! Queues without a name of their own: those that a `kill -9` left behind are removed, and no others.

mod server;

use queue_nats::{Capacity, NatsConnection, NatsQueue, Queue, WithCapacity};
use server::Server;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

const NOT_LONG: Duration = Duration::from_millis(1500);

/// Not a test: a process that has such a queue, and is killed.
#[test]
fn owner() {
    if std::env::var_os("QUEUE_NATS_OWNER").is_none() {
        return;
    }
    let jobs = NatsQueue::<u64>::with_capacity(Capacity::bounded(3));
    jobs.push(1).unwrap();
    eprintln!("ready");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn what_a_killed_owner_left_is_removed() {
    let Some(server) = Server::start("temporary") else {
        return;
    };
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["owner", "--exact", "--nocapture"])
        .env("QUEUE_NATS_OWNER", "1")
        .env("NATS_URL", server.url())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stderr.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "ready"));
    let options = server.options();
    let connection = NatsConnection::connect(&options).unwrap();
    let named: NatsQueue<u64> = connection.queue("jobs", &options).unwrap();
    named.push(1).unwrap();
    // Of two that use it the first has gone.
    let first: NatsQueue<u64> = connection.queue("temporary-mine", &options).unwrap();
    let mine: NatsQueue<u64> = connection.queue("temporary-mine", &options).unwrap();
    drop(first);
    let remove = || connection.remove_abandoned(NOT_LONG).unwrap();
    assert_eq!(remove(), [""; 0], "all are in use");
    assert_eq!((mine.len(), named.len()), (0, 1));
    owner.kill().unwrap();
    owner.wait().unwrap();
    let removed = remove();
    assert!(
        matches!(&removed[..], [name] if name.starts_with("temporary-") && name != "temporary-mine"),
        "{removed:?}"
    );
    mine.push(1).unwrap();
    drop(mine);
    assert_eq!(remove(), ["temporary-mine"]);
    assert_eq!(remove(), [""; 0]);
    assert_eq!(named.pop(), Ok(1));
    let gone = NatsQueue::<u64>::open("temporary-mine", &options.mode(queue_nats::Mode::Open));
    assert!(gone.is_err());
}
