use super::*;

/// **W4 attempts**: `attempt` is 1 at first and counts every delivery that was not released.
///
/// # Panics
/// If the clause does not hold.
pub fn w4_attempts<S: Subject<Queue: Lend>>() {
    run(WorkClause::W4, |watchdog| {
        for back in Back::ALL {
            watchdog.step(format!("{back:?}"));
            let queue = bounded::<S>(2);
            push_all::<S>(&queue, 2);
            let mut attempt = 1;
            for receive in Receive::ALL.iter().copied() {
                let delivery = receive.run(&queue).expect("an item was inside");
                assert_eq!(delivery.number(), 0, "the oldest");
                assert_eq!(delivery.attempt(), attempt, "after {back:?}");
                back.run(delivery);
                attempt += u32::from(back != Back::Release);
            }
            let first = expect(&queue, 0);
            assert_eq!(first.attempt(), attempt, "after {back:?}");
            let other = expect(&queue, 1);
            assert_eq!(other.attempt(), 1, "of another item");
        }
    });
}
