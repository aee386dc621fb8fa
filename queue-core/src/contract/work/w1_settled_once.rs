use super::*;

/// **W1 settled once**: `ack` and `take` use a delivery up, and its item is gone for good.
///
/// Tried with every verb that receives; and `in_flight` counts what is received and not settled.
/// (That a second settling does not compile is shown at [`Delivery`].)
///
/// # Panics
/// If the clause does not hold.
pub fn w1_settled_once<S: Subject<Queue: Lend>>() {
    run(WorkClause::W1, |watchdog| {
        for receive in Receive::ALL.iter().copied() {
            for take in [false, true] {
                watchdog.step(format!("{receive:?}, then take: {take}"));
                let queue = bounded::<S>(3);
                push_all::<S>(&queue, 3);
                for number in 0..3 {
                    let left = 3 - number as usize;
                    let delivery = receive.run(&queue).expect("an item was inside");
                    assert_eq!(delivery.number(), number, "another item was received");
                    assert_eq!((queue.len(), queue.in_flight()), (left - 1, 1), "counted");
                    if take {
                        let item = delivery.take().expect("settled");
                        assert_eq!(item.number(), number, "another item was taken");
                    } else {
                        settled(delivery.ack());
                    }
                    assert_eq!((queue.len(), queue.in_flight()), (left - 1, 0), "counted");
                }
                assert_eq!(
                    queue.try_pop().err(),
                    Some(TryPopError::Empty),
                    "came again"
                );
                let again = queue.try_receive().err();
                assert_eq!(again, Some(TryPopError::Empty), "came again");
            }
        }
        watchdog.step("a batch");
        batch::<S>();
    });
}

fn batch<S: Subject<Queue: Lend>>() {
    let queue = unbounded::<S>();
    let mut got = Vec::new();
    assert_eq!(queue.try_receive_many(&mut got, 0).ok(), Some(0));
    assert_eq!(queue.receive_many(&mut got, 0).ok(), Some(0));
    assert_eq!(
        block_on(queue.receive_many_async(&mut got, 0)).ok(),
        Some(0)
    );
    push_all::<S>(&queue, 9);
    assert_eq!(queue.try_receive_many(&mut got, 2).ok(), Some(2));
    assert_eq!(queue.receive_many(&mut got, 3).ok(), Some(3));
    assert_eq!(
        block_on(queue.receive_many_async(&mut got, 2)).ok(),
        Some(2)
    );
    assert_eq!(queue.try_receive_many(&mut got, usize::MAX).ok(), Some(2));
    assert_eq!(queue.in_flight(), 9, "counted");
    let numbers: Vec<_> = got.iter().map(|delivery| delivery.number()).collect();
    assert!(numbers.iter().copied().eq(0..9), "in order: {numbers:?}");
    got.into_iter().for_each(|delivery| settled(delivery.ack()));
    assert!(queue.is_empty() && queue.in_flight() == 0, "counted");
}
