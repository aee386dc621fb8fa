pub(crate) use queue_thread as home;
pub(crate) type Kind<T> = home::ThreadQueue<T>;

#[path = "program.rs"]
mod program;
pub(crate) use program::program;

#[path = "readme.rs"]
mod readme;
pub(crate) use readme::example;
