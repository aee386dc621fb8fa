//! What the adapters of channels between threads and those between tasks have in common:
//! everything but the sending and the receiving. The macros write for the `Channel`, `Tx`,
//! `Rx` and `subject` of the module that calls them.

/// `count` handles of one half.
pub fn copies<H: Clone>(half: H, count: usize) -> Vec<H> {
    let mut all = vec![half.clone(); count - 1];
    all.push(half);
    all
}

/// A channel whose halves are `$tx` and `$rx`; `$sides` is how many of each it takes.
macro_rules! channel {
    (
        $(#[$doc:meta])* $kind:ident $name:expr, $sides:ident, $when:expr;
        $tx:ty, $rx:ty; |$shape:ident| $open:expr
    ) => {
        $(#[$doc])*
        pub struct $kind;

        impl Channel for $kind {
            const NAME: &'static str = $name;
            type Tx<T: Item> = $tx;
            type Rx<T: Item> = $rx;

            fn supports(shape: &Shape) -> bool {
                let when: fn(&Shape) -> bool = $when;
                $crate::channels::channel!(@takes $sides, shape) && when(shape)
            }

            fn open<T: Item>($shape: &Shape) -> (Vec<Self::Tx<T>>, Vec<Self::Rx<T>>) {
                let (tx, rx) = $open;
                $crate::channels::channel!(@spread $sides, tx, rx, $shape)
            }
        }
    };
    (@takes many_to_many, $shape:ident) => { true };
    (@takes many_to_one, $shape:ident) => { $shape.consumers == 1 };
    (@takes one_to_one, $shape:ident) => { $shape.producers == 1 && $shape.consumers == 1 };
    (@spread many_to_many, $tx:ident, $rx:ident, $shape:ident) => {
        (
            $crate::channels::copies($tx, $shape.producers),
            $crate::channels::copies($rx, $shape.consumers),
        )
    };
    (@spread many_to_one, $tx:ident, $rx:ident, $shape:ident) => {
        ($crate::channels::copies($tx, $shape.producers), vec![$rx])
    };
    (@spread one_to_one, $tx:ident, $rx:ident, $shape:ident) => { (vec![$tx], vec![$rx]) };
}

/// The flavours of crossfire, each in every shape that it takes, for the one that is made for a
/// shape is not always the best there: `Array` with a bound, `List` without; and `subjects` of
/// them all.
macro_rules! flavours {
    ($($kind:ident: $module:ident::$storage:ident, $sides:ident, $tx:ident, $rx:ident, $new:ident;)+) => {
        /// Every flavour of crossfire.
        pub fn subjects() -> Vec<Subject> {
            vec![$(subject::<$kind>(Role::Peer)),+]
        }

        $(
        $crate::channels::channel! {
            /// One flavour of crossfire.
            $kind concat!("crossfire ", stringify!($module)), $sides, |shape| {
                $crate::channels::flavours!(@for $storage, shape)
            };
            crossfire::$tx<$module::$storage<T>>, crossfire::$rx<$module::$storage<T>>;
            |shape| $crate::channels::flavours!(@new $storage, $module::$new, shape)
        }
        )+
    };
    (@for Array, $shape:ident) => { $shape.capacity.is_some() };
    (@for List, $shape:ident) => { $shape.capacity.is_none() };
    (@new Array, $new:path, $shape:ident) => { $new($shape.capacity.expect("a bound")) };
    (@new List, $new:path, $shape:ident) => {{
        let _ = $shape;
        $new()
    }};
}

pub(crate) use {channel, flavours};
