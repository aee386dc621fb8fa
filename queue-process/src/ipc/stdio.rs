//! Standard streams that are closed.

/// Puts `/dev/null`, for good, in the place of each standard stream that is closed, as Rust's
/// runtime does when a program starts. `ipc-channel` would get their numbers for its sockets,
/// and these then what the program prints; it offers no way to give a socket another number.
#[cfg(unix)]
pub(super) fn fill() {
    use std::fs::File;
    use std::os::fd::{AsRawFd, IntoRawFd};
    let null = || File::options().read(true).write(true).open("/dev/null");
    // If it cannot be opened all is as before.
    while let Ok(file) = null() {
        if file.as_raw_fd() > 2 {
            return;
        }
        // Nobody's, as any standard stream.
        let _ = file.into_raw_fd();
    }
}

/// Elsewhere they have no numbers that others could get.
#[cfg(not(unix))]
pub(super) fn fill() {}
