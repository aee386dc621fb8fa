//! One producer, four workers, and their results together again. The halves close the queues: no
//! counter and no message says that the work is done.
//!
//! `cargo run -p queue-thread --example fan_out`

use queue_thread::{Queue, ThreadQueue};
use std::thread;

fn is_prime(n: u32) -> bool {
    n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

fn main() {
    let (numbers, todo) = ThreadQueue::<u32>::bounded(32).into_ends();
    let (found, primes) = ThreadQueue::<u32>::bounded(32).into_ends();
    for _ in 0..4 {
        let (todo, found) = (todo.clone(), found.clone());
        thread::spawn(move || {
            for n in &todo {
                if is_prime(n) && found.push(n).is_err() {
                    return; // nobody wants more
                }
            }
        });
    }
    drop((todo, found)); // the workers have their own
    thread::spawn(move || (1..=10_000).all(|n| numbers.push(n).is_ok()));

    // Ends when the last worker has dropped its `found`.
    let count = primes.into_iter().count();
    assert_eq!(count, 1229);
    println!("{count} primes up to 10000");
}
