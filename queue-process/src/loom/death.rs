//! What models of death share: processes that die at every step in turn, what they write down
//! until then, and what must be true of the queue that they leave.

use super::{Process, Simulation, TryFailure};
use queue_core::model::check;
use queue_core::sync::thread;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// As many steps as anybody needs.
pub const ALIVE: usize = usize::MAX;

/// Starts process `me`, with `steps` to live; its end is known when this is joined.
pub fn start<R: 'static>(
    simulation: &Arc<Simulation>,
    me: usize,
    steps: usize,
    body: impl FnOnce(&Process) -> R + 'static,
) -> thread::JoinHandle<Option<R>> {
    let simulation = simulation.clone();
    thread::spawn(move || simulation.process(me, steps, body))
}

/// Checks `model` for a victim with `first` or more steps to live, until it survives. `model`
/// says whether the victim died. Who dies before it meets anybody makes no model: there is
/// one interleaving.
pub fn at_every_step(
    name: &str,
    first: usize,
    preemptions: usize,
    model: impl Fn(usize) -> bool + Send + Sync + 'static,
) {
    let model = Arc::new(model);
    for steps in first.. {
        let died = Arc::new(AtomicBool::new(false));
        let (inner, flag) = (model.clone(), died.clone());
        check(&format!("{name}_{steps}"), Some(preemptions), move || {
            if inner(steps) {
                flag.store(true, Ordering::Relaxed);
            }
        });
        if !died.load(Ordering::Relaxed) {
            assert!(steps > 5, "{name}: nothing was tried");
            return;
        }
    }
}

/// A process that may die, and writes down what it has done.
#[derive(Debug)]
pub struct Victim {
    thread: thread::JoinHandle<Option<()>>,
    /// Not in the model's memory: it outlives the process.
    log: Arc<Mutex<Vec<u64>>>,
}

impl Victim {
    /// Starts it as process `me`, with `steps` to live; `body` is given what writes.
    pub fn start(
        simulation: &Arc<Simulation>,
        me: usize,
        steps: usize,
        body: impl FnOnce(&Process, &dyn Fn(u64)) + 'static,
    ) -> Self {
        let log = Arc::<Mutex<Vec<_>>>::default();
        let theirs = log.clone();
        let body = start(simulation, me, steps, move |queue| {
            body(queue, &|n| theirs.lock().unwrap().push(n));
        });
        Self { thread: body, log }
    }

    /// Waits for its end: whether it died, and its log.
    pub fn join(self) -> (bool, Vec<u64>) {
        let died = self.thread.join().unwrap().is_none();
        (died, self.log.lock().unwrap().clone())
    }
}

/// Lets `items` go through the queue, so that what comes next lies further on.
pub fn advance(queue: &Process, items: u64) {
    for n in 0..items {
        queue.try_push(n).unwrap();
        queue.try_pop().unwrap();
    }
}

/// All that is inside, popped.
pub fn drain(queue: &Process) -> Vec<u64> {
    std::iter::from_fn(|| queue.try_pop().ok()).collect()
}

/// The queue is as good as new: as many slots as ever, and no more.
pub fn is_sound(queue: &Process, capacity: u64) {
    assert_eq!(
        (queue.try_pop(), queue.len()),
        (Err(TryFailure::WouldBlock), 0)
    );
    for n in 0..capacity {
        let pushed = queue.try_push(n);
        assert_eq!(pushed, Ok(()), "a slot is lost: {n} are taken");
    }
    assert_eq!(
        queue.try_push(0),
        Err(TryFailure::WouldBlock),
        "a slot too many"
    );
    assert_eq!(drain(queue), (0..capacity).collect::<Vec<_>>());
}

/// `got` holds `accepted` in that order, and at most the one item after.
pub fn holds(got: &[u64], accepted: &[u64], offered: &[u64]) {
    let ours: Vec<u64> = got
        .iter()
        .copied()
        .filter(|n| offered.contains(n))
        .collect();
    assert!(
        ours.starts_with(accepted),
        "{accepted:?} accepted, {ours:?} came out"
    );
    assert!(
        offered.starts_with(&ours) && ours.len() <= accepted.len() + 1,
        "{ours:?}"
    );
}

/// `all` items came out, each once and to us in order, but for up to `lost` that the dead took.
pub fn are_shared_out(got: &[u64], theirs: &[u64], all: usize, lost: usize) {
    assert!(got.is_sorted_by(|a, b| a < b), "{got:?}");
    let twice = theirs.iter().any(|n| got.contains(n));
    let missing = all - got.len() - theirs.len();
    assert!(!twice && missing <= lost, "{theirs:?} and {got:?}");
}
