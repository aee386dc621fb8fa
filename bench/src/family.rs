//! Our kinds as channels, for threads and for tasks: all through the one trait.

/// Implements the `Channel` in scope for a kind of ours.
macro_rules! kind {
    ($channel:ident, $name:literal, $($kind:ident)::+) => {
        /// A kind of ours.
        pub struct $channel;

        impl Channel for $channel {
            const NAME: &'static str = $name;
            type Tx<T: Item> = Producer<T, $($kind)::+<T>>;
            type Rx<T: Item> = Consumer<T, $($kind)::+<T>>;

            fn supports(_: &Shape) -> bool {
                true
            }

            fn open<T: Item>(shape: &Shape) -> (Vec<Self::Tx<T>>, Vec<Self::Rx<T>>) {
                let bound = shape.capacity.map_or(Bound::Unbounded, Bound::items);
                let queue = <$($kind)::+<T> as Create>::create(bound).expect("in memory");
                let (tx, rx) = queue.into_ends();
                (copies(tx, shape.producers), copies(rx, shape.consumers))
            }
        }
    };
}

pub(crate) use kind;
