//! Handing queues to real processes: children, strangers, and whoever gets a message.
//!
//! The other processes are this very program, told by an environment variable to be a
//! child instead of a test. Everything here is compiled once for each kind, which it
//! knows as `Kind`.

#![cfg(all(target_os = "linux", not(loom)))]
#![allow(clippy::duplicate_mod)]

mod tools;

use queue_process::codec::Postcard;
use queue_process::{PipeQueue, ShmQueue};
use std::env;
use std::process::Command;

macro_rules! suite {
    ($module:ident, $kind:ident, $other:ident) => {
        #[path = "."]
        mod $module {
            use super::*;

            mod children;
            mod deaths;
            mod names;
            mod refusals;
            mod strangers;

            type Kind<T, C = Postcard> = $kind<T, C>;
            type Jobs = Kind<u64>;
            type OtherKind = $other<u64>;

            /// A child that is to do `role`, not yet started.
            fn child(role: &str) -> Command {
                tools::child(stringify!($module), role)
            }

            /// A name that no other test uses.
            fn name(what: &str) -> String {
                let kind = stringify!($module);
                format!("test {what} {kind} {}", std::process::id())
            }

            pub(super) fn play(role: &str) {
                let roles = [
                    children::ROLES,
                    deaths::ROLES,
                    names::ROLES,
                    refusals::ROLES,
                    strangers::ROLES,
                ];
                let role = roles.concat().into_iter().find(|(name, _)| *name == role);
                role.expect("a role").1();
            }
        }
    };
}

suite!(pipe, PipeQueue, ShmQueue);
suite!(shm, ShmQueue, PipeQueue);

/// Not a test: a process that the tests start.
#[test]
#[ignore = "run by the tests, in processes of its own"]
fn child_process() {
    let Ok(role) = env::var(tools::ROLE) else {
        return;
    };
    match role.split_once(' ') {
        Some(("pipe", role)) => pipe::play(role),
        Some(("shm", role)) => shm::play(role),
        _ => panic!("no such role: {role}"),
    }
}
