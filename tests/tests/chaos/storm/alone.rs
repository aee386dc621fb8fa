//! Deaths at a chosen instruction after which nobody else comes: one waits, a worker is killed
//! in the middle of what would have ended that, and whatever it left, or had been lent, must reach who
//! waits without anybody's help, as a thread or as a future.

use super::kind::{Item, Kind};
use super::steps::{Verb, Victim};
use super::watchdog;
use fastrand::Rng;
use queue_core::{Capacity, PopError, PushError};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// As long as a death may go unnoticed, and as much again for a busy machine.
const NOTICED: Duration = Duration::from_millis(400);
/// The same, where it was not enough once.
const PATIENCE: Duration = Duration::from_secs(8);
/// The number that is pushed where nothing came.
const PROBE: u64 = 2000;
/// A death that is later than this many instructions is none: the verb was over.
const MOST: u64 = 1_000_000;

/// Cuts `verbs` of the verbs after `count` of their instructions, evenly spread, or after all of
/// them: how many deaths there were.
pub(super) fn run<K: Kind>(seed: u64, verbs: usize, count: u64) -> Result<u64, String> {
    let mut random = Rng::with_seed(seed);
    let mut deaths = 0;
    for verb in Verb::some(&mut random, verbs, Verb::Receive) {
        let (length, _) = episode::<K>(verb, MOST, true, NOTICED)?;
        let stride = (length / count).max(1);
        let mut after = random.u64(..stride);
        while after <= length {
            let as_future = random.bool();
            let mut met = episode::<K>(verb, after, as_future, NOTICED);
            if met.is_err() {
                // A busy machine may be late once; who sleeps for good is so again.
                met = episode::<K>(verb, after, as_future, PATIENCE);
            }
            let how = if as_future { "future" } else { "thread" };
            let (_, over) =
                met.map_err(|why| format!("{why}, for a {how}, after {verb:?} {after}"))?;
            deaths += u64::from(!over);
            after += stride;
        }
    }
    Ok(deaths)
}

/// One queue, one who waits, and one death: how many instructions the dead one did, and whether
/// its verb was over.
fn episode<K: Kind>(
    verb: Verb,
    after: u64,
    as_future: bool,
    patience: Duration,
) -> Result<(u64, bool), String> {
    watchdog::alive(|| format!("{} alone, after {verb:?} {after}", K::NAME));
    let queue =
        K::try_with_capacity(Capacity::bounded(1)).map_err(|failure| failure.to_string())?;
    if !matches!(verb, Verb::Push | Verb::Close) {
        queue.push(Item::small(1)).map_err(|e| e.to_string())?;
    }
    let victim = Victim::start(&queue, verb).map_err(|e| e.to_string())?;
    let theirs = queue.clone();
    let waits = thread::spawn(move || match (verb, as_future) {
        (Verb::Pop | Verb::Take, true) => pushed(block_on(theirs.push_async(Item::small(2)))),
        (Verb::Pop | Verb::Take, false) => pushed(theirs.push(Item::small(2))),
        (Verb::Ack, true) => {
            block_on(theirs.join_async());
            Some(0)
        }
        (Verb::Ack, false) => {
            theirs.join();
            Some(0)
        }
        (_, true) => popped(block_on(theirs.pop_async())),
        (_, false) => popped(theirs.pop()),
    });
    // It waits by now, or will look for itself.
    thread::sleep(Duration::from_millis(5));
    let (count, over) = victim.kill_after(after).map_err(|e| e.to_string())?;
    let killed = Instant::now();
    while !waits.is_finished() && killed.elapsed() < patience {
        thread::sleep(Duration::from_millis(1));
    }
    let told = waits.is_finished();
    // If it waits still there must be nothing to wait for. Only now somebody comes.
    let left = match verb {
        _ if told => None,
        Verb::Close => queue.is_closed().then_some("the end"),
        Verb::Push => {
            queue.push(Item::small(PROBE)).map_err(|e| e.to_string())?;
            None
        }
        Verb::Nack | Verb::Release | Verb::Receive => Some("what was lent"),
        Verb::Ack => {
            let item = queue.pop().map_err(|e| e.to_string())?;
            (item.number != 1).then_some("nothing")
        }
        Verb::Pop | Verb::Take => {
            let item = queue.pop().map_err(|e| e.to_string())?;
            (item.number != 1).then_some("a place")
        }
    };
    queue.close();
    let got = waits.join().map_err(|_| "who waited panicked")?;
    let left = left.or(match got {
        // It slept beside the dead one's item, until there was another.
        Some(number) if !told && verb == Verb::Push && number != PROBE => Some("an item"),
        _ => None,
    });
    match left {
        None if over && !told => Err("the verb was over, and who waited was not told".into()),
        None => Ok((count, over)),
        Some(what) => Err(format!("{what} was there, and who waited for it slept on")),
    }
}

/// What came of it: the number of an item.
fn popped(result: Result<Item, PopError>) -> Option<u64> {
    result.ok().map(|item| item.number)
}

fn pushed(result: Result<(), PushError<Item>>) -> Option<u64> {
    result.ok().map(|()| 0)
}

/// Wakes the thread that polls.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<R>(future: impl Future<Output = R>) -> R {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}
