//! Children of the host: what they are given, and what they are refused.

use super::*;

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[
    ("echo", echo),
    ("produce", produce),
    ("produce_half", produce_half),
    ("wrong_type", wrong_type),
    ("pass_on", pass_on),
    ("drain_half", drain_half),
    ("share_anew", share_anew),
];

fn echo() {
    let jobs = Numbers::from_parent("JOBS").unwrap();
    let results = Numbers::from_parent("RESULTS").unwrap();
    for job in jobs.iter() {
        results.push(job * 2).unwrap();
    }
}

#[test]
fn a_child_works() {
    let jobs = Numbers::bounded(4);
    let results = Numbers::unbounded();
    let child = start("echo", &[("JOBS", &jobs), ("RESULTS", &results)]);
    for n in 0..500 {
        jobs.push(n).unwrap();
    }
    jobs.close();
    for n in 0..500 {
        assert_eq!(results.pop().unwrap(), n * 2);
    }
    succeeds(child);
    assert_eq!(results.try_pop(), Err(TryPopError::Empty));
}

fn produce() {
    let queue = Numbers::from_parent("Q").unwrap();
    let mut batch: VecDeque<u64> = (0..1000).collect();
    queue.push_many(&mut batch).unwrap();
}

#[test]
fn the_last_producer_process_closes() {
    let queue = Numbers::bounded(16);
    let children = [0; 2].map(|_| start("produce", &[("Q", &queue)]));
    let (producer, consumer) = queue.into_ends();
    drop(producer);
    let mut all: Vec<_> = consumer.iter().collect();
    all.sort_unstable();
    let expected: Vec<_> = (0..1000).flat_map(|n| [n, n]).collect();
    assert_eq!(all, expected);
    children.into_iter().for_each(succeeds);
}

fn produce_half() {
    let queue = Numbers::from_parent("Q").unwrap();
    let denied = queue.pop().unwrap_err();
    assert_eq!(denied.failure().unwrap().kind(), FailureKind::Denied);
    let denied = queue.half(Side::Consumers).unwrap_err();
    assert_eq!(denied.kind(), FailureKind::Denied);
    queue.push(7).unwrap();
    let producer = Producer::<Numbers>::from_parent("HALF").unwrap();
    producer.push(8).unwrap();
    let denied = Consumer::<Numbers>::from_parent("OTHER").unwrap_err();
    assert_eq!(denied.kind(), FailureKind::Denied);
}

#[test]
fn a_child_with_a_half_does_no_more() {
    let queue = Numbers::bounded(16);
    let (producer, consumer) = queue.clone().into_ends();
    let mut child = command("produce_half");
    queue
        .half(Side::Producers)
        .unwrap()
        .share_with(&mut child, "Q")
        .unwrap();
    producer.share_with(&mut child, "HALF").unwrap();
    producer.share_with(&mut child, "OTHER").unwrap();
    let child = child.spawn().unwrap();
    drop((producer, queue));
    assert_eq!(consumer.iter().collect::<Vec<_>>(), [7, 8]);
    succeeds(child);
}

fn drain_half() {
    let jobs = Numbers::consumer_from_parent("JOBS").unwrap();
    assert_eq!(jobs.iter().sum::<u64>(), 499_500);
}

/// Who takes one half of a whole queue counts on that side alone: it does not wait for itself.
#[test]
fn the_consuming_half_of_a_whole_ends_with_the_producers() {
    let queue = Numbers::bounded(16);
    let child = start("drain_half", &[("JOBS", &queue)]);
    let (producer, _) = queue.into_ends();
    (0..1000).for_each(|n| producer.push(n).unwrap());
    let (end, _keep) = (producer.clone(), producer.queue().clone());
    drop((producer, end));
    succeeds(child);
}

fn share_anew() {
    let queue = Numbers::bounded(1);
    let mut command = program();
    let mut share = |times| (0..times).for_each(|_| queue.share_with(&mut command, "Q").unwrap());
    share(2);
    let before = count("fd");
    share(50);
    soon("what was shared before is let go", || {
        count("fd") < before + 10
    });
}

#[test]
fn sharing_anew_keeps_nothing_of_before() {
    succeeds(start("share_anew", &[]));
}

fn wrong_type() {
    let other = IpcQueue::<i64>::from_parent("Q").unwrap_err();
    assert_eq!(other.kind(), FailureKind::Mismatch);
    let again = Numbers::from_parent("Q").unwrap_err();
    assert_eq!(again.kind(), FailureKind::Denied);
    let _taken = Numbers::from_parent("TWICE").unwrap();
    let again = Numbers::from_parent("TWICE").unwrap_err();
    assert_eq!(again.kind(), FailureKind::Denied);
    let none = Numbers::from_parent("NONE").unwrap_err();
    assert_eq!(none.kind(), FailureKind::PeerGone);
}

#[test]
fn another_type_or_a_second_time_is_refused() {
    let queue = Numbers::unbounded();
    succeeds(start("wrong_type", &[("Q", &queue), ("TWICE", &queue)]));
    for failure in [
        Numbers::create_named("name", Capacity::Unbounded).unwrap_err(),
        Numbers::open_named("name").unwrap_err(),
    ] {
        assert_eq!(failure.kind(), FailureKind::Unsupported);
    }
    let mut command = Command::new("true");
    for name in ["", "A=B", "A\0B"] {
        let failure = queue.share_with(&mut command, name).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Unsupported);
    }
}

fn pass_on() {
    let jobs = Numbers::from_parent("JOBS").unwrap();
    let results = Numbers::from_parent("RESULTS").unwrap();
    let grandchild = start("echo", &[("JOBS", &jobs), ("RESULTS", &results)]);
    succeeds(grandchild);
}

#[test]
fn a_guest_can_hand_it_on() {
    let jobs = Numbers::bounded(4);
    let results = Numbers::unbounded();
    let child = start("pass_on", &[("JOBS", &jobs), ("RESULTS", &results)]);
    for n in 0..50 {
        jobs.push(n).unwrap();
    }
    jobs.close();
    assert_eq!(results.iter().take(50).sum::<u64>(), 49 * 50);
    succeeds(child);
}
