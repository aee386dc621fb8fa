//! [`handover`]: the same public face for both Linux kinds.

/// Writes how a kind, a newtype around a [`Handle`](crate::linux::queue::handle::Handle), is
/// handed to other processes.
macro_rules! handover {
    ($kind:ident) => {
        impl<T: Send, C: $crate::codec::Codec<T>> $kind<T, C> {
            /// Lets the children that `command` starts from now on take this queue by
            /// [`from_parent`](Self::from_parent) with the same `name`. Several queues
            /// can be shared with one child under different names, and one command can
            /// start several children; what it shared before under that name it no longer
            /// shares.
            ///
            /// A child takes part from the moment on in which `spawn` returns, and until
            /// it ends or drops what it took; `command` itself takes no part. Of a
            /// [`Producer`](queue_core::Producer) or [`Consumer`](queue_core::Consumer)
            /// the half alone is shared by [`Handover`]($crate::Handover), which these
            /// implement too.
            ///
            /// If `command` is a program that starts the one you mean (a shell, `timeout`),
            /// that takes part too, with as much as was shared, until it and all that it
            /// started have ended, whatever they dropped: share the half alone then.
            ///
            /// ```no_run
            #[doc = concat!("use queue_process::{", stringify!($kind), ", Queue};")]
            /// use std::process::Command;
            ///
            #[doc = concat!("let jobs = ", stringify!($kind), "::<String>::bounded(8);")]
            /// let mut worker = Command::new("worker");
            /// jobs.share_with(&mut worker, "JOBS")?;
            /// let mut worker = worker.spawn()?;
            /// jobs.push("sweep".into())?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// `Unsupported` if `name` is empty or contains `=` or a zero byte, `Io` if
            /// the system refuses.
            pub fn share_with(
                &self,
                command: &mut std::process::Command,
                name: &str,
            ) -> Result<(), queue_core::Failure> {
                self.0.share_with(None, command, name)
            }

            /// The queue that the parent of this process
            /// [shared](Self::share_with) under `name`, as much of it as it shared:
            /// if that is one half, the verbs of the other are `Denied`.
            ///
            /// Works once for each name: clone the handle for more. It is best called
            /// early, for what was shared is inherited by the children of this process
            /// too until it is taken.
            ///
            /// ```no_run
            #[doc = concat!("use queue_process::{", stringify!($kind), ", Queue};")]
            ///
            #[doc = concat!("let jobs = ", stringify!($kind), "::<String>::from_parent(\"JOBS\")?;")]
            /// for job in jobs.results() {
            ///     println!("{}", job?);
            /// }
            /// # Ok::<(), queue_process::Failure>(())
            /// ```
            ///
            /// # Errors
            /// `PeerGone` if nothing was shared with this process under that name;
            /// `Mismatch` if it is of another item type, codec or version; `Denied` if it
            /// was taken already; `Io` if the system refuses.
            pub fn from_parent(name: &str) -> Result<Self, queue_core::Failure> {
                $crate::linux::queue::handle::Handle::from_parent(None, name).map(Self)
            }

            /// The producing half of what the parent of this process shared under `name`.
            ///
            /// # Errors
            /// As [`from_parent`](Self::from_parent), and `Denied` if it is the
            /// consuming half.
            pub fn producer_from_parent(
                name: &str,
            ) -> Result<queue_core::Producer<Self>, queue_core::Failure> {
                let side = queue_core::Side::Producers;
                let queue = $crate::linux::queue::handle::Handle::from_parent(Some(side), name)?;
                let half = queue_core::Producer::new(Self(queue));
                queue_core::Kind::on_last_endpoint(half.queue(), queue_core::Side::Consumers);
                Ok(half)
            }

            /// The consuming half of what the parent of this process shared under `name`.
            ///
            /// # Errors
            /// As [`from_parent`](Self::from_parent), and `Denied` if it is the
            /// producing half.
            pub fn consumer_from_parent(
                name: &str,
            ) -> Result<queue_core::Consumer<Self>, queue_core::Failure> {
                let side = queue_core::Side::Consumers;
                let queue = $crate::linux::queue::handle::Handle::from_parent(Some(side), name)?;
                let half = queue_core::Consumer::new(Self(queue));
                queue_core::Kind::on_last_endpoint(half.queue(), queue_core::Side::Producers);
                Ok(half)
            }

            /// A handle that can do no more than one side, and counts as one of that side
            /// alone: for a message, say. The verbs of the other side are `Denied`.
            ///
            /// ```
            #[doc = concat!("use queue_process::{FailureKind, ", stringify!($kind), ", Queue, Side};")]
            ///
            #[doc = concat!("let jobs = ", stringify!($kind), "::<String>::bounded(8);")]
            /// let worker = jobs.half(Side::Consumers)?;
            /// jobs.push("sweep".into())?;
            /// assert_eq!(worker.pop()?, "sweep");
            /// let denied = worker.push("cook".into()).unwrap_err();
            /// assert_eq!(denied.failure().unwrap().kind(), FailureKind::Denied);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// `Denied` if this handle is the other half itself; `Io` if the system
            /// refuses.
            pub fn half(&self, side: queue_core::Side) -> Result<Self, queue_core::Failure> {
                self.0.half(side).map(Self)
            }

            /// A new queue that other processes of this user can
            /// [open](Self::open_named) under `name`, as long as this process has a
            /// handle of it.
            ///
            /// The name is no file: it vanishes with this process, however that ends, so
            /// nothing of a dead run is ever opened, nor anything that others planted.
            /// Processes of other users, and those in another network namespace, do not
            /// get the queue: each user has names of its own.
            ///
            /// It closes like any other when nobody is left on a side: who makes it and goes
            /// on with a [`Producer`](queue_core::Producer) alone drops its
            /// [`Consumer`](queue_core::Consumer) when others have come.
            ///
            /// ```
            #[doc = concat!("use queue_process::{Capacity, ", stringify!($kind), ", Queue};")]
            ///
            /// # let name = &format!("doc {} {}", std::process::id(), line!());
            #[doc = concat!("let jobs = ", stringify!($kind), "::<String>::create_named(name, Capacity::bounded(8))?;")]
            /// // In another process, say:
            #[doc = concat!("let same = ", stringify!($kind), "::<String>::open_named(name)?;")]
            /// same.push("sweep".into())?;
            /// assert_eq!(jobs.pop()?, "sweep");
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// `Denied` if a process that lives has the name, which any user's can take (the
            /// failure says whose it is where the system tells); `TooLarge` if the name is
            /// too long (80 bytes are not); `Unsupported` if it is empty; else as
            /// [`bounded`](Self::bounded).
            pub fn create_named(
                name: &str,
                bound: queue_core::Capacity,
            ) -> Result<Self, queue_core::Failure> {
                Self::options().create_named(name, bound)
            }

            /// The queue that a process of this user [created](Self::create_named) under
            /// `name`.
            ///
            /// # Errors
            /// `PeerGone` if there is none (any more), or none that answers within five
            /// seconds; `Mismatch` if it is of another item type, codec or version; `Denied` if
            /// there is one of another user alone, or another user's process has taken the
            /// name; `Io` if the system refuses.
            pub fn open_named(name: &str) -> Result<Self, queue_core::Failure> {
                $crate::linux::queue::handle::Handle::open_named(name).map(Self)
            }
        }

        impl<T: Send, C: $crate::codec::Codec<T>> $crate::Handover for $kind<T, C> {
            fn share_with(
                &self,
                command: &mut std::process::Command,
                name: &str,
            ) -> Result<(), queue_core::Failure> {
                self.0.share_with(None, command, name)
            }

            fn from_parent(name: &str) -> Result<Self, queue_core::Failure> {
                Self::from_parent(name)
            }
        }

        impl<T: Send, C: $crate::codec::Codec<T>> $crate::Handover
            for queue_core::Producer<$kind<T, C>>
        {
            fn share_with(
                &self,
                command: &mut std::process::Command,
                name: &str,
            ) -> Result<(), queue_core::Failure> {
                let side = Some(queue_core::Side::Producers);
                self.queue().0.share_with(side, command, name)
            }

            fn from_parent(name: &str) -> Result<Self, queue_core::Failure> {
                $kind::producer_from_parent(name)
            }
        }

        impl<T: Send, C: $crate::codec::Codec<T>> $crate::Handover
            for queue_core::Consumer<$kind<T, C>>
        {
            fn share_with(
                &self,
                command: &mut std::process::Command,
                name: &str,
            ) -> Result<(), queue_core::Failure> {
                let side = Some(queue_core::Side::Consumers);
                self.queue().0.share_with(side, command, name)
            }

            fn from_parent(name: &str) -> Result<Self, queue_core::Failure> {
                $kind::consumer_from_parent(name)
            }
        }

        /// For a message to another process, of `ipc-channel` or any other way: what
        /// stands in it is where to fetch the queue. It can be fetched once, by a process
        /// of the same user, within a minute and while the sender lives; till then it
        /// counts as a handle, with a thread and descriptors of its own: also if what it was
        /// written into is not sent, or comes back from a queue that is full.
        impl<T: Send, C: $crate::codec::Codec<T>> serde::Serialize for $kind<T, C> {
            fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                let text = self.0.to_message().map_err(serde::ser::Error::custom)?;
                serializer.serialize_str(&text)
            }
        }

        /// Fetches the queue: it must be done once, and soon.
        impl<'de, T: Send, C: $crate::codec::Codec<T>> serde::Deserialize<'de> for $kind<T, C> {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                let handle = $crate::linux::queue::handle::Handle::from_message(&text);
                handle.map(Self).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use handover;
