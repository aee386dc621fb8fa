mod futures;
mod join;
mod prepare;
mod sleepers;
mod stopped_peer;
mod waker_thread;
