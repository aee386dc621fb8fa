//! `stat` and `ls`.

use crate::tools::{SCHEMES, Stage, eventually, let_go, read_line};
use rustix::process::Signal;
use serde_json::Value;

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_look_at_a_queue() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "stat");
        let _serve = stage.serve(&format!("{url}?capacity=1000"));
        stage.queue(&["push", url, "a", "b"], "").wrote("");
        let text =
            "depth      2 of 1,000\nin flight  0\nproducers  1\nconsumers  1\nstate      open\n";
        stage.queue(&["stat", url], "").wrote(text);
        let mut watch = stage.start(&["stat", url, "--watch", "--json", "--every", "20ms"]);
        let first = json(&read_line(watch.out()));
        let counts = ["depth", "capacity", "producers", "consumers", "in_flight"];
        assert_eq!(
            counts.map(|key| first[key].as_u64().unwrap()),
            [2, 1000, 1, 1, 0]
        );
        assert_eq!(
            (&first["closed"], &first["pushed_per_second"]),
            (&false.into(), &Value::Null)
        );
        stage.queue(&["pop", url], "").wrote("a\n");
        // Until a look has seen it go.
        let mut rate = 0.0;
        while rate == 0.0 {
            let look = json(&read_line(watch.out()));
            assert_eq!(look["pushed_per_second"], 0.0);
            rate = look["popped_per_second"].as_f64().unwrap();
        }
        let mut watch = stage.start(&["stat", url, "--watch", "--every", "20ms"]);
        assert!(read_line(watch.out()).starts_with("depth 1 of 1,000, in flight 0,"));
        assert!(read_line(watch.out()).ends_with(", in 0/s, out 0/s"));
    }
}

#[test]
fn a_password_is_not_shown() {
    let stage = Stage::new();
    let url = &format!("{}@host", stage.url("pipe", "me:secret"));
    let _serve = stage.serve(url);
    let look = json(&stage.queue(&["stat", url, "--json"], "").out);
    assert_eq!(look["url"], "pipe://***@host");
}

/// Otherwise nobody would learn that the last producer has gone.
#[test]
fn whoever_only_looks_keeps_no_queue_open() {
    for scheme in SCHEMES {
        let stage = Stage::new();
        let url = &stage.url(scheme, "watched");
        let serve = stage.serve(url);
        stage.queue(&["push", url, "a"], "").wrote("");
        let mut watch = stage.start(&["stat", url, "--watch", "--json", "--every", "10ms"]);
        read_line(watch.out());
        let mut pop = stage.start(&["pop", url, "--follow"]);
        assert_eq!(read_line(pop.out()), "a");
        serve.signal(Signal::KILL);
        assert_eq!(serve.end().status, 128 + 9);
        pop.end().wrote("");
        eventually("it is closed", || {
            json(&read_line(watch.out()))["closed"] == true
        });
        drop(watch);
        stage.is_empty();
    }
}

#[test]
fn names_that_live_are_listed_until_their_owner_is_killed() {
    let stage = Stage::new();
    let mine = |listed: &str| {
        let own = stage.url("", "");
        let own = own.trim_start_matches("://").to_owned();
        listed
            .lines()
            .filter(|line| line.contains(&own))
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let urls = [stage.url("pipe", "a%3Fb"), stage.url("shm", "b?capacity=7")];
    let serving = urls.each_ref().map(|url| stage.serve(url));
    stage.queue(&["push", &urls[0], "x"], "").wrote("");
    let number = queue_any::open::<u32>(&stage.url("pipe", "c")).unwrap();
    let listed = stage.queue(&["ls"], "");
    let rows = mine(&listed.out);
    assert_eq!(rows.len(), 3, "{rows:?}");
    let words = |row: &str| row.split_whitespace().map(String::from).collect::<Vec<_>>();
    assert_eq!(words(&rows[0]), [&*urls[0], "1", "none"]);
    assert_eq!(words(&rows[1]), [&*stage.url("shm", "b"), "0", "7"]);
    assert!(rows[2].contains("no lines"), "{rows:?}");
    let listed = mine(&stage.queue(&["ls", "--json"], "").out);
    assert_eq!(json(&listed[0])["depth"], 1);
    assert_eq!(json(&listed[2])["url"], Value::Null);
    for serve in serving {
        serve.signal(Signal::KILL);
        serve.end();
    }
    let_go(number);
    assert_eq!(mine(&stage.queue(&["ls"], "").out), [""; 0]);
    stage.is_empty();
}
