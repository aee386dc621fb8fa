//! Guests in the host's own process: their messages take the same way.

use super::*;
use queue_process::WithCapacity;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn guests_of_guests_share_one_queue() {
    let queue = Numbers::bounded(2);
    let guest = guest_of(&queue);
    let third = guest_of(&guest);
    guest.push(1).unwrap();
    third.push(2).unwrap();
    assert_eq!(queue.len(), 2);
    assert!(matches!(third.try_push(3), Err(TryPushError::Full(3))));
    assert!(guest.is_full());
    assert_eq!(queue.pop().unwrap(), 1);
    assert_eq!(third.pop().unwrap(), 2);
    assert_eq!(guest.len(), 0);
    assert!(third.close());
    assert!(!queue.close() && guest.is_closed());
    assert!(matches!(guest.push(1), Err(PushError::Closed(1))));
    assert_eq!(guest.pop(), Err(PopError::Closed));
}

#[test]
fn a_half_that_a_guest_sends_does_no_more() {
    let guest = guest_of(&Numbers::bounded(2));
    for side in [Side::Producers, Side::Consumers] {
        let half = guest_of(&guest.half(side).unwrap());
        let denied = match side {
            Side::Producers => half.try_pop().unwrap_err().failure().cloned(),
            Side::Consumers => half.try_push(1).unwrap_err().failure().cloned(),
        };
        assert_eq!(denied.unwrap().kind(), FailureKind::Denied);
    }
}

#[test]
fn batches_keep_order_and_leave_the_rest() {
    let queue = Numbers::bounded(1000);
    let guest = guest_of(&queue);
    let mut items: VecDeque<u64> = (0..1500).collect();
    let mut pushed = 0;
    while let Ok(count) = guest.try_push_many(&mut items) {
        pushed += count;
    }
    assert_eq!((pushed, items.len(), items[0]), (1000, 500, 1000));
    let mut popped = Vec::new();
    assert_eq!(guest.pop_many(&mut popped, 600).unwrap(), 600);
    assert_eq!(queue.pop_many(&mut popped, 10_000).unwrap(), 400);
    assert!(popped.into_iter().eq(0..1000));
}

#[test]
fn large_items_pass() {
    let queue =
        IpcQueue::<Vec<u8>, queue_process::codec::Raw>::try_with_capacity(Capacity::bounded(2))
            .unwrap();
    let (sender, receiver) = ipc::channel().unwrap();
    sender.send(queue.clone()).unwrap();
    let guest: IpcQueue<Vec<u8>, queue_process::codec::Raw> = receiver.recv().unwrap();
    let item = vec![7; 20 << 20];
    guest.push(item.clone()).unwrap();
    assert!(guest.pop().unwrap() == item);
    guest.push(item.clone()).unwrap();
    assert!(queue.pop().unwrap() == item);
}

#[test]
fn sleepers_of_one_guest_are_all_served() {
    for _ in 0..20 {
        let queue = Numbers::bounded(2);
        let guest = guest_of(&queue);
        let other = guest_of(&queue);
        let total: u64 = thread::scope(|scope| {
            let consumers = [0, 1, 2, 3, 4, 5].map(|n| {
                let handle = [&guest, &other, &queue][n % 3];
                scope.spawn(move || handle.iter().sum::<u64>())
            });
            let producers = [0, 1, 2].map(|n| {
                let handle = [&guest, &other, &queue][n % 3];
                scope.spawn(move || (0..50).for_each(|n| handle.push(n).unwrap()))
            });
            producers
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            queue.close();
            consumers.map(|thread| thread.join().unwrap()).iter().sum()
        });
        assert_eq!(total, 3 * 49 * 50 / 2);
    }
}

#[test]
fn a_cancelled_wait_loses_no_wake() {
    let queue = Numbers::bounded(1);
    let guest = guest_of(&queue);
    for n in 0..50 {
        let first = guest.pop_timeout(Duration::from_micros(50 * n % 400));
        assert_eq!(first, Err(PopTimeoutError::Timeout));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| guest.pop_timeout(Duration::from_micros(200 + 10 * n)));
            let patient = scope.spawn(|| guest.pop_timeout(Duration::from_secs(10)));
            thread::sleep(Duration::from_micros(190 + 10 * n));
            queue.push(n).unwrap();
            if waiting.join().unwrap().is_ok() {
                queue.push(n).unwrap();
            }
            assert_eq!(patient.join().unwrap(), Ok(n));
        });
    }
}

/// A guest in this process.
pub(super) fn guest_of<T>(queue: &IpcQueue<T>) -> IpcQueue<T>
where
    T: Send + Serialize + DeserializeOwned,
{
    let (sender, receiver) = ipc::channel().unwrap();
    sender.send(queue.clone()).unwrap();
    let guest: IpcQueue<T> = receiver.recv().unwrap();
    assert!(!guest.is_host());
    guest
}

/// Panics when it is woken.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker that fails, for a test");
    }
}

/// Neither in the host nor in a guest, whose pushes and pops wake it in threads of ours.
#[test]
fn a_waker_that_panics_ends_no_line() {
    let queue = Numbers::bounded(4);
    let (guest, other) = (guest_of(&queue), guest_of(&queue));
    let waker = Waker::from(Arc::new(Panics));
    let mut cx = Context::from_waker(&waker);
    for at in [&queue, &guest] {
        for round in 0..2 {
            let mut pop = pin!(at.pop_async());
            assert!(pop.as_mut().poll(&mut cx).is_pending());
            other.push(round).unwrap();
            let late = Instant::now() + Duration::from_secs(20);
            while pop.as_mut().poll(&mut cx).is_pending() {
                assert!(Instant::now() < late, "it was pushed");
                thread::yield_now();
            }
        }
        thread::scope(|scope| {
            let popped = scope.spawn(|| at.pop_timeout(Duration::from_secs(20)));
            // It is asleep by then.
            thread::sleep(Duration::from_millis(50));
            other.push(7).unwrap();
            assert_eq!(popped.join().unwrap(), Ok(7), "nobody wakes it");
        });
    }
    let mut pop = pin!(queue.pop_async());
    assert!(pop.as_mut().poll(&mut cx).is_pending());
    thread::scope(|scope| {
        let popped = scope.spawn(|| guest.pop_timeout(Duration::from_secs(20)));
        thread::sleep(Duration::from_millis(50));
        other.close();
        assert!(popped.join().unwrap().unwrap_err().is_closed());
    });
}

/// Needs more stack than a thread that only passes messages on.
struct Deep(Arc<AtomicBool>);

impl Wake for Deep {
    fn wake(self: Arc<Self>) {
        fn descend(levels: usize) -> u8 {
            let frame = std::hint::black_box([levels as u8; 64 << 10]);
            match levels {
                0 => frame[0],
                _ => frame[1].wrapping_add(descend(levels - 1)),
            }
        }
        descend(14);
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A waker is an executor's code, which expects the stack of any other thread.
#[test]
fn a_waker_has_the_stack_of_any_thread() {
    let queue = Numbers::bounded(4);
    let (guest, other) = (guest_of(&queue), guest_of(&queue));
    for at in [&queue, &guest] {
        let woken = Arc::new(AtomicBool::new(false));
        let waker = Waker::from(Arc::new(Deep(woken.clone())));
        let mut pop = pin!(at.pop_async());
        assert!(
            pop.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        other.push(7).unwrap();
        soon("it is woken", || woken.load(Ordering::Relaxed));
        at.pop().unwrap();
    }
}

/// Its parts are no bytes: they would go along with the next message of `ipc-channel` that this
/// thread sends, and abort whoever receives that.
#[test]
fn a_handle_is_no_part_of_an_item() {
    use queue_process::codec::{Codec, Postcard};
    let failure = Postcard::encode(&Numbers::bounded(1), &mut Vec::new()).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Codec);
    assert!(format!("{failure}").contains("IpcQueue"), "{failure}");
    let jobs = IpcQueue::<(u8, Option<Numbers>)>::bounded(2);
    jobs.push((1, None)).unwrap();
    let refused = jobs.push((2, Some(Numbers::bounded(1)))).unwrap_err();
    assert_eq!(refused.into_item().0, 2);
    let (sender, receiver) = ipc_channel::ipc::channel::<u32>().unwrap();
    sender.send(7).unwrap();
    assert_eq!(receiver.recv().unwrap(), 7);
}
