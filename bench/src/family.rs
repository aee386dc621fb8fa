//! Our kinds as channels, for threads and for tasks: all through the one trait. The macros
//! write for the `Channel` and `subject` of the module that calls them.

/// Every kind of ours, as a `Channel`, and `subjects` of them all.
macro_rules! kinds {
    () => {
        /// Every kind of ours.
        pub fn subjects() -> Vec<Subject> {
            vec![
                subject::<ThreadKind>(Role::Ours),
                subject::<LockFreeKind>(Role::Ours),
                subject::<AsyncKind>(Role::Ours),
            ]
        }

        $crate::family::kind!(ThreadKind, "ThreadQueue", queue_thread::ThreadQueue);
        $crate::family::kind!(LockFreeKind, "LockFreeQueue", queue_thread::LockFreeQueue);
        $crate::family::kind!(AsyncKind, "AsyncQueue", queue_async::AsyncQueue);
    };
}

/// One of them.
macro_rules! kind {
    ($channel:ident, $name:literal, $($kind:ident)::+) => {
        $crate::channels::channel! {
            /// A kind of ours.
            $channel $name, many_to_many, |_| true;
            Producer<$($kind)::+<T>>, Consumer<$($kind)::+<T>>;
            |shape| {
                let bound = shape.capacity.map_or(Capacity::Unbounded, Capacity::bounded);
                let queue = <$($kind)::+<T> as WithCapacity>::try_with_capacity(bound).expect("in memory");
                queue.into_ends()
            }
        }
    };
}

pub(crate) use {kind, kinds};
