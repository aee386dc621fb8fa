//! Deaths at a chosen instruction: a worker is run one instruction at a time, and killed
//! after so many; and then perhaps another one, while it repairs what the first left.
//!
//! A random kill finds the few dozen instructions that matter once in a while. Here none
//! is left out: a push or a pop is cut after every instruction in turn (in the short run
//! after some of them, others each time).

use super::kind::{Item, Kind};
use super::log::now;
use super::watchdog;
use fastrand::Rng;
use queue_core::{Capacity, TryPopError, TryPushError};
use std::process::{Command, Stdio};
use std::{env, fmt, io};

/// What the victim is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Push,
    Pop,
    Close,
}

const STEP: &str = "CHAOS_STEP";
/// The number that the victims push.
const THEIRS: u64 = 1000;
/// The number of the first that is pushed after the deaths.
const PROBE: u64 = 2000;
const CAPACITY: usize = 8;
/// A death that is later than this many instructions is none: the verb was over.
const MOST: u64 = 1_000_000;

/// If this process is a victim: does its one verb, between two stops.
pub(super) fn victim<K: Kind>(verb: &str) {
    let queue = K::whole();
    let item = Item::small(THEIRS);
    // What is done once in a process is none of the verb's own instructions.
    let other = K::try_with_capacity(Capacity::bounded(1)).expect("a queue");
    let warm = other.try_push(item.clone()).is_ok() && other.try_pop().is_ok();
    assert!(warm, "a queue works");
    trace_me();
    stop();
    match verb {
        "Push" => drop(queue.try_push(item)),
        "Pop" => drop(queue.try_pop()),
        _ => drop(queue.close()),
    }
    stop();
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

/// Cuts each verb after `count` of its instructions, evenly spread, or after all of them.
pub(super) fn run<K: Kind>(seed: u64, count: u64) -> Result<Steps, String> {
    let mut random = Rng::with_seed(seed);
    let mut steps = Steps::default();
    for verb in [Verb::Push, Verb::Pop] {
        let length = episode::<K>(&[(verb, MOST)], &mut steps)?;
        steps.instructions = steps.instructions.max(length);
        let stride = (length / count).max(1);
        let mut after = random.u64(..stride);
        while after <= length {
            let mut deaths = vec![(verb, after)];
            if random.u8(..4) == 0 {
                // Another one comes upon what is left, and is killed at that.
                let verb = if random.u8(..2) == 0 {
                    Verb::Push
                } else {
                    Verb::Pop
                };
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
        let (count, over) = kill_after::<K>(&queue, verb, after).map_err(|e| e.to_string())?;
        did.push(count);
        steps.deaths += u64::from(!over);
        let (may, must) = match verb {
            Verb::Push => (&mut pushes, over),
            _ => (&mut pops, over),
        };
        // What was over must show; what was cut may.
        *may = *may.start() + u64::from(must)..=*may.end() + 1;
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
    let in_order = left
        .iter()
        .copied()
        .eq((popped + 1..=4).chain((0..theirs).map(|_| THEIRS)));
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
    Ok(did[0])
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

/// Starts a victim and kills it after so many instructions of its verb, or when that is
/// over: how many it did, and whether it was over.
pub(super) fn kill_after<K: Kind>(queue: &K, verb: Verb, after: u64) -> io::Result<(u64, bool)> {
    let mut command = Command::new(env::current_exe()?);
    command
        .env(STEP, format!("{} {verb:?}", K::NAME))
        .stdin(Stdio::null());
    queue.share(&mut command);
    let mut child = command.spawn()?;
    let pid = child.id() as libc::pid_t;
    let mut count = 0;
    let mut over = false;
    let stopped = wait(pid)?;
    assert_eq!(
        stopped,
        Some(libc::SIGSTOP),
        "the victim stops before its verb"
    );
    while count < after && !over {
        step(pid)?;
        over = wait(pid)? == Some(libc::SIGSTOP);
        count += u64::from(!over);
    }
    child.kill()?;
    child.wait()?;
    Ok((count, over))
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
