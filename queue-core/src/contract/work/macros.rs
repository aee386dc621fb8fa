//! [`work_contract!`](crate::work_contract!): a test for every clause about deliveries.

/// Makes a module with one `#[test]` for every clause W1 to W6 of one kind that lends its items:
/// what [`contract!`](crate::contract!) is to C1 to C15.
///
/// ```text
/// queue_core::work_contract! {
///     mod my_queue_works;
///     kind: MyQueue;
///     items: Vec<u8>; // if it does not take any item
///     create: |bound| Ok(MyQueue::new(bound)); // where it is not by `WithCapacity`
///     unordered: "why what comes back does not come in order"; // left out, and seen to be
/// }
/// ```
#[macro_export]
macro_rules! work_contract {
    ($(#[$meta:meta])* mod $name:ident; kind: $($kind:ident)::+; $(create: $create:expr;)?
        $(unordered: $why:literal;)?) => {
        $crate::work_contract! {
            $(#[$meta])* mod $name; kind: $($kind)::+; items: u64; $(create: $create;)?
            $(unordered: $why;)?
        }
    };
    ($(#[$meta:meta])* mod $name:ident; kind: $($kind:ident)::+; items: $item:ty;
        $(create: $create:expr;)? $(unordered: $why:literal;)?) => {
        #[cfg(test)]
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::contract! { @subject Items $item, $($kind)::+, [$($create)?] [] [] }
            #[test]
            fn w1_settled_once() { $crate::contract::w1_settled_once::<Items>(); }
            #[test]
            fn w2_comes_back() { $crate::contract::w2_comes_back::<Items>(); }
            $crate::work_contract! { @w3 [$($why)?] }
            #[test]
            fn w4_attempts() { $crate::contract::w4_attempts::<Items>(); }
            #[test]
            fn w5_close() { $crate::contract::w5_close::<Items>(); }
            #[test]
            fn w6_join() { $crate::contract::w6_join::<Items>(); }
        }
    };
    (@w3 []) => {
        #[test]
        fn w3_keeps_its_slot() { $crate::contract::w3_keeps_its_slot::<Items>(); }
    };
    (@w3 [$why:literal]) => {
        #[test]
        fn w3_keeps_its_slot() { $crate::contract::w3_keeps_its_slot_unordered::<Items>(); }
        #[test]
        #[ignore = $why]
        fn w3_order_of_what_comes_back() { $crate::contract::w3_keeps_its_slot::<Items>(); }
    };
}
