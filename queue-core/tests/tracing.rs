//! What a [`Metered`] queue tells `tracing`.

#![cfg(not(loom))]

mod common;

use common::{Job, Simple};
use queue_core::contract::Item;
use queue_core::{Capacity, Metered, Queue, WithCapacity, WorkQueue};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes down all events: level, target, and fields.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().target().to_string());
        event.record(&mut fields);
        let line = (*event.metadata().level(), fields.0);
        self.0.lock().unwrap().push(line);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn what_happens_to_a_queue_is_told() {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let simple = Simple::<Job>::with_capacity(Capacity::bounded(1));
        let queue = Metered::new("jobs", simple);
        queue.push(Job::new(1)).unwrap();
        let _ = queue.push_timeout(Job::new(2), Duration::from_millis(1));
        queue.receive().unwrap().nack().unwrap();
        queue.receive().unwrap().ack().unwrap();
        assert!(queue.try_push(Job::bad()).is_err());
        // Once, however often.
        queue.close();
        drop(queue.close_now());
    });
    let told = std::mem::take(&mut *log.0.lock().unwrap());
    let expected: [(Level, &[&str]); 8] = [
        (Level::TRACE, &["side=Producers", "items=1"]),
        (Level::DEBUG, &["side=Producers", "waited="]),
        (Level::TRACE, &["message=delivered ", "attempt=1"]),
        (Level::DEBUG, &["message=given back as not done"]),
        (Level::DEBUG, &["message=delivered once more", "attempt=2"]),
        (Level::TRACE, &["message=acked"]),
        (Level::WARN, &["message="]),
        (Level::INFO, &["message=closed"]),
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for ((level, text), expected) in told.iter().zip(expected) {
        assert_eq!(*level, expected.0, "{text}");
        assert!(text.starts_with("queue "), "{text}");
        for field in expected.1.iter().chain(&["queue=\"jobs\""]) {
            assert!(text.contains(field), "{text} without {field}");
        }
    }
}

#[test]
fn the_close_by_the_last_half_is_told() {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let simple = Simple::<Job>::with_capacity(Capacity::bounded(1));
        let (producer, _consumer) = Metered::new("jobs", simple).into_ends();
        drop(producer);
    });
    let told = std::mem::take(&mut *log.0.lock().unwrap());
    let [(Level::INFO, text)] = &told[..] else {
        panic!("{told:#?}");
    };
    assert!(text.contains("message=closed"), "{text}");
}
