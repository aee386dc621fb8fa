//! Models of what a host and its guests settle by memory that they share, and not by messages. Each
//! thread stands for a process. That a message arrives is modelled by an event.
#![cfg(loom)]

use queue_core::event::{Event, Listen};
use queue_core::model::check;
use queue_core::sync::atomic::{AtomicBool, Ordering};
use queue_core::sync::{Deadline, thread};
use queue_process::ipc::shared_rings::{Pushed, Pushes, Shelf, collect};
use std::sync::Arc;

/// The numbers of some items.
fn numbers(items: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    items.into_iter().map(|item| item.as_ref()[0]).collect()
}

/// A guest that was granted so many slots.
fn granted(count: usize) -> Pushes {
    let pushes = Pushes::default();
    pushes.grant(count);
    pushes
}

/// What each of two guests takes, and what the host takes back, is all there was, each once and
/// in order. Behind what was taken the host puts more, over what a guest may just be reading.
/// Catches: a change of the shelf that does not see another, one that does not order what it
/// reads before it, room that is free before it was read.
#[test]
fn an_item_is_taken_or_taken_back() {
    check("an_item_is_taken_or_taken_back", Some(3), || {
        let shelf = Arc::new(Shelf::default());
        for n in 1..=2 {
            shelf.put(&[n]).unwrap();
        }
        let guests = [1, 2].map(|most| {
            let shelf = shelf.clone();
            thread::spawn(move || numbers(shelf.pop(most)))
        });
        let more = shelf.put(&[3]).is_some();
        let start = shelf.clear();
        let mut got: Vec<_> = guests.map(|guest| guest.join().unwrap()).concat();
        assert!(numbers(shelf.pop(9)).is_empty());
        // Each item has three words.
        let all = [1, 2, 3];
        got.extend(&all[start as usize / 3..2 + usize::from(more)]);
        got.sort_unstable();
        assert_eq!(got, all[..2 + usize::from(more)]);
    });
}

/// What is just put on the shelf is taken whole, or not yet.
/// Catches: a change of the shelf that does not order what is on it, a look at it that is not ordered.
#[test]
fn what_is_put_is_taken_whole() {
    check("what_is_put_is_taken_whole", None, || {
        let shelf = Arc::new(Shelf::default());
        let other = shelf.clone();
        let guest = thread::spawn(move || [(); 2].map(|()| numbers(other.pop(1))).concat());
        for n in 1..=2 {
            shelf.put(&[n]).unwrap();
        }
        let mut got = guest.join().unwrap();
        got.extend(numbers(shelf.pop(9)));
        assert_eq!(got, [1, 2]);
    });
}

/// The same while another one takes: who comes too late looks again, at what was put meanwhile.
/// Catches: a second look that is not ordered.
#[test]
fn what_is_put_meanwhile_is_taken_whole() {
    check("what_is_put_meanwhile_is_taken_whole", Some(3), || {
        let shelf = Arc::new(Shelf::default());
        shelf.put(&[1]).unwrap();
        let guests = [(); 2].map(|()| {
            let shelf = shelf.clone();
            thread::spawn(move || numbers(shelf.pop(1)))
        });
        shelf.put(&[2]).unwrap();
        let mut got: Vec<_> = guests.map(|guest| guest.join().unwrap()).concat();
        got.extend(numbers(shelf.pop(9)));
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

/// Who finds that an item is gone sees what its taker did before.
/// Catches: a change of the shelf that does not order it, a look at it that is not ordered.
#[test]
fn who_finds_a_place_free_sees_what_its_taker_did() {
    for clears in [false, true] {
        let name = "who_finds_a_place_free_sees_what_its_taker_did";
        check(&format!("{name}_{clears}"), None, move || {
            let shared = Arc::new((Shelf::default(), AtomicBool::new(false)));
            let end = shared.0.put(&[1]).unwrap();
            let theirs = shared.clone();
            let guest = thread::spawn(move || {
                theirs.1.store(true, Ordering::Relaxed);
                theirs.0.pop(1).len()
            });
            let host = thread::spawn(move || {
                let (shelf, done) = &*shared;
                // Loom has the first look come before the taker.
                shelf.has_items();
                let start = match clears {
                    true => shelf.clear(),
                    false => shelf.start(),
                };
                if start == end {
                    assert!(done.load(Ordering::Relaxed));
                }
            });
            guest.join().unwrap();
            host.join().unwrap();
        });
    }
}

/// The host takes an item off the shelf as guests do.
/// Catches: a place that is not compared.
#[test]
fn an_item_is_taken_by_host_or_guest() {
    check("an_item_is_taken_by_host_or_guest", None, || {
        let shelf = Arc::new(Shelf::default());
        let end = shelf.put(&[1]).unwrap();
        shelf.put(&[2]).unwrap();
        let other = shelf.clone();
        let guest = thread::spawn(move || numbers(other.pop(1)));
        let host = shelf.take(0, end);
        let expected: &[u8] = if host { &[2] } else { &[1] };
        assert_eq!(guest.join().unwrap(), expected);
    });
}

/// A push that began when another had returned, whosever, is collected after it and not without it.
/// Catches: tickets that are not taken in one step, a count that does not order what it counts, a
/// single look at each guest.
#[test]
fn pushes_are_collected_in_order() {
    check("pushes_are_collected_in_order", Some(3), || {
        let shared = Arc::new((
            [granted(1), granted(1)],
            Shelf::default(),
            AtomicBool::new(false),
        ));
        let guests = [0, 1].map(|guest| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (pushes, shelf, returned) = &*shared;
                // Whether the other one had returned.
                let before = returned.load(Ordering::Acquire);
                assert_eq!(pushes[guest].push(&[&[guest as u8]], shelf), Pushed::Done);
                returned.store(true, Ordering::Release);
                before
            })
        });
        let mut collected = numbers(
            collect((0..).zip(&shared.0))
                .into_iter()
                .map(|(_, item)| item),
        );
        let early = collected.len();
        let second = guests.map(|guest| guest.join().unwrap());
        collected.extend(numbers(
            collect((0..).zip(&shared.0))
                .into_iter()
                .map(|(_, item)| item),
        ));
        let expected: &[u8] = match second {
            [true, false] => &[1, 0],
            [false, true] => &[0, 1],
            _ => return assert_eq!(collected.len(), 2),
        };
        assert_eq!(collected, expected, "{early} of them at first");
    });
}

/// Around the ring: what is written is not written over before it was read.
/// Catches: room that is free before it was read, a count that does not order what it counts.
#[test]
fn what_was_pushed_is_read_whole() {
    check("what_was_pushed_is_read_whole", Some(3), || {
        let shared = Arc::new((granted(3), Shelf::default()));
        let theirs = shared.clone();
        let guest = thread::spawn(move || {
            let (pushes, shelf) = &*theirs;
            let push = |n: u8| pushes.push(&[&[n]], shelf) == Pushed::Done;
            // There is room for two.
            (1..=3).take_while(|n| push(*n)).count()
        });
        let read = || {
            numbers(
                collect([((), &shared.0)].into_iter())
                    .into_iter()
                    .map(|(_, item)| item),
            )
        };
        let mut got = read();
        let count = guest.join().unwrap();
        got.extend(read());
        assert_eq!(got, [1, 2, 3][..count]);
    });
}

/// Who waits for an item, and was told that there is none, is told when there is one.
/// Catches: a wish that is not seen, a look before the wish.
#[test]
fn who_waits_for_a_push_is_told() {
    check("who_waits_for_a_push_is_told", None, || {
        let shared = Arc::new((granted(1), Shelf::default(), Event::new()));
        let theirs = shared.clone();
        let guest = thread::spawn(move || {
            let (pushes, shelf, told) = &*theirs;
            assert_eq!(pushes.push(&[b"x"], shelf), Pushed::Done);
            if pushes.must_tell() {
                told.notify();
            }
        });
        let (pushes, _, told) = &*shared;
        let any = || !collect([((), pushes)].into_iter()).is_empty();
        let message = told.listen();
        pushes.want();
        if !any() {
            message.wait(Deadline::NEVER);
            assert!(any());
        }
        guest.join().unwrap();
    });
}

/// The same for who waits for a place, or until the queue is idle.
/// Catches: a wish that is not seen, a look before the wish.
#[test]
fn who_waits_for_a_place_is_told() {
    check("who_waits_for_a_place_is_told", None, || {
        let shared = Arc::new((Shelf::default(), Event::new()));
        let end = shared.0.put(&[1]).unwrap();
        let theirs = shared.clone();
        let guest = thread::spawn(move || {
            let (shelf, told) = &*theirs;
            assert_eq!(numbers(shelf.pop(1)), [1]);
            if shelf.must_tell() {
                told.notify();
            }
        });
        let (shelf, told) = &*shared;
        let message = told.listen();
        shelf.want();
        if shelf.start() != end {
            message.wait(Deadline::NEVER);
            assert_eq!(shelf.start(), end);
        }
        guest.join().unwrap();
    });
}

/// A question is withdrawn, or the host begins with it: never both, and never an older one.
/// Catches: a withdrawal, or a beginning, that does not compare.
#[test]
fn a_question_is_withdrawn_or_begun() {
    check("a_question_is_withdrawn_or_begun", None, || {
        let pushes = Arc::new(Pushes::default());
        let theirs = pushes.clone();
        pushes.ask(1);
        let host = thread::spawn(move || [1, 2].map(|number| theirs.begin(number)));
        let first = pushes.withdraw(1);
        if first {
            pushes.ask(2);
        }
        let second = first && pushes.withdraw(2);
        let begun = host.join().unwrap();
        assert_ne!(first, begun[0]);
        assert!(!(second && begun[1]));
        assert_eq!(pushes.is_answered(), begun != [false; 2]);
    });
}

/// When the queue is closed, a push is refused, or the host knows that it comes.
/// Catches: a slot that is taken from a closed queue, or taken twice.
#[test]
fn after_the_end_comes_what_was_on_its_way() {
    check("after_the_end_comes_what_was_on_its_way", None, || {
        let shared = Arc::new((granted(2), Shelf::default()));
        let theirs = shared.clone();
        let guest = thread::spawn(move || {
            let (pushes, shelf) = &*theirs;
            let push = || pushes.push(&[b"x"], shelf);
            let pushed = [push(), push()];
            assert!(!pushed.contains(&Pushed::TooFew) || pushed[1] == Pushed::TooFew);
            pushed
                .into_iter()
                .filter(|pushed| *pushed == Pushed::Done)
                .count()
        });
        let pushes = &shared.0;
        pushes.close();
        let on_their_way = 2 - pushes.take_back();
        let pushed = guest.join().unwrap();
        assert_eq!(pushed, on_their_way);
        assert_eq!(collect([((), pushes)].into_iter()).len(), pushed);
    });
}
