//! [`contract!`](crate::contract!): a test for every clause.

/// Makes a module with one `#[test]` for every clause of the [contract](mod@crate::contract)
/// of one kind; the module's page says how to call it.
#[macro_export]
macro_rules! contract {
    // The name and the kind, then the options in any order.
    ($(#[$meta:meta])* mod $name:ident; kind: $($kind:ident)::+; $($options:tt)*) => {
        $crate::contract! {
            @options {$(#[$meta])* mod $name; $($kind)::+}
            items [] create [] refused [] panicking [] except [];
            $($options)*
        }
    };
    (@options $kind:tt items [] create $c:tt refused $r:tt panicking $x:tt except $e:tt;
        items: $item:ty; $($rest:tt)*) => {
        $crate::contract! {
            @options $kind items [$item] create $c refused $r panicking $x except $e; $($rest)*
        }
    };
    (@options $kind:tt items $i:tt create [] refused $r:tt panicking $x:tt except $e:tt;
        create: $create:expr; $($rest:tt)*) => {
        $crate::contract! {
            @options $kind items $i create [$create] refused $r panicking $x except $e; $($rest)*
        }
    };
    (@options $kind:tt items $i:tt create $c:tt refused [] panicking $x:tt except $e:tt;
        refused: $refused:expr; $($rest:tt)*) => {
        $crate::contract! {
            @options $kind items $i create $c refused [$refused] panicking $x except $e; $($rest)*
        }
    };
    (@options $kind:tt items $i:tt create $c:tt refused $r:tt panicking [] except $e:tt;
        panicking: $panicking:expr; $($rest:tt)*) => {
        $crate::contract! {
            @options $kind items $i create $c refused $r panicking [$panicking] except $e; $($rest)*
        }
    };
    (@options $kind:tt items $i:tt create $c:tt refused $r:tt panicking $x:tt except [$($e:tt)*];
        except $clause:ident: $why:literal; $($rest:tt)*) => {
        $crate::contract! {
            @options $kind items $i create $c refused $r panicking $x
            except [$($e)* $clause $why]; $($rest)*
        }
    };

    // All options are known. A kind of any item is tried with numbers, and with probes
    // where drops count; any other with its one type of item.
    (@options {$(#[$meta:meta])* mod $name:ident; $($kind:tt)*}
        items [] create $c:tt refused $r:tt panicking $x:tt except $e:tt;) => {
        #[cfg(test)]
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::contract! { @subject Items u64, $($kind)*, $c $r $x }
            $crate::contract! { @subject DropProbes $crate::contract::DropProbe, $($kind)*, $c [] [] }
            $crate::contract! { @tests $e { $crate::contract::c11_drop_any_item::<DropProbes>(); } }
        }
    };
    (@options {$(#[$meta:meta])* mod $name:ident; $($kind:tt)*}
        items [$item:ty] create $c:tt refused $r:tt panicking $x:tt except $e:tt;) => {
        #[cfg(test)]
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::contract! { @subject Items $item, $($kind)*, $c $r $x }
            $crate::contract! { @tests $e {} }
        }
    };

    (@subject $subject:ident $item:ty, $($kind:ident)::+,
        [$($create:expr)?] [$($refused:expr)?] [$($panicking:expr)?]) => {
        #[derive(Debug)]
        struct $subject;
        impl $crate::contract::Subject for $subject {
            type Item = $item;
            type Queue = $($kind)::+<$item>;
            fn create(bound: $crate::Capacity) -> ::std::result::Result<Self::Queue, $crate::Failure> {
                $crate::contract! { @create bound [$($create)?] }
            }
            $(
                fn refused() -> ::std::option::Option<Self::Item> {
                    ::std::option::Option::Some($refused)
                }
            )?
            $(
                fn panicking() -> ::std::option::Option<Self::Item> {
                    ::std::option::Option::Some($panicking)
                }
            )?
        }
    };
    (@create $bound:ident []) => { <Self::Queue as $crate::WithCapacity>::try_with_capacity($bound) };
    (@create $bound:ident [$create:expr]) => {{
        let create: fn($crate::Capacity) -> ::std::result::Result<Self::Queue, $crate::Failure> = $create;
        create($bound)
    }};

    (@tests [$($clause:ident $why:literal)*] {$($drops:tt)*}) => {
        // An exception that names no clause does not compile.
        #[allow(dead_code)]
        const EXCEPT: &[$crate::contract::Clause] = &[$($crate::contract::Clause::$clause),*];
        $crate::contract! { @test C1 c1_fifo [$($clause $why)*] { $crate::contract::c1_fifo::<Items>(); } }
        $crate::contract! { @test C2 c2_once [$($clause $why)*] { $crate::contract::c2_once::<Items>(); } }
        $crate::contract! { @test C3 c3_capacity [$($clause $why)*] { $crate::contract::c3_capacity::<Items>(); } }
        $crate::contract! { @test C4 c4_try [$($clause $why)*] { $crate::contract::c4_try::<Items>(); } }
        $crate::contract! { @test C5 c5_wake [$($clause $why)*] { $crate::contract::c5_wake::<Items>(); } }
        $crate::contract! { @test C6 c6_time [$($clause $why)*] { $crate::contract::c6_time::<Items>(); } }
        $crate::contract! { @test C7 c7_close [$($clause $why)*] { $crate::contract::c7_close::<Items>(); } }
        $crate::contract! { @test C8 c8_give_back [$($clause $why)*] { $crate::contract::c8_give_back::<Items>(); } }
        $crate::contract! { @test C9 c9_cancel [$($clause $why)*] { $crate::contract::c9_cancel::<Items>(); } }
        $crate::contract! { @test C10 c10_count [$($clause $why)*] { $crate::contract::c10_count::<Items>(); } }
        $crate::contract! { @test C11 c11_drop [$($clause $why)*] { $crate::contract::c11_drop::<Items>(); $($drops)* } }
        $crate::contract! { @test C12 c12_ends [$($clause $why)*] { $crate::contract::c12_ends::<Items>(); } }
        $crate::contract! { @test C13 c13_mixed [$($clause $why)*] { $crate::contract::c13_mixed::<Items>(); } }
        $crate::contract! { @test C14 c14_calm [$($clause $why)*] { $crate::contract::c14_calm::<Items>(); } }
        $crate::contract! { @test C15 c15_many [$($clause $why)*] { $crate::contract::c15_many::<Items>(); } }
    };
    (@test $c:ident $test:ident [] $body:block) => {
        #[test]
        fn $test() $body
    };
    // One line for each clause, for a macro cannot compare two names.
    (@test C1 $test:ident [C1 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C2 $test:ident [C2 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C3 $test:ident [C3 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C4 $test:ident [C4 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C5 $test:ident [C5 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C6 $test:ident [C6 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C7 $test:ident [C7 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C8 $test:ident [C8 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C9 $test:ident [C9 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C10 $test:ident [C10 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C11 $test:ident [C11 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C12 $test:ident [C12 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C13 $test:ident [C13 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C14 $test:ident [C14 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test C15 $test:ident [C15 $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @ignored $test $why $body }
    };
    (@test $c:ident $test:ident [$other:ident $why:literal $($e:tt)*] $body:block) => {
        $crate::contract! { @test $c $test [$($e)*] $body }
    };
    (@ignored $test:ident $why:literal $body:block) => {
        #[test]
        #[ignore = $why]
        fn $test() $body
    };
}
