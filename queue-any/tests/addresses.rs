//! Addresses: what they open, and what they refuse.

use queue_any::{Address, DynQueue, FailureKind, Queue, Registry, ThreadQueue, open};
use std::time::Duration;

fn refused(url: &str, says: &[&str]) {
    let failure = open::<u32>(url).expect_err(url);
    let text = format!("{failure:#}");
    assert!(says.iter().all(|word| text.contains(word)), "{url}: {text}");
}

#[test]
fn every_scheme_opens_a_queue_that_works() {
    for scheme in ["thread", "lockfree", "async", "pipe", "shm", "ipc"] {
        let jobs = open::<u32>(&format!("{scheme}:?capacity=2")).unwrap();
        assert_eq!(jobs.capacity(), Some(2), "{scheme}");
        jobs.push(1).unwrap();
        jobs.push(2).unwrap();
        assert!(jobs.try_push(3).is_err());
        assert_eq!((jobs.pop(), jobs.pop()), (Ok(1), Ok(2)));
        let endless = open::<u32>(&format!("{scheme}:")).unwrap();
        assert_eq!(endless.capacity(), None);
        assert!(!endless.same_queue(&open(&format!("{scheme}:")).unwrap()));
    }
}

#[test]
fn a_name_is_known_while_somebody_has_the_queue() {
    for scheme in ["thread", "lockfree", "async", "pipe", "shm"] {
        let url = |more: &str| format!("{scheme}://any {}{more}", std::process::id());
        assert_eq!(
            open::<u32>(&url("?mode=open")).unwrap_err().kind(),
            FailureKind::PeerGone
        );
        let jobs = open::<u32>(&url("?capacity=4")).unwrap();
        let same = open::<u32>(&url("?capacity=4&mode=open")).unwrap();
        jobs.push(7).unwrap();
        assert_eq!(same.pop(), Ok(7), "{scheme}");
        for (more, kind) in [
            ("?capacity=5", FailureKind::Mismatch),
            ("?capacity=4&mode=create", FailureKind::Denied),
        ] {
            assert_eq!(open::<u32>(&url(more)).unwrap_err().kind(), kind, "{more}");
        }
        let other = open::<String>(&url("")).unwrap_err();
        assert_eq!(other.kind(), FailureKind::Mismatch);
        assert!(other.to_string().contains("u32"), "{other}");
        drop((jobs, same));
        assert!(open::<String>(&url("?mode=create")).is_ok(), "{scheme}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    refused("jobs", &["scheme", "thread:"]);
    refused("", &["scheme"]);
    refused("4:x", &["scheme"]);
    refused("pip://jobs", &["`pip:`", "`pipe:`", "`inherit:`"]);
    refused(
        "thread:?capasity=4",
        &["`capasity`", "`capacity`", "`mode`"],
    );
    refused("thread:?capacity=4&capacity=4", &["`capacity`", "twice"]);
    refused("thread:?capacity", &["`capacity`", "no value"]);
    refused("thread:?capacity=0", &["at least 1"]);
    refused("thread:?capacity=-1", &["`capacity=-1`"]);
    refused("thread:?capacity=many", &["`capacity=many`"]);
    refused("thread:?mode=open", &["`mode`", "thread://jobs"]);
    refused(
        "thread://jobs?mode=new",
        &["`mode=new`", "`open_or_create`"],
    );
    refused("thread://jobs#1", &["fragment"]);
    refused("ipc://jobs", &["no name"]);
    refused("ipc:?mode=open", &["`mode`", "`capacity`"]);
    refused("inherit:", &["a name", "inherit:JOBS"]);
    refused("inherit:JOBS?capacity=4", &["no parameter", "it has none"]);
    refused("thread://%ff", &["UTF-8"]);
    assert_eq!(
        open::<u32>("inherit:NOT_SHARED").unwrap_err().kind(),
        FailureKind::PeerGone
    );
}

#[test]
fn a_password_is_not_printed() {
    let address = Address::parse("nats://me:pa%40ss@host:4222/jobs?token=x&a=b").unwrap();
    for text in [address.to_string(), format!("{address:?}")] {
        assert!(
            !text.contains("pa@ss") && !text.contains("pa%40") && !text.contains("=x"),
            "{text}"
        );
        assert!(
            text.contains("host:4222/jobs") && text.contains("a=b"),
            "{text}"
        );
    }
    let failure = open::<u32>("nets://me:secret@host/jobs").unwrap_err();
    assert!(!format!("{failure:?} {failure:#}").contains("secret"));
    let failure = open::<u32>("thread://me:secret@host?mode=open").unwrap_err();
    assert!(!format!("{failure:?} {failure:#}").contains("secret"));
}

/// A user and a password, or a token: `nats:` has either, and is written without slashes too.
#[test]
fn what_stands_before_the_host_is_not_printed() {
    for (url, shown) in [
        ("nats://me:secret@host/jobs", "nats://***@host/jobs"),
        ("nats:me:secret@host/jobs", "nats:***@host/jobs"),
        ("nats://secret@host/jobs", "nats://***@host/jobs"),
        ("nats://sec%3Aret@host/jobs", "nats://***@host/jobs"),
        ("nats://me%3Asecret%40host/jobs", "nats://***@host/jobs"),
        ("redis://secret@host/jobs", "redis://***@host/jobs"),
        (
            "nats://host/a%20b?capacity=2",
            "nats://host/a%20b?capacity=2",
        ),
    ] {
        let address = Address::parse(url).unwrap();
        assert_eq!(address.to_string(), shown);
        assert_eq!(format!("{address:?}"), format!("Address({shown})"));
    }
    // A question mark that should have been encoded.
    for url in [
        "nats://me:sec?ret@host/jobs",
        "nats://me:hunter?2=ret@host/jobs",
        "nats://me:hunter?2=x&y=z@host/jobs?capacity=2",
    ] {
        refused(url, &["`%3F`", "`%40`"]);
        let failure = Address::parse(url).unwrap_err();
        let told = format!("{failure:?} {failure:#}");
        assert!(!told.contains("ret") && !told.contains("hunter"), "{told}");
    }
    let address = Address::parse("mine://host/jobs?owner=me%40host").unwrap();
    assert_eq!(address.get("owner"), Some("me@host"));
}

#[test]
fn durations_have_units() {
    let address = Address::parse("x:?a=5ms&b=2h&c=5&d=s&e=99999999999999999999s&f=1d").unwrap();
    assert_eq!(
        address.duration("a").unwrap(),
        Some(Duration::from_millis(5))
    );
    assert_eq!(
        address.duration("b").unwrap(),
        Some(Duration::from_secs(7200))
    );
    assert_eq!(address.duration("none").unwrap(), None);
    for key in ["c", "d", "e", "f"] {
        let failure = address.duration(key).unwrap_err().to_string();
        assert!(failure.contains("`ms`"), "{failure}");
    }
}

#[test]
fn a_scheme_of_ones_own_stands_beside_the_family() {
    let mut registry = Registry::<u32>::new();
    registry.register("One", |address| {
        address.allow(&[])?;
        Ok(DynQueue::new(ThreadQueue::bounded(1)))
    });
    assert_eq!(registry.open("one:").unwrap().capacity(), Some(1));
    assert!(registry.open("one:?capacity=1").is_err());
    assert_eq!(
        registry.open("async:?capacity=3").unwrap().capacity(),
        Some(3)
    );
    let failure = registry.open("two:").unwrap_err().to_string();
    assert!(failure.contains("`one:`"), "{failure}");
    registry.register("thread", |_| Ok(DynQueue::new(ThreadQueue::bounded(9))));
    assert_eq!(registry.open("thread:").unwrap().capacity(), Some(9));
}

/// Dropping the last handle drops the items, whose code may open queues.
#[test]
fn an_item_may_open_a_queue_as_it_is_dropped() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Opens;
    impl Drop for Opens {
        fn drop(&mut self) {
            open::<u32>("thread://another").unwrap();
        }
    }
    let jobs = open::<Opens>("thread://opens").unwrap();
    jobs.push(Opens).ok().unwrap();
    drop(jobs);
    let jobs = open::<Opens>("thread://opens").unwrap();
    assert!(jobs.is_empty());
}

#[test]
fn a_queue_of_every_scheme_lends_its_items() {
    use queue_any::WorkQueue;
    let mut schemes = vec!["thread", "lockfree", "async", "ipc"];
    if cfg!(target_os = "linux") {
        schemes.extend(["pipe", "shm"]);
    }
    for scheme in schemes {
        let jobs = open::<u32>(&format!("{scheme}:?capacity=1")).unwrap();
        jobs.push(7).unwrap();
        let job = jobs.receive().unwrap();
        assert_eq!(
            (*job, job.attempt(), jobs.in_flight()),
            (7, 1, 1),
            "{scheme}"
        );
        assert!(jobs.try_push(8).is_err(), "it keeps its slot");
        job.nack().unwrap();
        let job = jobs.receive().unwrap();
        assert_eq!(job.attempt(), 2);
        job.ack().unwrap();
        jobs.join();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn who_watches_a_queue_between_processes_is_told_who_takes_part_and_what_passed() {
    for scheme in ["pipe", "shm"] {
        let name = format!("stats {scheme} {}", std::process::id());
        let url = format!("{scheme}://{name}");
        let jobs = open::<u32>(&url).unwrap();
        // Another member, though in this process.
        let (producer, consumer) = open::<u32>(&url).unwrap().into_ends();
        for n in 0..3 {
            producer.push(n).unwrap();
        }
        jobs.pop().unwrap();
        let stats = jobs.stats();
        assert_eq!((stats.producers, stats.consumers), (Some(2), Some(2)));
        assert_eq!((stats.pushed, stats.popped), (Some(3), Some(1)));
        drop(producer);
        let stats = jobs.stats();
        assert_eq!((stats.producers, stats.consumers), (Some(1), Some(2)));
        drop(consumer);
        assert_eq!(jobs.stats().consumers, Some(1));
        assert!(queue_any::named_queues().unwrap().contains(&name));
    }
    assert_eq!(open::<u32>("thread:").unwrap().stats().pushed, None);
}

#[cfg(not(feature = "nats"))]
#[test]
fn a_scheme_whose_feature_is_off_names_it() {
    let failure = queue_any::open::<u32>("nats://localhost:4222/jobs").unwrap_err();
    assert!(failure.to_string().contains("feature `nats`"), "{failure}");
}

#[cfg(feature = "nats")]
#[test]
fn an_address_of_another_machine() {
    for (url, word) in [
        ("nats://localhost:4222", "a server and a name"),
        ("nats://localhost:4222/a/b", "a server and a name"),
        (
            "nats://localhost:4222/jobs?replicas=none",
            "number of servers",
        ),
        ("nats://localhost:4222/jobs?ack_wait=30", "no duration"),
        ("nats://localhost:4222/jobs?prefetch=-1", "number of items"),
        ("nats://localhost:4222/jobs?credits=1", "`creds`"),
        (
            "nats://me:hushhush@127.0.0.1:1/jobs?capacity=4&prefetch=16",
            "nats://127.0.0.1:1",
        ),
        (
            "nats://me:hush%2Fhush@127.0.0.1:1/jobs",
            "nats://127.0.0.1:1",
        ),
        (
            "nats+tls://me:hushhush@127.0.0.1:1/jobs",
            "nats+tls://127.0.0.1:1",
        ),
        // It is read before the server is asked.
        ("nats://127.0.0.1:1/jobs?creds=/no/creds", "in /no/creds"),
    ] {
        let failure = queue_any::open::<u32>(url).unwrap_err();
        let told = format!("{failure:#} {failure:?}");
        assert!(told.contains(word) && !told.contains("hushhush"), "{told}");
    }
    let server = "nats://me:hush%2Fhush@127.0.0.1:1";
    let failure = queue_any::remove_abandoned(server, Duration::ZERO).unwrap_err();
    assert!(
        failure.to_string().contains("nats://127.0.0.1:1"),
        "{failure}"
    );
    let server = "nats://127.0.0.1:1?creds=/no/creds";
    let failure = queue_any::remove_abandoned(server, Duration::ZERO).unwrap_err();
    assert!(failure.to_string().contains("in /no/creds"), "{failure}");
}
