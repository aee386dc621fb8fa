//! Queues without a name of their own: those that a `kill -9` left behind are removed, and no others.

mod server;

use queue_nats::{Capacity, NatsConnection, NatsQueue, Queue, WithCapacity};
use server::{Proxy, Server};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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

/// Not a test: a process that has such queues once, and then some at the same time.
#[test]
fn user() {
    if std::env::var_os("QUEUE_NATS_USER").is_none() {
        return;
    }
    let make = || NatsQueue::<u64>::with_capacity(Capacity::bounded(3));
    drop(make());
    // The connection has ended by then, as a rule.
    std::thread::sleep(Duration::from_millis(100));
    drop([make(), make(), make()]);
}

#[test]
fn all_of_a_process_share_one_connection() {
    let Some(server) = Server::start("connections") else {
        return;
    };
    let proxy = Proxy::to(server.port);
    let user = Command::new(std::env::current_exe().unwrap())
        .args(["user", "--exact"])
        .env("QUEUE_NATS_USER", "1")
        .env("NATS_URL", proxy.url())
        .output()
        .unwrap();
    assert!(user.status.success(), "{user:?}");
    // Another one after the first has ended.
    let connections = proxy.accepted();
    assert!((1..=2).contains(&connections), "{connections} connections");
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
    // Of ten whose owners listen and are stopped none is removed, and they are waited for at once.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stopped = runtime.block_on(async {
        let client = async_nats::connect(server.url()).await.unwrap();
        let stopped = client.subscribe("q.*.half.use").await.unwrap();
        client.flush().await.unwrap();
        stopped
    });
    for number in 0..10 {
        let name = format!("temporary-{number}");
        let _stays: NatsQueue<u64> = connection.queue(&name, &options).unwrap();
    }
    let start = Instant::now();
    assert_eq!(
        connection.remove_abandoned(Duration::ZERO).unwrap(),
        [""; 0]
    );
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "one after the other"
    );
    drop(stopped);
    let gone = NatsQueue::<u64>::open("temporary-mine", &options.mode(queue_nats::Mode::Open));
    assert!(gone.is_err());
}
