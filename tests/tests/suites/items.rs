//! What no suite checks: items that act on the queue they are in, of no size and of much,
//! of one thread at a time; which goes first, and what if one panics.

use super::kinds::{Kind, Local, over};
use super::polled::Polled;
use queue_core::Queue;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

over! {
    every:
    items_of_no_bytes, items_of_every_sort, items_beside_each_other,
    more_handles_than_anybody_needs,
}
over! {
    local:
    items_act_on_the_queue, dropped_in_order, dropped_though_one_panics, items_of_no_size,
    items_of_much, items_of_one_thread_at_a_time,
}

/// An item whose end does something to the queue that it was for.
fn items_act_on_the_queue<K: Local>() {
    struct Letter<Q: Fn() + Send>(Q);
    impl<Q: Fn() + Send> Drop for Letter<Q> {
        fn drop(&mut self) {
            self.0();
        }
    }
    let queue = K::any::<Box<dyn Send>>(Some(1));
    let letter = || -> Box<dyn Send> {
        let acts = queue.clone();
        Box::new(Letter(move || {
            assert!(acts.len() <= 1);
            drop(acts.try_pop());
        }))
    };
    for verb in 0..3 {
        queue.push(letter()).unwrap();
        match verb {
            0 => drop(queue.try_push(letter())),
            1 => drop(queue.push_timeout(letter(), Duration::from_millis(1))),
            _ => drop(Polled::pending(queue.push_async(letter()))),
        }
        assert!(queue.is_empty(), "the refused one took the other along");
    }
    queue.push(letter()).unwrap();
    drop(queue.pop());
    queue.push(letter()).unwrap();
    drop(queue.close_now());
    drop(queue.push(letter()));
}

/// What serde knows, and what writes itself otherwise for people than for machines.
fn items_of_every_sort<K: Kind>() {
    type Integers = (u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);
    type Others = (f32, f64, char, String, Option<bool>, (), [u8; 3]);
    type Nested = BTreeMap<String, Result<Vec<IpAddr>, SocketAddr>>;
    let queue = K::bounded::<(Integers, Others, Nested)>(2);
    let here = SocketAddr::from(([127, 0, 0, 1], 80));
    let nested = [
        (
            "two".into(),
            Ok(vec![here.ip(), Ipv6Addr::LOCALHOST.into()]),
        ),
        ("one".into(), Err(here)),
    ];
    let integers = (1, 2, 3, 4, u128::MAX, -1, -2, -3, i64::MIN, i128::MIN);
    let others = (
        0.5,
        -0.25,
        '\u{1f980}',
        "x".into(),
        Some(true),
        (),
        [7, 8, 9],
    );
    let item = (integers, others, Nested::from(nested));
    for _ in 0..3 {
        queue.push(item.clone()).unwrap();
        assert_eq!(queue.pop().as_ref(), Ok(&item));
    }
}

/// Who is left inside goes in the order it came.
fn dropped_in_order<K: Local>() {
    struct Named(u32, Arc<Mutex<Vec<u32>>>);
    impl Drop for Named {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    for capacity in [Some(40), None] {
        let gone = Arc::new(Mutex::new(Vec::new()));
        let queue = K::any::<Named>(capacity);
        for n in 0..30 {
            assert!(queue.push(Named(n, gone.clone())).is_ok());
        }
        drop(queue.pop());
        for n in 30..40 {
            assert!(queue.push(Named(n, gone.clone())).is_ok());
        }
        drop(queue);
        assert!(gone.lock().unwrap().iter().copied().eq(0..40), "{gone:?}");
    }
}

fn dropped_though_one_panics<K: Local>() {
    struct Item(Arc<AtomicUsize>, bool);
    impl Drop for Item {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            assert!(!self.1, "an item panics");
        }
    }
    for capacity in [Some(40), None] {
        let gone = Arc::new(AtomicUsize::new(0));
        let queue = K::any::<Item>(capacity);
        for n in 0..40 {
            assert!(queue.push(Item(gone.clone(), n == 10)).is_ok());
            if n == 30 {
                drop(queue.pop());
            }
        }
        assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
        assert_eq!(gone.load(Ordering::Relaxed), 40);
    }
}

fn items_of_no_size<K: Local>() {
    #[derive(Debug)]
    #[repr(align(1024))]
    struct Wide;
    for capacity in [Some(3), None] {
        let queue = K::any::<Wide>(capacity);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..1000 {
                    queue.push(Wide).unwrap();
                }
                queue.close();
            });
            assert_eq!(queue.iter().count(), 1000);
        });
        let queue = K::any::<()>(Some(2));
        queue.push_many(&mut [(), ()].into()).unwrap();
        assert!(queue.try_push(()).is_err());
        assert_eq!(queue.close_now(), [(), ()]);
    }
}

fn items_of_much<K: Local>() {
    let queue = K::any::<[u64; 2048]>(Some(3));
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..50 {
                queue.push([n; 2048]).unwrap();
            }
        });
        for n in 0..50 {
            assert!(queue.pop().unwrap().iter().all(|&word| word == n));
        }
    });
}

/// An item need not be `Sync`, nor anything else.
fn items_of_one_thread_at_a_time<K: Local>() {
    struct Plain(Cell<u32>);
    let queue = K::any::<Plain>(Some(1));
    let push = Polled::new(queue.push_async(Plain(Cell::new(0)))); // A `Send` future.
    drop(push);
    thread::scope(|scope| {
        scope.spawn(|| {
            let plain = Plain(Cell::new(1));
            plain.0.set(2);
            assert!(queue.push(plain).is_ok());
        });
        let popped = queue.pop();
        assert_eq!(popped.ok().map(|plain| plain.0.get()), Some(2));
    });
    let refused = [
        queue.try_push(Plain(Cell::new(3))),
        queue.try_push(Plain(Cell::new(4))),
    ];
    assert_eq!(format!("{refused:?}"), "[Ok(()), Err(Full(..))]");
    assert!(!format!("{queue:?}").is_empty());
}

/// An item that is nothing in any codec is an item all the same.
fn items_of_no_bytes<K: Kind>() {
    for capacity in [Some(1000), None] {
        let queue = capacity.map_or_else(K::unbounded::<()>, K::bounded::<()>);
        for n in 0..1000 {
            assert_eq!(queue.len(), n);
            queue.try_push(()).unwrap();
        }
        assert_eq!(queue.is_full(), capacity.is_some());
        assert_eq!(queue.try_push(()).is_err(), capacity.is_some());
        queue.pop().unwrap();
        let mut into = Vec::new();
        assert_eq!(queue.try_pop_many(&mut into, 9), Ok(9));
        queue.push_many(&mut vec![(); 10].into()).unwrap();
        queue.close();
        assert_eq!(queue.iter().count(), 1000 + usize::from(capacity.is_none()));
    }
}

/// Items of very different lengths, next to each other again and again.
fn items_beside_each_other<K: Kind>() {
    let queue = K::bounded::<Vec<u8>>(4);
    let lengths = [
        0, 1, 70_000, 3, 4096, 0, 4095, 200, 40_000, 63, 64, 65, 300_000, 5,
    ];
    let item = |n: usize| vec![n as u8; lengths[n % lengths.len()]];
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..150 {
                queue.push(item(n)).unwrap();
            }
            queue.close();
        });
        let mut n = 0;
        for got in queue.iter() {
            assert!(got == item(n), "item {n} of {} bytes", got.len());
            n += 1;
        }
        assert_eq!(n, 150);
    });
}

/// Handles and halves by the thousand are one queue, and leave as they came.
fn more_handles_than_anybody_needs<K: Kind>() {
    let queue = K::bounded::<u32>(2);
    let handles = vec![queue.clone(); 2000];
    let (producer, consumer) = queue.into_ends();
    let producers = vec![producer; 2000];
    handles[1999].push(1).unwrap();
    producers[1000].push(2).unwrap();
    drop(handles);
    drop(producers);
    assert_eq!(consumer.into_iter().collect::<Vec<_>>(), [1, 2]);
}
