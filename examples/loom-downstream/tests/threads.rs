//! The same code as shipped, on real threads.
#![cfg(not(loom))]

use loom_downstream::Sum;

#[test]
fn the_sum_is_complete() {
    let sum = Sum::new(4);
    let total = std::thread::scope(|scope| {
        (0..3).for_each(|_| _ = scope.spawn(|| sum.work()));
        (1..=1000).for_each(|n| assert!(sum.add(n)));
        sum.finish(3)
    });
    assert_eq!(total, 500_500);
}
