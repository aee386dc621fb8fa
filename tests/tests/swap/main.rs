//! The swap: one source file, `program.rs`, compiled against every kind. A kind's own file
//! here names its type, and that is all the difference there is.

#![forbid(unsafe_code)]
#![allow(clippy::duplicate_mod)] // That is what this shows.

mod async_queue;
mod facade;
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
            crate::$kind::example();
        }
    )*};
}

sees_the_same! { thread_queue lock_free_queue async_queue pipe_queue shm_queue ipc_queue facade }

/// What `readme.rs` shows is what the README does, but for the line that names the kind.
#[test]
fn the_example_is_the_one_of_the_readme() {
    let code = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        let lines = lines.skip_while(|line| !line.starts_with("let jobs = Kind::"));
        lines
            .take_while(|line| !line.starts_with("```"))
            .map(str::to_string)
            .collect()
    };
    let readme = code(include_str!("../../../README.md"));
    let mut ours = code(include_str!("readme.rs"));
    assert_eq!(ours.pop().as_deref(), Some("}"));
    assert_eq!(readme, ours);
    assert!(
        include_str!("../../../README.md")
            .contains("type Kind<T> = ThreadQueue<T>; // the one line to change")
    );
}
