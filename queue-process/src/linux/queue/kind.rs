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

        impl<T: Send, C: $crate::codec::Codec<T>> queue_core::WithCapacity for $kind<T, C> {
            fn try_with_capacity(bound: queue_core::Capacity) -> Result<Self, queue_core::Failure> {
                Self::options().create(bound)
            }
        }

        impl<T: Send, C: $crate::codec::Codec<T>> queue_core::Kind for $kind<T, C> {
            type Item = T;
            type Listener<'a>
                = $crate::linux::wait::listener::Listener<'a>
            where
                Self: 'a;

            fn listen(&self, side: queue_core::Side) -> Self::Listener<'_> {
                self.0.listen(side)
            }
            fn endpoints(&self) -> &queue_core::EndpointCounts {
                &self.0.shared().ends
            }
            fn id(&self) -> queue_core::QueueId {
                self.0.shared().id()
            }
            fn ready_hint(&self, side: queue_core::Side) -> usize {
                self.0.ready_hint(side)
            }
            fn on_last_endpoint(&self, side: queue_core::Side) {
                self.0.shared().on_last_endpoint(side);
            }
            fn on_first_endpoint(&self, side: queue_core::Side) {
                self.0.shared().on_first_endpoint(side);
            }
        }

        impl<T: Send, C: $crate::codec::Codec<T>> queue_core::Queue for $kind<T, C> {
            #[inline]
            fn try_push(&self, item: T) -> Result<(), queue_core::TryPushError<T>> {
                self.0.try_push(item)
            }
            #[inline]
            fn try_pop(&self) -> Result<T, queue_core::TryPopError> {
                self.0.try_pop()
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
        }
    };
}

pub(crate) use kind;
