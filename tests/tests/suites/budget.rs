//! tokio's cooperative budget: a task whose queue never runs dry, or full, lets its neighbours
//! run on a runtime of one thread.

use crate::kinds::{Kind, over};
use futures_core::Stream;
use queue_core::{Queue, pop_any_async};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Builder;

over! { every:
    whoever_pops, whoever_pops_a_stream, whoever_pops_batches, whoever_pushes,
    whoever_pushes_batches, whoever_pushes_long_batches, whoever_selects,
    whoever_pops_a_stream_of_a_half,
}

/// Takes steps of which none ever has to wait, until a neighbour has run.
fn neighbours_run_beside(mut step: impl AsyncFnMut()) {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let ran = Arc::new(AtomicBool::new(false));
        let told = ran.clone();
        let neighbour = tokio::spawn(async move { told.store(true, Ordering::Relaxed) });
        let mut steps = 0;
        while !ran.load(Ordering::Relaxed) {
            steps += 1;
            assert!(steps < 20_000, "the neighbour starves");
            step().await;
        }
        neighbour.await.unwrap();
    });
}

fn whoever_pops<K: Kind>() {
    let queue = K::bounded::<u32>(4);
    neighbours_run_beside(async || {
        queue.try_push(1).unwrap();
        assert_eq!(queue.pop_async().await, Ok(1));
    });
}

fn whoever_pops_a_stream<K: Kind>() {
    let queue = K::bounded::<u32>(4);
    let mut stream = pin!(queue.stream());
    neighbours_run_beside(async || {
        queue.try_push(1).unwrap();
        assert_eq!(poll_fn(|cx| stream.as_mut().poll_next(cx)).await, Some(1));
    });
}

fn whoever_pops_batches<K: Kind>() {
    let queue = K::bounded::<u32>(4);
    neighbours_run_beside(async || {
        let mut into = Vec::new();
        queue.try_push(1).unwrap();
        assert_eq!(queue.pop_many_async(&mut into, 4).await, Ok(1));
    });
}

fn whoever_pushes<K: Kind>() {
    let queue = K::bounded::<u32>(4);
    neighbours_run_beside(async || {
        queue.push_async(1).await.unwrap();
        assert_eq!(queue.try_pop(), Ok(1));
    });
}

fn whoever_pushes_batches<K: Kind>() {
    let queue = K::bounded::<u32>(4);
    neighbours_run_beside(async || {
        let mut items = VecDeque::from([1]);
        queue.push_many_async(&mut items).await.unwrap();
        assert_eq!(queue.try_pop(), Ok(1));
    });
}

/// Batches cost as much as their items do.
fn whoever_pushes_long_batches<K: Kind>() {
    let queue = K::unbounded::<u32>();
    let mut steps = 0;
    neighbours_run_beside(async || {
        steps += 1;
        assert!(steps < 1000, "the neighbour waits too long");
        let mut items: VecDeque<u32> = (0..32).collect();
        queue.push_many_async(&mut items).await.unwrap();
        let mut into = Vec::new();
        assert_eq!(queue.try_pop_many(&mut into, 32), Ok(32));
    });
}

fn whoever_selects<K: Kind>() {
    let (queue, other) = (K::bounded::<u32>(4), K::bounded::<u32>(4));
    neighbours_run_beside(async || {
        queue.try_push(1).unwrap();
        assert_eq!(pop_any_async(&[&queue, &other]).await, Ok((0, 1)));
    });
}

fn whoever_pops_a_stream_of_a_half<K: Kind>() {
    let queue = K::bounded::<u32>(4);
    let mut stream = pin!(queue.consumer().into_stream());
    neighbours_run_beside(async || {
        queue.try_push(1).unwrap();
        assert_eq!(poll_fn(|cx| stream.as_mut().poll_next(cx)).await, Some(1));
    });
}
