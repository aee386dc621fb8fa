//! [`kind`]: what makes a newtype around a [`Handle`](super::handle::Handle) a queue.

/// Writes what every kind has that is a newtype around a `Handle` and has `options`.
macro_rules! kind {
    ($kind:ident) => {
        /// With the codec [`Postcard`]($crate::codec::Postcard); another comes through
        /// [`options`](Self::options).
        impl<T: Send> $kind<T>
        where
            $crate::codec::Postcard: $crate::codec::Codec<T>,
        {
            queue_core::constructors!();
        }

        impl<T, C> Clone for $kind<T, C> {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl<T, C> std::fmt::Debug for $kind<T, C> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.debug(stringify!($kind), f)
            }
        }

        impl<T: Send, C: $crate::codec::Codec<T>> queue_core::Create for $kind<T, C> {
            fn create(bound: queue_core::Bound) -> Result<Self, queue_core::Failure> {
                Self::options().create(bound)
            }
        }

        impl<T: Send, C: $crate::codec::Codec<T>> queue_core::Queue<T> for $kind<T, C> {
            type Listener<'a>
                = $crate::linux::wait::listener::Listener<'a>
            where
                Self: 'a;

            #[inline]
            fn try_push(&self, item: T) -> Result<(), queue_core::TryPushError<T>> {
                self.0.try_push(item)
            }
            #[inline]
            fn try_pop(&self) -> Result<T, queue_core::TryPopError> {
                self.0.try_pop()
            }
            fn listen_items(&self) -> Self::Listener<'_> {
                self.0.listen(queue_core::Side::Consumers)
            }
            fn listen_places(&self) -> Self::Listener<'_> {
                self.0.listen(queue_core::Side::Producers)
            }
            fn ends(&self) -> &queue_core::Ends {
                &self.0.shared().ends
            }
            fn len(&self) -> usize {
                self.0.shared().len()
            }
            fn capacity(&self) -> Option<usize> {
                self.0.shared().limits.bound.capacity()
            }
            fn close(&self) -> bool {
                self.0.shared().engine.close()
            }
            fn is_closed(&self) -> bool {
                self.0.shared().is_closed()
            }
            fn glance(&self, side: queue_core::Side) -> usize {
                self.0.glance(side)
            }
            fn close_now(&self) -> Vec<T> {
                self.0.close_now()
            }
            #[inline]
            fn push_until(
                &self,
                item: T,
                deadline: queue_core::sync::Deadline,
            ) -> Result<(), queue_core::PushTimeoutError<T>> {
                self.0.push_until(item, deadline)
            }
            fn push_async(
                &self,
                item: T,
            ) -> impl Future<Output = Result<(), queue_core::PushError<T>>> + Send {
                self.0.push_async(item)
            }
            fn try_push_many(
                &self,
                items: &mut std::collections::VecDeque<T>,
            ) -> Result<usize, queue_core::TryPushError<()>> {
                self.0.try_push_many(items)
            }
            fn try_pop_many(
                &self,
                into: &mut Vec<T>,
                max: usize,
            ) -> Result<usize, queue_core::TryPopError> {
                self.0.try_pop_many(into, max)
            }
            fn retire(&self, side: queue_core::Side) {
                self.0.shared().retire(side);
            }
            fn enlist(&self, side: queue_core::Side) {
                self.0.shared().enlist(side);
            }
        }
    };
}

pub(crate) use kind;
