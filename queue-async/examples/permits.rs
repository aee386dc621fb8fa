//! A permit holds a slot before the item is made: so no work is done that finds no room, and a
//! task that is cancelled meanwhile gives its slot back.
//!
//! `cargo run -p queue-async --example permits`

use queue_async::{AsyncQueue, Queue};
use std::time::Duration;

/// Takes its time.
async fn render(page: u32) -> String {
    tokio::time::sleep(Duration::from_millis(5)).await;
    format!("page {page}")
}

async fn print(pages: AsyncQueue<String>, page: u32) {
    let permit = pages.reserve_async().await.expect("nobody closes it");
    let text = render(page).await;
    permit.push(text).expect("nobody closes it"); // there is room for certain
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pages = AsyncQueue::<String>::bounded(1);
    let cancelled = tokio::time::timeout(Duration::from_millis(1), print(pages.clone(), 1)).await;
    assert!(cancelled.is_err(), "it holds the only slot, and is dropped");

    let printing = tokio::spawn(print(pages.clone(), 2)); // its slot is free again
    let page = pages.pop_async().await.expect("nobody closes it");
    printing.await.unwrap();
    assert_eq!(page, "page 2");
    println!("printed {page}");
}
