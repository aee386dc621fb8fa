//! Ten thousand tasks wait on one queue, and are served in the order they came.
//!
//! `cargo run -p queue-async --example many_tasks`

use queue_async::{AsyncQueue, Queue};

const TASKS: usize = 10_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let tickets = AsyncQueue::<usize>::bounded(64);
    let here = AsyncQueue::<usize>::unbounded();
    let mut tasks = Vec::new();
    for id in 0..TASKS {
        let (tickets, here) = (tickets.clone(), here.clone());
        tasks.push(tokio::spawn(async move {
            here.try_push(id).expect("it has no bound");
            tickets.pop_async().await.expect("one for each task")
        }));
    }
    let mut order = Vec::new();
    while order.len() < TASKS {
        order.push(here.pop_async().await.expect("nobody closes it"));
    }
    // Now all of them wait.
    for ticket in 0..TASKS {
        tickets.push_async(ticket).await.expect("nobody closes it");
    }
    for (id, task) in tasks.into_iter().enumerate() {
        let ticket = task.await.expect("no task panics");
        assert_eq!(order[ticket], id, "the tickets go in turn");
    }
    println!("{TASKS} tasks were served in the order they came");
}
