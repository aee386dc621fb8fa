//! Names: who opens one, and at the same time as others.

use queue_any::{FailureKind, Queue, open};
use std::sync::Barrier;
use std::thread;

fn url(scheme: &str, name: &str) -> String {
    format!("{scheme}://{name} {}", std::process::id())
}

#[test]
fn a_name_of_one_scheme_is_none_of_another() {
    let schemes = ["thread", "lockfree", "async", "shm"];
    let queues = schemes.map(|scheme| open::<u32>(&url(scheme, "apart")).unwrap());
    for (at, queue) in queues.iter().enumerate() {
        queue.push(at as u32).unwrap();
    }
    for (at, queue) in queues.iter().enumerate() {
        assert_eq!(queue.pop(), Ok(at as u32), "{}", schemes[at]);
        assert!(queue.is_empty());
    }
}

#[test]
fn those_who_come_at_once_have_one_queue() {
    for scheme in ["thread", "lockfree", "async", "pipe", "shm"] {
        for round in 0..10 {
            let url = url(scheme, &format!("together {round}"));
            let start = Barrier::new(4);
            let opened = thread::scope(|scope| {
                let opening = [(); 4].map(|()| {
                    scope.spawn(|| {
                        start.wait();
                        open::<u32>(&url)
                    })
                });
                opening.map(|thread| thread.join().unwrap().unwrap())
            });
            opened[0].push(1).unwrap();
            assert_eq!(opened[3].pop(), Ok(1), "{scheme}");
        }
    }
}

#[test]
fn who_wants_a_bound_is_not_given_a_queue_without() {
    for scheme in ["thread", "lockfree", "async", "pipe", "shm"] {
        let endless = url(scheme, "endless");
        let _there = open::<u32>(&endless).unwrap();
        let refused = open::<u32>(&format!("{endless}?capacity=4")).unwrap_err();
        assert_eq!(refused.kind(), FailureKind::Mismatch, "{scheme}");
        let bounded = url(scheme, "bounded");
        let _there = open::<u32>(&format!("{bounded}?capacity=4")).unwrap();
        // Who says nothing takes it as it is.
        assert_eq!(open::<u32>(&bounded).unwrap().capacity(), Some(4));
    }
}
