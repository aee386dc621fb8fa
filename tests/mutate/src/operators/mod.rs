//! The operators: each finds one kind of place by its syntax, and says what to write there.

mod branch;
mod condition;
mod guard;
mod literal;
mod order;
mod ordering;
mod publish;
mod read;
mod wake;

use crate::mutant::{Mutant, number_repeated};
use crate::syntax::{is_off, mentioned, range, short};
use std::collections::HashSet;
use std::io;
use std::ops::Range;
use syn::{Block, ImplItem, Item, Signature, TraitItem, Type};

/// One way of weakening.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// What it is called in names and on the command line.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    find: fn(&Function<'_>, &mut Vec<Found>),
}

/// What `tests/mutations.txt` lists is no operator, but is named like one.
pub const LISTED: &str = "listed";

/// All of them. Where two make the same change of the same place, it belongs to the first.
pub const ALL: &[Operator] = &[
    op(
        "ordering",
        "a memory ordering one step weaker",
        ordering::weaker,
    ),
    op("fence", "a fence left out", ordering::no_fence),
    op("wake", "a wake left out", wake::left_out),
    op(
        "wake-fewer",
        "one woken instead of all, or all but one",
        wake::fewer,
    ),
    op(
        "unlock-early",
        "a lock given back one statement earlier",
        guard::early,
    ),
    op("lock-late", "a lock taken one statement later", guard::late),
    op(
        "guard-unbound",
        "a guard bound to `_`, so that nothing is locked",
        guard::unbound,
    ),
    op(
        "swap",
        "two neighbouring statements with effects swapped",
        order::swap,
    ),
    op(
        "publish",
        "a count or flag published before or after what it is about",
        publish::moved,
    ),
    op(
        "drop-return",
        "a `Drop` that returns early",
        branch::early_return,
    ),
    op(
        "branch",
        "a flag set or cleared in the other branch",
        branch::other_branch,
    ),
    op("condition", "a condition turned", condition::turned),
    op(
        "operand",
        "one operand of `&&` or `||` left out",
        condition::operand,
    ),
    op(
        "comparison",
        "`>` for `>=`, `<` for `<=`, and back",
        condition::comparison,
    ),
    op(
        "literal",
        "a `true` or `false` that is passed or stored turned",
        literal::turned,
    ),
    op(
        "read-again",
        "a value read once more instead of kept",
        read::again,
    ),
    op(
        "read-less",
        "a value kept instead of read once more",
        read::less,
    ),
];

const fn op(
    name: &'static str,
    what: &'static str,
    find: fn(&Function<'_>, &mut Vec<Found>),
) -> Operator {
    Operator { name, what, find }
}

/// A function that is looked at.
struct Function<'a> {
    text: &'a str,
    block: &'a Block,
    /// Whether it is the `drop` of a `Drop`.
    is_drop: bool,
}

impl Function<'_> {
    /// What stands at `place`.
    fn at(&self, place: Range<usize>) -> &str {
        &self.text[place]
    }

    /// The same, for a name.
    fn short(&self, place: Range<usize>) -> String {
        short(&self.text[place], 50)
    }

    /// That expression left out, where nobody looks at its value.
    fn left_out(&self, place: Range<usize>) -> Found {
        Found {
            change: format!("{} left out", self.short(place.clone())),
            replacement: "()".to_string(),
            place,
        }
    }
}

/// A place that was found.
struct Found {
    place: Range<usize>,
    change: String,
    replacement: String,
}

/// Every mutant of `file` that operators find in its `text`, in the order of its functions.
///
/// # Errors
/// If it cannot be parsed.
pub fn scan(file: &str, text: &str) -> io::Result<Vec<Mutant>> {
    let parsed = syn::parse_file(text);
    let parsed = parsed.map_err(|error| io::Error::other(format!("{file}: {error}")))?;
    let mut functions = Vec::new();
    collect(&parsed.items, &mut functions);
    let (mut mutants, mut known) = (Vec::new(), HashSet::new());
    for Compiled {
        name,
        block,
        is_drop,
        ..
    } in functions
    {
        let function = Function {
            text,
            block,
            is_drop,
        };
        for operator in ALL {
            let mut found = Vec::new();
            (operator.find)(&function, &mut found);
            for Found {
                place,
                change,
                replacement,
            } in found
            {
                let differs = text[place.clone()] != replacement;
                if differs && known.insert((place.clone(), replacement.clone())) {
                    mutants.push(Mutant {
                        operator: operator.name,
                        file: file.to_string(),
                        function: name.clone(),
                        change,
                        original: text[place.clone()].to_string(),
                        place,
                        replacement,
                        number: 0,
                    });
                }
            }
        }
    }
    number_repeated(&mut mutants);
    Ok(mutants)
}

/// The body of a function that is compiled here and runs when the program does.
#[derive(Debug)]
pub(crate) struct Body {
    /// The function, as mutants name it.
    pub(crate) function: String,
    /// Where it stands, with its braces.
    pub(crate) place: Range<usize>,
    /// Whether what it returns is `impl` something, or a future without a name: of what two such
    /// bodies return, one may not be what the other is.
    pub(crate) is_opaque: bool,
}

/// The bodies in `text`, in their order.
pub(crate) fn bodies(text: &str) -> io::Result<Vec<Body>> {
    let parsed = syn::parse_file(text).map_err(io::Error::other)?;
    let mut functions = Vec::new();
    collect(&parsed.items, &mut functions);
    functions.retain(|function| !function.is_const);
    let body = |function: Compiled<'_>| Body {
        function: function.name,
        place: range(function.block),
        is_opaque: function.is_opaque,
    };
    let mut bodies: Vec<_> = functions.into_iter().map(body).collect();
    bodies.sort_by_key(|body| body.place.start);
    Ok(bodies)
}

/// A function that is compiled here.
struct Compiled<'a> {
    name: String,
    block: &'a Block,
    /// Whether it is the `drop` of a `Drop`.
    is_drop: bool,
    /// Whether it may run while the program is compiled.
    is_const: bool,
    /// Whether it returns `impl` something, or a future without a name.
    is_opaque: bool,
}

impl<'a> Compiled<'a> {
    fn new(name: String, signature: &Signature, block: &'a Block, is_drop: bool) -> Self {
        Self {
            name,
            block,
            is_drop,
            is_const: signature.constness.is_some(),
            is_opaque: signature.asyncness.is_some()
                || mentioned(&signature.output).contains("impl"),
        }
    }
}

/// The functions that are compiled here.
fn collect<'a>(items: &'a [Item], functions: &mut Vec<Compiled<'a>>) {
    for item in items {
        match item {
            Item::Fn(item) if !is_off(&item.attrs) => {
                let name = item.sig.ident.to_string();
                functions.push(Compiled::new(name, &item.sig, &item.block, false));
            }
            Item::Mod(item) if !is_off(&item.attrs) => {
                let items = item.content.as_ref().map_or(&[][..], |(_, items)| items);
                collect(items, functions);
            }
            Item::Impl(item) if !is_off(&item.attrs) => {
                let of = match &*item.self_ty {
                    Type::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
                    _ => None,
                };
                let of = of.unwrap_or_else(|| "_".to_string());
                let of_trait = item
                    .trait_
                    .as_ref()
                    .and_then(|(_, path, _)| path.segments.last());
                let is_drop = of_trait.is_some_and(|segment| segment.ident == "Drop");
                for inner in &item.items {
                    if let ImplItem::Fn(inner) = inner
                        && !is_off(&inner.attrs)
                    {
                        let is_drop = is_drop && inner.sig.ident == "drop";
                        let name = format!("{of}::{}", inner.sig.ident);
                        functions.push(Compiled::new(name, &inner.sig, &inner.block, is_drop));
                    }
                }
            }
            Item::Trait(item) if !is_off(&item.attrs) => {
                for inner in &item.items {
                    if let TraitItem::Fn(inner) = inner
                        && let Some(block) = &inner.default
                        && !is_off(&inner.attrs)
                    {
                        let name = format!("{}::{}", item.ident, inner.sig.ident);
                        functions.push(Compiled::new(name, &inner.sig, block, false));
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
