//! `push`, `pop`, `serve`, `close` and `rm`, between processes.

use crate::tools::{SCHEMES, Stage, eventually, let_go, read_line};
use queue_any::{
    Capacity, Codec, Consumer, Failure, Handover, IpcQueue, PipeQueue, Postcard, Producer, Queue,
    ShmQueue, WorkQueue,
};
use rustix::process::Signal;
use std::io::{Read, Write};

#[test]
fn lines_go_in_and_come_out() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "lines ü");
        let serve = stage.serve(url);
        stage
            .queue(&["push", url], "one\ntwo words\n\nlast")
            .wrote("");
        stage
            .queue(&["push", url, "--json", "x", "y"], "")
            .wrote("{\"pushed\":2}\n");
        stage.queue(&["pop", url], "").wrote("one\n");
        stage
            .queue(&["pop", url, "-n", "3"], "")
            .wrote("two words\n\nlast\n");
        let json = "{\"attempt\":1,\"item\":\"x\"}\n";
        stage.queue(&["pop", url, "--json"], "").wrote(json);
        let late = stage.queue(&["pop", url, "-n2", "--timeout=50ms"], "");
        assert_eq!((late.status, &*late.out, &*late.err), (3, "y\n", ""));
        stage.queue(&["push", url], "good\n\u{fffd}").wrote("");
        // As a program of somebody else's sees it.
        let same = queue_any::open::<String>(&format!("{url}?mode=open")).unwrap();
        assert_eq!(same.pop().unwrap(), "good");
        same.push("from Rust".into()).unwrap();
        stage
            .queue(&["pop", url, "-n2"], "")
            .wrote("\u{fffd}\nfrom Rust\n");
        drop(same);
        stage.queue(&["close", url], "").wrote("");
        assert_eq!(serve.end().status, 0);
        stage.is_empty();
    }
}

#[test]
fn a_line_that_is_no_text_is_refused() {
    let stage = Stage::new();
    let url = stage.url("pipe", "bytes");
    let serve = stage.serve(&url);
    let ended = stage.shell(&format!("printf 'a\\n\\377\\n' | queue push {url}"));
    ended.failed(1, &["line 2 is not UTF-8; pushed: 1"]);
    stage.queue(&["rm", &url], "").wrote("a\n");
    assert_eq!(serve.end().status, 0);
}

/// Writes what no program reads.
enum Garbage {}

impl Codec<String> for Garbage {
    const NAME: &'static str = <Postcard as Codec<String>>::NAME;
    fn encode(item: &String, into: &mut Vec<u8>) -> Result<(), Failure> {
        let length = u8::try_from(item.len()).unwrap();
        into.extend(std::iter::once(length).chain(item.bytes().map(|byte| byte | 0x80)));
        Ok(())
    }
    fn decode(bytes: &[u8]) -> Result<String, Failure> {
        Postcard::decode(bytes)
    }
}

#[test]
fn an_item_that_cannot_be_read_is_told_by_the_status() {
    let stage = Stage::new();
    let url = &stage.url("pipe", "garbage");
    let dead = &stage.url("pipe", "dead");
    let serve = stage.serve(dead);
    let name = url.strip_prefix("pipe://").unwrap();
    let commands: [&[&str]; 4] = [
        &["pop", url, "-n1", "--timeout=50ms"],
        &["pop", url, "--follow", "--timeout=0s"],
        &["work", url, "--dead", dead, "--until-empty", "--", "true"],
        &["rm", url],
    ];
    for command in commands {
        let garbage =
            PipeQueue::<String, Garbage>::create_named(name, Capacity::bounded(1)).unwrap();
        garbage.push("xx".into()).unwrap();
        let ended = stage.queue(command, "");
        assert_eq!(ended.status, 1, "{command:?}: {ended:?}");
        for said in ["lost", "that could not be read: 1"] {
            assert!(ended.err.contains(said), "{command:?}: {ended:?}");
        }
        assert!(garbage.is_empty(), "{command:?}");
        let_go(garbage);
    }
    stage.queue(&["close", dead], "").wrote("");
    assert_eq!(serve.end().status, 0);
}

#[test]
fn a_full_queue_and_a_closed_one_are_told_apart() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "full");
        let serve = stage.serve(&format!("{url}?capacity=2"));
        let full = stage.queue(&["push", url, "a", "b", "c", "--timeout", "20ms"], "");
        full.failed(3, &["full", "pushed: 2"]);
        stage
            .queue(&["push", &format!("{url}?capacity=3"), "c"], "")
            .failed(1, &["capacity of 2"]);
        stage
            .queue(&["serve", url], "")
            .failed(1, &["taken by process"]);
        stage.queue(&["close", url], "").wrote("");
        stage
            .queue(&["push", url, "c"], "")
            .failed(3, &["closed", "pushed: 0"]);
        let rest = stage.queue(&["pop", url, "-n", "9"], "");
        assert_eq!((rest.status, &*rest.out), (3, "a\nb\n"));
        let ended = serve.end();
        assert_eq!((ended.status, ended.out.contains("\"left\":0")), (0, true));
        stage
            .queue(&["pop", url, "--wait=0s"], "")
            .failed(1, &["queue serve", url]);
        stage.is_empty();
    }
}

#[test]
fn a_queue_that_push_makes_lasts_until_all_is_taken() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "made");
        let pop = stage.start(&["pop", url, "--follow", "--wait", "30s"]);
        let push = stage.start(&["push", &format!("{url}?mode=create"), "a", "b", "c"]);
        // Nobody closes it: it ends with the last producer.
        pop.end().wrote("a\nb\nc\n");
        push.end().wrote("");
        stage.is_empty();
    }
}

#[test]
fn ctrl_c_of_a_served_queue_waits_for_what_is_inside() {
    let stage = Stage::new();
    let url = &stage.url("pipe", "served");
    let mut serve = stage.serve(url);
    stage.queue(&["push", url, "a", "b"], "").wrote("");
    serve.signal(Signal::INT);
    assert!(serve.says().contains("drops it): 2"));
    stage.queue(&["push", url, "c"], "").failed(3, &["closed"]);
    stage.queue(&["pop", url, "--follow"], "").wrote("a\nb\n");
    assert_eq!(serve.end().status, 0);

    let mut serve = stage.serve(url);
    stage.queue(&["push", url, "a"], "").wrote("");
    serve.signal(Signal::TERM);
    assert!(serve.says().contains("drops it): 1"));
    serve.signal(Signal::TERM);
    serve.end().failed(1, &["dropped: 1"]);
    stage.is_empty();
}

#[test]
fn ctrl_c_of_a_served_queue_waits_for_what_may_come_back() {
    let stage = Stage::new();
    let url = &stage.url("pipe", "lent");
    let mut serve = stage.serve(url);
    stage.queue(&["push", url, "a"], "").wrote("");
    let jobs = queue_any::open::<String>(&format!("{url}?mode=open")).unwrap();
    let job = jobs.receive().unwrap();
    serve.signal(Signal::INT);
    assert!(serve.says().contains("drops it): 0"));
    job.release().unwrap();
    stage.queue(&["pop", url], "").wrote("a\n");
    assert_eq!(serve.end().status, 0);
    stage.is_empty();
}

/// What became of the items matters more than whether somebody reads it.
#[test]
fn an_end_that_nobody_reads_is_told_by_the_status() {
    let stage = Stage::new();
    let url = &stage.url("pipe", "unread");
    let mut serve = stage.serve(&format!("{url}?capacity=1"));
    let_go(serve.take_out());
    let push = |items: &[&str]| {
        let arguments = [&["push", url, "--timeout=0s", "--json"], items].concat();
        let mut push = stage.start(&arguments);
        let_go(push.take_out());
        push.end()
    };
    assert_eq!(push(&["a"]).status, 0);
    push(&["b"]).failed(3, &["full", "pushed: 0"]);
    serve.signal(Signal::TERM);
    assert!(serve.says().contains("drops it): 1"));
    serve.signal(Signal::TERM);
    serve.end().failed(1, &["dropped: 1"]);
    stage.is_empty();
}

#[test]
fn a_wait_may_be_longer_than_any_clock_runs() {
    let stage = Stage::new();
    let url = &stage.url("pipe", "long");
    let serve = stage.serve(url);
    stage.queue(&["push", url, "a"], "").wrote("");
    let pop = ["pop", url, "--wait=1e19s", "--timeout=1e19s"];
    stage.queue(&pop, "").wrote("a\n");
    stage.queue(&["close", url], "").wrote("");
    assert_eq!(serve.end().status, 0);
    stage.is_empty();
}

#[test]
fn whoever_stops_reading_ends_a_pop_and_loses_nothing() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "unread");
        let serve = stage.serve(url);
        let mut pop = stage.start(&["pop", url, "--follow"]);
        let mut out = pop.take_out();
        stage.queue(&["push", url, "a"], "").wrote("");
        assert_eq!(read_line(&mut out), "a");
        let_go(out);
        stage.queue(&["push", url, "b", "c"], "").wrote("");
        let ended = pop.end();
        assert_eq!((ended.status, &*ended.err), (0, ""));
        stage.queue(&["rm", url], "").wrote("b\nc\n");
        assert_eq!(serve.end().status, 0);
        stage.is_empty();
    }
}

/// What nobody reads is not taken out: then the queue is not removed, and that is said.
#[test]
fn a_removal_that_nobody_reads_fails() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "unread-rm");
        let serve = stage.serve(url);
        // More than fits into a pipe.
        let lines: String = (0..9).map(|n| format!("{n:09999}\n")).collect();
        stage.queue(&["push", url], &lines).wrote("");
        let mut remove = stage.start(&["rm", url]);
        let_go(remove.take_out());
        let ended = remove.end();
        assert_eq!(ended.status, 1, "{}", ended.err);
        let left = stage.queue(&["rm", url], "").out.lines().count();
        let says = format!("{left} items are still there");
        assert!(left != 0 && ended.err.contains(&says), "{}", ended.err);
        assert_eq!(serve.end().status, 0);
        stage.is_empty();
    }
}

#[test]
fn a_pop_that_is_killed_loses_nothing() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "killed");
        let serve = stage.serve(url);
        // One that waits.
        let waits = stage.start(&["pop", url]);
        let consumers = || {
            let stat = stage.queue(&["stat", url, "--json"], "").out;
            serde_json::from_str::<serde_json::Value>(&stat).unwrap()["consumers"].clone()
        };
        eventually("it waits", || consumers() == 2);
        waits.signal(Signal::KILL);
        assert_eq!(waits.end().status, 128 + 9);
        assert_eq!(consumers(), 1);
        // One in the midst of writing: nobody reads, and no more than 64 KiB fit between.
        let lines: Vec<_> = (0..40).map(|n| format!("{n:09999}")).collect();
        let mut push = stage.start(&["push", url]);
        push.input()
            .write_all((lines.join("\n") + "\n").as_bytes())
            .unwrap();
        push.end().wrote("");
        let mut pop = stage.start(&["pop", url, "--follow"]);
        let mut out = pop.take_out();
        // 65536 bytes are six lines and a half: the seventh is under way.
        let depth = || {
            queue_any::open::<String>(&format!("{url}?mode=open"))
                .unwrap()
                .len()
        };
        eventually("it fills the pipe", || depth() == 33);
        pop.signal(Signal::KILL);
        assert_eq!(pop.end().status, 128 + 9);
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        let (whole, _) = text.rsplit_once('\n').unwrap();
        let mut seen: Vec<_> = whole.lines().map(String::from).collect();
        eventually("its item is back", || depth() == 34);
        let rest = stage.queue(&["rm", url], "").out;
        seen.extend(rest.lines().map(String::from));
        assert_eq!(seen, lines);
        assert_eq!(serve.end().status, 0);
        stage.is_empty();
    }
}

/// What a program shares with the `queue` that it starts.
#[test]
fn a_queue_is_inherited() {
    fn takes_part<Q: Queue<Item = String> + Clone>(jobs: Q)
    where
        Producer<Q>: Handover,
        Consumer<Q>: Handover,
    {
        let stage = Stage::new();
        let mut pop = stage.command(&["pop", "inherit:JOBS", "--follow"]);
        let mut push = stage.command(&["push", "inherit:JOBS", "a", "b"]);
        let (producer, consumer) = jobs.into_ends();
        consumer.share_with(&mut pop, "JOBS").unwrap();
        producer.share_with(&mut push, "JOBS").unwrap();
        let pop = stage.spawn(pop);
        stage.spawn(push).end().wrote("");
        producer.push("c".into()).unwrap();
        drop((producer, consumer));
        pop.end().wrote("a\nb\nc\n");
    }
    takes_part(PipeQueue::bounded(4));
    takes_part(ShmQueue::bounded(4));
    takes_part(IpcQueue::bounded(4));
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    let stage = Stage::new();
    for arguments in [
        &["pip", "pipe://x"][..],
        &["pop"],
        &["pop", "pipe://x", "-n", "many"],
        &["pop", "pipe://x", "--timeout", "5"],
        &["work", "pipe://x"],
        &["work", "pipe://x", "-j", "0", "--", "true"],
    ] {
        assert_eq!(stage.queue(arguments, "").status, 2, "{arguments:?}");
    }
    for (arguments, words) in [
        (&["push", "jobs", "a"][..], &["scheme"][..]),
        (&["pop", "thread://jobs"], &["thread://jobs", "pipe://jobs"]),
        (&["serve", "pipe:"], &["pipe://jobs"]),
        (&["serve", "pipe://x?mode=open"], &["pipe://jobs"]),
        (&["stat", "pipe://x?capasity=2"], &["capasity", "capacity"]),
        (
            &["work", "-", "--", "no-such-program"],
            &["no-such-program"],
        ),
    ] {
        stage.queue(arguments, "").failed(2, words);
    }
    let help = stage.queue(&["--help"], "");
    for word in [
        "push",
        "pop",
        "work",
        "stat",
        "ls",
        "serve",
        "close",
        "rm",
        "Exit status",
    ] {
        assert!(help.out.contains(word), "{word}");
    }
    assert!(!help.out.contains("guard"));
}
