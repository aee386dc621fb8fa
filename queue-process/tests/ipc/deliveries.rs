//! Work that outlives its worker, its host not.

use super::*;
use queue_process::WorkQueue;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[
    ("hold", hold),
    ("work_on", work_on),
    ("host_of_work", host_of_work),
    ("hold_on", hold_on),
];

/// Receives until nothing is left, says so, and is killed.
fn hold() {
    let jobs = Consumer::<Numbers>::from_parent("JOBS").unwrap();
    let held = Numbers::from_parent("HELD").unwrap();
    let mut all = Vec::new();
    while let Ok(job) = jobs.try_receive() {
        held.push(*job).unwrap();
        all.push(job);
    }
    held.close();
    thread::sleep(Duration::from_secs(60));
}

/// A child that holds all of `jobs`, which are in order.
fn holds_all(jobs: &Numbers, count: usize) -> Child {
    let held = Numbers::unbounded();
    let child = start("hold", &[("JOBS", jobs), ("HELD", &held)]);
    let held: Vec<_> = held.iter().collect();
    assert_eq!(held.len(), count);
    assert!(held.is_sorted());
    child
}

fn kill(mut child: Child) -> Instant {
    child.kill().unwrap();
    let killed = Instant::now();
    child.wait().unwrap();
    killed
}

#[test]
fn the_work_of_a_killed_worker_comes_back_at_once() {
    let late = |jobs: &Numbers, round: u32| {
        let child = holds_all(jobs, 3);
        assert_eq!((jobs.len(), jobs.in_flight()), (0, 3));
        assert!(jobs.is_full() && jobs.try_push(9).is_err());
        let waits = jobs.clone();
        let waiter = thread::spawn(move || waits.receive().map(|job| (job.attempt(), *job, job)));
        thread::sleep(Duration::from_millis(20));
        let killed = kill(child);
        let (attempt, number, first) = waiter.join().unwrap().unwrap();
        let elapsed = killed.elapsed();
        assert_eq!((attempt, number), (round + 1, 0));
        let mut others = Vec::new();
        assert_eq!(jobs.try_receive_many(&mut others, 9), Ok(2));
        assert!(others.iter().map(|job| **job).eq([1, 2]));
        assert!(others.iter().all(|job| job.attempt() == round + 1));
        // These were not begun.
        for job in others.into_iter().chain([first]) {
            job.release().unwrap();
        }
        elapsed
    };
    let jobs = Numbers::bounded(3);
    (0..3).for_each(|n| jobs.push(n).unwrap());
    let quickest = (1..9).map(|round| late(&jobs, round)).min().unwrap();
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
    assert!(jobs.iter().take(3).eq(0..3));
    jobs.join();
}

/// Neither for pops nor for those who join, here or in a guest, is it over before it is.
#[test]
fn the_end_waits_for_what_a_worker_holds() {
    let jobs = Numbers::bounded(3);
    (0..2).for_each(|n| jobs.push(n).unwrap());
    let guest = guests::guest_of(&jobs);
    let child = holds_all(&jobs, 2);
    jobs.close();
    for handle in [&jobs, &guest] {
        assert_eq!(handle.try_pop(), Err(TryPopError::Empty));
        assert!(!handle.join_timeout(Duration::from_millis(20)));
        assert_eq!(handle.close_now(), []);
    }
    let ends = [&jobs, &guest].map(|handle| {
        let handle = handle.clone();
        thread::spawn(move || {
            handle.join();
            handle.pop()
        })
    });
    kill(child);
    for handle in [&jobs, &guest] {
        handle.receive().unwrap().ack().unwrap();
    }
    for end in ends {
        assert_eq!(end.join().unwrap(), Err(PopError::Closed));
    }
}

fn work_on() {
    let jobs = Consumer::<Numbers>::from_parent("JOBS").unwrap();
    let done = Producer::<Numbers>::from_parent("DONE").unwrap();
    // An ack that was not sent is none: what is done twice is told twice.
    while let Ok(job) = jobs.receive() {
        if job.attempt() == 1 && *job % 7 == 0 {
            job.nack().unwrap();
            continue;
        }
        thread::sleep(Duration::from_micros(200));
        done.push(*job).unwrap();
        job.ack().unwrap();
    }
}

/// Workers are killed at any moment, and others take their place.
#[test]
fn no_work_is_lost_by_kills() {
    const JOBS: u64 = 400;
    let jobs = Numbers::bounded(8);
    let done = Numbers::unbounded();
    let pushes = jobs.clone();
    let producer = thread::spawn(move || (0..JOBS).for_each(|n| pushes.push(n).unwrap()));
    let worker = || start("work_on", &[("JOBS", &jobs), ("DONE", &done)]);
    let mut workers = [worker(), worker(), worker()];
    for round in 0..12 {
        thread::sleep(Duration::from_millis(15 + round));
        kill(std::mem::replace(
            &mut workers[round as usize % 3],
            worker(),
        ));
    }
    producer.join().unwrap();
    jobs.join();
    assert_eq!((jobs.len(), jobs.in_flight()), (0, 0));
    // Nobody takes what goes in now.
    for worker in workers {
        kill(worker);
    }
    // Its places are all free.
    (0..8).for_each(|n| jobs.try_push(n).unwrap());
    assert!(jobs.try_push(9).is_err());
    assert_eq!(jobs.close_now().len(), 8);
    let mut numbers: Vec<_> = done.try_iter().collect();
    let told = numbers.len() as u64;
    numbers.sort_unstable();
    numbers.dedup();
    // A worker that is killed between its report and its ack does one job twice.
    assert!(numbers.into_iter().eq(0..JOBS));
    assert!(told <= JOBS + 12, "{told}");
}

/// Hosts a queue for a child that holds a delivery and pushes, and is killed.
fn host_of_work() {
    let (jobs, full) = (Numbers::bounded(2), Numbers::bounded(1));
    jobs.push(1).unwrap();
    full.push(1).unwrap();
    let mut child = command("hold_on");
    jobs.share_with(&mut child, "JOBS").unwrap();
    full.share_with(&mut child, "FULL").unwrap();
    succeeds(child.stdout(Stdio::inherit()).spawn().unwrap());
}

fn hold_on() {
    let jobs = Numbers::from_parent("JOBS").unwrap();
    let full = Numbers::from_parent("FULL").unwrap();
    let job = jobs.receive().unwrap();
    thread::scope(|scope| {
        let waits = [
            scope.spawn(|| assert_eq!(full.push(7), Err(PushError::Closed(7)))),
            scope.spawn(|| jobs.join()),
            scope.spawn(|| assert!(jobs.receive().is_err_and(|error| error == PopError::Closed))),
        ];
        thread::sleep(Duration::from_millis(50));
        println!("here");
        waits.into_iter().for_each(|wait| wait.join().unwrap());
    });
    assert_eq!(full.try_push(8), Err(TryPushError::Closed(8)));
    assert!(full.is_closed() && full.is_empty() && jobs.in_flight() == 0);
    assert_eq!(job.ack().unwrap_err().kind(), FailureKind::PeerGone);
    println!("ended");
}

#[test]
fn with_its_host_a_queue_is_closed_and_its_items_are_gone() {
    let mut host = command("host_of_work")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("here")));
    kill(host);
    let left: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(left.iter().any(|line| line.contains("ended")), "{left:?}");
}

/// A number that cannot be brought out, or panics there.
#[derive(Debug, PartialEq, Serialize)]
struct Moody(u64);

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            2 => panic!("an item that panics, for a test"),
            3 => Err(de::Error::custom("not today")),
            number => Ok(Self(number)),
        }
    }
}

/// As with a pop, that item alone is gone. What a batch left behind can be received too.
#[test]
fn an_item_that_cannot_be_brought_out_is_told_once() {
    let push_all = |queue: &IpcQueue<Moody>| {
        (1..6).for_each(|n| queue.push(Moody(n)).unwrap());
    };
    // The host, and the queue as the host itself or a guest of it has it.
    let new = |of_a_guest| {
        let host = IpcQueue::<Moody>::bounded(5);
        let queue = if of_a_guest {
            guests::guest_of(&host)
        } else {
            host.clone()
        };
        (host, queue)
    };
    for of_a_guest in [false, true] {
        let (host, queue) = new(of_a_guest);
        let refused = || queue.try_receive().unwrap_err().failure().unwrap().kind();
        push_all(&host);
        queue.receive().unwrap().ack().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| queue.receive())).is_err());
        assert_eq!(
            (refused(), queue.in_flight(), queue.len()),
            (FailureKind::Codec, 0, 2)
        );
        queue.receive().unwrap().nack().unwrap();
        assert_eq!(queue.close_now(), [Moody(4), Moody(5)]);
        assert!(queue.join_timeout(Duration::ZERO));

        let (host, queue) = new(of_a_guest);
        let refused = || queue.try_receive().unwrap_err().failure().unwrap().kind();
        push_all(&host);
        let many = || queue.try_pop_many(&mut Vec::new(), 5);
        assert!(catch_unwind(AssertUnwindSafe(many)).is_err());
        assert_eq!(refused(), FailureKind::Codec);
        for _ in 0..2 {
            let left = queue.receive().unwrap();
            assert_eq!(left.0, 4);
            left.nack().unwrap();
        }
        assert_eq!(queue.receive().unwrap().take().unwrap(), Moody(4));
        queue.receive().unwrap().ack().unwrap();
        assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
    }
}

/// One that finds no room on the way is not delivered by that.
#[test]
fn a_large_job_is_a_first_attempt() {
    let host = IpcQueue::<Vec<u8>>::bounded(8);
    let (sender, receiver) = ipc::channel().unwrap();
    sender.send(host.clone()).unwrap();
    let guest: IpcQueue<Vec<u8>> = receiver.recv().unwrap();
    for round in 0..5 {
        thread::scope(|scope| {
            let sleepers = [(); 2]
                .map(|()| scope.spawn(|| guest.receive_timeout(Duration::from_secs(30)).unwrap()));
            thread::sleep(Duration::from_millis(20));
            host.push(vec![1; 20_000]).unwrap();
            host.push(vec![1; 100]).unwrap();
            for job in sleepers.map(|sleeper| sleeper.join().unwrap()) {
                assert_eq!(job.attempt(), 1, "{} bytes, round {round}", job.len());
                job.ack().unwrap();
            }
        });
    }
}
