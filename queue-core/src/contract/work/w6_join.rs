use super::*;

/// **W6 join**: `join`, `join_timeout` and `join_async` return when all that was pushed is popped,
/// acked or taken.
///
/// # Panics
/// If the clause does not hold.
pub fn w6_join<S: Subject<Queue: Lend>>() {
    run(WorkClause::W6, |watchdog| {
        watchdog.step("an idle queue is joined at once");
        let queue = bounded::<S>(4);
        queue.join();
        block_on(queue.join_async());
        assert!(queue.join_timeout(Duration::ZERO), "nothing is to be done");

        watchdog.step("not while anything waits or is in flight");
        let brief = Duration::from_millis(2);
        push_all::<S>(&queue, 1);
        assert!(!queue.join_timeout(brief), "an item waits");
        let delivery = expect(&queue, 0);
        assert!(!queue.join_timeout(brief), "an item is in flight");
        settled(delivery.nack());
        assert!(!queue.join_timeout(brief), "an item came back");
        assert!(queue.try_pop().is_ok(), "it is inside");
        assert!(queue.join_timeout(brief), "all is done");

        for end in End::ALL {
            watchdog.step(format!("{end:?} wakes those who join"));
            wakes::<S>(watchdog, end);
        }
        watchdog.step("a joiner that is cancelled");
        push_all::<S>(&queue, 1);
        let mut dies = PolledFuture::new(queue.join_async());
        let mut lives = PolledFuture::new(queue.join_async());
        assert!(
            dies.poll().is_none() && lives.poll().is_none(),
            "an item waits"
        );
        assert!(queue.try_pop().is_ok(), "it is inside");
        drop(dies);
        lives.finish("the other of two who join");

        watchdog.step("those who join while others work");
        let queue = bounded::<S>(2);
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let queue = queue.clone();
                watchdog.spawn(move || {
                    while let Ok(delivery) = queue.receive() {
                        match delivery.attempt() {
                            1 => settled(delivery.nack()),
                            _ => settled(delivery.ack()),
                        }
                    }
                })
            })
            .collect();
        for _ in 0..50 {
            for number in 0..5 {
                assert!(queue.push(item::<S>(number)).is_ok(), "the queue is open");
            }
            queue.join();
            assert_eq!(
                (queue.len(), queue.in_flight()),
                (0, 0),
                "joined before all was done"
            );
        }
        queue.close();
        workers.into_iter().for_each(|worker| worker.join());
    });
}

/// What makes a queue with one item idle.
#[derive(Clone, Copy, Debug)]
enum End {
    Ack,
    Take,
    Pop,
    PopMany,
    CloseNow,
    PopReturned,
}

impl End {
    const ALL: [Self; 6] = [
        Self::Ack,
        Self::Take,
        Self::Pop,
        Self::PopMany,
        Self::CloseNow,
        Self::PopReturned,
    ];
}

fn wakes<S: Subject<Queue: Lend>>(watchdog: &Watchdog, end: End) {
    let queue = bounded::<S>(2);
    push_all::<S>(&queue, 1);
    let joiners: Vec<_> = (0..3)
        .map(|nth| {
            let queue = queue.clone();
            watchdog.spawn(move || match nth {
                0 => queue.join(),
                1 => assert!(queue.join_timeout(LONG), "all is done"),
                _ => block_on(queue.join_async()),
            })
        })
        .collect();
    settle();
    match end {
        End::Ack => settled(expect(&queue, 0).ack()),
        End::Take => assert!(expect(&queue, 0).take().is_ok()),
        End::Pop => assert!(queue.try_pop().is_ok()),
        End::PopMany => assert_eq!(queue.try_pop_many(&mut Vec::new(), 9), Ok(1)),
        End::CloseNow => assert_eq!(queue.close_now().len(), 1),
        End::PopReturned => {
            settled(expect(&queue, 0).nack());
            assert!(queue.try_pop().is_ok());
        }
    }
    joiners.into_iter().for_each(|joiner| joiner.join());
}
