//! Real processes, killed: workers, and the server; and their network, cut. No accepted job is lost; those
//! that were done twice are counted and told.
//!
//! `NATS_FAULT_JOBS` jobs (400), `NATS_FAULT_KILLS` kills of workers (3) and of the server (2),
//! `NATS_FAULT_CUTS` cuts of the network (3); with `NATS_CLUSTER=1` and three servers,
//! `NATS_FAULT_LEADERS` kills of the one that leads (2).

mod server;

use queue_nats::{Capacity, FailureKind, NatsOptions, NatsQueue, PushError, Queue, WorkQueue};
use server::{Cluster, Network, Proxy, Server};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

fn number(variable: &str, default: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// On three servers, if there are so many.
fn jobs(url: &str, prefetch: u64) -> NatsQueue<u64> {
    let options = NatsOptions::new(url).capacity(Capacity::bounded(100));
    let options = options
        .ack_wait(Duration::from_secs(2))
        .replicas(url.split(',').count())
        .prefetch(prefetch as usize);
    // A cluster begins by electing a leader.
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match NatsQueue::open("jobs", &options) {
            Ok(jobs) => return jobs,
            Err(failure) if Instant::now() > end => panic!("{failure:#}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Not a test: the worker that the tests below start. It says what it got, and then what it acked.
#[test]
fn worker() {
    let Ok(url) = std::env::var("QUEUE_NATS_WORKER") else {
        return;
    };
    let jobs = jobs(&url, number("QUEUE_NATS_PREFETCH", 0));
    let mut out = std::io::stderr();
    // It ends with the queue, by a kill, or when its parent has gone.
    while let Ok(job) = jobs.receive() {
        let number = *job;
        std::thread::sleep(Duration::from_millis(4));
        // First: an item that is acked was seen by somebody, whatever happens to this process.
        let got = writeln!(out, "got {number}");
        let acked = match job.ack() {
            Ok(()) => "acked",
            // It comes again, or does not.
            Err(_) => "unsure",
        };
        if got
            .and_then(|()| writeln!(out, "{acked} {number}"))
            .is_err()
        {
            return;
        }
    }
}

/// What a worker says of an item.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Got,
    Acked,
    Unsure,
}

fn start_worker(url: &str, prefetch: u64, told: Sender<(u64, Word)>) -> Child {
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker", "--nocapture"])
        .env("QUEUE_NATS_WORKER", url)
        .env("QUEUE_NATS_PREFETCH", prefetch.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(worker.stderr.take().unwrap()).lines();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let Some((word, number)) = line.split_once(' ') else {
                continue;
            };
            let word = match word {
                "got" => Word::Got,
                "acked" => Word::Acked,
                "unsure" => Word::Unsure,
                _ => continue,
            };
            let Ok(number) = number.parse() else { continue };
            if told.send((number, word)).is_err() {
                return;
            }
        }
    });
    worker
}

/// Four workers do `NATS_FAULT_JOBS` jobs, while `disturb` does what it does to them and their way to the
/// server: each job is got by one of them. `disturb` says how many workers it has killed.
fn no_job_is_lost(
    url: &str,
    prefetch: u64,
    disturb: impl FnOnce(&mut Vec<Child>, &dyn Fn() -> Child) -> u64,
) {
    let count = number("NATS_FAULT_JOBS", 400);
    let queue = jobs(url, 0);
    let (told, done) = channel();
    let start = || start_worker(url, prefetch, told.clone());
    let mut workers: Vec<_> = (0..4).map(|_| start()).collect();
    let pushing = queue.clone();
    let pusher = std::thread::spawn(move || {
        let mut unsure = 0;
        for number in 0..count {
            match pushing.push(number) {
                Ok(()) => {}
                // A verb that waits asks again until it knows.
                Err(PushError::Failed(..)) => unsure += 1,
                Err(PushError::Closed(_)) => panic!("nobody closes it"),
            }
        }
        unsure
    });
    let kills = disturb(&mut workers, &start);
    assert_eq!(
        pusher.join().unwrap(),
        0,
        "a push without a deadline fails by nothing"
    );
    let end = Instant::now() + Duration::from_secs(60);
    while !queue.join_timeout(Duration::from_secs(1)) {
        assert!(
            Instant::now() < end,
            "{} and {} are left",
            queue.len(),
            queue.in_flight()
        );
    }
    // Servers may take longer to elect the one that knows of streams than a close tries.
    while let Err(failure) = queue.try_close() {
        let is_away = failure.kind() == FailureKind::Unavailable;
        assert!(is_away && Instant::now() < end, "{failure:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
    for mut worker in workers {
        worker.wait().unwrap();
    }
    drop(told);
    let mut times = BTreeMap::new();
    let (mut acked, mut unsure) = (0, 0);
    for (number, word) in done {
        *times.entry(number).or_insert(0) += u32::from(word == Word::Got);
        acked += u32::from(word == Word::Acked);
        unsure += u32::from(word == Word::Unsure);
    }
    let lost: Vec<_> = (0..count).filter(|n| !times.contains_key(n)).collect();
    let twice = times.values().filter(|times| **times > 1).count();
    eprintln!(
        "{count} jobs, {kills} workers killed: {twice} got twice, {acked} acks, {unsure} unsure"
    );
    assert!(lost.is_empty(), "lost: {lost:?}");
    queue.delete().unwrap();
}

#[test]
fn no_accepted_job_is_lost() {
    let Some(mut server) = Server::start("faults") else {
        return;
    };
    let kills = number("NATS_FAULT_KILLS", 3);
    let restarts = |server: &mut Server| {
        std::thread::sleep(Duration::from_millis(100));
        server.restart();
    };
    no_job_is_lost(&server.url(), 0, |workers, start| {
        (0..kills).for_each(|_| kill_one(workers, start));
        kills
    });
    no_job_is_lost(&server.url(), 16, |_, _| {
        (0..kills).for_each(|_| restarts(&mut server));
        0
    });
    // Servers of 2.9 lose some in this case alone.
    if !server.is_of_2_9() {
        no_job_is_lost(&server.url(), 16, |workers, start| {
            for _ in 0..kills {
                kill_one(workers, start);
                restarts(&mut server);
            }
            kills
        });
    }
}

/// Nor one that was fetched ahead by a worker that is killed.
#[test]
fn no_prefetched_job_is_lost() {
    let Some(server) = Server::start("prefetch and kills") else {
        return;
    };
    let kills = number("NATS_FAULT_KILLS", 3);
    no_job_is_lost(&server.url(), 16, |workers, start| {
        (0..kills).for_each(|_| kill_one(workers, start));
        kills
    });
}

/// After a while, and starts another one.
fn kill_one(workers: &mut Vec<Child>, start: &dyn Fn() -> Child) {
    std::thread::sleep(Duration::from_millis(150));
    let mut worker = workers.remove(0);
    worker.kill().unwrap();
    worker.wait().unwrap();
    workers.push(start());
}

/// What is on its way when the network is cut is neither lost nor left lying, also if it is silent for
/// longer than the server waits for an ack.
/// A server that is killed may not know after its start what it has delivered, and answers no ack for that.
#[test]
fn what_a_server_forgot_is_acked_all_the_same() {
    let Some(mut server) = Server::start("forgotten") else {
        return;
    };
    let jobs = jobs(&server.url(), 0);
    for round in 0..10 {
        (0..100).for_each(|number| jobs.push(number).unwrap());
        let held: Vec<_> = (0..50).map(|_| jobs.receive().unwrap()).collect();
        server.kill();
        server.restart();
        let began = Instant::now();
        held.into_iter().for_each(|job| job.ack().unwrap());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(4), "round {round}: {took:?}");
        let mut rest = Vec::new();
        while rest.len() < 50 {
            let number = jobs.pop().unwrap();
            // A server of 2.9 delivers some twice.
            assert!(number >= 50 || server.is_of_2_9(), "{number} is done");
            rest.extend((number >= 50).then_some(number));
        }
        assert!(rest.is_sorted() || server.is_of_2_9(), "{rest:?}");
    }
    assert!(jobs.join_timeout(Duration::from_secs(20)));
}

#[test]
fn no_accepted_job_is_lost_by_a_cut() {
    let Some(server) = Server::start("cuts") else {
        return;
    };
    let proxy = Proxy::to(server.port);
    let cuts = number("NATS_FAULT_CUTS", 3);
    no_job_is_lost(&proxy.url(), 0, |_, _| {
        for cut in 0..cuts {
            std::thread::sleep(Duration::from_millis(150));
            let (network, millis) = match cut % 3 {
                0 => (Network::Cut, 300),
                1 => (Network::Silent, 2500),
                _ => (Network::Silent, 50),
            };
            proxy.be(network);
            std::thread::sleep(Duration::from_millis(millis));
            proxy.be(Network::Works);
        }
        0
    });
}

/// Which of the servers leads the stream of the queue, as far as they know.
fn leader(url: &str) -> Option<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let leader: Result<_, Box<dyn std::error::Error>> = runtime.block_on(async {
        let servers: Vec<_> = url.split(',').collect();
        let client = async_nats::connect(servers).await?;
        let context = async_nats::jetstream::new(client);
        let info = context.get_stream("Q_jobs").await?.get_info().await?;
        Ok(info.cluster.and_then(|cluster| cluster.leader))
    });
    leader.ok()??.strip_prefix('n')?.parse().ok()
}

#[test]
fn no_accepted_job_is_lost_by_leaders() {
    let Some(mut cluster) = Cluster::start("leaders") else {
        return;
    };
    let kills = number("NATS_FAULT_LEADERS", 2);
    let url = cluster.url();
    no_job_is_lost(&url, 0, |_, _| {
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(500));
            let leader = loop {
                match leader(&url) {
                    Some(leader) => break leader,
                    None => std::thread::sleep(Duration::from_millis(100)),
                }
            };
            cluster.0[leader].restart();
        }
        0
    });
}
