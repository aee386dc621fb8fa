//! A pool of workers: a job that fails is tried again, one that fails three times is set aside,
//! and `join` waits until all are done.

use queue_thread::{Consumer, Failure, PopError, Queue, ThreadQueue};
use std::thread;

fn work(jobs: &Consumer<ThreadQueue<String>>, dead: &ThreadQueue<String>) -> Result<(), Failure> {
    loop {
        let job = match jobs.receive() {
            Ok(job) => job,
            Err(PopError::Closed) => return Ok(()),
            Err(PopError::Failed(failure)) => return Err(failure),
        };
        match job.parse::<u32>() {
            Ok(number) => {
                println!("{number} squared is {}", number * number);
                job.ack()?;
            }
            // Threads die together, so it is enough to look when it has failed.
            Err(_) if job.attempt() == 3 => dead.push(job.take()?).expect("nobody closes it"),
            Err(_) => job.nack()?, // to the front again; so it is if the worker panics
        }
    }
}

fn main() -> Result<(), Failure> {
    let (producer, consumer) = ThreadQueue::bounded(8).into_ends();
    let dead = ThreadQueue::unbounded();
    thread::scope(|scope| {
        let workers = [(); 3].map(|()| scope.spawn(|| work(&consumer, &dead)));
        for job in ["1", "2", "three", "4"] {
            producer.push(job.to_string()).expect("workers are there");
        }
        producer.join();
        println!("all done; set aside: {}", dead.len());
        drop(producer); // closes the queue: the workers end
        let ended = workers.map(|worker| worker.join().expect("no worker panics"));
        ended.into_iter().collect()
    })
}
