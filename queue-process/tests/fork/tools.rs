//! Processes that are copies of this one: made, waited for, killed. All unsafe code of these
//! tests is here.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A child that is waited for, or killed when dropped.
pub(crate) struct Forked(libc::pid_t);

/// Forks: the child in the parent, `None` in the child, which is to end by [`exit`].
pub(crate) fn fork() -> Option<Forked> {
    // SAFETY: these tests run in processes with a single thread; or the child does what the crate
    // promises to be possible, beside what the allocator and `fork` see to.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", io::Error::last_os_error());
    (pid != 0).then(|| Forked(pid))
}

/// Forks by the bare system call, of which no library is told.
pub(crate) fn bare_fork() -> Option<Forked> {
    // SAFETY: as in `fork`; in a process with a single thread the allocator is at rest.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    assert!(pid >= 0, "{}", io::Error::last_os_error());
    (pid != 0).then(|| Forked(pid as libc::pid_t))
}

/// Ends this process in order: what is to run at its end runs.
pub(crate) fn exit() -> ! {
    std::process::exit(0)
}

/// Ends this process here.
pub(crate) fn exit_at_once() -> ! {
    // SAFETY: it does not return.
    unsafe { libc::_exit(0) }
}

/// The processes that this one starts from now on have a namespace of their own for their
/// numbers, of which the first is 1: whether the system lets us.
pub(crate) fn own_numbers() -> bool {
    // SAFETY: a system call that concerns no memory.
    let unshare = |what| unsafe { libc::unshare(what) } == 0;
    unshare(libc::CLONE_NEWPID) || unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID)
}

/// This process opens no more files from now on.
pub(crate) fn open_no_more() {
    limit_files(|_| 0);
}

/// It does again.
pub(crate) fn open_again() {
    limit_files(|most| most);
}

/// Sets how many files this process may open, by the most that it may be allowed.
fn limit_files(files: impl Fn(libc::rlim_t) -> libc::rlim_t) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: they read and write a valid `rlimit`.
    let limited = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = files(limit.rlim_max);
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    };
    assert_eq!(limited, 0);
}

/// How long the threads of this process have run.
pub(crate) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Forked {
    /// How it ended, if it has or does within that time.
    fn status(&self, within: Duration) -> Option<i32> {
        let late = Instant::now() + within;
        loop {
            let mut status = 0;
            // SAFETY: `status` is valid, and ours alone.
            match unsafe { libc::waitpid(self.0, &raw mut status, libc::WNOHANG) } {
                0 if Instant::now() < late => thread::sleep(Duration::from_millis(1)),
                0 => return None,
                _ => return Some(status),
            }
        }
    }

    /// Waits for its end, which must be a good one.
    #[track_caller]
    pub(crate) fn succeeds(self) {
        let status = self.status(LONG);
        assert!(status.is_some(), "the child hangs");
        std::mem::forget(self);
        assert_eq!(status, Some(0), "the child failed");
    }

    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        // SAFETY: a child that was not waited for: nobody else has its number.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        self.status(LONG);
    }
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker of this thread.
pub(crate) fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// What comes of `future`, polled by this thread when it is woken, and never else.
#[track_caller]
pub(crate) fn in_time<R>(mut future: impl Future<Output = R> + Unpin) -> R {
    let (waker, begun) = (waker(), Instant::now());
    loop {
        let mut cx = Context::from_waker(&waker);
        if let Poll::Ready(result) = std::pin::Pin::new(&mut future).poll(&mut cx) {
            return result;
        }
        thread::park_timeout(LONG);
        assert!(begun.elapsed() < LONG, "nobody wakes it");
    }
}
