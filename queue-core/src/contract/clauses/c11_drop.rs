use super::*;
use crate::Capacity;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// **C11 drop**: dropping the last handle drops what is left, once. A panic in `T`'s own code leaves
/// the queue usable.
///
/// For all kinds: handles are dropped in any order and by any thread. A queue begins empty after
/// another was dropped full. If the [`Subject`] has an item that panics, its panic passes through the
/// push and changes nothing. What can only be counted inside a process is in [`c11_drop_any_item`].
///
/// # Panics
/// If the clause does not hold.
pub fn c11_drop<S: Subject>() {
    run(Clause::C11, |watchdog| {
        watchdog.step("handles of a queue that holds items go one after another");
        for bound in [Capacity::bounded(3), Capacity::Unbounded] {
            for _ in 0..20 {
                let queue = S::create(bound).expect("a queue");
                assert_eq!(queue.len(), 0, "a new queue holds items");
                for number in 0..3 {
                    assert!(queue.try_push(item::<S>(number)).is_ok(), "a slot was left");
                }
                let other = queue.clone();
                drop(queue);
                assert_eq!(
                    other.len(),
                    3,
                    "items, after one of two handles was dropped"
                );
                assert!(
                    other.try_pop().is_ok(),
                    "after one of two handles was dropped"
                );
                watchdog.spawn(move || drop(other)).join();
            }
        }
        for verb in Push::all() {
            watchdog.step(format!("an item that panics in {verb:?}"));
            let queue = bounded::<S>(2);
            let Some(panicking) = S::panicking() else {
                break;
            };
            assert!(queue.try_push(item::<S>(0)).is_ok(), "a slot was left");
            let pushed = catch_unwind(AssertUnwindSafe(|| verb.run(&queue, panicking).is_ok()));
            assert!(pushed.is_err(), "the panic was swallowed: {pushed:?}");
            assert_eq!(queue.len(), 1, "len() after the panic");
            assert!(queue.try_push(item::<S>(1)).is_ok(), "the slot was lost");
            assert!(queue.try_push(item::<S>(2)).is_err(), "a slot was won");
            assert_eq!(drain(&queue), [0, 1], "the items after the panic");
        }
    });
}

/// **C11 drop**, for kinds that carry any item. Every item is dropped exactly once, in the queue or by
/// its consumer. An item that panics in its drop does no harm.
///
/// # Panics
/// If the clause does not hold.
pub fn c11_drop_any_item<S: Subject<Item = DropProbe>>() {
    run(Clause::C11, |watchdog| {
        for bound in [
            Capacity::bounded(1),
            Capacity::bounded(5),
            Capacity::bounded(64),
            Capacity::Unbounded,
        ] {
            for popped in [0, 1, 3] {
                watchdog.step(format!("{bound:?}, {popped} popped, the rest left inside"));
                let counter = Arc::new(DropCounter::default());
                let queue = S::create(bound).expect("a queue");
                // First round and round, so that the items inside wrap.
                for _ in 0..3 {
                    drop(queue.try_push(counter.probe()));
                    drop(queue.try_pop());
                }
                for _ in 0..40 {
                    drop(queue.try_push(counter.probe()));
                }
                (0..popped).for_each(|_| drop(queue.try_pop()));
                let (inside, dropped) = (queue.len(), counter.dropped());
                let other = queue.clone();
                drop(queue);
                assert_eq!(counter.dropped(), dropped, "with the first of two handles");
                drop(other);
                assert_eq!(counter.dropped(), dropped + inside, "with the last handle");
                counter.check("after the last handle");
            }
        }
        watchdog.step("close_now, refused pushes, batches and futures");
        let counter = Arc::new(DropCounter::default());
        every_way::<S>(&counter);
        counter.check("in the end");
        watchdog.step("an item that panics in its drop");
        panicking_drops::<S>();
    });
}

fn every_way<S: Subject<Item = DropProbe>>(counter: &Arc<DropCounter>) {
    let queue = bounded::<S>(4);
    for (push, pop) in Push::all().zip(Pop::all()) {
        assert!(push.run(&queue, counter.probe()).is_ok(), "a slot was left");
        assert!(pop.run(&queue).is_ok(), "an item was inside");
    }
    let mut batch: VecDeque<DropProbe> = (0..6).map(|_| counter.probe()).collect();
    assert!(
        matches!(queue.try_push_many(&mut batch), Ok(4)),
        "four slots"
    );
    drop(batch);
    let mut into = Vec::new();
    assert!(
        matches!(queue.try_pop_many(&mut into, 3), Ok(3)),
        "three items"
    );
    drop(into);
    for _ in 0..3 {
        assert!(queue.try_push(counter.probe()).is_ok(), "a slot was left");
    }
    // A push that waits, cancelled before and after a slot came.
    for woken in [false, true] {
        let mut push = PolledFuture::new(queue.push_async(counter.probe()));
        assert!(push.poll().is_none(), "the queue is full");
        if woken {
            drop(queue.try_pop());
        }
    }
    let mut push = PolledFuture::new(queue.push_async(counter.probe()));
    let _ = push.poll();
    drop(queue.try_push(counter.probe()));
    drop(queue.close_now());
    drop(push);
    drop(queue.try_push(counter.probe()));
    drop(queue.push(counter.probe()));
}

/// Items that panic as they are dropped: by their consumer, and inside the queue.
fn panicking_drops<S: Subject<Item = DropProbe>>() {
    let counter = Arc::new(DropCounter::default());
    let queue = bounded::<S>(3);
    assert!(
        queue.try_push(counter.panicking_probe()).is_ok(),
        "a slot was left"
    );
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(queue.try_pop())));
    assert!(dropped.is_err(), "the panic was swallowed");
    // A push that fails, whose item its owner drops.
    (0..3).for_each(|_| assert!(queue.try_push(counter.probe()).is_ok(), "a slot was left"));
    let dropped = catch_unwind(AssertUnwindSafe(|| {
        drop(queue.try_push(counter.panicking_probe()))
    }));
    assert!(dropped.is_err(), "the panic was swallowed");
    let mut push = PolledFuture::new(queue.push_async(counter.panicking_probe()));
    assert!(push.poll().is_none(), "the queue is full");
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(push)));
    assert!(dropped.is_err(), "the panic was swallowed");
    assert_eq!(queue.len(), 3, "len() after the panics");
    assert!(
        queue.try_push(counter.probe()).is_err(),
        "the queue is full"
    );
    drop(queue.try_pop());
    assert!(
        queue.try_push(counter.panicking_probe()).is_ok(),
        "the slot was lost"
    );
    assert!(
        queue.try_pop().is_ok() && queue.try_pop().is_ok(),
        "items were inside"
    );
    // The last one inside panics_on_drop in the hands of the last handle.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(queue)));
    assert!(dropped.is_err(), "the panic was swallowed");
    counter.check("though some panicked");
}
