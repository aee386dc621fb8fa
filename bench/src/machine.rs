//! What the machine does besides: how far apart its cores are right now, and who else
//! uses them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Cores between which a cache line's round trip takes longer, in nanoseconds, are far apart: the
/// host has put them on different sockets, where all that shares memory is several times slower.
pub const NEAR: f64 = 120.0;

/// A cache line, or two, of its own.
#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// Nanoseconds of a cache line's round trip between the first two cores, the best of ten
/// tries; `None` with one core only.
pub fn round_trip() -> Option<f64> {
    const TRIES: usize = 10;
    const TRIPS: u64 = 200;
    let cores = cores();
    let (first, second) = (*cores.first()?, *cores.get(1)?);
    let (there, back) = (Line::default(), Line::default());
    let (there, back) = (&there.0, &back.0);
    let given_up = Duration::from_millis(50);
    std::thread::scope(|scope| {
        // Each store (Release) of one side is awaited by the other's load (Acquire).
        let wait = |line: &AtomicU64, number: u64, since: Instant| {
            let mut looks = 0u32;
            while line.load(Ordering::Acquire) < number {
                looks += 1;
                if looks.is_multiple_of(1024) && since.elapsed() > given_up {
                    return false;
                }
                std::hint::spin_loop();
            }
            true
        };
        scope.spawn(move || {
            pin(second);
            let since = Instant::now();
            for number in 1..=TRIPS * TRIES as u64 {
                if !wait(there, number, since) {
                    return;
                }
                back.store(number, Ordering::Release);
            }
        });
        scope
            .spawn(move || {
                pin(first);
                let since = Instant::now();
                let mut best = f64::INFINITY;
                let mut number = 0;
                for _ in 0..TRIES {
                    let start = Instant::now();
                    for _ in 0..TRIPS {
                        number += 1;
                        there.store(number, Ordering::Release);
                        if !wait(back, number, since) {
                            // The other side did not get its core in time.
                            there.store(u64::MAX, Ordering::Release);
                            return best.is_finite().then_some(best);
                        }
                    }
                    best = best.min(start.elapsed().as_nanos() as f64 / TRIPS as f64);
                }
                Some(best)
            })
            .join()
            .unwrap_or(None)
    })
}

/// The cores this process may run on.
pub fn cores() -> Vec<usize> {
    // SAFETY: `set` is a plain bit set of the size that is passed with it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return Vec::new();
        }
        (0..libc::CPU_SETSIZE as usize)
            .filter(|core| libc::CPU_ISSET(*core, &set))
            .collect()
    }
}

fn pin(core: usize) {
    // SAFETY: as in `cores`. A failure leaves the thread unpinned, which the probe survives.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// CPU seconds of this process so far.
pub fn own_cpu() -> f64 {
    usage(libc::RUSAGE_SELF)
}

/// CPU seconds of the children it has waited for.
pub fn children_cpu() -> f64 {
    usage(libc::RUSAGE_CHILDREN)
}

fn usage(who: libc::c_int) -> f64 {
    // SAFETY: `usage` is plain data that the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// CPU seconds that all processes of the machine have used, with what the host stole.
fn all_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<f64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, then idle and iowait, then irq, softirq and steal.
    let busy: f64 = ticks
        .iter()
        .take(8)
        .enumerate()
        .filter(|(column, _)| !matches!(column, 3 | 4))
        .map(|(_, ticks)| ticks)
        .sum();
    busy / 100.0
}

/// Watches how much of the machine goes to others while a child runs.
pub struct Foreign {
    start: Instant,
    all: f64,
    ours: f64,
}

impl Foreign {
    /// Begins to watch.
    pub fn watch() -> Self {
        Self {
            start: Instant::now(),
            all: all_cpu(),
            ours: own_cpu() + children_cpu(),
        }
    }

    /// The part of the cores' time that went to others, up to the ticks' resolution.
    pub fn share(&self) -> f64 {
        let wall = self.start.elapsed().as_secs_f64() * cores().len().max(1) as f64;
        let foreign = (all_cpu() - self.all) - (own_cpu() + children_cpu() - self.ours);
        // A tick is 10 ms: one on each core may be rounding.
        ((foreign - 0.02) / wall).max(0.0)
    }
}

/// What the measurement ran on.
pub fn describe() -> String {
    let first = |path: &str, key: &str| {
        std::fs::read_to_string(path).ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split(':').next_back()?.trim().to_owned())
        })
    };
    let model = first("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".to_owned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} cores ({model}), Linux {}",
        cores().len(),
        kernel.split('-').next().unwrap_or_default().trim()
    )
}
