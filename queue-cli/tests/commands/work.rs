//! `work`: with real commands, signals and deaths.
//!
//! The jobs that are lines of standard input (`-`) try what does not depend on the kind.

use crate::tools::{Running, SCHEMES, Stage, eventually, let_go, read_line};
use queue_any::Queue;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::process::ChildStdin;
use std::time::{Duration, Instant};

/// A command that says its job and attempt, and then lasts, in a process of its own.
const LASTS: &str = "echo {} $QUEUE_ATTEMPT; sleep 1000 & wait; true";

#[test]
fn the_job_is_a_word_or_a_line_of_input() {
    let stage = Stage::new();
    let lines = "a b\n$(false); 'c\n";
    stage
        .queue(&["work", "-", "--", "echo", "<{}>"], lines)
        .wrote("<a b>\n<$(false); 'c>\n");
    stage.queue(&["work", "-", "--", "cat"], lines).wrote(lines);
    stage
        .queue(&["work", "-", "-s", "--", "printf '%s.' {}; echo"], lines)
        .wrote("a b.\n$(false); 'c.\n");
    // The job itself is the command.
    stage
        .queue(&["work", "-", "--", "sh", "-c", "{}"], "echo x; echo y")
        .wrote("x\ny\n");
    // One that does not read its job.
    stage
        .queue(&["work", "-", "--", "true"], &"long".repeat(100_000))
        .wrote("");
    stage.is_empty();
}

#[test]
fn a_line_that_is_no_text_is_no_success() {
    let stage = Stage::new();
    let ended = stage.shell(r"printf 'one\n\377\ntwo\n' | queue work - -- cat");
    assert_eq!((ended.status, &*ended.out), (1, "one\ntwo\n"));
    assert!(ended.err.contains("line 2 is not UTF-8"), "{ended:?}");
    assert!(
        ended.err.contains("jobs that could not be read: 1"),
        "{ended:?}"
    );
    stage.is_empty();
}

#[test]
fn an_input_that_cannot_be_read_is_no_success() {
    let stage = Stage::new();
    let ended = stage.shell("{ queue work - -- cat < /; echo $?; } 2>&1 | head -n 9");
    let lines: Vec<_> = ended.out.lines().collect();
    assert!(
        lines.len() == 3 && lines[0].contains("cannot read: ") && lines[2] == "1",
        "{lines:?}"
    );
    stage.is_empty();
}

#[test]
fn so_many_commands_run_at_once() {
    let stage = Stage::new();
    // Each waits until there are four: the last makes it a success.
    let path = stage.path("once");
    std::fs::create_dir(&path).unwrap();
    let each =
        format!("touch {path}/{{}}; until [ $(ls {path} | wc -l) = 4 ]; do sleep 0.01; done");
    stage
        .queue(&["work", "-", "-j4", "-s", "--", &each], "1\n2\n3\n4\n")
        .wrote("");
    std::fs::remove_dir_all(&path).unwrap();
    stage.is_empty();
}

#[test]
fn a_job_that_fails_is_tried_again_and_set_aside_in_the_end() {
    let stage = Stage::new();
    let dead = &stage.url("pipe", "dead");
    let serve = stage.serve(dead);
    let each = "echo {} $QUEUE_ATTEMPT; test {} != bad && test {}$QUEUE_ATTEMPT != odd1";
    let work = [
        "work",
        "-",
        "--retries=2",
        "--backoff=1ms",
        "--dead",
        dead,
        "-s",
        "--",
        each,
    ];
    let ended = stage.queue(&work, "bad\nodd\ngood\n");
    assert_eq!(
        ended.out, "bad 1\nbad 2\nbad 3\nodd 1\nodd 2\ngood 1\n",
        "{}",
        ended.err
    );
    ended.failed(0, &["given up at attempt 3 (exit status: 1): bad"]);
    stage.queue(&["rm", dead], "").wrote("bad\n");
    assert_eq!(serve.end().status, 0);
    // Nobody has it then.
    let ended = stage.queue(&["work", "-", "--retries=0", "--", "false"], "bad\n");
    assert_eq!(ended.status, 1);
    assert!(
        ended.err.contains("attempt 1 (exit status: 1): bad")
            && ended.err.contains("jobs given up: 1")
    );
    let gone = ["work", "-", "--dead", dead, "--wait=0s", "--", "true"];
    stage.queue(&gone, "a").failed(1, &["no process offers"]);
    let same = ["work", dead, "--dead", dead, "--", "true"];
    stage
        .queue(&same, "")
        .failed(2, &["--dead is the queue of the jobs"]);
    stage.is_empty();
}

#[test]
fn a_job_that_cannot_be_set_aside_stays() {
    let stage = Stage::new();
    let [url, dead] = &["jobs", "closed"].map(|name| stage.url("pipe", name));
    let serving = [url, dead].map(|url| stage.serve(url));
    stage.queue(&["push", dead, "keeps it"], "").wrote("");
    stage.queue(&["close", dead], "").wrote("");
    stage.queue(&["push", url, "bad"], "").wrote("");
    let work = ["work", url, "--retries=0", "--dead", dead, "--", "false"];
    stage
        .queue(&work, "")
        .failed(1, &["no dead letters can be sent"]);
    stage.queue(&["rm", url], "").wrote("bad\n");
    stage.queue(&["rm", dead], "").wrote("keeps it\n");
    for serve in serving {
        assert_eq!(serve.end().status, 0);
    }
    stage.is_empty();
}

#[test]
fn a_command_that_a_signal_ends_has_failed() {
    let stage = Stage::new();
    let work = ["work", "-", "--retries=0", "-s", "--", "kill -9 $$"];
    let ended = stage.queue(&work, "x\n");
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("(exit status: 137): x"), "{ended:?}");
}

#[test]
fn a_retry_waits_twice_as_long_each_time() {
    let stage = Stage::new();
    let begun = Instant::now();
    stage.queue(
        &["work", "-", "--retries=3", "--backoff=40ms", "--", "false"],
        "x\n",
    );
    assert!(begun.elapsed() >= Duration::from_millis(40 + 80 + 160));
}

#[test]
fn what_happens_is_told_as_json() {
    let stage = Stage::new();
    let each = "test $QUEUE_ATTEMPT = 2";
    let work = [
        "work",
        "-",
        "--json",
        "--retries=1",
        "--backoff=0s",
        "-s",
        "--",
        each,
    ];
    let ended = stage.queue(&work, "x\n");
    let events: Vec<serde_json::Value> = ended
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = events
        .iter()
        .map(|e| (e["event"].as_str().unwrap(), e["attempt"].as_u64()))
        .collect();
    assert_eq!(told, [("retry", Some(1)), ("done", Some(2))]);
    assert_eq!(
        (&events[0]["reason"], &events[0]["job"]),
        (&"exit status: 1".into(), &"x".into())
    );
}

#[test]
fn nobody_reads_what_the_commands_say() {
    let stage = Stage::new();
    let mut work = stage.start(&["work", "-", "--", "echo", "{}"]);
    let (mut input, mut out) = (work.input(), work.take_out());
    input.write_all(b"1\n").unwrap();
    assert_eq!(read_line(&mut out), "1");
    let_go(out);
    input.write_all(b"2\n3\n").unwrap();
    let ended = work.end();
    assert_eq!((ended.status, &*ended.err), (0, ""));
}

#[test]
fn ctrl_c_waits_for_what_runs() {
    let stage = Stage::new();
    let told = stage.path("told");
    let each = format!("echo {{}}; until [ -e {told} ]; do sleep 0.01; done; echo {{}} ended");
    let mut work = stage.start(&["work", "-", "-j2", "-s", "--", &each]);
    let mut input = work.input();
    input.write_all(b"1\n2\n3\n").unwrap();
    let mut out = work.take_out();
    let mut lines = [read_line(&mut out), read_line(&mut out)];
    work.signal(Signal::INT);
    assert!(work.says().contains("gives them back): 2"));
    lines.sort();
    assert_eq!(lines, ["1", "2"]);
    std::fs::write(&told, "").unwrap();
    let ended = work.end();
    std::fs::remove_file(&told).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("1 ended\n") && rest.contains("2 ended\n") && !rest.contains('3'),
        "{rest}"
    );
    ended.failed(1, &["this process: 1"]);
    stage.is_empty();
}

/// Nobody else has the queue: the job that would be tried again is lost, which is told.
#[test]
fn ctrl_c_does_not_wait_for_a_retry() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "retry");
        let mut work = stage.start(&["work", url, "--json", "--backoff=1h", "--", "false"]);
        stage.queue(&["push", url, "--wait=30s", "a"], "").wrote("");
        assert!(work.says().contains("retry"));
        work.signal(Signal::INT);
        // It may have ended before it says that it will.
        let ended = work.end();
        assert_eq!(ended.status, 1);
        assert!(ended.err.contains("this process: 1"), "{ended:?}");
        stage.is_empty();
    }
}

/// A worker with two jobs that run, and its input, which stays open.
fn two_that_last(stage: &Stage) -> (Running, ChildStdin) {
    let mut work = stage.start(&["work", "-", "-j2", "-s", "--", LASTS]);
    let mut input = work.input();
    input.write_all(b"1\n2\n").unwrap();
    read_line(work.out());
    read_line(work.out());
    (work, input)
}

#[test]
fn a_second_ctrl_c_ends_what_runs() {
    let stage = Stage::new();
    let (mut work, _input) = two_that_last(&stage);
    work.signal(Signal::TERM);
    assert!(work.says().contains("gives them back): 2"));
    work.signal(Signal::TERM);
    assert!(work.says().contains("gives back what runs: 2"));
    work.end().failed(1, &["stopped before"]);
    stage.is_empty();
}

#[test]
fn a_command_that_nobody_reads_is_no_ctrl_c() {
    let stage = Stage::new();
    let url = &stage.url("pipe", "unread");
    let serve = stage.serve(url);
    let each = "echo {} runs >&2; case {} in lasts) sleep 1000;; *) echo {};; esac";
    let mut work = stage.start(&["work", url, "-j2", "-s", "--", each]);
    let_go(work.take_out());
    stage.queue(&["push", url, "lasts"], "").wrote("");
    assert_eq!(work.says(), "lasts runs");
    stage.queue(&["push", url, "writes"], "").wrote("");
    assert_eq!(work.says(), "writes runs");
    let jobs = queue_any::open::<String>(&format!("{url}?mode=open")).unwrap();
    eventually("the job is given back", || jobs.len() == 1);
    drop(jobs);
    work.signal(Signal::INT);
    assert!(work.says().contains("gives them back): 1"));
    work.signal(Signal::INT);
    assert!(work.says().contains("gives back what runs: 1"));
    work.end().failed(1, &["stopped before"]);
    stage.queue(&["rm", url], "").wrote("lasts\nwrites\n");
    assert_eq!(serve.end().status, 0);
    stage.is_empty();
}

/// Nobody who reads is no fault; a job that is given up is one.
#[test]
fn jobs_given_up_are_told_though_nobody_reads() {
    let stage = Stage::new();
    let url = &stage.url("pipe", "both");
    let serve = stage.serve(url);
    let each = "case {} in bad) exit 1;; *) echo {};; esac";
    let mut work = stage.start(&["work", url, "-s", "--retries=0", "--", each]);
    stage.queue(&["push", url, "bad"], "").wrote("");
    assert!(work.says().contains("given up"));
    let_go(work.take_out());
    stage.queue(&["push", url, "writes"], "").wrote("");
    work.end().failed(1, &["jobs given up: 1"]);
    stage.queue(&["rm", url], "").wrote("writes\n");
    assert_eq!(serve.end().status, 0);
    stage.is_empty();
}

/// A job is never run by two: its command ends with the worker that had it.
#[test]
fn a_worker_that_is_killed_takes_its_commands_along() {
    let stage = Stage::new();
    let (work, _input) = two_that_last(&stage);
    work.signal(Signal::KILL);
    assert_eq!(work.end().status, 128 + 9);
    stage.is_empty();
}

#[test]
fn the_mode_of_the_url_is_kept() {
    let stage = Stage::new();
    let url = &stage.url("shm", "mode");
    let work = |mode: &str| {
        let url = format!("{url}?mode={mode}");
        stage.queue(&["work", &url, "--wait=0s", "--", "true"], "")
    };
    work("open").failed(1, &["no process offers"]);
    let _serve = stage.serve(url);
    work("create").failed(1, &["taken by process"]);
    work("other").failed(2, &["`mode=other`", "`open_or_create`"]);
}

#[test]
fn jobs_of_other_programs_are_done() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "jobs");
        // The worker makes the queue, and ends when it is closed.
        let work = stage.start(&["work", url, "--", "echo", "{}"]);
        stage
            .queue(&["push", url, "--wait=30s", "a", "b"], "")
            .wrote("");
        stage.queue(&["close", url], "").wrote("");
        work.end().wrote("a\nb\n");
        // It ends when the queue is empty.
        let serve = stage.serve(url);
        stage.queue(&["push", url, "a", "b", "c"], "").wrote("");
        stage
            .queue(&["work", url, "--until-empty", "-j2", "--", "true"], "")
            .wrote("");
        stage.queue(&["rm", url], "").wrote("");
        assert_eq!(serve.end().status, 0);
        // It ends when the last producer has gone.
        let serve = stage.serve(url);
        let mut work = stage.start(&["work", &format!("{url}?mode=open"), "--", "echo", "{}"]);
        stage.queue(&["push", url, "a"], "").wrote("");
        assert_eq!(read_line(work.out()), "a");
        serve.signal(Signal::KILL);
        serve.end();
        work.end().wrote("");
        stage.is_empty();
    }
}

#[test]
fn the_job_of_a_worker_that_is_killed_is_done_by_another() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "killed");
        let serve = stage.serve(url);
        stage.queue(&["push", url, "a", "b"], "").wrote("");
        for attempt in 1..=2 {
            let mut work = stage.start(&["work", url, "-s", "--", LASTS]);
            assert_eq!(read_line(work.out()), format!("a {attempt}"));
            work.signal(Signal::KILL);
            assert_eq!(work.end().status, 128 + 9);
        }
        let say = "echo {} $QUEUE_ATTEMPT";
        let ended = stage.queue(&["work", url, "--until-empty", "-s", "--", say], "");
        ended.wrote("a 3\nb 1\n");
        // One that kills its workers is not even tried.
        stage.queue(&["push", url, "deadly"], "").wrote("");
        for _ in 0..2 {
            let mut work = stage.start(&["work", url, "-s", "--", LASTS]);
            read_line(work.out());
            work.signal(Signal::KILL);
            work.end();
        }
        let ended = stage.queue(
            &["work", url, "--until-empty", "--retries=1", "--", "echo"],
            "",
        );
        assert_eq!((ended.status, &*ended.out), (1, ""));
        assert!(
            ended.err.contains("its workers died): deadly"),
            "{}",
            ended.err
        );
        stage.queue(&["rm", url], "").wrote("");
        assert_eq!(serve.end().status, 0);
        stage.is_empty();
    }
}

#[test]
fn what_ctrl_c_gives_back_is_there_for_others() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "back");
        let serve = stage.serve(url);
        stage.queue(&["push", url, "a", "b"], "").wrote("");
        let mut work = stage.start(&["work", url, "-s", "--", LASTS]);
        assert_eq!(read_line(work.out()), "a 1");
        let depth = queue_any::open::<String>(&format!("{url}?mode=open")).unwrap();
        assert_eq!(depth.len(), 1);
        drop(depth);
        work.signal(Signal::INT);
        assert!(work.says().contains("gives them back): 1"));
        work.signal(Signal::INT);
        assert!(work.says().contains("gives back what runs: 1"));
        work.end().failed(1, &["stopped before"]);
        // It does not count as an attempt.
        let say = "echo {} $QUEUE_ATTEMPT";
        stage
            .queue(&["work", url, "--until-empty", "-s", "--", say], "")
            .wrote("a 1\nb 1\n");
        stage.queue(&["rm", url], "").wrote("");
        assert_eq!(serve.end().status, 0);
        stage.is_empty();
    }
}
