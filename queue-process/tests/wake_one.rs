//! Many futures wait on one queue: each item, or place, wakes one of them, in the order they
//! came; and it wakes it wherever it was polled last.
#![cfg(not(loom))]

use ipc_channel::ipc;
use queue_process::{Capacity, IpcQueue, Queue, WithCapacity};
#[cfg(target_os = "linux")]
use queue_process::{PipeQueue, ShmQueue};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

const MANY: usize = 300;
const LONG: Duration = Duration::from_secs(30);

/// Says which task was woken.
struct Task(usize, Sender<usize>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let _ = self.1.send(self.0);
    }
}

type Waiting<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Futures, each a task of its own.
struct Herd<'a> {
    tasks: Vec<Option<(Waiting<'a>, Waker)>>,
    woken: Receiver<usize>,
    polls: usize,
}

impl<'a> Herd<'a> {
    /// They are polled once, and have to wait.
    fn new(futures: impl IntoIterator<Item = Waiting<'a>>) -> Self {
        let (wake, woken) = mpsc::channel();
        let task = |(n, future)| Some((future, Waker::from(Arc::new(Task(n, wake.clone())))));
        let mut herd = Self {
            tasks: futures.into_iter().enumerate().map(task).collect(),
            woken,
            polls: 0,
        };
        for n in 0..herd.tasks.len() {
            assert!(!herd.poll(n), "it has to wait");
        }
        herd.polls = 0;
        herd
    }

    /// Whether that task is done now.
    fn poll(&mut self, n: usize) -> bool {
        let Some((future, waker)) = &mut self.tasks[n] else {
            return false;
        };
        self.polls += 1;
        let done = future
            .as_mut()
            .poll(&mut Context::from_waker(waker))
            .is_ready();
        if done {
            self.tasks[n] = None;
        }
        done
    }

    /// Polls whoever is woken, until one is done: which.
    fn next(&mut self) -> usize {
        loop {
            let woken = self.woken.recv_timeout(LONG).expect("somebody is woken");
            if self.poll(woken) {
                return woken;
            }
        }
    }

    /// Polls whoever else is woken for nothing.
    fn settle(&mut self) {
        while let Ok(woken) = self.woken.recv_timeout(Duration::from_millis(200)) {
            assert!(!self.poll(woken), "there is nothing");
        }
    }
}

/// `futures` wait for what each `act` brings one of.
fn each_wakes_one<'a>(futures: impl Iterator<Item = Waiting<'a>>, mut act: impl FnMut()) {
    let mut herd = Herd::new(futures);
    for n in 0..MANY {
        act();
        assert_eq!(herd.next(), n, "who has waited longest comes first");
    }
    herd.settle();
    assert!(herd.polls <= 3 * MANY, "{} polls for {MANY}", herd.polls);
}

fn pop<Q: Queue<Item = u32>>(queue: &Q) -> Waiting<'_> {
    Box::pin(async {
        queue.pop_async().await.unwrap();
    })
}

fn push<Q: Queue<Item = u32>>(queue: &Q) -> Waiting<'_> {
    Box::pin(async { queue.push_async(1).await.unwrap() })
}

fn items<Q: Queue<Item = u32>>(queue: &Q) {
    each_wakes_one((0..MANY).map(|_| pop(queue)), || queue.push(1).unwrap());
}

fn places<Q: Queue<Item = u32>>(queue: &Q) {
    queue.push(0).unwrap();
    each_wakes_one((0..MANY).map(|_| push(queue)), || {
        queue.pop().unwrap();
    });
    assert_eq!(queue.pop(), Ok(1));
}

/// All items at once, and threads that wait as well.
fn mixed<Q: Queue<Item = u32> + Clone + 'static>(queue: &Q) {
    let threads = [(); 3].map(|()| {
        let queue = queue.clone();
        thread::spawn(move || (0..20).for_each(|_| assert_eq!(queue.pop(), Ok(1))))
    });
    let mut herd = Herd::new((0..MANY).map(|_| pop(queue)));
    let pusher = thread::spawn({
        let queue = queue.clone();
        move || (0..MANY + 60).for_each(|_| queue.push(1).unwrap())
    });
    for _ in 0..MANY {
        herd.next();
    }
    pusher.join().unwrap();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    herd.settle();
    assert!(herd.polls <= 5 * MANY, "{} polls for {MANY}", herd.polls);
}

/// Every other one is cancelled, woken or not; the items are for the others.
fn cancelled<Q: Queue<Item = u32>>(queue: &Q) {
    let mut herd = Herd::new((0..MANY).map(|_| pop(queue)));
    for n in (0..MANY).step_by(2) {
        queue.push(1).unwrap();
        // Before the wake, or after it.
        if n % 4 == 0 {
            let woken = herd.woken.recv_timeout(LONG);
            assert_eq!(woken, Ok(n));
        }
        herd.tasks[n] = None;
        assert_eq!(herd.next(), n + 1);
    }
    assert!(queue.is_empty());
    assert!(herd.polls <= 3 * MANY, "{} polls for {MANY}", herd.polls);
}

/// A future is polled in one runtime, which then rests, in another, and then in none.
fn moved<Q: Queue<Item = u32> + Clone + 'static>(queue: &Q) {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let mut pop = Box::pin(queue.pop_async());
    let brief = Duration::from_millis(5);
    for runtime in [&first, &second, &first] {
        let early = runtime.block_on(async { tokio::time::timeout(brief, pop.as_mut()).await });
        assert!(early.is_err());
    }
    let other = queue.clone();
    let pusher = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        other.push(7).unwrap();
    });
    let (told, done) = mpsc::channel();
    let waker = Waker::from(Arc::new(Task(0, told)));
    let mut cx = Context::from_waker(&waker);
    while pop.as_mut().poll(&mut cx) != Poll::Ready(Ok(7)) {
        done.recv_timeout(LONG)
            .expect("it is woken where it is polled");
    }
    pusher.join().unwrap();
}

fn made<Q: WithCapacity>(n: usize) -> Q {
    Q::try_with_capacity(Capacity::bounded(n)).unwrap()
}

/// As a guest has it: every verb is a message to the host, which is in this process here.
fn guest(n: usize) -> IpcQueue<u32> {
    let (sender, receiver) = ipc::channel().unwrap();
    sender.send(made::<IpcQueue<u32>>(n)).unwrap();
    receiver.recv().unwrap()
}

macro_rules! kinds {
    ($($(#[$cfg:meta])* $kind:ident: $make:expr;)*) => {$(
        $(#[$cfg])*
        mod $kind {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            fn an_item_wakes_one() {
                items(&$make(4));
            }

            #[test]
            fn a_place_wakes_one() {
                places(&$make(1));
            }

            #[test]
            fn beside_threads() {
                mixed(&$make(1000));
            }

            #[test]
            fn a_cancelled_one_wakes_the_next() {
                cancelled(&$make(4));
            }

            #[test]
            fn it_is_woken_where_it_was_polled_last() {
                moved(&$make(4));
            }
        }
    )*};
}

kinds! {
    #[cfg(target_os = "linux")]
    pipe: made::<PipeQueue<u32>>;
    #[cfg(target_os = "linux")]
    shm: made::<ShmQueue<u32>>;
    ipc_host: made::<IpcQueue<u32>>;
    ipc_guest: guest;
}
