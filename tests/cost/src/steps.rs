//! Running a child one instruction at a time.

use std::io;
use std::process::Command;

/// What was done between two stops.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) instructions: u64,
    /// Read-modify-writes that lock a cache line, and fences.
    pub(crate) atomics: u64,
    pub(crate) calls: u64,
}

/// In the child: has the parent count what `run` does.
pub(crate) fn between<R>(run: impl FnOnce() -> R) -> R {
    imp::stop();
    let result = run();
    imp::stop();
    result
}

/// Starts `child`, and counts what it does in its two calls of [`between`].
pub(crate) fn count(child: &mut Command) -> io::Result<[Count; 2]> {
    imp::count(child)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod imp {
    use super::Count;
    use std::collections::HashMap;
    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::ptr::null_mut;

    /// Stops this process until its tracer goes on with it.
    pub(super) fn stop() {
        // SAFETY: sends this thread a signal, and touches no memory.
        unsafe { libc::raise(libc::SIGSTOP) };
    }

    pub(super) fn count(child: &mut Command) -> io::Result<[Count; 2]> {
        // SAFETY: between fork and exec the closure makes one system call, without pointers.
        unsafe {
            child.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        let mut child = child.spawn()?;
        let traced = Traced(child.id() as libc::pid_t);
        let counts = traced.counts();
        child.kill()?;
        child.wait()?;
        counts
    }

    struct Traced(libc::pid_t);

    /// What an instruction is.
    #[derive(Clone, Copy)]
    enum Class {
        Plain,
        Atomic,
        Call,
    }

    impl Traced {
        fn counts(&self) -> io::Result<[Count; 2]> {
            let mut classes = HashMap::new();
            let mut counts = [Count::default(); 2];
            self.wait()?; // It stops as its program starts.
            for count in &mut counts {
                self.go_on_to_stop()?;
                loop {
                    match self.class(&mut classes)? {
                        Class::Plain => {}
                        Class::Atomic => count.atomics += 1,
                        Class::Call => count.calls += 1,
                    }
                    count.instructions += 1;
                    self.request(libc::PTRACE_SINGLESTEP)?;
                    if self.wait()? == libc::SIGSTOP {
                        break;
                    }
                }
            }
            Ok(counts)
        }

        /// Lets it run until it stops itself. (At first it was stopped by its program's start.)
        fn go_on_to_stop(&self) -> io::Result<()> {
            loop {
                self.request(libc::PTRACE_CONT)?;
                if self.wait()? == libc::SIGSTOP {
                    return Ok(());
                }
            }
        }

        fn class(&self, known: &mut HashMap<u64, Class>) -> io::Result<Class> {
            // SAFETY: plain data, which the call fills.
            let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
            // SAFETY: `registers` is there to be written to.
            let got = unsafe {
                libc::ptrace(
                    libc::PTRACE_GETREGS,
                    self.0,
                    null_mut::<libc::c_void>(),
                    &raw mut registers,
                )
            };
            if got != 0 {
                return Err(io::Error::last_os_error());
            }
            let at = registers.rip;
            if let Some(class) = known.get(&at) {
                return Ok(*class);
            }
            // SAFETY: reads the memory of the child, and none of this process.
            let word = unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, self.0, at, 0) };
            let class = classify(&word.to_le_bytes());
            known.insert(at, class);
            Ok(class)
        }

        fn request(&self, request: libc::c_uint) -> io::Result<()> {
            // SAFETY: these requests read and write no memory of this process.
            match unsafe { libc::ptrace(request, self.0, 0, 0) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        }

        /// Waits until it has stopped: by which signal.
        fn wait(&self) -> io::Result<libc::c_int> {
            let mut status = 0;
            // SAFETY: `status` is there to be written to.
            match unsafe { libc::waitpid(self.0, &mut status, 0) } {
                -1 => Err(io::Error::last_os_error()),
                _ if libc::WIFSTOPPED(status) => Ok(libc::WSTOPSIG(status)),
                _ => Err(io::Error::other("it ended before all was counted")),
            }
        }
    }

    /// What the instruction that begins with these bytes is.
    fn classify(bytes: &[u8; 8]) -> Class {
        let mut rest = &bytes[..];
        let mut locked = false;
        while let [
            prefix @ (0x66 | 0xF2 | 0xF3 | 0x2E | 0x3E | 0x64 | 0x65 | 0xF0),
            tail @ ..,
        ] = rest
        {
            locked |= *prefix == 0xF0;
            rest = tail;
        }
        if let [0x40..=0x4F, tail @ ..] = rest {
            rest = tail;
        }
        match rest {
            _ if locked => Class::Atomic,
            // An exchange with memory locks it unasked.
            [0x86 | 0x87, mode, ..] if mode >> 6 != 3 => Class::Atomic,
            // mfence
            [0x0F, 0xAE, 0xF0, ..] => Class::Atomic,
            [0x0F, 0x05, ..] => Class::Call,
            _ => Class::Plain,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn tells_what_locks_and_what_calls() {
            let class = |bytes: &[u8]| {
                let mut all = [0x90; 8];
                all[..bytes.len()].copy_from_slice(bytes);
                match classify(&all) {
                    Class::Plain => "plain",
                    Class::Atomic => "atomic",
                    Class::Call => "call",
                }
            };
            // lock cmpxchg, lock xadd with a wide operand, xchg with memory, mfence
            assert_eq!(class(&[0xF0, 0x0F, 0xB1, 0x0F]), "atomic");
            assert_eq!(class(&[0xF0, 0x48, 0x0F, 0xC1, 0x07]), "atomic");
            assert_eq!(class(&[0x48, 0x87, 0x07]), "atomic");
            assert_eq!(class(&[0x0F, 0xAE, 0xF0]), "atomic");
            // xchg of two registers, mov, syscall
            assert_eq!(class(&[0x48, 0x87, 0xC3]), "plain");
            assert_eq!(class(&[0x48, 0x89, 0xC3]), "plain");
            assert_eq!(class(&[0x0F, 0x05]), "call");
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod imp {
    use super::Count;
    use std::io;
    use std::process::Command;

    pub(super) fn stop() {}

    pub(super) fn count(_: &mut Command) -> io::Result<[Count; 2]> {
        Err(io::Error::other(
            "instructions are counted on Linux, on x86-64, alone",
        ))
    }
}
