//! What a guest makes of its host's answers, the wrong ones too.

use crate::codec::Postcard;
use crate::ipc::IpcQueue;
use crate::ipc::guest::Guest;
use crate::ipc::page::Page;
use crate::ipc::shared_rings::{Pushes, Shelf};
use crate::ipc::wire::{self, Bytes, Call, Ending, Filling, Reply, Request, Role, Ticket, VERSION};
use crate::try_error::TryError;
use crate::types::Types;
use ipc_channel::ipc::{self, IpcBytesSender};
use queue_core::event::Listen;
use queue_core::sync::Deadline;
use queue_core::work::{Lend, Settlement, WorkQueue};
use queue_core::{Failure, FailureKind, Kind, Queue, Side, TryPopError, TryPushError};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

type Queued = IpcQueue<u8>;

/// A host that gives `reply` to whatever it is asked: its ticket for a guest, where it calls
/// that guest, and what it was asked.
struct Parrot {
    ticket: Ticket,
    caller: IpcBytesSender,
    asked: Arc<Mutex<Vec<String>>>,
}

fn parrot(reply: &Reply<'_>) -> Parrot {
    parrot_after(reply, |_, _| ())
}

/// The same, which does this first, with the words of the guest and the number of its question.
fn parrot_after(reply: &Reply<'_>, first: impl Fn(&Pushes, u64) + Send + 'static) -> Parrot {
    let (requests, from_guest) = ipc::bytes_channel().unwrap();
    let (to_guest, replies) = ipc::bytes_channel().unwrap();
    let (caller, calls) = ipc::bytes_channel().unwrap();
    let (_, handed) = ipc::channel().unwrap();
    let bytes = wire::encoded(reply);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = asked.clone();
    let pushes = Page::<Pushes>::new().unwrap();
    let memory = pushes.memory();
    thread::spawn(move || {
        while let Ok(request) = wire::receive(&from_guest) {
            let (number, request): (u64, Request<'_>) = request.read().unwrap();
            first(&pushes, number);
            notes.lock().unwrap().push(format!("{request:?}"));
            to_guest.send(&bytes).unwrap();
        }
    });
    let ticket = Ticket {
        version: VERSION,
        types: Types::of::<u8, Postcard>(),
        capacity: Some(3),
        role: Role::Whole,
        pushes: memory,
        shelf: Page::<Shelf>::new().unwrap().memory(),
        requests,
        replies,
        calls,
        handed,
    };
    Parrot {
        ticket,
        caller,
        asked,
    }
}

/// Items that are popped, and so many are left.
fn some_items<'a>(all: &[&'a [u8]], left: u64) -> Reply<'a> {
    let items = all.iter().map(|item| Bytes(item)).collect();
    Reply::Popped { left, items }
}

/// All items that there are.
fn items<'a>(all: &[&'a [u8]]) -> Reply<'a> {
    some_items(all, 0)
}

fn pushed(count: u64, free: u64) -> Reply<'static> {
    Reply::Pushed { count, free }
}

/// What `ask` gets from a host that always gives `reply`.
fn told<R>(reply: &Reply<'_>, ask: impl FnOnce(&Guest) -> R) -> R {
    let Parrot { ticket, caller, .. } = parrot(reply);
    let told = ask(&Guest::join(ticket, &Types::of::<u8, Postcard>()).unwrap());
    drop(caller);
    told
}

/// As [`told`], with a handle of the queue.
fn told_queue<R>(reply: &Reply<'_>, ask: impl FnOnce(&Queued) -> R) -> R {
    let Parrot { ticket, caller, .. } = parrot(reply);
    let told = ask(&Queued::admit(ticket).unwrap());
    drop(caller);
    told
}

/// The kind of a failure; `None` for "wait", `PeerGone` for "closed".
fn kind<R>(answer: Result<R, TryError>) -> Option<FailureKind> {
    match answer {
        Ok(_) => panic!("it succeeded"),
        Err(TryError::WouldBlock) => None,
        Err(TryError::Closed) => Some(FailureKind::PeerGone),
        Err(TryError::Failed(failure)) => Some(failure.kind()),
    }
}

const DENIED: Option<FailureKind> = Some(FailureKind::Denied);
const CLOSED: Option<FailureKind> = Some(FailureKind::PeerGone);
const CORRUPT: Option<FailureKind> = Some(FailureKind::Corrupt);

#[test]
fn a_ticket_for_something_else_is_refused() {
    let refused = |kind, says: &str, alter: fn(&mut Ticket)| {
        let mut parrot = parrot(&Reply::Done);
        alter(&mut parrot.ticket);
        let failure = Queued::admit(parrot.ticket).unwrap_err();
        assert_eq!(failure.kind(), kind, "{failure}");
        assert!(failure.to_string().contains(says), "{failure}");
    };
    let mismatch = FailureKind::Mismatch;
    refused(mismatch, "version", |ticket| ticket.version += 1);
    refused(mismatch, "one library", |ticket| {
        ticket.types.item = "u16".into()
    });
    refused(mismatch, "codec `raw`", |ticket| {
        ticket.types.codec = "raw".into()
    });
    refused(mismatch, "words of 16 bits", |ticket| {
        ticket.types.word = 16
    });
    let corrupt = FailureKind::Corrupt;
    refused(corrupt, "capacity", |ticket| ticket.capacity = Some(0));
    let Parrot {
        mut ticket, caller, ..
    } = parrot(&Reply::Done);
    ticket.role = Role::Consumer;
    let queue = Queued::admit(ticket).unwrap();
    let said = format!("{queue:?}");
    let expected = "IpcQueue { capacity: Some(3), gone: false, role: Consumer, ";
    assert!(said.starts_with(expected), "{said}");
    assert_eq!(queue.capacity(), Some(3));
    drop(caller);
}

#[test]
fn an_answer_to_a_push() {
    let push = |reply| told(&reply, |guest| guest.push([&b"x"[..]].into_iter(), false));
    assert_eq!(push(pushed(1, 7)).unwrap(), (1, 7));
    assert_eq!(push(pushed(2, 7)).unwrap(), (1, 7), "it had no more");
    assert_eq!(kind(push(pushed(0, 7))), CORRUPT);
    assert_eq!(kind(push(Reply::Full)), None);
    assert_eq!(kind(push(Reply::Closed)), CLOSED);
    assert_eq!(kind(push(Reply::Denied)), DENIED);
    assert_eq!(kind(push(Reply::Empty)), CORRUPT);
}

#[test]
fn an_answer_to_a_pop() {
    let pop = |reply| {
        let mut popped = Vec::new();
        told(&reply, |guest| {
            guest.pop(9, |items| {
                items.for_each(|bytes| popped.extend_from_slice(bytes))
            })
        })
        .map(|((), left)| (popped, left))
    };
    let abc = b"abc".to_vec();
    assert_eq!(pop(items(&[b"a", b"bc"])).unwrap(), (abc.clone(), 0));
    // It asked for three, and has two.
    assert_eq!(pop(some_items(&[b"a", b"bc"], 9)).unwrap(), (abc, 1));
    assert_eq!(kind(pop(Reply::Empty)), None);
    assert_eq!(kind(pop(Reply::Closed)), CLOSED);
    assert_eq!(kind(pop(Reply::Full)), CORRUPT);
}

/// What the host has begun with is not withdrawn, though the time is up: it may have taken an item out.
#[test]
fn an_answer_that_comes_late_is_heard() {
    let heard = (0..5).any(|_| {
        let Parrot { ticket, caller, .. } = parrot_after(&items(&[b"\x07"]), |pushes, number| {
            // The first one is asked to learn whether it does.
            if pushes.begin(number) && number > 1 {
                thread::sleep(Duration::from_millis(200));
            }
        });
        let queue = Queued::admit(ticket).unwrap();
        let popped = queue.pop_timeout(Duration::from_millis(1));
        drop(caller);
        // On a busy machine it may begin too late.
        popped == Ok(7)
    });
    assert!(heard, "it was thrown away, five times");
}

#[test]
fn an_answer_to_other_questions() {
    let state = |reply| {
        let state = told(&reply, Guest::state);
        (state.len, state.in_flight, state.closed)
    };
    let answer = Reply::State(Filling {
        len: 2,
        in_flight: 1,
        closed: false,
        moments: 3,
    });
    assert_eq!(state(answer), (2, 1, false));
    assert_eq!(
        state(Reply::Done),
        (0, 0, true),
        "it holds no queue any more"
    );
    let close = |reply| told(&reply, Guest::close);
    assert!(close(Reply::Closing { first: true }));
    assert!(!close(Reply::Closing { first: false }) && !close(Reply::Done));
    let share = |reply| {
        let shared = told(&reply, |guest| guest.share(Role::Whole));
        shared.map(drop).unwrap_err().kind()
    };
    assert_eq!(share(Reply::Failed("no thread".into())), FailureKind::Io);
    assert_eq!(share(Reply::Denied), FailureKind::Denied);
    assert_eq!(share(Reply::Closed), FailureKind::PeerGone);
}

#[test]
fn an_answer_to_a_worker() {
    let item = |delivery, bytes| Reply::Delivered {
        delivery,
        attempt: 3,
        item: Bytes(bytes),
    };
    let received = told_queue(&item(5, b"\x07"), |queue| {
        let lent = queue.try_lend().unwrap();
        assert_eq!((lent.0, Queued::attempt(&lent.1)), (7, 3));
        queue.settle(lent.1, Settlement::Done)
    });
    // It is told "Delivered" to that too.
    assert_eq!(received.unwrap_err().kind(), FailureKind::Corrupt);
    let lend = |reply| told_queue(&reply, |queue| queue.try_lend().map(|_| ()));
    assert_eq!(lend(Reply::Empty), Err(TryPopError::Empty));
    assert_eq!(lend(Reply::Closed), Err(TryPopError::Closed));
    let failed = |reply| lend(reply).unwrap_err().failure().unwrap().kind();
    assert_eq!(failed(Reply::Done), FailureKind::Corrupt);
    assert_eq!(failed(item(5, b"")), FailureKind::Codec);
    let settle = |reply| told(&reply, |guest| guest.settle(5, Ending::Done));
    settle(Reply::Done).unwrap();
    assert_eq!(kind(settle(Reply::Closed)), CLOSED);
}

#[test]
fn items_that_are_none_are_failures() {
    let failed = |popped: Result<usize, TryPopError>| match popped {
        Err(TryPopError::Failed(failure)) => failure.kind(),
        other => panic!("{other:?}"),
    };
    let nothing = items(&[]);
    let pop = |reply, into: &mut Vec<u8>| told_queue(reply, |queue| queue.try_pop_many(into, 9));
    let one = |queue: &Queued| queue.try_pop().map(|_| 0);
    assert_eq!(failed(told_queue(&nothing, one)), FailureKind::Corrupt);
    assert_eq!(failed(pop(&nothing, &mut vec![])), FailureKind::Corrupt);
    let bad = items(&[b""]);
    assert_eq!(failed(told_queue(&bad, one)), FailureKind::Codec);
    assert_eq!(failed(pop(&bad, &mut vec![1])), FailureKind::Codec);
    let mut popped = vec![6];
    let some = items(&[b"\x07", b"", b"\x08"]);
    assert_eq!(pop(&some, &mut popped), Ok(2));
    assert_eq!(popped, [6, 7, 8]);
}

#[test]
fn a_refusal_hands_the_items_back() {
    let push = |reply| told_queue(&reply, |queue| queue.try_push(7));
    assert_eq!(push(Reply::Full), Err(TryPushError::Full(7)));
    assert_eq!(push(Reply::Closed), Err(TryPushError::Closed(7)));
    assert_eq!(push(pushed(1, 0)), Ok(()));
    let push = |reply| {
        let mut items = [7, 8, 9].into();
        let pushed = told_queue(&reply, |queue| queue.try_push_many(&mut items));
        (pushed, items.len())
    };
    assert_eq!(push(Reply::Full), (Err(TryPushError::Full(())), 3));
    assert_eq!(push(Reply::Closed), (Err(TryPushError::Closed(())), 3));
    assert_eq!(push(pushed(2, 0)), (Ok(2), 1));
}

/// Nobody waits: the host need not call. Somebody does: it is asked to, once and again.
#[test]
fn a_host_is_asked_to_call_while_somebody_waits() {
    let Parrot {
        ticket,
        caller,
        asked,
    } = parrot(&Reply::Empty);
    let queue = Queued::admit(ticket).unwrap();
    let last = || asked.lock().unwrap().last().unwrap().clone();
    let empty = |queue: &Queued| assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
    empty(&queue);
    assert_eq!(last(), "Pop { max: 1, watch: None }");
    let waiting = [(); 2].map(|()| queue.listen(Side::Consumers));
    empty(&queue);
    assert_eq!(last(), "Pop { max: 1, watch: Some(0) }");
    wire::send(&caller, &Call::Came(Side::Consumers, 1), &mut Vec::new()).unwrap();
    let [first, second] = waiting;
    let soon = || Deadline::after(Duration::from_secs(20));
    assert!(first.wait(soon()), "one is woken for one that came");
    empty(&queue);
    // And it asks whether more came for the other.
    for asks in [
        "Pop { max: 1, watch: Some(1) }",
        "Watch { side: Consumers, heard: 1 }",
    ] {
        let begun = Instant::now();
        while !asked.lock().unwrap().iter().any(|asked| asked == asks) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{asked:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(!second.wait(Deadline::after(Duration::from_millis(20))));
    let all = [queue.listen(Side::Producers), queue.listen(Side::Consumers)];
    wire::send(&caller, &Call::Retry, &mut Vec::new()).unwrap();
    assert!(all.into_iter().all(|waiting| waiting.wait(soon())));
    assert_eq!(queue.ready_hint(Side::Consumers), 0);
    let gone = queue.listen(Side::Consumers);
    drop(caller);
    assert!(gone.wait(soon()));
    assert_eq!(queue.ready_hint(Side::Consumers), usize::MAX);
    assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
}

/// A call that was on its way when somebody began to wait says nothing to that one, but that the
/// host may be asked again to call.
#[test]
fn a_host_is_asked_to_call_who_joins() {
    let busy = Reply::State(Filling {
        len: 1,
        in_flight: 0,
        closed: false,
        moments: 5,
    });
    let Parrot {
        ticket,
        caller,
        asked,
    } = parrot(&busy);
    let queue = Queued::admit(ticket).unwrap();
    let asked = |join: Option<u64>| {
        let what = format!("State {{ join: {join:?} }}");
        (asked.lock().unwrap().iter())
            .filter(|asked| **asked == what)
            .count()
    };
    let soon = |what: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !what() {
            assert!(begun.elapsed() < Duration::from_secs(20), "in vain");
            thread::sleep(Duration::from_millis(1));
        }
    };
    let call = |moment| wire::send(&caller, &Call::Idle(moment), &mut Vec::new()).unwrap();
    assert!(!queue.is_idle());
    // And once by whoever joined the queue, to learn whether memory is shared.
    assert_eq!((asked(None), asked(Some(0))), (2, 0));
    thread::scope(|scope| {
        let mut polled = Box::pin(queue.join_async());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(polled.as_mut().poll(&mut cx).is_pending());
        let joined = scope.spawn(|| queue.join_timeout(Duration::from_secs(60)));
        // Both have asked before they sleep.
        soon(&|| asked(Some(0)) == 5);
        call(5);
        soon(&|| asked(Some(1)) > 0);
        assert!(!joined.is_finished() && polled.as_mut().poll(&mut cx).is_pending());
        call(6);
        assert!(joined.join().unwrap());
        assert!(polled.as_mut().poll(&mut cx).is_ready());
    });
    let joined = thread::scope(|scope| {
        let joined = scope.spawn(|| queue.join_timeout(Duration::from_secs(60)));
        drop(caller);
        joined.join().unwrap()
    });
    assert!(joined, "with its host the queue is gone");
}

#[test]
fn a_denial_is_a_failure() {
    let half = Queued::unbounded().half(Side::Consumers).unwrap();
    let denied = |failure: Option<&Failure>| {
        assert_eq!(failure.map(Failure::kind), DENIED);
    };
    let error = half.try_push(7).unwrap_err();
    denied(error.failure());
    assert_eq!(error.into_item(), 7);
    denied(half.try_push_many(&mut [7].into()).unwrap_err().failure());
    assert_eq!(
        half.half(Side::Producers).unwrap_err().kind(),
        FailureKind::Denied
    );
}
