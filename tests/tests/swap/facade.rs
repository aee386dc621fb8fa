pub(crate) use queue_any as home;
pub(crate) type Kind<T> = home::ShmQueue<T>;

#[path = "program.rs"]
mod program;
pub(crate) use program::program;

#[path = "readme.rs"]
mod readme;
pub(crate) use readme::example;
