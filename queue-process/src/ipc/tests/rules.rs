//! The rules of a [`Hosted`] queue, by itself: what it takes and gives, whom it calls when.

use crate::ipc::hosted::{Hosted, Offer};
use crate::ipc::page::Page;
use crate::ipc::shared_rings::{Pushed, Pushes, Shelf};
use crate::ipc::state::Who;
use crate::ipc::wire::{self, BATCH_BYTES, Call, Gone, Item, Message, Role, Watch};
use crate::ipc::{IpcQueue, Place};
use crate::try_error::TryError;
use ipc_channel::ipc::{IpcBytesReceiver, bytes_channel};
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::{Capacity, Queue, Side};
use std::iter;
use std::thread;
use std::time::Duration;

const WAIT: Result<usize, TryError> = Err(TryError::WouldBlock);
const CLOSED: Result<usize, TryError> = Err(TryError::Closed);

fn hosted(capacity: usize) -> Hosted {
    Hosted::new(Capacity::bounded(capacity))
}

/// Pushes so many items: how many went in.
fn push(hosted: &Hosted, who: Who, count: usize) -> Result<usize, TryError> {
    let pushed = hosted.push(who, (0..count).map(|_| Item::from(vec![7])));
    pushed.map(|(count, _)| count)
}

/// Pops so many for the host: how many came out.
fn pop(hosted: &Hosted, max: usize) -> Result<usize, TryError> {
    hosted.pop(max).map(|(items, _)| items.len())
}

/// The same for a guest that shares no memory.
fn fetch(hosted: &Hosted, guest: u64, watch: Watch, max: usize) -> Result<usize, TryError> {
    match hosted.offer(guest, watch, max)? {
        Offer::Items(items, _) => Ok(items.len()),
        Offer::Shelved(_) => panic!("it shares none"),
    }
}

/// How many items are inside, and whether the queue is closed.
fn state(hosted: &Hosted) -> (usize, bool) {
    let state = hosted.state();
    (state.len, state.closed)
}

/// A guest of the queue: its number, and where it is called.
fn guest(hosted: &Hosted) -> (u64, IpcBytesReceiver) {
    let (caller, calls) = bytes_channel().unwrap();
    (hosted.enroll(Page::new().unwrap(), caller), calls)
}

/// The calls since the last time: for whom, and how much came. The end is for nobody.
fn calls(calls: &IpcBytesReceiver) -> Vec<(Option<Side>, u64)> {
    let next = || calls.try_recv().map_err(|_| Gone);
    let read = |call: Message| match call.read().unwrap() {
        Call::Came(side, count) => (Some(side), count),
        Call::Retry => END,
        Call::Idle(_) => panic!("nobody joins"),
    };
    iter::from_fn(|| wire::whole(next).ok().map(read)).collect()
}

const END: (Option<Side>, u64) = (None, 0);

fn came(side: Side, count: u64) -> Vec<(Option<Side>, u64)> {
    vec![(Some(side), count)]
}

#[test]
fn it_takes_what_finds_a_place_and_gives_what_is_there() {
    let queue = hosted(3);
    assert_eq!((queue.capacity, state(&queue)), (Some(3), (0, false)));
    assert_eq!(pop(&queue, 1), WAIT);
    assert_eq!(push(&queue, Who::Host, 2), Ok(2));
    assert_eq!((queue.refuses(), state(&queue)), (None, (2, false)));
    assert_eq!(push(&queue, Who::Host, 0), Ok(0));
    assert_eq!(push(&queue, Who::Host, 2), Ok(1), "the first of them");
    assert_eq!(queue.refuses(), Some(TryError::WouldBlock));
    assert_eq!(push(&queue, Who::Host, 1), WAIT);
    assert_eq!(push(&queue, Who::Host, 0), WAIT);
    assert_eq!(pop(&queue, 2), Ok(2));
    assert!(queue.close() && !queue.close());
    assert_eq!(queue.refuses(), Some(TryError::Closed));
    assert_eq!(push(&queue, Who::Host, 1), CLOSED);
    assert_eq!(pop(&queue, 9), Ok(1));
    assert_eq!(pop(&queue, 9), CLOSED);
    assert_eq!(state(&queue), (0, true));
}

/// It has no place where it could withdraw it.
#[test]
fn a_question_of_a_guest_that_shares_no_memory_is_begun_with() {
    let queue = hosted(1);
    let (number, to) = guest(&queue);
    assert!(queue.begins(number, 1) && calls(&to).is_empty());
    assert!(!queue.begins(number + 1, 1), "of nobody");
}

#[test]
fn it_gives_no_more_bytes_at_once_than_a_message_carries_but_one_item() {
    let queue = hosted(9);
    let sizes = [BATCH_BYTES / 2, BATCH_BYTES / 2, 1, BATCH_BYTES + 1, 1];
    let items: Vec<_> = sizes.map(|size| Item::from(vec![0; size])).into();
    assert_eq!(queue.push(Who::Host, items.into_iter()), Ok((5, 4)));
    let popped = [(); 4].map(|()| {
        let (items, left) = queue.pop(9).unwrap();
        (items.len(), left)
    });
    assert_eq!(popped, [(2, 3), (1, 2), (1, 1), (1, 0)]);
}

#[test]
fn what_is_in_flight_takes_a_place_and_counts_apart() {
    let queue = hosted(2);
    let (number, to) = guest(&queue);
    assert_eq!(push(&queue, Who::Host, 2), Ok(2));
    let deliver = || queue.deliver(Who::Guest(number, None));
    let counts = || (queue.state().len, queue.state().in_flight);
    let (first, second) = (deliver().unwrap(), deliver().unwrap());
    assert_eq!(counts(), (0, 2));
    assert_eq!(push(&queue, Who::Host, 1), WAIT);
    queue.give_back([second], true);
    queue.give_back([first], false);
    assert_eq!(counts(), (2, 0));
    assert_eq!(push(&queue, Who::Host, 1), WAIT);
    let attempts = [(); 2].map(|()| deliver().unwrap().1.attempt());
    assert_eq!(attempts, [1, 2], "the older first");
    queue.close();
    assert_eq!(pop(&queue, 1), WAIT, "it may come back");
    assert_eq!(calls(&to), [END]);
    queue.settle();
    assert!(to.try_recv().is_err(), "one is in flight");
    queue.settle();
    assert_eq!(calls(&to), [END]);
    assert_eq!(pop(&queue, 1), CLOSED);
}

#[test]
fn who_joins_is_called_when_the_queue_is_idle() {
    let queue = hosted(2);
    let (number, to) = guest(&queue);
    let fill = || assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    let empty = || assert_eq!(pop(&queue, 1), Ok(1));
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
    let delivery = queue.deliver(Who::Host).unwrap();
    assert!(to.try_recv().is_err(), "it is in flight");
    queue.give_back([delivery], true);
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
    assert_eq!(fetch(&queue, number, None, 1), WAIT);
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    assert_eq!(pop(&queue, 1), Ok(1));
    assert_eq!((calls(&to), calls(&to_another)), (vec![], vec![]));
    // It does.
    assert_eq!(fetch(&queue, number, Some(0), 1), WAIT);
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
    assert_eq!(fetch(&queue, number, Some(2), 3), Ok(3));
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    assert_eq!(calls(&to), [], "there was one left");
    let deliveries = [(); 2].map(|()| queue.deliver(Who::Host).unwrap());
    assert_eq!(fetch(&queue, number, Some(2), 2), WAIT);
    queue.give_back(deliveries, false);
    assert_eq!(calls(&to), came(Side::Consumers, 2));
    queue.dismiss(number);
    assert!(to.recv().is_err(), "nobody calls there any more");
}

#[test]
fn who_wants_a_place_is_called_when_one_is_free() {
    let queue = hosted(2);
    let (number, to) = guest(&queue);
    assert_eq!(push(&queue, Who::Guest(number, Some(0)), 1), Ok(1));
    assert_eq!(pop(&queue, 1), Ok(1));
    assert_eq!(calls(&to), [], "it found one, and there was another");
    assert_eq!(push(&queue, Who::Guest(number, Some(0)), 2), Ok(2));
    assert_eq!(pop(&queue, 1), Ok(1));
    assert_eq!(calls(&to), came(Side::Producers, 1), "it filled the queue");
    assert_eq!(push(&queue, Who::Guest(number, Some(1)), 1), Ok(1));
    assert_eq!(push(&queue, Who::Guest(number, Some(1)), 1), WAIT);
    assert_eq!(fetch(&queue, number, None, 2), Ok(2));
    assert_eq!(calls(&to), came(Side::Producers, 2));
}

#[test]
fn all_are_called_at_the_end() {
    let queue = hosted(2);
    let guests = [(); 2].map(|()| guest(&queue));
    let told = || guests.each_ref().map(|(_, to)| calls(to));
    assert_eq!(push(&queue, Who::Host, 2), Ok(2));
    let delivery = queue.deliver(Who::Host).unwrap();
    drop(delivery);
    assert_eq!(told(), [vec![], vec![]]);
    queue.close();
    assert_eq!(told(), [vec![END], vec![END]]);
    queue.close();
    assert_eq!(pop(&queue, 1), Ok(1));
    assert_eq!(told(), [vec![], vec![]], "one is in flight still");
    queue.settle();
    assert_eq!(told(), [vec![END], vec![END]], "drained");
    let queue = hosted(2);
    let (_, to) = guest(&queue);
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    queue.close();
    assert_eq!(pop(&queue, 1), Ok(1));
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
    assert_eq!(pop(&queue, 1), Ok(1));
    assert!(woken(producer, 20_000));
    let both = [waits(Side::Consumers), waits(Side::Producers)];
    queue.close();
    assert!(both.into_iter().all(|listener| woken(listener, 20_000)));
}

/// A guest that shares memory: its number, what it pushes by, and where it is called.
fn sharing(hosted: &Hosted) -> (u64, Page<Pushes>, IpcBytesReceiver) {
    let (caller, calls) = bytes_channel().unwrap();
    let pushes = Page::<Pushes>::new().unwrap();
    let theirs = Page::<Pushes>::of(pushes.memory()).unwrap();
    theirs.greet();
    (hosted.enroll(pushes, caller), theirs, calls)
}

fn shelf(hosted: &Hosted) -> Page<Shelf> {
    Page::of(hosted.shelf().unwrap()).unwrap()
}

/// All that the host can pop.
fn popped(hosted: &Hosted) -> Vec<u8> {
    let (popped, _) = hosted.pop(99).unwrap_or_default();
    popped.iter().map(|item| item[0]).collect()
}

#[test]
fn a_guest_that_pushes_is_granted_slots_which_are_taken_back_if_others_need_them() {
    let queue = hosted(9);
    let (number, theirs, _calls) = sharing(&queue);
    let shelf = shelf(&queue);
    let push_ahead = |item| theirs.push(&[&[item]], &shelf);
    assert_eq!(push_ahead(1), Pushed::TooFew);
    assert_eq!(push(&queue, Who::Guest(number, None), 1), Ok(1));
    // Half of the eight that are left.
    assert_eq!(
        (1..=5)
            .map(push_ahead)
            .filter(|pushed| *pushed == Pushed::Done)
            .count(),
        4
    );
    assert_eq!(queue.ready_hint(Side::Producers), 4);
    assert_eq!((state(&queue).0, queue.ready_hint(Side::Consumers)), (5, 5));
    // It is granted half of the four that are left, and one of them is lost to it.
    assert_eq!(push(&queue, Who::Host, 3), Ok(3));
    assert_eq!(push(&queue, Who::Host, 9), Ok(1));
    assert_eq!(push_ahead(6), Pushed::TooFew);
    assert_eq!(push(&queue, Who::Host, 1), WAIT);
    assert_eq!(popped(&queue), [7, 1, 2, 3, 4, 7, 7, 7, 7]);
}

#[test]
fn pushes_stay_in_their_order_whoever_makes_them() {
    let queue = hosted(99);
    let guests = [(); 2].map(|()| sharing(&queue));
    let shelf = shelf(&queue);
    for (number, ..) in &guests {
        assert_eq!(push(&queue, Who::Guest(*number, None), 1), Ok(1));
    }
    assert_eq!(popped(&queue), [7, 7]);
    for (item, guest) in [(1, 0), (2, 1), (3, 0)] {
        assert_eq!(guests[guest].1.push(&[&[item]], &shelf), Pushed::Done);
    }
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    assert_eq!(guests[1].1.push(&[&[4]], &shelf), Pushed::Done);
    assert_eq!(push(&queue, Who::Guest(guests[0].0, None), 1), Ok(1));
    assert_eq!(popped(&queue), [1, 2, 3, 7, 4, 7]);
}

#[test]
fn what_a_dead_guest_had_pushed_stays_and_its_slots_are_free() {
    let queue = hosted(5);
    let (number, theirs, _calls) = sharing(&queue);
    let shelf = shelf(&queue);
    assert_eq!(push(&queue, Who::Guest(number, None), 1), Ok(1));
    assert_eq!(theirs.push(&[&[1]], &shelf), Pushed::Done);
    assert_eq!(theirs.take_slots(1), Pushed::Done, "and it is killed");
    // Somebody else waits for a place.
    let (waiting, to) = guest(&queue);
    assert_eq!(push(&queue, Who::Guest(waiting, Some(0)), 3), Ok(2));
    assert_eq!(calls(&to), []);
    queue.dismiss(number);
    assert_eq!(calls(&to), came(Side::Producers, 1));
    assert_eq!(push(&queue, Who::Host, 9), Ok(1));
    assert_eq!(popped(&queue), [7, 1, 7, 7, 7]);
}

#[test]
fn who_takes_all_that_is_left_waits_for_what_is_on_its_way() {
    let queue = IpcQueue::<u8>::bounded(5);
    let Place::Here(host) = &queue.place else {
        panic!("it is hosted elsewhere");
    };
    let (number, theirs, _calls) = sharing(&host.hosted);
    let to_come = Who::Guest(number, None);
    assert_eq!(push(&host.hosted, to_come, 1), Ok(1));
    assert_eq!(theirs.take_slots(1), Pushed::Done);
    thread::scope(|scope| {
        let left = scope.spawn(|| queue.close_now());
        thread::sleep(Duration::from_millis(100));
        assert!(!left.is_finished(), "it may be written at any moment");
        host.hosted.dismiss(number);
        assert_eq!(left.join().unwrap(), [7]);
    });
}

#[test]
fn the_end_comes_after_what_is_on_its_way() {
    let queue = hosted(5);
    let (number, theirs, _calls) = sharing(&queue);
    let (_, to) = guest(&queue);
    assert_eq!(push(&queue, Who::Guest(number, None), 1), Ok(1));
    assert_eq!(theirs.take_slots(1), Pushed::Done);
    queue.close();
    assert_eq!(theirs.push(&[&[1]], &shelf(&queue)), Pushed::Closed);
    assert_eq!(pop(&queue, 1), Ok(1));
    assert_eq!(pop(&queue, 1), WAIT);
    assert_eq!(queue.ready_hint(Side::Consumers), 0);
    assert_eq!(calls(&to), [END]);
    queue.dismiss(number);
    assert_eq!(calls(&to), [END]);
    assert_eq!(pop(&queue, 1), CLOSED);
    let (_, theirs, _calls) = sharing(&queue);
    assert_eq!(
        theirs.push(&[&[1]], &shelf(&queue)),
        Pushed::Closed,
        "who comes late"
    );
}

#[test]
fn a_guest_tells_what_it_pushes_if_a_consumer_waits() {
    let queue = hosted(9);
    let (number, theirs, _calls) = sharing(&queue);
    let (waiting, to) = guest(&queue);
    let shelf = shelf(&queue);
    let push_ahead = || assert_eq!(theirs.push(&[&[1]], &shelf), Pushed::Done);
    assert_eq!(push(&queue, Who::Guest(number, None), 1), Ok(1));
    push_ahead();
    assert!(!theirs.must_tell(), "nobody waits");
    assert_eq!(popped(&queue), [7, 1]);
    for heard in 0..3 {
        assert_eq!(fetch(&queue, waiting, Some(heard), 1), WAIT);
        push_ahead();
        assert!(theirs.must_tell() && !theirs.must_tell());
        assert_eq!(calls(&to), []);
        queue.look(number);
        assert_eq!(calls(&to), came(Side::Consumers, 1));
        assert_eq!(popped(&queue), [1]);
    }
    // So it does for who waits in the host.
    let listener = queue.event(Side::Consumers).listen();
    assert_eq!(pop(&queue, 1), WAIT);
    push_ahead();
    assert!(theirs.must_tell());
    queue.look(number);
    assert!(listener.wait(Deadline::after(Duration::from_secs(20))));
}

#[test]
fn who_looks_at_the_shelf_finds_there_what_is_pushed_meanwhile() {
    let queue = hosted(9);
    let (number, theirs, _calls) = sharing(&queue);
    let shelf = shelf(&queue);
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    assert!(!shelf.has_items(), "nobody looks");
    assert!(!shelf.look());
    assert_eq!(push(&queue, Who::Host, 1), Ok(1));
    assert_eq!(shelf.pop(9).len(), 2);
    assert!(!shelf.look());
    assert_eq!(push(&queue, Who::Guest(number, None), 1), Ok(1));
    assert_eq!(shelf.pop(9).len(), 1);
    // By words: the host is told.
    assert!(!shelf.look());
    assert_eq!(theirs.push(&[&[1]], &shelf), Pushed::Done);
    assert!(!theirs.must_tell() && shelf.must_feed());
    assert!(!shelf.has_items());
    queue.look(number);
    assert_eq!(shelf.pop(9).len(), 1);
    assert_eq!(state(&queue).0, 0);
}

#[test]
fn a_guest_tells_what_it_takes_if_somebody_waits_for_that() {
    let queue = hosted(2);
    let (number, ..) = sharing(&queue);
    let (waiting, to) = guest(&queue);
    let shelf = shelf(&queue);
    let fill = |count| {
        assert_eq!(push(&queue, Who::Host, count), Ok(count));
        assert!(matches!(
            queue.offer(number, None, 1),
            Ok(Offer::Shelved(_))
        ));
    };
    fill(2);
    assert_eq!(shelf.pop(1).len(), 1);
    assert!(!shelf.must_tell(), "nobody waits");
    fill(1);
    // A producer; and it is the same if who was to tell is killed before.
    for (heard, tells) in [(0, true), (1, false)] {
        assert_eq!(push(&queue, Who::Guest(waiting, Some(heard)), 1), WAIT);
        assert_eq!(shelf.pop(1).len(), 1);
        assert!(shelf.must_tell());
        assert_eq!(calls(&to), []);
        match tells {
            true => queue.look(number),
            false => queue.dismiss(sharing(&queue).0),
        }
        assert_eq!(calls(&to), came(Side::Producers, 1));
        assert!(!shelf.must_tell());
        fill(1);
    }
    // Who joins, there and here.
    let listener = queue.idle.listen();
    assert_eq!(queue.join_state(waiting, 0).len, 2);
    assert_eq!(shelf.pop(2).len(), 2);
    assert!(shelf.must_tell());
    queue.look(number);
    assert!(listener.wait(Deadline::after(Duration::from_secs(20))));
    let call = wire::receive(&to).unwrap();
    assert!(matches!(call.read().unwrap(), Call::Idle(_)));
    // Who waits for the end.
    fill(1);
    queue.close();
    assert_eq!(calls(&to), [END]);
    assert_eq!(shelf.pop(1).len(), 1);
    assert!(shelf.must_tell());
    queue.look(number);
    assert_eq!(calls(&to), [END]);
}

#[test]
fn a_push_tells_how_many_slots_are_free_then() {
    let queue = hosted(9);
    let (number, ..) = sharing(&queue);
    let shelf = shelf(&queue);
    assert_eq!(push(&queue, Who::Host, 3), Ok(3));
    let offered = queue.offer(number, None, 3);
    assert!(matches!(offered, Ok(Offer::Shelved(3))), "{offered:?}");
    assert_eq!(shelf.pop(2).len(), 2);
    let push = || queue.push(Who::Guest(number, None), iter::once(vec![7].into()));
    assert_eq!(push(), Ok((1, 7)));
    assert_eq!(push(), Ok((1, 6)), "those that it was granted are free");
}

#[test]
fn what_comes_back_is_before_what_is_on_the_shelf() {
    let queue = hosted(9);
    let (number, ..) = sharing(&queue);
    let shelf = shelf(&queue);
    let items = (1..=4).map(|n| Item::from(vec![n])).collect::<Vec<_>>();
    assert_eq!(queue.push(Who::Host, items.into_iter()), Ok((4, 5)));
    let delivery = queue.deliver(Who::Host).unwrap();
    assert!(matches!(
        queue.offer(number, None, 1),
        Ok(Offer::Shelved(_))
    ));
    assert_eq!(shelf.pop(1), [[2]]);
    queue.give_back([delivery], true);
    assert!(shelf.pop(1).is_empty());
    // Taken off the shelf by the host, one by one.
    assert!(matches!(
        queue.offer(number, None, 1),
        Ok(Offer::Shelved(_))
    ));
    assert_eq!(shelf.pop(1), [[1]]);
    assert_eq!(queue.deliver(Who::Host).unwrap().0[0], 3);
    assert_eq!(shelf.pop(9), [[4]]);
    assert_eq!(state(&queue).0, 0);
}

/// The places of a shelf are counted modulo 2^32.
#[test]
fn what_lies_on_the_shelf_stays_there_when_its_places_begin_anew() {
    let queue = hosted(9);
    let (number, ..) = sharing(&queue);
    let shelf = shelf(&queue);
    shelf.start_at(!4);
    let items = (1..=4).map(|n| Item::from(vec![n])).collect::<Vec<_>>();
    let pushed = queue.push(Who::Host, items.into_iter());
    assert_eq!(pushed.map(|(count, _)| count), Ok(4));
    assert!(matches!(
        queue.offer(number, None, 1),
        Ok(Offer::Shelved(4))
    ));
    assert_eq!(shelf.pop(1), [[1]]);
    assert_eq!((state(&queue).0, popped(&queue)), (3, vec![2, 3, 4]));
}

/// Though it was on its way: in a message that had no room for it, or on the shelf, or to the shelf.
#[test]
fn what_was_never_delivered_comes_at_its_first_attempt() {
    let large = BATCH_BYTES / 2 + 1;
    let first = |queue: &Hosted| queue.deliver(Who::Host).unwrap();
    let hosting = |lengths: &[usize]| {
        let queue = hosted(4);
        let looks = shelf(&queue);
        assert!(!looks.look());
        let items = lengths.iter().map(|len| Item::from(vec![7; *len]));
        queue.push(Who::Host, items).unwrap();
        (queue, looks)
    };
    let (queue, _) = hosting(&[large; 2]);
    assert_eq!(pop(&queue, 2), Ok(1));
    assert_eq!(first(&queue).1.attempt(), 1);
    let (queue, looks) = hosting(&[large]);
    assert!(!looks.has_items(), "it is too large for it");
    assert_eq!(first(&queue).1.attempt(), 1);
    let (queue, looks) = hosting(&[1; 2]);
    assert!(looks.has_items());
    let older = first(&queue);
    queue.give_back([older], true);
    assert!(!looks.has_items(), "it is younger");
    let attempts = [(); 2].map(|()| first(&queue).1.attempt());
    assert_eq!(attempts, [2, 1]);
}
