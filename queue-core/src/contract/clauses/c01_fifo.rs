use super::*;

/// **C1 fifo**: if one push returned before another began, in any thread or task, its
/// item is popped first.
///
/// One thread tries every verb, round and round through a small queue. Then four producers and four
/// consumers run, and their recorded history is searched for an item that overtook another.
///
/// # Panics
/// If the clause does not hold.
pub fn c1_fifo<S: Subject>() {
    run(Clause::C1, |watchdog| {
        for push in Push::all() {
            watchdog.step(format!(
                "in by {push:?}, out by every verb, one after another"
            ));
            let queue = bounded::<S>(3);
            let mut pops = Pop::all().cycle();
            let mut expected = 0;
            for number in 0..30 {
                push.run(&queue, item::<S>(number))
                    .unwrap_or_else(|(_, refusal)| {
                        panic!("no slot for item {number} of a queue of 3: {refusal:?}")
                    });
                // Two stay inside, so that the slots are used in turn.
                if number >= 2 {
                    let popped = pops.next().expect("endless").run(&queue);
                    let popped = popped.expect("an item was inside").number();
                    assert_eq!(popped, expected, "items came out in another order");
                    expected += 1;
                }
            }
        }
        watchdog.step("in and out of an unbounded queue");
        let queue = unbounded::<S>();
        let many = crowd(1000);
        for number in 0..many {
            queue
                .push(item::<S>(number))
                .expect("an open queue without a bound");
        }
        let out = drain(&queue);
        assert!(
            out.into_iter().eq(0..many),
            "items came out in another order"
        );
        for capacity in [Some(1), Some(3), Some(64), None] {
            watchdog.step(format!("4 producers, 4 consumers, capacity {capacity:?}"));
            let queue = capacity.map_or_else(unbounded::<S>, bounded::<S>);
            let history = StressRun::PLAIN.run_under(watchdog, &queue);
            check(&history, |violation| {
                matches!(violation, Violation::Order { .. })
            });
        }
    });
}
