//! The rules of a [`Hosted`] queue, by itself: what it takes and gives, whom it calls when.

use super::hosted::{Hosted, Lent, Loan, Refusal, Who};
use super::wire::{self, BATCH_BYTES, Call, Gone, Message, Role};
use ipc_channel::ipc::{IpcBytesReceiver, bytes_channel};
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::{Capacity, Side};
use std::time::Duration;

const WAIT: Result<usize, Refusal> = Err(Refusal::Wait);
const CLOSED: Result<usize, Refusal> = Err(Refusal::Closed);

fn hosted(capacity: usize) -> Hosted {
    Hosted::new(Capacity::bounded(capacity))
}

/// Pushes so many items: how many went in.
fn push(hosted: &Hosted, who: Who, count: usize) -> Result<usize, Refusal> {
    hosted.push(who, vec![vec![7]; count].into_iter())
}

/// Pops so many: how many came out.
fn pop(hosted: &Hosted, who: Who, max: usize) -> Result<usize, Refusal> {
    lend(hosted, who, max).map(|items| items.len())
}

/// What is popped: by a guest, on loan.
fn lend(hosted: &Hosted, who: Who, max: usize) -> Result<Vec<Lent>, Refusal> {
    let loan = matches!(who, Who::Guest(..)).then_some(Loan::Pop);
    hosted.take(who, max, loan)
}

/// How many items are inside, and whether the queue is closed.
fn state(hosted: &Hosted) -> (usize, bool) {
    let state = hosted.state();
    (state.len, state.closed)
}

/// A guest of the queue: its number, and where it is called.
fn guest(hosted: &Hosted) -> (u64, IpcBytesReceiver) {
    let (caller, calls) = bytes_channel().unwrap();
    (hosted.enroll(caller), calls)
}

/// The calls since the last time: for whom, and how much came. The end is for nobody.
fn calls(calls: &IpcBytesReceiver) -> Vec<(Option<Side>, u64)> {
    let next = || calls.try_recv().map_err(|_| Gone);
    let read = |call: Message| match call.read().unwrap() {
        Call::Came(side, count) => (Some(side), count),
        Call::End => END,
        Call::Idle(_) => panic!("nobody joins"),
    };
    std::iter::from_fn(|| wire::whole(next).ok().map(read)).collect()
}

const END: (Option<Side>, u64) = (None, 0);

fn came(side: Side, count: u64) -> Vec<(Option<Side>, u64)> {
    vec![(Some(side), count)]
}

#[test]
fn it_takes_what_finds_a_place_and_gives_what_is_there() {
    let queue = hosted(3);
    assert_eq!((queue.capacity(), state(&queue)), (Some(3), (0, false)));
    assert_eq!(pop(&queue, Who::Host, 1), WAIT);
    assert_eq!(pop(&queue, Who::Host, 0), Ok(0));
    assert_eq!(push(&queue, Who::Host, 2), Ok(2));
    assert_eq!((queue.refuses(), state(&queue)), (None, (2, false)));
    assert_eq!(push(&queue, Who::Host, 0), Ok(0));
    assert_eq!(push(&queue, Who::Host, 2), Ok(1), "the first of them");
    assert_eq!(queue.refuses(), Some(Refusal::Wait));
    assert_eq!(push(&queue, Who::Host, 1), WAIT);
    assert_eq!(push(&queue, Who::Host, 0), WAIT);
    assert_eq!(pop(&queue, Who::Host, 2), Ok(2));
    assert!(queue.close() && !queue.close());
    assert_eq!(queue.refuses(), Some(Refusal::Closed));
    assert_eq!(push(&queue, Who::Host, 1), CLOSED);
    assert_eq!(pop(&queue, Who::Host, 9), Ok(1));
    assert_eq!(pop(&queue, Who::Host, 9), CLOSED);
    assert_eq!(state(&queue), (0, true));
}

#[test]
fn it_gives_no_more_bytes_at_once_than_a_message_carries_but_one_item() {
    let queue = hosted(9);
    let sizes = [BATCH_BYTES / 2, BATCH_BYTES / 2, 1, BATCH_BYTES + 1, 1];
    let items: Vec<_> = sizes.map(|size| vec![0; size]).into();
    assert_eq!(queue.push(Who::Host, items.into_iter()), Ok(5));
    let popped = [(); 4].map(|()| pop(&queue, Who::Host, 9).unwrap());
    assert_eq!(popped, [2, 1, 1, 1]);
}

#[test]
fn what_is_lent_keeps_its_place_until_it_has_arrived() {
    let queue = hosted(3);
    let (number, _calls) = guest(&queue);
    let guest = Who::Guest(number, None);
    assert_eq!(push(&queue, Who::Host, 3), Ok(3));
    let mut lent = lend(&queue, guest, 2).unwrap();
    let both = || [Side::Producers, Side::Consumers].map(|side| queue.ready_hint(side));
    assert_eq!((state(&queue).0, both()), (3, [0, 1]));
    assert_eq!(push(&queue, Who::Host, 1), WAIT);
    queue.settle(1, Loan::Pop);
    assert_eq!((state(&queue).0, both()), (2, [1, 1]));
    queue.close();
    assert_eq!(both(), [usize::MAX, 1]);
    assert_eq!(pop(&queue, Who::Host, 9), Ok(1));
    assert_eq!(both(), [usize::MAX, 0]);
    assert_eq!(pop(&queue, Who::Host, 9), WAIT, "it may come back");
    queue.take_back(vec![lent.remove(1)], Loan::Pop, false);
    assert_eq!((state(&queue).0, both()), (1, [usize::MAX, 1]));
    assert_eq!(pop(&queue, Who::Host, 9), Ok(1));
    assert_eq!(both(), [usize::MAX, usize::MAX]);
    let unbounded = Hosted::new(Capacity::Unbounded);
    assert_eq!(unbounded.ready_hint(Side::Producers), usize::MAX);
}

#[test]
fn what_comes_back_is_in_order() {
    let queue = hosted(3);
    let items = (0..3).map(|n| vec![n]).collect::<Vec<_>>();
    assert_eq!(queue.push(Who::Host, items.into_iter()), Ok(3));
    let guest = Who::Guest(0, None);
    let first = lend(&queue, guest, 1).unwrap();
    let second = lend(&queue, guest, 1).unwrap();
    queue.take_back(second, Loan::Pop, false);
    queue.take_back(first, Loan::Pop, false);
    let popped = lend(&queue, Who::Host, 9).unwrap();
    assert!(popped.iter().map(|(item, _)| item[0]).eq(0..3));
}

#[test]
fn what_is_in_flight_takes_a_place_and_counts_apart() {
    let queue = hosted(2);
    let (number, to) = guest(&queue);
    assert_eq!(push(&queue, Who::Host, 2), Ok(2));
    let deliver = || queue.take(Who::Guest(number, None), 1, Some(Loan::Delivery));
    let counts = || (queue.state().len, queue.state().in_flight);
    let (first, second) = (deliver().unwrap(), deliver().unwrap());
    assert_eq!(counts(), (0, 2));
    assert_eq!(push(&queue, Who::Host, 1), WAIT);
    queue.take_back(second, Loan::Delivery, true);
    queue.take_back(first, Loan::Delivery, false);
    assert_eq!(counts(), (2, 0));
    assert_eq!(push(&queue, Who::Host, 1), WAIT);
    let attempts = [(); 2].map(|()| deliver().unwrap()[0].1.attempt());
    assert_eq!(attempts, [1, 2], "the older first");
    queue.close();
    assert_eq!(pop(&queue, Who::Host, 1), WAIT, "it may come back");
    assert_eq!(calls(&to), [END]);
    queue.settle(1, Loan::Delivery);
    assert!(to.try_recv().is_err(), "one is in flight");
    queue.settle(1, Loan::Delivery);
    assert_eq!(calls(&to), [END]);
    assert_eq!(pop(&queue, Who::Host, 1), CLOSED);
}

#[test]
fn who_joins_is_called_when_the_queue_is_idle() {
    let queue = hosted(2);
    let (number, to) = guest(&queue);
    let fill = || assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    let empty = || assert_eq!(pop(&queue, Who::Host, 1), Ok(1));
    fill();
    assert_eq!(queue.join_state(number, 0).moments, 0);
    empty();
    let call = wire::receive(&to).unwrap();
    assert_eq!(call.read::<Call>().unwrap(), Call::Idle(1));
    // Nobody asks again: nobody is called. Nor while a call is on its way.
    for heard in [None, Some(0), Some(2)] {
        fill();
        let _ = heard.map(|heard| queue.join_state(number, heard));
        empty();
        assert!(to.try_recv().is_err(), "{heard:?}");
    }
    fill();
    assert_eq!(queue.join_state(number, 1).moments, 4);
    let lent = lend(&queue, Who::Guest(number, None), 1).unwrap();
    assert!(to.try_recv().is_err(), "it is on its way");
    queue.take_back(lent, Loan::Pop, false);
    empty();
    assert!(to.try_recv().is_ok());
}

#[test]
fn the_last_to_leave_a_side_closes_the_queue() {
    let queue = hosted(1);
    queue.join(Role::Producer);
    queue.join(Role::Whole);
    queue.leave(Side::Consumers);
    queue.leave(Side::Producers);
    queue.leave(Side::Producers);
    assert!(!state(&queue).1);
    queue.leave(Side::Producers);
    assert!(state(&queue).1);
    assert!(!queue.close(), "it is closed");
}

#[test]
fn who_wants_to_be_called_is_called_once() {
    let queue = hosted(4);
    let (number, to) = guest(&queue);
    let (another, to_another) = guest(&queue);
    assert_ne!(number, another);
    // It does not want to be.
    assert_eq!(pop(&queue, Who::Guest(number, None), 1), WAIT);
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    assert_eq!(pop(&queue, Who::Host, 1), Ok(1));
    assert_eq!((calls(&to), calls(&to_another)), (vec![], vec![]));
    // It does.
    assert_eq!(pop(&queue, Who::Guest(number, Some(0)), 1), WAIT);
    assert_eq!(push(&queue, Who::Host, 0), Ok(0));
    assert_eq!(calls(&to), [], "nothing has come");
    assert_eq!(push(&queue, Who::Host, 2), Ok(2));
    assert_eq!(push(&queue, Who::Host, 1), Ok(1), "without another call");
    assert_eq!(calls(&to), came(Side::Consumers, 2));
    assert_eq!(calls(&to_another), []);
    // It heard that, and somebody there still sleeps: one more has come, then nothing.
    assert_eq!(queue.watch(number, Side::Consumers, 0), 0, "not heard yet");
    assert_eq!(queue.watch(number, Side::Consumers, 1), 1);
    assert_eq!(queue.watch(number, Side::Consumers, 1), 0);
    assert_eq!(queue.watch(99, Side::Consumers, 1), 0, "nobody");
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    assert_eq!(calls(&to), came(Side::Consumers, 1));
    // A pop that takes the last one leaves others there who want more.
    assert_eq!(pop(&queue, Who::Guest(number, Some(2)), 3), Ok(3));
    queue.settle(3, Loan::Pop);
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    assert_eq!(calls(&to), [], "there was one left");
    let lent = lend(&queue, Who::Guest(number, Some(2)), 2).unwrap();
    queue.take_back(lent, Loan::Pop, false);
    assert_eq!(calls(&to), came(Side::Consumers, 2));
    queue.dismiss(number);
    assert!(to.recv().is_err(), "nobody calls there any more");
}

#[test]
fn who_wants_a_place_is_called_when_one_is_free() {
    let queue = hosted(2);
    let (number, to) = guest(&queue);
    assert_eq!(push(&queue, Who::Guest(number, Some(0)), 1), Ok(1));
    assert_eq!(pop(&queue, Who::Host, 1), Ok(1));
    assert_eq!(calls(&to), [], "it found one, and there was another");
    assert_eq!(push(&queue, Who::Guest(number, Some(0)), 2), Ok(2));
    assert_eq!(pop(&queue, Who::Host, 1), Ok(1));
    assert_eq!(calls(&to), came(Side::Producers, 1), "it filled the queue");
    assert_eq!(push(&queue, Who::Guest(number, Some(1)), 1), Ok(1));
    assert_eq!(push(&queue, Who::Guest(number, Some(1)), 1), WAIT);
    assert_eq!(pop(&queue, Who::Guest(number, None), 2), Ok(2));
    assert_eq!(calls(&to), [], "they are on their way still");
    queue.settle(2, Loan::Pop);
    assert_eq!(calls(&to), came(Side::Producers, 2));
}

#[test]
fn all_are_called_at_the_end() {
    let queue = hosted(2);
    let guests = [(); 2].map(|()| guest(&queue));
    let told = || guests.each_ref().map(|(_, to)| calls(to));
    assert_eq!(push(&queue, Who::Host, 2), Ok(2));
    assert_eq!(pop(&queue, Who::Guest(guests[0].0, None), 1), Ok(1));
    assert_eq!(told(), [vec![], vec![]]);
    queue.close();
    assert_eq!(told(), [vec![END], vec![END]]);
    queue.close();
    assert_eq!(pop(&queue, Who::Host, 1), Ok(1));
    assert_eq!(told(), [vec![], vec![]], "one is on its way still");
    queue.settle(1, Loan::Pop);
    assert_eq!(told(), [vec![END], vec![END]], "drained");
    let queue = hosted(2);
    let (_, to) = guest(&queue);
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    queue.close();
    assert_eq!(pop(&queue, Who::Host, 1), Ok(1));
    assert_eq!(calls(&to), [END, END]);
}

#[test]
fn as_many_of_the_host_wake_as_came() {
    let queue = hosted(9);
    let waits = |side| queue.event(side).listen();
    let woken = |listener: queue_core::event::Listener<'_>, time| {
        listener.wait(Deadline::after(Duration::from_millis(time)))
    };
    let (first, second, third) = (
        waits(Side::Consumers),
        waits(Side::Consumers),
        waits(Side::Consumers),
    );
    let producer = waits(Side::Producers);
    assert_eq!(push(&queue, Who::Host, 2), Ok(2));
    assert!(woken(first, 20_000) && woken(second, 20_000));
    assert!(!woken(third, 20), "a third has not come");
    assert_eq!(pop(&queue, Who::Host, 1), Ok(1));
    assert!(woken(producer, 20_000));
    let both = [waits(Side::Consumers), waits(Side::Producers)];
    queue.close();
    assert!(both.into_iter().all(|listener| woken(listener, 20_000)));
}
