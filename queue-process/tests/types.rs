//! Two programs that mean different items by a queue: told apart in words, or brought together by
//! a name of their own.

#![cfg(all(target_os = "linux", not(loom)))]

use queue_process::{
    Capacity, Codec, Failure, FailureKind, IpcQueue, PipeQueue, Postcard, Queue, ShmQueue,
    WithCapacity,
};
use serde::{Deserialize, Serialize};

mod a {
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Job(pub(crate) u32);
}

mod b {
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Job(pub(crate) u32);
}

/// Postcard for jobs, whoever defined them.
enum Jobs {}

impl<T: Serialize + for<'de> Deserialize<'de>> Codec<T> for Jobs {
    const NAME: &'static str = "postcard of jobs";
    fn item_name() -> &'static str {
        "job, version 2"
    }
    fn encode(item: &T, into: &mut Vec<u8>) -> Result<(), Failure> {
        Postcard::encode(item, into)
    }
    fn decode(bytes: &[u8]) -> Result<T, Failure> {
        Postcard::decode(bytes)
    }
}

fn name(of: &str) -> String {
    format!("queue-types-{}-{of}", std::process::id())
}

#[track_caller]
fn says(failure: &Failure, words: &[&str]) {
    assert_eq!(failure.kind(), FailureKind::Mismatch);
    let text = failure.to_string();
    for word in words {
        assert!(text.contains(word), "{text}: {word}");
    }
}

macro_rules! linux {
    ($test:ident, $kind:ident) => {
        #[test]
        fn $test() {
            let bits = format!("words of {} bits", usize::BITS);
            let name = &name(stringify!($test));
            let jobs = $kind::<a::Job>::create_named(name, Capacity::bounded(2)).unwrap();
            let other = $kind::<b::Job>::open_named(name).unwrap_err();
            says(
                &other,
                &[
                    "types::a::Job`",
                    "types::b::Job`",
                    "`postcard`",
                    &bits,
                    "one library",
                ],
            );
            let other = $kind::<a::Job, Jobs>::open_named(name).unwrap_err();
            says(
                &other,
                &[
                    "types::a::Job`",
                    "job, version 2",
                    "`postcard`",
                    "`postcard of jobs`",
                ],
            );
            drop(jobs);

            let jobs = $kind::<a::Job, Jobs>::create_named(name, Capacity::bounded(2)).unwrap();
            let same = $kind::<b::Job, Jobs>::open_named(name).unwrap();
            jobs.push(a::Job(7)).unwrap();
            assert_eq!(same.pop().unwrap().0, 7);
        }
    };
}

linux!(pipe_queue, PipeQueue);
linux!(shm_queue, ShmQueue);

#[test]
fn ipc_queue() {
    fn sent<T: Send, C: Codec<T>, U: Send, D: Codec<U>>(
        queue: &IpcQueue<T, C>,
    ) -> Option<IpcQueue<U, D>> {
        let (sender, receiver) = ipc_channel::ipc::channel().unwrap();
        sender.send(queue.clone()).unwrap();
        let receiver = receiver.to_opaque().to::<IpcQueue<U, D>>();
        receiver.recv().ok()
    }
    let jobs = IpcQueue::<a::Job>::bounded(2);
    // ipc-channel has no room for the text of a failure.
    assert!(sent::<_, _, b::Job, Postcard>(&jobs).is_none());
    assert!(sent::<_, _, a::Job, Postcard>(&jobs).is_some());
    let jobs = IpcQueue::<a::Job, Jobs>::try_with_capacity(Capacity::bounded(2)).unwrap();
    let same = sent::<_, _, b::Job, Jobs>(&jobs).unwrap();
    jobs.push(a::Job(7)).unwrap();
    assert_eq!(same.pop().unwrap().0, 7);
}

#[test]
fn the_item_of_a_constructor_is_inferred_and_each_kind_says_its_name() {
    let (piped, shared) = (PipeQueue::bounded(8), ShmQueue::unbounded());
    let tried = (PipeQueue::try_unbounded(), ShmQueue::try_bounded(8));
    let (other, another): (PipeQueue<u8>, ShmQueue<u8>) = (tried.0.unwrap(), tried.1.unwrap());
    piped.push(String::from("said once")).unwrap();
    shared.push(7_u16).unwrap();
    assert_eq!(piped.pop().unwrap(), "said once");
    assert_eq!(shared.pop().unwrap(), 7);
    for (said, name) in [
        (format!("{piped:?}"), "PipeQueue {"),
        (format!("{other:?}"), "PipeQueue {"),
        (format!("{shared:?}"), "ShmQueue {"),
        (format!("{another:?}"), "ShmQueue {"),
    ] {
        assert!(said.starts_with(name), "{said}");
    }
}
