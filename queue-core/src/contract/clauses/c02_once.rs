use super::*;

/// **C2 once**: an accepted item is popped exactly once, or is still inside, or comes
/// back from `close_now`, or is dropped with the last handle.
///
/// One thread tries every verb. Then four producers and four consumers run, also with cancelled
/// futures, and with `close_now` in the middle.
///
/// # Panics
/// If the clause does not hold.
pub fn c2_once<S: Subject>() {
    run(Clause::C2, |watchdog| {
        for capacity in [Some(1), Some(7), None] {
            watchdog.step(format!("alone, capacity {capacity:?}"));
            let queue = capacity.map_or_else(unbounded::<S>, bounded::<S>);
            for (number, (push, pop)) in (0..).zip(Push::all().zip(Pop::all())) {
                let pushed = push.run(&queue, item::<S>(number));
                assert!(pushed.is_ok(), "{push:?} into an empty queue failed");
                let popped = pop.run(&queue).expect("an item was inside").number();
                assert_eq!(popped, number, "another item came out by {pop:?}");
                let left = drain(&queue);
                assert_eq!(left, [], "after {pop:?} items are still inside");
            }
            watchdog.step(format!("close_now, capacity {capacity:?}"));
            queue.push(item::<S>(7)).expect("a slot was left");
            let left: Vec<u64> = queue.close_now().iter().map(S::Item::number).collect();
            assert_eq!(left, [7], "close_now gives what was inside");
            assert_eq!(drain(&queue), [], "and leaves nothing");
        }
        let calm = StressRun::PLAIN;
        let cancelled = StressRun {
            cancel: true,
            ..calm
        };
        let cut_short = StressRun {
            close_early: true,
            ..cancelled
        };
        for (name, stress) in [
            ("", calm),
            (", cancelled", cancelled),
            (", closed early", cut_short),
        ] {
            for capacity in [Some(1), Some(5), None] {
                watchdog.step(format!(
                    "4 producers, 4 consumers{name}, capacity {capacity:?}"
                ));
                let queue = capacity.map_or_else(unbounded::<S>, bounded::<S>);
                let history = stress.run_under(watchdog, &queue);
                check(&history, is_mine);
            }
        }
        for round in 0..10 {
            watchdog.step("close_now against producers and consumers");
            close_now_in_the_middle::<S>(watchdog, round);
        }
    });
}

fn is_mine(violation: &Violation) -> bool {
    use Violation::{Fresh, Lost, Refused, Repeated};
    matches!(violation, Fresh(_) | Repeated(_) | Refused(_) | Lost(_))
}

fn close_now_in_the_middle<S: Subject>(watchdog: &Watchdog, round: u64) {
    let queue = bounded::<S>(4);
    let producers: Vec<_> = (0..2)
        .map(|id| {
            let queue = queue.clone();
            let numbers = id * 1_000_000..;
            watchdog.spawn(move || {
                let push = |&number: &u64| queue.push(item::<S>(number)).is_ok();
                numbers.take_while(push).collect::<Vec<u64>>()
            })
        })
        .collect();
    let consumer = queue.clone();
    let consumer = watchdog.spawn(move || {
        let items = std::iter::from_fn(|| consumer.pop().ok());
        items.map(|item| item.number()).collect::<Vec<u64>>()
    });
    std::thread::sleep(Duration::from_micros(500 + 100 * round));
    let mut out: Vec<u64> = queue.close_now().iter().map(S::Item::number).collect();
    out.extend(consumer.join());
    out.sort_unstable();
    let mut accepted: Vec<u64> = producers.into_iter().flat_map(|p| p.join()).collect();
    accepted.sort_unstable();
    assert!(
        out == accepted,
        "{} items were accepted, {} came out or back",
        accepted.len(),
        out.len()
    );
}
