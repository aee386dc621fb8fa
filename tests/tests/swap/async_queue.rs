pub(crate) use queue_async as home;
pub(crate) type Kind<T> = home::AsyncQueue<T>;

#[path = "program.rs"]
mod program;
pub(crate) use program::program;

#[path = "readme.rs"]
mod readme;
pub(crate) use readme::example;
