//! Deaths at a chosen instruction: a worker is run one instruction at a time, and killed
//! after so many; and then perhaps another one, while it repairs what the first left.
//!
//! A random kill finds the few dozen instructions that matter once in a while. Here none
//! is left out: each verb is cut after every instruction in turn (in the short run some verbs
//! after some of them, others each time).

use super::kind::{Item, Kind};
use super::log::now;
use super::watchdog;
use fastrand::Rng;
use queue_core::{Capacity, Delivery, TryPopError, TryPushError};
use std::ops::RangeInclusive;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fmt, io};

/// What the victim is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Push,
    Pop,
    Close,
    Receive,
    // Of what was received before.
    Ack,
    Take,
    Nack,
    Release,
}

const STEP: &str = "CHAOS_STEP";
/// The number that the victims push, so many times: an `IpcQueue`'s guest pushes first by a message, and
/// then by memory that it shares with the host.
const THEIRS: u64 = 1000;
const PUSHES: u64 = 2;
/// The number of the first that is pushed after the deaths.
const PROBE: u64 = 2000;
const CAPACITY: usize = 8;
/// A death that is later than this many instructions is none: the verb was over.
const MOST: u64 = 1_000_000;

/// How long a dead one's item may take to come back.
const BACK: Duration = Duration::from_millis(100);
/// So many times, where the machine is busy.
const TRIES: usize = 20;

impl Verb {
    const ALL: [Self; 8] = [
        Self::Push,
        Self::Pop,
        Self::Close,
        Self::Receive,
        Self::Ack,
        Self::Take,
        Self::Nack,
        Self::Release,
    ];

    /// So many of them, but `never` this one.
    pub(super) fn some(random: &mut Rng, count: usize, never: Self) -> Vec<Self> {
        let all = Self::ALL.into_iter().filter(|verb| *verb != never);
        random.choose_multiple(all, count.min(Self::ALL.len()))
    }

    /// Whether an item is lent for it, or by it.
    fn lends(self) -> bool {
        !matches!(self, Self::Push | Self::Pop | Self::Close)
    }

    /// What the next one to receive the item may be told of its attempts, after a death within this
    /// or after it.
    fn attempts(self, over: bool) -> RangeInclusive<u32> {
        match (self, over) {
            (Self::Release, true) => 1..=1,
            (Self::Release | Self::Receive, false) => 1..=2,
            _ => 2..=2,
        }
    }
}

/// If this process is a victim: does its one verb, between two stops.
pub(super) fn victim<K: Kind>(verb: &str) {
    let verb = Verb::ALL
        .into_iter()
        .find(|known| format!("{known:?}") == verb);
    let verb = verb.expect("a verb");
    let queue = K::whole();
    let item = Item::small(THEIRS);
    // What is done once in a process is none of the verb's own instructions.
    let other = K::try_with_capacity(Capacity::bounded(1)).expect("a queue");
    let warm = other.try_push(item.clone()).is_ok() && other.try_pop().is_ok();
    assert!(warm, "a queue works");
    let given_back = |delivery: Delivery<K>| delivery.release().is_ok();
    let warm = other.try_push(item.clone()).is_ok() && other.try_receive().is_ok_and(given_back);
    assert!(warm, "a queue lends");
    let mut held = match verb {
        Verb::Ack | Verb::Take | Verb::Nack | Verb::Release => {
            Some(queue.try_receive().expect("an item"))
        }
        _ => None,
    };
    trace_me();
    stop();
    match (verb, held.take()) {
        (Verb::Ack, Some(delivery)) => drop(delivery.ack()),
        (Verb::Take, Some(delivery)) => drop(delivery.take()),
        (Verb::Nack, Some(delivery)) => drop(delivery.nack()),
        (Verb::Release, Some(delivery)) => drop(delivery.release()),
        (Verb::Receive, _) => held = queue.try_receive().ok(),
        (Verb::Push, _) => (0..PUSHES).for_each(|_| drop(queue.try_push(item.clone()))),
        (Verb::Pop, _) => drop(queue.try_pop()),
        _ => drop(queue.close()),
    }
    stop();
    drop(held);
}

/// Whether this process is a victim of the kind of this name, and its verb.
pub(super) fn order() -> Option<(String, String)> {
    let text = env::var(STEP).ok()?;
    let (kind, verb) = text.split_once(' ')?;
    Some((kind.into(), verb.into()))
}

/// What came of the deaths.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steps {
    pub(super) deaths: u64,
    /// Of those, deaths of somebody who had just met a dead one's traces.
    pub(super) repairers: u64,
    /// The most instructions that a verb took.
    pub(super) instructions: u64,
    /// The longest that a survivor's first verbs took, those that met the traces.
    pub(super) longest: u64,
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} deaths within a verb of at most {} instructions, {} with a second one upon \
             the first; who met the traces went on within {:.1} ms",
            self.deaths,
            self.instructions,
            self.repairers,
            self.longest as f64 / 1e6
        )
    }
}

/// Cuts `verbs` of the verbs after `count` of their instructions, evenly spread, or after all of them.
pub(super) fn run<K: Kind>(seed: u64, verbs: usize, count: u64) -> Result<Steps, String> {
    let mut random = Rng::with_seed(seed);
    let mut steps = Steps::default();
    for verb in Verb::some(&mut random, verbs, Verb::Close) {
        let length = episode::<K>(&[(verb, MOST)], &mut steps)?;
        steps.instructions = steps.instructions.max(length);
        let stride = (length / count).max(1);
        let mut after = random.u64(..stride);
        while after <= length {
            let mut deaths = vec![(verb, after)];
            if random.u8(..4) == 0 {
                // Another one comes upon what is left, and is killed at that.
                let verb = [Verb::Push, Verb::Pop, Verb::Receive][random.usize(..3)];
                deaths.push((verb, random.u64(..2 * length)));
                steps.repairers += 1;
            }
            let met = episode::<K>(&deaths, &mut steps);
            met.map_err(|why| format!("{why}, after {deaths:?}"))?;
            after += stride;
        }
    }
    Ok(steps)
}

/// One queue, these deaths, and what is left: how many instructions the first one did.
fn episode<K: Kind>(deaths: &[(Verb, u64)], steps: &mut Steps) -> Result<u64, String> {
    watchdog::alive(|| format!("{}, after {deaths:?}", K::NAME));
    let queue =
        K::try_with_capacity(Capacity::bounded(CAPACITY)).map_err(|failure| failure.to_string())?;
    for number in 1..=4 {
        queue.push(Item::small(number)).map_err(|e| e.to_string())?;
    }
    let mut did = Vec::new();
    let (mut pushes, mut pops) = (0..=0, 0..=0);
    for &(verb, after) in deaths {
        let victim = Victim::start(&queue, verb).map_err(|e| e.to_string())?;
        let (count, over) = victim.kill_after(after).map_err(|e| e.to_string())?;
        did.push((count, over));
        steps.deaths += u64::from(!over);
        K::know_of_deaths();
        let (may, most) = match verb {
            Verb::Push => (&mut pushes, PUSHES),
            Verb::Pop | Verb::Ack | Verb::Take => (&mut pops, 1),
            // It is back afterwards.
            _ => continue,
        };
        // What was over must show; what was cut may.
        *may = *may.start() + most * u64::from(over)..=*may.end() + most;
    }
    let lends = deaths.iter().any(|(verb, _)| verb.lends());
    if lends {
        come_back(&queue)?;
    }
    if let ([(verb, _)], [(_, over)]) = (deaths, &did[..])
        && verb.lends()
    {
        let first = queue.try_receive().map_err(|e| format!("a receive: {e}"))?;
        let may = match first.number {
            1 => verb.attempts(*over),
            _ => 1..=1,
        };
        if !may.contains(&first.attempt()) {
            return Err(format!("{first:?} for the {}. time", first.attempt()));
        }
        first.release().map_err(|e| format!("a release: {e}"))?;
    }
    // Also of a push that was cut: what is told comes out.
    let told = queue.len();
    let start = now();
    let mut left = drain(&queue)?;
    if left.len() != told {
        return Err(format!("{told} were told, and these came out: {left:?}"));
    }
    steps.longest = steps.longest.max(now() - start);
    // A push that was cut may come to light only now, when the next one takes over its lock.
    let start = now();
    queue
        .try_push(Item::small(PROBE))
        .map_err(|error| format!("the next push: {error}"))?;
    steps.longest = steps.longest.max(now() - start);
    left.extend(drain(&queue)?);
    if left.pop() != Some(PROBE) {
        return Err(format!("the next item did not come last: {left:?}"));
    }
    let mine = left.iter().filter(|&&number| number != THEIRS).count();
    let theirs = (left.len() - mine) as u64;
    let popped = 4 - mine as u64;
    // While the first is lent to a dead one that nobody has noticed, the second is the oldest for
    // another.
    let oldest = if lends && deaths.len() > 1 { 2 } else { popped };
    let gone: Vec<_> = (1..=4).filter(|number| !left.contains(number)).collect();
    let are_oldest = gone.len() as u64 == popped && gone.iter().all(|&number| number <= oldest);
    let in_order = left.is_sorted() && are_oldest;
    if !pushes.contains(&theirs) || !pops.contains(&popped) || !in_order {
        return Err(format!("left is {left:?}"));
    }
    if !queue.is_empty() {
        return Err(format!("len is {} after that", queue.len()));
    }
    for number in 0..CAPACITY as u64 {
        let item = Item::small(number);
        let pushed = queue.try_push(item);
        pushed.map_err(|error| format!("push {number} after that: {error}"))?;
    }
    match queue.try_push(Item::small(99)) {
        Err(TryPushError::Full(_)) if queue.len() == CAPACITY => {}
        other => return Err(format!("{other:?} in a full queue after that")),
    }
    for number in 0..CAPACITY as u64 {
        match queue.try_pop() {
            Ok(item) if item.number == number && item.is_whole() => {}
            other => return Err(format!("{other:?} instead of item {number}")),
        }
    }
    Ok(did[0].0)
}

/// Waits for what was lent to the dead.
fn come_back<K: Kind>(queue: &K) -> Result<(), String> {
    for _ in 0..TRIES {
        // Who waits looks for the dead.
        let idle = queue.join_timeout(BACK);
        if queue.in_flight() == 0 {
            return Ok(());
        }
        if idle {
            return Err("idle, and something is lent".into());
        }
    }
    Err(format!("{} are still lent to the dead", queue.in_flight()))
}

/// Pops what there is.
fn drain<K: Kind>(queue: &K) -> Result<Vec<u64>, String> {
    let mut numbers = Vec::new();
    loop {
        match queue.try_pop() {
            Ok(item) if item.is_whole() => numbers.push(item.number),
            Ok(item) => return Err(format!("item {} is torn", item.number)),
            Err(TryPopError::Empty) => return Ok(numbers),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// A process that has stopped before its verb.
pub(super) struct Victim(Child);

impl Victim {
    pub(super) fn start<K: Kind>(queue: &K, verb: Verb) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command
            .env(STEP, format!("{} {verb:?}", K::NAME))
            .stdin(Stdio::null());
        queue.share(&mut command);
        let child = command.spawn()?;
        let stopped = wait(child.id() as libc::pid_t)?;
        assert_eq!(
            stopped,
            Some(libc::SIGSTOP),
            "the victim stops before its verb"
        );
        Ok(Self(child))
    }

    /// Kills it after so many instructions of its verb, or when that is over: how many it did, and
    /// whether it was over.
    pub(super) fn kill_after(mut self, after: u64) -> io::Result<(u64, bool)> {
        let pid = self.0.id() as libc::pid_t;
        let mut count = 0;
        let mut over = false;
        while count < after && !over {
            step(pid)?;
            over = wait(pid)? == Some(libc::SIGSTOP);
            count += u64::from(!over);
        }
        self.0.kill()?;
        self.0.wait()?;
        Ok((count, over))
    }
}

/// Asks to be traced by the parent.
fn trace_me() {
    // SAFETY: this request takes no pointers.
    let result = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    assert_eq!(result, 0, "a child may be traced by its parent");
}

/// Stops this process until its tracer goes on with it.
fn stop() {
    // SAFETY: sends this thread a signal, and touches no memory.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Lets the process that is stopped do one instruction.
fn step(pid: libc::pid_t) -> io::Result<()> {
    // SAFETY: this request reads and writes no memory of this process.
    match unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, pid, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until the process has stopped: by which signal; `None` if it ended instead.
fn wait(pid: libc::pid_t) -> io::Result<Option<libc::c_int>> {
    let mut status = 0;
    // SAFETY: `status` is there to be written to.
    match unsafe { libc::waitpid(pid, &mut status, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ if libc::WIFSTOPPED(status) => Ok(Some(libc::WSTOPSIG(status))),
        _ => Ok(None),
    }
}
