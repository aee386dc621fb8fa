//! The kinds as types that a test can be generic over, with items of any type.

use ipc_channel::ipc;
use queue_async::AsyncQueue;
use queue_core::dynamic::DynQueue;
use queue_core::{Capacity, Queue, WithCapacity};
use queue_process::IpcQueue;
#[cfg(target_os = "linux")]
use queue_process::{PipeQueue, ShmQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What a handle of any kind is.
pub(crate) trait Handle<T: Send>: Queue<Item = T> + Clone + Debug + Unpin + 'static {}

impl<T: Send, Q: Queue<Item = T> + Clone + Debug + Unpin + 'static> Handle<T> for Q {}

/// An item that goes anywhere.
pub(crate) trait Item: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Item for T {}

/// A kind, whatever its items are.
pub(crate) trait Kind {
    type Of<T: Item>: Handle<T>;

    fn create<T: Item>(bound: Capacity) -> Self::Of<T>;

    fn bounded<T: Item>(n: usize) -> Self::Of<T> {
        Self::create(Capacity::bounded(n))
    }

    fn unbounded<T: Item>() -> Self::Of<T> {
        Self::create(Capacity::Unbounded)
    }
}

/// A kind whose items stay in the process, and so may be of any type.
pub(crate) trait Local {
    type Any<T: Send + 'static>: Handle<T> + WithCapacity;

    fn any<T: Send + 'static>(capacity: Option<usize>) -> Self::Any<T> {
        WithCapacity::try_with_capacity(capacity.map_or(Capacity::Unbounded, Capacity::bounded))
            .expect("a queue")
    }
}

macro_rules! kinds {
    ($($(#[$cfg:meta])* $name:ident = $queue:ident;)*) => {$(
        $(#[$cfg])*
        pub(crate) enum $name {}
        $(#[$cfg])*
        impl Kind for $name {
            type Of<T: Item> = $queue<T>;

            fn create<T: Item>(bound: Capacity) -> $queue<T> {
                WithCapacity::try_with_capacity(bound).expect("a queue")
            }

}
    )*};
}

kinds! {
    Thread = ThreadQueue;
    LockFree = LockFreeQueue;
    Async = AsyncQueue;
    #[cfg(target_os = "linux")]
    Pipe = PipeQueue;
    #[cfg(target_os = "linux")]
    Shm = ShmQueue;
    Ipc = IpcQueue;
}

/// An [`IpcQueue`] as its guests have it: every verb is a message to the host, which is in
/// the same process here.
pub(crate) enum Guest {}

impl Kind for Guest {
    type Of<T: Item> = IpcQueue<T>;

    fn create<T: Item>(bound: Capacity) -> IpcQueue<T> {
        let (sender, receiver) = ipc::channel().expect("a channel");
        let host = IpcQueue::<T>::try_with_capacity(bound).expect("a queue");
        sender.send(host).expect("the other end is there");
        receiver.recv().expect("what was sent")
    }
}

/// Any kind behind one type; this one, for it brings most of its own to what is boxed.
pub(crate) enum Boxed {}

impl Kind for Boxed {
    type Of<T: Item> = DynQueue<T>;

    fn create<T: Item>(bound: Capacity) -> DynQueue<T> {
        DynQueue::new(Async::create::<T>(bound))
    }
}

macro_rules! local {
    ($($name:ident = $queue:ident;)*) => {$(
        impl Local for $name {
            type Any<T: Send + 'static> = $queue<T>;
        }
    )*};
}

local! {
    Thread = ThreadQueue;
    LockFree = LockFreeQueue;
    Async = AsyncQueue;
}

/// Makes a test for every kind of each function named: `every` kind, or the `local` ones.
macro_rules! over {
    (local: $($test:ident),+ $(,)?) => {
        $crate::kinds::over! { @each [$($test)+] thread Thread, lock_free LockFree, tasks Async }
    };
    (every: $($test:ident),+ $(,)?) => {
        $crate::kinds::over! {
            @each [$($test)+]
            thread Thread, lock_free LockFree, tasks Async,
            #[cfg(target_os = "linux")] pipe Pipe,
            #[cfg(target_os = "linux")] shm Shm,
            ipc Ipc, guest Guest, boxed Boxed
        }
    };
    (@each [$test:ident $($more:ident)*] $($(#[$cfg:meta])* $module:ident $kind:ident),+) => {
        mod $test {
            $($(#[$cfg])*
            #[test]
            fn $module() {
                super::$test::<$crate::kinds::$kind>();
            })+
        }
        $crate::kinds::over! { @each [$($more)*] $($(#[$cfg])* $module $kind),+ }
    };
    (@each [] $($kinds:tt)+) => {};
}

pub(crate) use over;
