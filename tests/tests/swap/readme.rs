//! The README's first example, of which the line that names the kind is left out: that is in
//! the file of each kind here.

use super::Kind;
use super::home::Queue;
use std::thread;

pub(crate) fn example() {
    let jobs = Kind::<u64>::bounded(16);
    let squares = Kind::<u64>::unbounded();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in jobs.iter() {
                    squares.push(n * n).unwrap();
                }
            });
        }
        for n in 1..=100 {
            jobs.push(n).unwrap(); // waits while the queue is full
        }
        jobs.close(); // workers drain what is left, then their loops end
    });
    assert_eq!(squares.try_iter().sum::<u64>(), 338_350);
}
