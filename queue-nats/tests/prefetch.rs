//! Items that are fetched ahead, against a real server.

mod server;

use futures_core::Stream;
use queue_nats::{Capacity, Delivery, NatsOptions, NatsQueue, PopTimeoutError, Queue, WorkQueue};
use server::{Network, Proxy, Server};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

fn queue(server: &Server, prefetch: usize) -> NatsQueue<u64> {
    let options = server.options().capacity(Capacity::bounded(2000));
    NatsQueue::open("jobs", &options.prefetch(prefetch)).unwrap()
}

#[test]
fn each_item_comes_once_and_in_order() {
    let Some(server) = Server::start("prefetch: order") else {
        return;
    };
    for consumers in [1, 4] {
        let jobs = queue(&server, 16);
        let pushing = jobs.clone();
        let pusher = std::thread::spawn(move || {
            pushing.push_many(&mut (0..500).collect()).unwrap();
            (500..600).for_each(|n| pushing.push(n).unwrap());
            pushing.join();
            pushing.close();
        });
        let consumers = (0..consumers).map(|_| {
            let jobs = jobs.clone();
            std::thread::spawn(move || {
                let mut all = Vec::new();
                while let Ok(job) = jobs.receive() {
                    assert_eq!(job.attempt(), 1, "{}", *job);
                    all.push(*job);
                    job.ack().unwrap();
                }
                all
            })
        });
        let consumers: Vec<_> = consumers.collect();
        let each: Vec<_> = (consumers.into_iter())
            .map(|one| one.join().unwrap())
            .collect();
        pusher.join().unwrap();
        assert!(each.iter().all(|all| all.is_sorted()), "{each:?}");
        let mut all = each.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..600));
        jobs.delete().unwrap();
    }
}

/// The questions of all who ask the server for items of the queue, as JSON, until it is stopped.
fn questions(server: &Server, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let subject = "$JS.API.CONSUMER.MSG.NEXT.Q_jobs.workers";
    let mut asked = runtime.block_on(async {
        let client = async_nats::connect(server.url()).await.unwrap();
        let asked = client.subscribe(subject).await.unwrap();
        client.flush().await.unwrap();
        asked
    });
    let stop = stop.clone();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let mut all = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let next = std::future::poll_fn(|cx| Pin::new(&mut asked).poll_next(cx));
                if let Ok(next) = tokio::time::timeout(Duration::from_millis(100), next).await {
                    let question = next.unwrap().payload.to_vec();
                    all.push(String::from_utf8(question).unwrap());
                }
            }
            all
        })
    })
}

/// It asks for half of them when half of them are left: there is no question for each item, and not the
/// last item has been taken when the next ones come.
#[test]
fn it_asks_for_half_when_half_is_left() {
    let Some(server) = Server::start("prefetch: questions") else {
        return;
    };
    let jobs = queue(&server, 16);
    jobs.push_many(&mut (0..400).collect()).unwrap();
    let stop = Arc::default();
    let asked = questions(&server, &stop);
    for n in 0..400 {
        let job = jobs.receive().unwrap();
        assert_eq!(*job, n);
        job.ack().unwrap();
    }
    // What was sent has come.
    std::thread::sleep(Duration::from_millis(300));
    stop.store(true, Ordering::SeqCst);
    let asked = asked.join().unwrap();
    let halves = asked.iter().filter(|one| one.contains("\"batch\":8,"));
    assert!(halves.count() >= 25, "{asked:?}");
    assert!(asked.len() <= 100, "{asked:?}");
}

/// What `other` gets next, and after what time.
fn next(other: &NatsQueue<u64>) -> (Delivery<NatsQueue<u64>>, Duration) {
    let start = Instant::now();
    let job = other.receive_timeout(LONG).expect("it comes back");
    (job, start.elapsed())
}

/// What a process has fetched that asks no more is soon back, each time, and that delivery does not count.
#[test]
fn what_nobody_takes_goes_back() {
    let Some(server) = Server::start("prefetch: idle") else {
        return;
    };
    let (jobs, other) = (queue(&server, 16), queue(&server, 0));
    let took_little = |_: &u32| {
        jobs.push_many(&mut (0..9).collect()).unwrap();
        jobs.receive().unwrap().ack().unwrap();
        assert_eq!((jobs.len(), jobs.in_flight()), (8, 0), "they wait here");
        assert_eq!(other.in_flight(), 8, "and are away for others");
        let (first, took) = next(&other);
        assert_eq!((*first, first.attempt()), (1, 1));
        first.ack().unwrap();
        for n in 2..9 {
            let (job, _) = next(&other);
            assert_eq!((*job, job.attempt()), (n, 1));
            job.ack().unwrap();
        }
        assert_eq!(jobs.try_pop().ok(), None);
        assert_eq!((other.len(), other.in_flight()), (0, 0));
        took < Duration::from_millis(1500)
    };
    let soon = (0..6).filter(took_little).take(2).count();
    assert_eq!(soon, 2, "it took too long, five times");
}

/// And what one has fetched whose last handle goes is back when that has gone.
#[test]
fn the_last_handle_gives_back() {
    let Some(server) = Server::start("prefetch: the last handle") else {
        return;
    };
    let other = queue(&server, 0);
    let jobs = queue(&server, 300);
    jobs.push_many(&mut (0..300).collect()).unwrap();
    let job = jobs.receive().unwrap();
    assert_eq!(jobs.len(), 299, "they have come");
    let clone = jobs.clone();
    drop(jobs);
    drop(clone);
    assert_eq!(other.in_flight(), 300, "a job is a handle too");
    job.ack().unwrap();
    let job = other.try_receive().unwrap();
    assert_eq!((*job, job.attempt()), (1, 1));
    job.ack().unwrap();
    for n in 2..300 {
        assert_eq!(other.try_pop(), Ok(n));
    }
}

/// What is given back here is in front of what was fetched ahead, and its attempts are known elsewhere.
#[test]
fn what_is_given_back_keeps_its_place_and_its_attempts() {
    let Some(server) = Server::start("prefetch: given back") else {
        return;
    };
    let (jobs, other) = (queue(&server, 16), queue(&server, 0));
    jobs.push_many(&mut (0..10).collect()).unwrap();
    for attempt in 1..4 {
        let job = jobs.receive().unwrap();
        assert_eq!((*job, job.attempt()), (0, attempt));
        job.nack().unwrap();
    }
    let job = jobs.receive().unwrap();
    job.release().unwrap();
    let job = jobs.receive().unwrap();
    assert_eq!((*job, job.attempt()), (0, 4));
    drop((job, jobs));
    let (job, _) = next(&other);
    assert_eq!((*job, job.attempt()), (0, 5));
    job.ack().unwrap();
    assert!((1..10).all(|n| other.pop() == Ok(n)));
    let waited = Duration::from_millis(10);
    assert_eq!(other.pop_timeout(waited), Err(PopTimeoutError::Timeout));
}

/// What was fetched ahead by a process that was cut off, and went to another one, is not handed out.
#[test]
fn what_is_lost_is_left_to_others() {
    let Some(server) = Server::start("prefetch: cut off") else {
        return;
    };
    let proxy = Proxy::to(server.port);
    let wait = Duration::from_millis(300);
    let options = server.options().ack_wait(wait);
    let other = NatsQueue::<u64>::open("jobs", &options).unwrap();
    let options = NatsOptions::new(proxy.url()).ack_wait(wait).prefetch(16);
    let jobs = NatsQueue::<u64>::open("jobs", &options).unwrap();
    other.push_many(&mut (0..5).collect()).unwrap();
    jobs.receive().unwrap().ack().unwrap();
    assert_eq!(jobs.len(), 4);
    proxy.be(Network::Silent);
    let mut came: Vec<u64> = Vec::new();
    for _ in 1..5 {
        let (job, _) = next(&other);
        came.push(*job);
        job.ack().unwrap();
    }
    came.sort_unstable();
    assert_eq!(came, [1, 2, 3, 4]);
    proxy.be(Network::Works);
    // The server answers who extends a hold that is over, too.
    std::thread::sleep(wait);
    other.push(9).unwrap();
    let (job, _) = next(&jobs);
    assert_eq!(*job, 9);
    job.ack().unwrap();
}

/// A queue that is deleted while items of it are here holds up nobody.
#[test]
fn a_deleted_queue_is_let_go() {
    let Some(server) = Server::start("prefetch: deleted") else {
        return;
    };
    for by_another in [false, true] {
        let (jobs, other) = (queue(&server, 16), queue(&server, 0));
        jobs.push_many(&mut (0..10).collect()).unwrap();
        jobs.receive().unwrap().ack().unwrap();
        let start = Instant::now();
        match by_another {
            true => {
                other.delete().unwrap();
                drop(jobs);
            }
            false => jobs.delete().unwrap(),
        }
        let took = start.elapsed();
        assert!(took < Duration::from_secs(8), "it took {took:?}");
    }
}
