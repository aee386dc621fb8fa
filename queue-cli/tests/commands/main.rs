//! The real program, from real shells, killed with `kill -9` too.

#![cfg(target_os = "linux")]

mod pop;
mod readme;
mod tools;
mod watch;
mod work;
