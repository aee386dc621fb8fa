//! What can go wrong, and in which words it is told.

mod server;

use queue_nats::select::PopAnyTimeoutError;
use queue_nats::{
    Capacity, Failure, FailureKind, Mode, NatsConnection, NatsOptions, NatsQueue, PushTimeoutError,
    Queue, Select, TryPushError, WorkQueue, pop_any, pop_any_timeout,
};
use server::{Network, Proxy, Server};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

fn open(options: &NatsOptions) -> Result<NatsQueue<u64>, Failure> {
    NatsQueue::open("jobs", &options.clone().capacity(Capacity::bounded(4)))
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Failure>, kind: FailureKind, word: &str) {
    let failure = result.unwrap_err();
    assert_eq!(failure.kind(), kind, "{failure:#}");
    assert!(format!("{failure:#}").contains(word), "{failure:#}");
}

/// What the future comes to.
fn ready<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

#[test]
fn no_server() {
    let options = NatsOptions::new("nats://user:hushhush@127.0.0.1:1");
    let failure = open(&options).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unavailable);
    let told = format!("{failure:#} {failure:?} {options:?}");
    assert!(
        told.contains("127.0.0.1:1") && !told.contains("hushhush"),
        "{told}"
    );
}

#[test]
fn wrong_credentials_and_missing_rights() {
    let config = r#"authorization { users = [
        { user: boss, password: hushhush }
        { user: push, password: hushhush, permissions: {
            publish: ["q.jobs.items", "$JS.API.STREAM.INFO.Q_jobs"], subscribe: "_INBOX.>" } }
        { user: deaf, password: hushhush, permissions: { subscribe: ["_INBOX.>", "q.jobs.event.*"] } }
        { user: keep, password: hushhush, permissions: { publish: { deny: "$JS.ACK.>" } } }
        { user: "o:dd", password: "a/b@c%41" }
    ] }"#;
    let Some(server) = Server::start_with("rights", config) else {
        return;
    };
    let at = |user: &str, password: &str| {
        let address = format!("nats://{user}:{password}@127.0.0.1:{}", server.port);
        NatsOptions::new(address)
    };
    let failure = open(&at("boss", "guesswork")).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Denied, "{failure:#}");
    assert!(!format!("{failure:#}").contains("guesswork"), "{failure:#}");
    // Who may push alone cannot create the queue, and can push to it.
    refused(
        open(&at("push", "hushhush")),
        FailureKind::Denied,
        "does not let",
    );
    let jobs = open(&at("boss", "hushhush")).unwrap();
    assert!(!format!("{jobs:?}").contains("hushhush"));
    open(&at("o%3Add", "a%2Fb%40c%2541")).unwrap();
    let producer = open(&at("push", "hushhush")).unwrap();
    producer.push(1).unwrap();
    let start = Instant::now();
    let popped = producer.try_pop();
    assert!(format!("{popped:?}").contains("does not let"), "{popped:?}");
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "it is told, and not timed out"
    );
    let deaf = open(&at("deaf", "hushhush")).unwrap();
    for popped in [deaf.try_pop(), deaf.pop().map_err(|error| error.into())] {
        assert!(
            format!("{popped:?}").contains("let this user subscribe"),
            "{popped:?}"
        );
    }
    assert_eq!(jobs.pop(), Ok(1));
    // A future has its item before the server refuses to take it out: the next pop tells.
    jobs.push(2).unwrap();
    let keeper = open(&at("keep", "hushhush")).unwrap();
    let refuses = || {
        let popped = keeper.try_pop();
        assert!(format!("{popped:?}").contains("does not let"), "{popped:?}");
    };
    assert_eq!(ready(pin!(keeper.pop_async())), Ok(2));
    refuses();
    // So it is where a pop of several has waited for its first item.
    std::thread::scope(|scope| {
        let popped = scope.spawn(|| keeper.pop_many(&mut Vec::new(), 9));
        std::thread::sleep(Duration::from_millis(50));
        jobs.push(3).unwrap();
        assert_eq!(popped.join().unwrap(), Ok(1));
    });
    refuses();
    let mut all = Vec::new();
    let mut popped = pin!(keeper.pop_many_async(&mut all, 9));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(popped.as_mut().poll(&mut cx).is_pending());
    std::thread::sleep(Duration::from_millis(50));
    assert!(popped.as_mut().poll(&mut cx).is_pending());
    jobs.push(4).unwrap();
    assert_eq!(ready(popped), Ok(1));
    refuses();
    // Who receives is told too, and who waits.
    jobs.push(5).unwrap();
    assert_eq!(ready(pin!(keeper.pop_async())), Ok(5));
    let received = keeper.receive_many(&mut Vec::new(), 9);
    assert!(
        format!("{received:?}").contains("does not let"),
        "{received:?}"
    );
    refused(producer.try_close(), FailureKind::Denied, "does not let");
}

#[test]
fn jetstream_is_off() {
    let Some(server) = Server::start_as("JetStream off", "") else {
        return;
    };
    refused(
        open(&server.options()),
        FailureKind::Unsupported,
        "JetStream is off",
    );
}

#[test]
fn another_queue_of_this_name() {
    let Some(server) = Server::start("mismatches") else {
        return;
    };
    let connection = NatsConnection::connect(&server.options()).unwrap();
    let options = server.options().capacity(Capacity::bounded(4));
    let _jobs: NatsQueue<u64> = connection.queue("jobs", &options).unwrap();
    let other = connection.queue::<String, queue_nats::Postcard>("jobs", &options);
    refused(other, FailureKind::Mismatch, "alloc::string::String");
    let other = connection.queue::<Vec<u8>, queue_nats::Raw>("jobs", &options);
    refused(other, FailureKind::Mismatch, "raw");
    let same =
        |options: NatsOptions| connection.queue::<u64, queue_nats::Postcard>("jobs", &options);
    let wider = options.clone().capacity(Capacity::bounded(5));
    refused(same(wider), FailureKind::Mismatch, "the capacity 4");
    let slower = options.clone().ack_wait(Duration::from_secs(7));
    refused(same(slower), FailureKind::Mismatch, "7s");
    refused(
        same(options.clone().mode(Mode::Create)),
        FailureKind::Denied,
        "already",
    );
    let replicas = same(options.clone().replicas(3));
    let (kind, word) = match connection.server_version().as_str() {
        old if old.starts_with("2.9.") => (FailureKind::Unsupported, "2.15"),
        _ => (FailureKind::Mismatch, "it has 1 replicas"),
    };
    refused(replicas, kind, word);
    let open = server.options().mode(Mode::Open);
    let none = connection.queue::<u64, queue_nats::Postcard>("none", &open);
    refused(none, FailureKind::PeerGone, "no queue");
    let bad = connection.queue::<u64, queue_nats::Postcard>("a.b", &open);
    refused(bad, FailureKind::Unsupported, "letters");
    assert_eq!(same(server.options()).unwrap().capacity(), Some(4));
    for was_there in [true, false] {
        assert_eq!(connection.delete("jobs", &options), Ok(was_there));
    }
}

/// Of several that create a queue at the same moment one has created it.
#[test]
fn created_once() {
    let Some(server) = Server::start("creators") else {
        return;
    };
    const ROUNDS: usize = 10;
    let begin = Barrier::new(4);
    let create = || {
        let options = server.options().mode(Mode::Create);
        let connection = NatsConnection::connect(&options).unwrap();
        let create = |round| {
            begin.wait();
            let name = format!("jobs{round}");
            let created = connection.queue::<u64, queue_nats::Postcard>(&name, &options);
            created.map(drop).map_err(|failure| failure.kind())
        };
        (0..ROUNDS).map(create).collect::<Vec<_>>()
    };
    let created = std::thread::scope(|scope| {
        let creators = [(); 4].map(|()| scope.spawn(create));
        creators.map(|creator| creator.join().unwrap())
    });
    for round in 0..ROUNDS {
        let mut all = created.each_ref().map(|created| created[round]);
        all.sort_by_key(Result::is_err);
        let refused = Err(FailureKind::Denied);
        assert_eq!(all, [Ok(()), refused, refused, refused]);
    }
}

/// A creator that died before it had made the consumer has left a queue all the same.
#[test]
fn created_by_half() {
    let Some(server) = Server::start("half a queue") else {
        return;
    };
    drop(open(&server.options()).unwrap());
    let deleted = server.ask("CONSUMER.DELETE.Q_jobs.workers", "");
    assert_eq!(deleted["success"], true, "{deleted}");
    let jobs = open(&server.options()).unwrap();
    jobs.push(1).unwrap();
    assert_eq!(jobs.pop(), Ok(1));
}

#[test]
fn too_large_an_item() {
    let Some(server) = Server::start_with("max_payload", "max_payload: 1000") else {
        return;
    };
    let options = server.options().capacity(Capacity::bounded(4));
    let jobs = NatsQueue::<Vec<u8>>::open("jobs", &options).unwrap();
    let Err(TryPushError::Failed(item, failure)) = jobs.try_push(vec![7; 2000]) else {
        panic!("it is too large");
    };
    assert_eq!((item.len(), failure.kind()), (2000, FailureKind::TooLarge));
    let mut items = [vec![1], vec![7; 2000], vec![2]].into();
    let failure = jobs.push_many(&mut items).unwrap_err();
    assert!(
        format!("{failure:#}").contains("max_payload"),
        "{failure:#}"
    );
    assert_eq!((items.len(), jobs.len()), (2, 1), "one went in");
}

#[test]
fn the_server_is_full() {
    let config = "jetstream { store_dir: {folder}, max_file_store: 1000000 }";
    let Some(server) = Server::start_as("a full server", config) else {
        return;
    };
    let jobs = NatsQueue::<Vec<u8>>::open("jobs", &server.options()).unwrap();
    let failed = (0..100).find_map(|_| jobs.try_push(vec![7; 100_000]).err());
    let Some(TryPushError::Failed(item, failure)) = failed else {
        panic!("it came to {failed:?}");
    };
    assert_eq!(
        (item.len(), failure.kind()),
        (100_000, FailureKind::Io),
        "{failure}"
    );
    assert!(failure.to_string().contains("storage is full"), "{failure}");
}

#[test]
fn an_outage() {
    let Some(mut server) = Server::start("an outage") else {
        return;
    };
    let jobs = open(&server.options()).unwrap();
    jobs.push(1).unwrap();
    server.kill();
    // So that it is known.
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    let late = jobs.push_timeout(2, Duration::from_millis(300));
    let Err(PushTimeoutError::Failed(2, failure)) = late else {
        panic!("it came to {late:?}");
    };
    let kinds = [FailureKind::Unavailable, FailureKind::Ambiguous];
    assert!(kinds.contains(&failure.kind()), "{failure}");
    let late = jobs.pop_timeout(Duration::from_millis(300));
    assert!(
        start.elapsed() >= Duration::from_millis(600),
        "each waits its time: the server might come back"
    );
    assert!(
        late.as_ref().is_err_and(|error| !error.is_closed()),
        "{late:?}"
    );
    // Those that wait wait through it.
    let (pushing, popping) = (jobs.clone(), jobs.clone());
    let pusher = std::thread::spawn(move || pushing.push(3));
    let popper = std::thread::spawn(move || {
        let mut all = vec![popping.pop().unwrap()];
        while !all.contains(&3) {
            all.push(popping.pop().unwrap());
        }
        all
    });
    std::thread::sleep(Duration::from_millis(100));
    server.restart();
    pusher.join().unwrap().unwrap();
    let all = popper.join().unwrap();
    assert!(all.contains(&1), "{all:?}");
}

#[test]
fn a_select_waits_through_an_outage() {
    let Some(mut server) = Server::start("an outage of a select") else {
        return;
    };
    let jobs = open(&server.options()).unwrap();
    server.kill();
    // So that it is known.
    std::thread::sleep(Duration::from_millis(100));
    let late = pop_any_timeout(&[&jobs], Duration::from_millis(300));
    let Err(PopAnyTimeoutError::Failed(0, failure)) = late else {
        panic!("it came to {late:?}");
    };
    assert_eq!(failure.kind(), FailureKind::Unavailable, "{failure}");
    std::thread::scope(|scope| {
        let popped = scope.spawn(|| pop_any(&[&jobs]));
        let pushed = scope.spawn(|| {
            let mut item = Some(4);
            let mut select = Select::new().push(&jobs, &mut item, |pushed| pushed);
            select.wait()
        });
        std::thread::sleep(Duration::from_millis(100));
        server.restart();
        assert_eq!(pushed.join().unwrap(), Some(Ok(())));
        assert_eq!(popped.join().unwrap(), Ok((0, 4)));
    });
}

/// What a push comes to whose answer is lost, if this is done before it can try again.
fn unheard(
    limit: Duration,
    change: impl FnOnce(&Server, &NatsQueue<u64>),
) -> Option<Result<(), PushTimeoutError<u64>>> {
    let server = Server::start("a lost answer")?;
    let proxy = Proxy::to(server.port);
    let direct = open(&server.options()).unwrap();
    let jobs = open(&NatsOptions::new(proxy.url())).unwrap();
    proxy.be(Network::Mute);
    let until = Instant::now() + limit;
    let pushed = std::thread::spawn(move || jobs.push_deadline(7, until));
    while direct.is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    change(&server, &direct);
    proxy.be(Network::Works);
    Some(pushed.join().unwrap())
}

#[test]
fn a_push_whose_answer_is_lost() {
    // It is in, and not handed back.
    let closed = unheard(Duration::from_secs(30), |_, direct| {
        assert!(direct.close());
    });
    assert_eq!(closed.unwrap_or(Ok(())), Ok(()));
    // Nobody takes the second one: nothing is known of the first.
    let unknown = unheard(Duration::from_secs(1), |server, _| {
        server.rename("q.jobs.elsewhere");
    });
    match unknown {
        None => {}
        Some(Err(PushTimeoutError::Failed(7, failure))) => {
            assert_eq!(failure.kind(), FailureKind::Ambiguous, "{failure}");
        }
        Some(other) => panic!("it came to {other:?}"),
    }
}

/// A task's budget is for what it awaits: blocking verbs do not wait for more of it, however many there are.
#[test]
fn many_blocking_verbs_in_one_poll() {
    let Some(server) = Server::start("budget") else {
        return;
    };
    let current = tokio::runtime::Builder::new_current_thread().build();
    let several = tokio::runtime::Builder::new_multi_thread().build();
    for runtime in [current, several] {
        let jobs = open(&server.options().prefetch(4)).unwrap();
        let task = async move {
            for number in 0..300 {
                jobs.push(number).unwrap();
                assert_eq!(jobs.pop(), Ok(number));
            }
            drop(jobs);
        };
        let (done, when_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let ended = runtime
                .unwrap()
                .block_on(async { tokio::spawn(task).await });
            done.send(ended.is_ok())
        });
        let ended = when_done.recv_timeout(Duration::from_secs(60));
        assert_eq!(ended, Ok(true), "it hangs");
    }
}

/// A blocking verb inside a runtime neither panics nor keeps the connection from working.
#[test]
fn inside_a_runtime() {
    let Some(server) = Server::start("runtime") else {
        return;
    };
    let jobs = open(&server.options()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        jobs.push(1).unwrap();
        assert_eq!(jobs.pop(), Ok(1));
        jobs.push_async(2).await.unwrap();
        assert_eq!(jobs.pop_async().await, Ok(2));
        let waits = tokio::time::timeout(Duration::from_millis(20), jobs.pop_async());
        assert!(waits.await.is_err(), "it is empty");
        jobs.push(3).unwrap();
        let job = jobs.receive_async().await.unwrap();
        assert_eq!(
            (*job, job.attempt()),
            (3, 1),
            "the pop that was dropped lost nothing"
        );
        job.ack().unwrap();
        jobs.join_async().await;
    });
}

/// As servers of a cluster are that elect a leader.
#[test]
fn close_waits_for_a_server_that_is_away_for_a_moment() {
    let Some(server) = Server::start("away") else {
        return;
    };
    let proxy = Proxy::to(server.port);
    let jobs = open(&NatsOptions::new(proxy.url())).unwrap();
    let other = open(&server.options()).unwrap();
    proxy.be(Network::Cut);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(700));
            proxy.be(Network::Works);
        });
        assert!(jobs.close());
    });
    assert!(other.is_closed());
}

/// A server that is connected and says nothing: what has a time limit ends soon after it.
#[test]
fn a_silent_server_holds_nobody_up() {
    let Some(server) = Server::start("silent") else {
        return;
    };
    let proxy = Proxy::to(server.port);
    let jobs = open(&NatsOptions::new(proxy.url())).unwrap();
    jobs.push(1).unwrap();
    proxy.be(Network::Silent);
    let limit = Duration::from_millis(200);
    let verbs: [(&str, &(dyn Fn() -> bool + Sync)); 5] = [
        ("push", &|| jobs.push_timeout(2, limit).is_err()),
        ("pop", &|| jobs.pop_timeout(limit).is_err()),
        ("pop many", &|| {
            jobs.pop_many_timeout(&mut Vec::new(), 3, limit).is_err()
        }),
        ("receive", &|| jobs.receive_timeout(limit).is_err()),
        ("join", &|| !jobs.join_timeout(limit)),
    ];
    std::thread::scope(|scope| {
        for (name, fails) in verbs {
            scope.spawn(move || {
                let start = Instant::now();
                assert!(fails(), "{name}");
                let took = start.elapsed();
                assert!(took < Duration::from_secs(4), "{name}: {took:?}");
            });
        }
    });
}
