//! The swap: one source file, `program.rs`, compiled against every kind. A kind's own file
//! here names its type, and that is all the difference there is.

#![forbid(unsafe_code)]
#![allow(clippy::duplicate_mod)] // That is what this shows.

mod async_queue;
mod ipc_queue;
mod lock_free_queue;
mod pipe_queue;
mod shm_queue;
mod thread_queue;

/// What the program must see over every kind, line by line.
const EXPECTED: &str = include_str!("expected.txt");

macro_rules! sees_the_same {
    ($($kind:ident)*) => {$(
        #[test]
        fn $kind() {
            let seen = crate::$kind::program();
            let expected: Vec<&str> = EXPECTED.lines().collect();
            assert_eq!(seen, expected);
        }
    )*};
}

sees_the_same! { thread_queue lock_free_queue async_queue pipe_queue shm_queue ipc_queue }
