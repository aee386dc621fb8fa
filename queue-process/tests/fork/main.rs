//! Processes that fork without starting another program, as daemons do.
//!
//! Each test runs in a process of its own, which has a single thread unless the test starts
//! more: so it cannot run in a test harness. This very program is told by an
//! environment variable which test to be.

#[cfg(all(target_os = "linux", not(loom)))]
mod copies;
#[cfg(all(target_os = "linux", not(loom)))]
mod ipc;
#[cfg(all(target_os = "linux", not(loom)))]
mod members;
#[cfg(all(target_os = "linux", not(loom)))]
mod tools;

#[cfg(all(target_os = "linux", not(loom)))]
mod run {
    use queue_core::WithCapacity;
    use queue_core::work::Lend;
    use queue_process::{Consumer, Handover, PipeQueue, Producer, ShmQueue};
    use std::os::unix::process::CommandExt;
    use std::process::{Command, ExitCode};
    use std::time::{Duration, Instant};
    use std::{env, thread};

    /// The test, or other role, that this process is to be.
    pub(crate) const ROLE: &str = "FORK_ROLE";

    /// A queue of numbers, of either kind.
    pub(crate) trait Jobs:
        Lend<Item = u64> + WithCapacity + Handover + Clone + std::fmt::Debug + 'static
    {
        const KIND: &'static str;
        fn of(n: usize) -> Self;
        fn named(name: &str) -> Result<Self, queue_process::Failure>;
        fn open(name: &str) -> Result<Self, queue_process::Failure>;
        /// What the parent shared of each half.
        fn producer_named(name: &str) -> Producer<Self>;
        fn consumer_named(name: &str) -> Consumer<Self>;
        fn share_producer(half: &Producer<Self>, with: &mut Command, name: &str);
        fn share_consumer(half: &Consumer<Self>, with: &mut Command, name: &str);
    }

    macro_rules! jobs {
        ($kind:ident) => {
            impl Jobs for $kind<u64> {
                const KIND: &'static str = stringify!($kind);
                fn of(n: usize) -> Self {
                    Self::bounded(n)
                }
                fn named(name: &str) -> Result<Self, queue_process::Failure> {
                    Self::create_named(name, queue_process::Capacity::bounded(4))
                }
                fn open(name: &str) -> Result<Self, queue_process::Failure> {
                    Self::open_named(name)
                }
                fn producer_named(name: &str) -> Producer<Self> {
                    Self::producer_from_parent(name).unwrap()
                }
                fn consumer_named(name: &str) -> Consumer<Self> {
                    Self::consumer_from_parent(name).unwrap()
                }
                fn share_producer(half: &Producer<Self>, with: &mut Command, name: &str) {
                    half.share_with(with, name).unwrap();
                }
                fn share_consumer(half: &Consumer<Self>, with: &mut Command, name: &str) {
                    half.share_with(with, name).unwrap();
                }
            }
        };
    }
    jobs!(PipeQueue);
    jobs!(ShmQueue);

    /// What a process can be told to be, by name.
    pub(crate) type Role = (String, fn());

    /// A name for each, over both kinds.
    #[macro_export]
    macro_rules! roles {
        ($($role:ident),* $(,)?) => {
            vec![$(
                (concat!("pipe ", stringify!($role)).to_owned(), $role::<queue_process::PipeQueue<u64>> as fn()),
                (concat!("shm ", stringify!($role)).to_owned(), $role::<queue_process::ShmQueue<u64>> as fn()),
            )*]
        };
    }

    /// This program, to be `role`, not yet started.
    pub(crate) fn program(role: &str) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.env(ROLE, role);
        command
    }

    fn all() -> (Vec<Role>, Vec<Role>) {
        let tests = [
            super::copies::tests(),
            super::members::tests(),
            super::ipc::tests(),
        ];
        let roles = [super::members::roles(), super::ipc::roles()];
        (tests.concat(), roles.concat())
    }

    /// Whether the test of that name passes.
    fn passes(name: &str) -> bool {
        // With all that it starts, to end with it.
        let mut child = program(name).process_group(0).spawn().unwrap();
        let late = Instant::now() + Duration::from_secs(100);
        let passed = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status.success(),
                None if Instant::now() < late => thread::sleep(Duration::from_millis(2)),
                None => break false,
            }
        };
        let group = format!("-{}", child.id());
        // Fails where nothing is left.
        let _ = Command::new("kill").args(["-KILL", "--", &group]).output();
        let _ = child.wait();
        passed
    }

    pub(crate) fn main() -> ExitCode {
        let (tests, roles) = all();
        if let Ok(role) = env::var(ROLE) {
            let mut known = tests.into_iter().chain(roles);
            known.find(|(name, _)| *name == role).expect("a role").1();
            return ExitCode::SUCCESS;
        }
        let arguments: Vec<_> = env::args().skip(1).collect();
        let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
        let wanted = |name: &str| wanted.is_none_or(|wanted| name.contains(wanted.as_str()));
        let mut failed = 0;
        for (name, _) in tests.iter().filter(|(name, _)| wanted(name)) {
            if arguments.iter().any(|argument| argument == "--list") {
                println!("{name}: test");
                continue;
            }
            let passed = passes(name);
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            failed += usize::from(!passed);
        }
        match failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

#[cfg(all(target_os = "linux", not(loom)))]
use run::{Jobs, Role, program};

#[cfg(all(target_os = "linux", not(loom)))]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(all(target_os = "linux", not(loom))))]
fn main() {}
