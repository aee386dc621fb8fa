//! Two well-known channels wrapped as kinds, under the contract: what the clauses mean
//! for queues that were not written to them. Measured here with each clause run some
//! dozens of times:
//!
//! | clause | crossbeam-channel 0.5.17 | async-channel 2.5.0 |
//! |---|---|---|
//! | C1, C3, C4, C6, C10, C11 | kept | kept |
//! | C2 once | kept while it is open; closed in the middle of traffic it hangs as in C7 | kept |
//! | C5 wake, C9 cancel, C13 mixed | kept by its threads; it has no futures, and those here are the wrapper's | kept |
//! | C7 close | **not kept**: what closes it for the receivers is the end of the last sender, and who is blocked in `send` holds one, so closing ends no waiting push | kept |
//! | C8 give back | **not kept**, for the same reason: a push that waits as the queue is closed does not come back | kept |
//! | C12 ends | kept | kept |
//! | C14 calm | kept | kept |
//! | C15 many | kept | **not kept**: it wakes under its own lock, and hangs where that polls a future of the same channel |
//!
//! async-channel has no timeouts: those are the wrapper's.

#![cfg(not(loom))]

mod async_channel;
mod crossbeam;
mod wait;

use self::async_channel::AsyncChannel;
use self::crossbeam::Crossbeam;
use queue_core::contract::StressRun;
use queue_core::contract::history::Violation;
use queue_core::{Capacity, Queue, WithCapacity};

queue_core::contract! {
    mod crossbeam_channel;
    kind: Crossbeam;
    except C2: "hangs where it is closed in the middle of traffic, see C7";
    except C7: "closing ends no push that waits: who is blocked in send holds a sender";
    except C8: "a push that waits as the queue is closed does not come back";
}

queue_core::contract! {
    mod async_channel_2;
    kind: AsyncChannel;
    except C15: "hangs where a waker polls at once, for it is called under the channel's lock";
}

/// Storms, judged as those of the family are, and what is found printed: which answers
/// are no moment's truth.
fn storms<Q: Queue<Item = u64> + WithCapacity + Clone + 'static>(peer: &str) {
    let mut found: Vec<Violation> = Vec::new();
    for seed in 0..40 {
        let storm = StressRun {
            seed,
            producers: 6,
            consumers: 6,
            cancel: true,
            ..StressRun::PLAIN
        };
        let queue =
            Q::try_with_capacity(Capacity::bounded(1 + seed as usize % 4)).expect("in process");
        found.extend(storm.record(&queue).violations());
    }
    println!(
        "{peer}: {} of 40 storms show a violation: {:?}",
        found.len(),
        found.first()
    );
    let bad = found
        .iter()
        .find(|v| !matches!(v, Violation::Empty(_) | Violation::Full(_)));
    assert!(bad.is_none(), "{peer}: {bad:?}");
}

#[test]
fn storms_over_crossbeam_channel() {
    storms::<Crossbeam<u64>>("crossbeam-channel");
}

#[test]
fn storms_over_async_channel() {
    storms::<AsyncChannel<u64>>("async-channel");
}
