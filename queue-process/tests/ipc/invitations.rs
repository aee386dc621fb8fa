//! Children that never come, come late, or cannot: on Linux, where they count from the spawn.

use super::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[
    ("die", || ()),
    ("hang", || thread::sleep(Duration::from_secs(60))),
    ("come_late", come_late),
    ("share_and_die", share_and_die),
    ("share_in_vain", share_in_vain),
    ("be_of_another_word", be_of_another_word),
    ("host_of_one", host_of_one),
    ("work", work),
];

fn no_such_program() -> Command {
    Command::new("/nonexistent/program")
}

/// Nobody stands in for a child that never takes what was shared: the command is still there.
#[test]
fn a_command_keeps_no_queue_open() {
    for starts in ["", "nothing", "die", "hang"] {
        for of_a_guest in [false, true] {
            let queue = Numbers::bounded(2);
            let shares = match of_a_guest {
                true => guests::guest_of(&queue.half(Side::Consumers).unwrap()),
                false => queue.half(Side::Consumers).unwrap(),
            };
            let (producer, consumer) = queue.into_ends();
            let mut child = if starts == "nothing" {
                no_such_program()
            } else {
                command(starts)
            };
            shares.share_with(&mut child, "Q").unwrap();
            match starts {
                "" => {}
                "nothing" => assert!(child.spawn().is_err()),
                "die" => succeeds(child.spawn().unwrap()),
                _ => {
                    let mut child = child.spawn().unwrap();
                    drop((consumer, shares));
                    thread::sleep(Duration::from_millis(30));
                    assert!(!producer.is_closed(), "it counts");
                    child.kill().unwrap();
                    child.wait().unwrap();
                    soon("it is missed", || producer.is_closed());
                    continue;
                }
            }
            drop((consumer, shares));
            soon("nobody is left", || producer.is_closed());
            assert_eq!(producer.push(7), Err(PushError::Closed(7)));
        }
    }
}

fn come_late() {
    thread::sleep(Duration::from_millis(200));
    let jobs = Consumer::<Numbers>::from_parent("Q").unwrap();
    assert_eq!(jobs.iter().sum::<u64>(), 3);
}

/// From the moment on in which `spawn` returns.
#[test]
fn a_child_counts_from_the_spawn() {
    for _ in 0..10 {
        let (producer, consumer) = Numbers::bounded(2).into_ends();
        let mut child = command("come_late");
        consumer.share_with(&mut child, "Q").unwrap();
        let child = child.spawn().unwrap();
        drop(consumer);
        assert!(producer.try_push(1).is_ok() && producer.try_push(2).is_ok());
        drop(producer);
        succeeds(child);
    }
}

fn share_and_die() {
    let queue = Numbers::from_parent("Q").unwrap();
    let mut child = command("come_late");
    queue.share_with(&mut child, "Q").unwrap();
    let child = child.spawn().unwrap();
    println!("child {}", child.id());
    // Its child goes on alone.
    std::process::exit(0);
}

#[test]
fn a_child_of_a_dead_guest_goes_on() {
    let (producer, consumer) = Numbers::bounded(2).into_ends();
    let mut child = command("share_and_die");
    consumer.share_with(&mut child, "Q").unwrap();
    succeeds(child.spawn().unwrap());
    drop(consumer);
    producer.push(1).unwrap();
    producer.push(2).unwrap();
    soon("its child pops", || producer.is_empty());
}

/// One command starts many children, and shares anew before each.
#[test]
fn one_command_starts_many_children() {
    let (jobs, done) = (Numbers::unbounded(), Numbers::unbounded());
    let mut worker = program();
    let mut children = Vec::new();
    for again in [true, true, false] {
        if again {
            jobs.share_with(&mut worker, "JOBS").unwrap();
            done.share_with(&mut worker, "DONE").unwrap();
        }
        // Not before, so that its first variable is that of a queue.
        worker.env(ROLE, "work");
        children.push(worker.spawn().unwrap());
    }
    (0..3).for_each(|n| jobs.push(n).unwrap());
    assert_eq!(done.iter().take(3).sum::<u64>(), 3);
    children.into_iter().for_each(succeeds);
}

fn work() {
    let jobs = Numbers::from_parent("JOBS").unwrap();
    Numbers::from_parent("DONE")
        .unwrap()
        .push(jobs.pop().unwrap())
        .unwrap();
}

/// In a process of its own, which counts its threads and descriptors.
fn share_in_vain() {
    let queue = Numbers::bounded(2);
    let guest = guests::guest_of(&queue);
    let mut before = (0, 0);
    for round in 0..100 {
        for shares in [&queue, &guest] {
            let mut nothing = no_such_program();
            shares.share_with(&mut nothing, "Q").unwrap();
            shares.share_with(&mut nothing, "Q").unwrap();
            assert!(nothing.spawn().is_err());
        }
        if round == 0 {
            thread::sleep(Duration::from_millis(300));
            before = (count("task"), count("fd"));
        }
    }
    let mut now = (0, 0);
    let settled = Instant::now() + Duration::from_secs(10);
    while now != before {
        assert!(
            Instant::now() < settled,
            "{now:?} tasks and descriptors, {before:?} before"
        );
        thread::sleep(Duration::from_millis(1));
        now = (count("task"), count("fd"));
    }
    assert!(queue.try_push(1).is_ok() && guest.pop() == Ok(1));
}

#[test]
fn a_storm_of_failed_spawns_leaves_nothing() {
    let scratch = env::temp_dir().join(format!("vain-{}", std::process::id()));
    std::fs::create_dir(&scratch).unwrap();
    let host = command("share_in_vain").env("TMPDIR", &scratch).spawn();
    succeeds(host.unwrap());
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
    std::fs::remove_dir(&scratch).unwrap();
}

/// There are no files.
#[test]
fn no_folder_for_temporary_files_is_needed() {
    let long = "/x".repeat(200).into();
    let no_text = OsString::from_vec(b"/tmp/\xff".to_vec());
    for folder in ["/nonexistent".into(), "/dev/null".into(), no_text, long] {
        let mut host = command("host_of_one");
        host.env("TMPDIR", folder);
        succeeds(host.spawn().unwrap());
    }
}

fn host_of_one() {
    let (jobs, done) = (Numbers::bounded(1), Numbers::bounded(1));
    let child = start("work", &[("JOBS", &jobs), ("DONE", &done)]);
    jobs.push(7).unwrap();
    assert_eq!(done.pop(), Ok(7));
    succeeds(child);
}

fn be_of_another_word() {
    for name in ["WORD", "VERSION"] {
        let refused = Numbers::from_parent(name).unwrap_err();
        assert_eq!(refused.kind(), FailureKind::Mismatch, "{refused}");
    }
    let refused = Numbers::from_parent("NONSENSE").unwrap_err();
    assert_eq!(refused.kind(), FailureKind::Corrupt, "{refused}");
}

/// What a child of another size of a word reads: nothing is received by it.
#[test]
fn a_child_of_another_word_size_is_refused() {
    let queue = Numbers::bounded(2);
    let mut child = command("be_of_another_word");
    for name in ["WORD", "VERSION", "NONSENSE"] {
        queue.share_with(&mut child, name).unwrap();
        let variable = format!("QUEUE_IPC_{name}");
        let text = (child.get_envs()).find(|(name, _)| *name == &*variable);
        let text = text.unwrap().1.unwrap().to_str().unwrap().to_owned();
        let text = match name {
            "WORD" => text.replacen(" 64 ", " 32 ", 1),
            "VERSION" => format!("1{text}"),
            _ => text[..text.len() / 2].to_owned(),
        };
        child.env(variable, text);
    }
    succeeds(child.spawn().unwrap());
}
