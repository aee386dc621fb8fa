//! Our kinds as channels, for threads and for tasks: all through the one trait.

/// Implements the `Channel` in scope for a kind of ours.
macro_rules! kind {
    ($channel:ident, $name:literal, $($kind:ident)::+) => {
        $crate::channels::channel! {
            /// A kind of ours.
            $channel $name, many_to_many, |_| true;
            Producer<T, $($kind)::+<T>>, Consumer<T, $($kind)::+<T>>;
            |shape| {
                let bound = shape.capacity.map_or(Bound::Unbounded, Bound::items);
                let queue = <$($kind)::+<T> as Create>::create(bound).expect("in memory");
                queue.into_ends()
            }
        }
    };
}

pub(crate) use kind;
