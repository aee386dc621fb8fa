//! The system calls by which items get into the pipe and the file, and out again. In a model
//! others stand in for them.

#[cfg(not(loom))]
pub(crate) use {
    crate::sys::{give_back, refused},
    rustix::fd::{AsFd, BorrowedFd, OwnedFd},
    rustix::io::{ioctl_fionread, pread, pwrite, read, write},
};

#[cfg(loom)]
pub(crate) use super::modelled::{
    AsFd, BorrowedFd, OwnedFd, give_back, ioctl_fionread, pread, pwrite, read, refused, write,
};

pub(crate) use rustix::io::Errno;
