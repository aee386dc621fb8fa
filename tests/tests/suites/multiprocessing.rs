//! Scenarios of CPython's tests of `multiprocessing.Queue`: a child that takes over, that
//! looks at the same state, and that exits without a word.
//!
//! The child is this very program, told by an environment variable what to do.

use super::kinds::Handle;
use queue_core::{Capacity, PopTimeoutError, TryPushError, WithCapacity};
use std::env;
use std::process::{Command, Stdio, exit};
use std::time::{Duration, Instant};

const ROLE: &str = "SUITES_ROLE";

/// What a child needs of its kind: `share_with` and `from_parent` are the kind's own.
trait Shared: Handle<u64> + WithCapacity {
    fn share(&self, command: &mut Command);
    fn taken_up() -> Self;
}

macro_rules! kinds {
    ($($(#[$cfg:meta])* $module:ident $kind:ident;)*) => {
        $(
            $(#[$cfg])*
            impl Shared for queue_process::$kind<u64> {
                fn share(&self, command: &mut Command) {
                    self.share_with(command, "QUEUE").unwrap();
                }
                fn taken_up() -> Self {
                    Self::from_parent("QUEUE").unwrap()
                }
            }

            $(#[$cfg])*
            mod $module {
                type Kind = queue_process::$kind<u64>;

                #[test]
                fn order_over_processes() {
                    super::order_over_processes::<Kind>(stringify!($module));
                }

                #[test]
                fn a_child_exits_at_once() {
                    super::a_child_exits_at_once::<Kind>(stringify!($module));
                }

                #[test]
                fn a_child_takes_over() {
                    super::a_child_takes_over::<Kind>(stringify!($module));
                }
            }
        )*

        /// Not a test: a process that the tests start.
        #[test]
        #[ignore = "run by the tests, in processes of its own"]
        fn child_process() {
            let Ok(role) = env::var(ROLE) else { return };
            let (kind, role) = role.split_once(' ').expect("a kind and a role");
            match kind {
                $($(#[$cfg])* stringify!($module) => {
                    play(role, &queue_process::$kind::<u64>::taken_up());
                })*
                _ => panic!("no such kind: {kind}"),
            }
        }
    };
}

kinds! {
    #[cfg(target_os = "linux")]
    pipe PipeQueue;
    #[cfg(target_os = "linux")]
    shm ShmQueue;
    ipc IpcQueue;
}

fn play<Q: Shared>(role: &str, queue: &Q) {
    match role {
        "fill" => {
            assert_eq!(queue.len(), 10);
            assert!(!queue.is_full() && queue.capacity() == Some(20));
            (10..20).for_each(|n| queue.push(n).unwrap());
            assert!(queue.is_full());
            assert_eq!(queue.try_push(99), Err(TryPushError::Full(99)));
        }
        "exit" => {
            queue.push_many(&mut (0..1000).collect()).unwrap();
            exit(0); // Nothing is dropped, nothing runs any more.
        }
        "take" => {
            for n in 0..6 {
                assert_eq!(queue.pop(), Ok(n));
            }
            let start = Instant::now();
            let brief = Duration::from_millis(60);
            assert_eq!(queue.pop_timeout(brief), Err(PopTimeoutError::Timeout));
            assert!(start.elapsed() >= brief);
            queue.push(6).unwrap();
        }
        _ => panic!("no such role: {role}"),
    }
}

/// A child that plays `role` with `queue`.
fn started<Q: Shared>(kind: &str, role: &str, queue: &Q) -> std::process::Child {
    let mut command = Command::new(env::current_exe().unwrap());
    let test = "multiprocessing::child_process";
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command.env(ROLE, format!("{kind} {role}"));
    command.stdout(Stdio::null());
    queue.share(&mut command);
    command.spawn().unwrap()
}

/// What the parent pushed comes before what its child pushed after that, and both see one
/// length and one bound.
fn order_over_processes<Q: Shared>(kind: &str) {
    let queue = Q::try_with_capacity(Capacity::bounded(20)).unwrap();
    (0..10).for_each(|n| queue.push(n).unwrap());
    let mut child = started(kind, "fill", &queue);
    assert!(child.wait().unwrap().success());
    assert!(queue.is_full());
    assert!((0..20).all(|n| queue.pop() == Ok(n)));
    assert!(queue.is_empty());
}

/// A push that returned has happened: there is no thread left that would have to do it.
fn a_child_exits_at_once<Q: Shared>(kind: &str) {
    let queue = Q::try_with_capacity(Capacity::Unbounded).unwrap();
    let mut child = started(kind, "exit", &queue);
    assert!(child.wait().unwrap().success());
    assert_eq!(queue.len(), 1000);
    assert!(queue.try_iter().eq(0..1000));
}

/// A child empties a full queue, so that its parent's push goes on, and answers.
fn a_child_takes_over<Q: Shared>(kind: &str) {
    let queue = Q::try_with_capacity(Capacity::bounded(4)).unwrap();
    (0..4).for_each(|n| queue.push(n).unwrap());
    let mut child = started(kind, "take", &queue);
    queue.push(4).unwrap();
    queue.push(5).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(queue.pop(), Ok(6));
    assert!(queue.is_empty());
}
