use super::super::cpu::ThreadClock;
use super::*;
use std::sync::mpsc::channel;

/// How long the waiters are watched at a time.
const WATCH: Duration = Duration::from_millis(400);
/// The processor time that each may use meanwhile, beside that of being woken: a tenth of a percent,
/// and a little.
const LIMIT: Duration = Duration::from_micros(1000);
/// How often each may run meanwhile. A recheck a few times in a hundred milliseconds is no polling, and
/// a preemption during one counts twice.
const RUNS: u32 = 16;
/// How many times they are watched until they are calm. On a busy machine a thread may begin to wait
/// late. A thread that is never calm is found by any number.
const TIMES: usize = 8;

/// **C14 calm**: a waiter uses no CPU after a millisecond.
///
/// Threads in every waiting verb, on an empty and on a full queue, are watched for 0.4 seconds, and
/// again if one of them is not calm yet. What counts is the processor time that each has used by the
/// system's account, and how often each was put on a processor, not wall time. A thread that only
/// sleeps and is woken beside them says what this machine takes for that. Futures must not be
/// woken. Without Linux's `/proc` only the futures are watched.
///
/// # Panics
/// If the clause does not hold.
pub fn c14_calm<S: Subject>() {
    run(Clause::C14, |watchdog| {
        watchdog.step("every waiting verb");
        let (empty, full) = (bounded::<S>(1), full::<S>(1));
        let (sender, clocks) = channel();
        let mut waiters = Vec::new();
        for verb in Pop::WAITING {
            let (queue, clocks) = (empty.clone(), sender.clone());
            waiters.push(watchdog.spawn(move || {
                let _ = clocks.send((format!("{verb:?} popping"), ThreadClock::current()));
                assert!(verb.run(&queue).is_ok(), "the queue is open");
            }));
        }
        for verb in Push::WAITING {
            let (queue, clocks) = (full.clone(), sender.clone());
            waiters.push(watchdog.spawn(move || {
                let _ = clocks.send((format!("{verb:?} pushing"), ThreadClock::current()));
                assert!(verb.run(&queue, item::<S>(1)).is_ok(), "the queue is open");
            }));
        }
        let mut pop = PolledFuture::new(empty.pop_async());
        let mut push = PolledFuture::new(full.push_async(item::<S>(2)));
        assert!(
            pop.poll().is_none() && push.poll().is_none(),
            "nothing came yet"
        );
        let clocks = clocks.iter().take(waiters.len());
        let clocks: Vec<_> = clocks
            .filter_map(|(name, clock)| Some((name, clock?)))
            .collect();
        // Each was given its millisecond.
        std::thread::sleep(Duration::from_millis(50));
        if !answer_time().is_zero() {
            // And those of a server their answers.
            for _ in 0..20 {
                std::thread::sleep(answer_time() * 5);
                let rested = pop.wakes() + push.wakes() == 0;
                assert!(
                    pop.poll().is_none() && push.poll().is_none(),
                    "nothing came yet"
                );
                if rested {
                    break;
                }
            }
        }
        let mut restless = Ok(());
        for _ in 0..TIMES {
            watchdog.step("every waiting verb");
            restless = watch(&clocks);
            if restless.is_ok() {
                break;
            }
        }
        let wakes = pop.wakes() + push.wakes();
        // Let go of all before judging, so that who spins does not spin on.
        drop((pop, push));
        for number in 0..Pop::WAITING.len() as u64 {
            assert!(empty.push(item::<S>(number)).is_ok(), "the queue is open");
        }
        for _ in 0..Push::WAITING.len() {
            assert!(full.pop().is_ok(), "the queue is open");
        }
        waiters.into_iter().for_each(|waiter| waiter.join());
        restless.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(wakes, 0, "futures were woken for nothing");
    });
}

/// Watches the threads for a while, and returns one that is not calm.
fn watch(clocks: &[(String, ThreadClock)]) -> Result<(), String> {
    let read = || clocks.iter().map(|(_, clock)| clock.read());
    let own = || ThreadClock::current()?.read().map(|used| used.time);
    let (before, begun): (Vec<_>, _) = (read().collect(), own());
    // This very thread is woken as often as a waiter may be. Where a processor sleeps deeply
    // meanwhile, as under a hypervisor, to wake it takes a multiple of what the waiter does then.
    for _ in 0..RUNS {
        std::thread::sleep(WATCH / RUNS);
    }
    let woken = own()
        .zip(begun)
        .map_or(Duration::ZERO, |(now, begun)| now - begun);
    let limit = LIMIT + woken * 2;
    for (((name, _), before), after) in clocks.iter().zip(before).zip(read()) {
        let (Some(before), Some(after)) = (before, after) else {
            continue;
        };
        let (time, runs) = (after.time - before.time, after.runs - before.runs);
        if time >= limit {
            return Err(format!(
                "{name} used {time:?} of CPU in {WATCH:?}, of {limit:?}"
            ));
        }
        if runs >= u64::from(RUNS) {
            return Err(format!("{name} ran {runs} times in {WATCH:?}"));
        }
    }
    Ok(())
}
