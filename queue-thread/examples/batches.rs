//! A writer that takes what has come in one batch, and waits for a second at most: so a file or a
//! database sees few large writes, and the last lines do not wait for more.
//!
//! `cargo run -p queue-thread --example batches`

use queue_thread::{PopTimeoutError, Queue, ThreadQueue};
use std::thread;
use std::time::Duration;

fn main() {
    let (log, lines) = ThreadQueue::<String>::bounded(1024).into_ends();
    let writer = thread::spawn(move || {
        let (mut batch, mut written, mut writes) = (Vec::new(), 0, 0);
        loop {
            match lines.pop_many_timeout(&mut batch, 256, Duration::from_secs(1)) {
                Ok(count) => {
                    // One write for all of them.
                    (written, writes) = (written + count, writes + 1);
                    batch.clear();
                }
                Err(PopTimeoutError::Timeout) => println!("all is quiet"),
                Err(PopTimeoutError::Closed) => return (written, writes),
                Err(error) => panic!("{error:#}"),
            }
        }
    });
    let mut some = (0..5000).map(|n| format!("line {n}")).collect();
    log.push_many(&mut some).expect("the writer reads on");
    drop(log); // the only producer: the writer takes what is left, and ends

    let (written, writes) = writer.join().unwrap();
    assert!(written == 5000 && writes >= 5000 / 256);
    println!("{written} lines in {writes} writes");
}
