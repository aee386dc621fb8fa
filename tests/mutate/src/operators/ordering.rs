//! Memory orderings one step weaker; fences gone.

use super::{Found, Function};
use crate::syntax::{called, each_expr, range};
use syn::Expr;

/// Each ordering that is passed to a call one step weaker.
pub(super) fn weaker(function: &Function<'_>, found: &mut Vec<Found>) {
    each_expr(function.block, &mut |expr| {
        let args = match expr {
            Expr::Call(call) => &call.args,
            Expr::MethodCall(call) => &call.args,
            _ => return,
        };
        let operation = called(expr).unwrap_or_default();
        let mut is_first = true;
        for arg in args {
            let Some(ordering) = ordering(arg) else {
                continue;
            };
            // The second one is that of a failure, which only reads.
            let operation = if is_first { operation.as_str() } else { "load" };
            is_first = false;
            for weaker in one_step(&ordering, operation) {
                let mut place = range(arg);
                place.start = place.end - ordering.len();
                found.push(Found {
                    place,
                    change: format!("{}: {ordering} to {weaker}", function.short(range(expr))),
                    replacement: (*weaker).to_string(),
                });
            }
        }
    });
}

/// The ordering's name, if `expr` is one, with or without the name of its type.
fn ordering(expr: &Expr) -> Option<String> {
    let Expr::Path(path) = expr else { return None };
    let mut segments = path.path.segments.iter().rev();
    let name = segments.next()?.ident.to_string();
    let is_one = matches!(
        &*name,
        "Relaxed" | "Acquire" | "Release" | "AcqRel" | "SeqCst"
    );
    let of = segments.next().is_none_or(|of| of.ident == "Ordering");
    (is_one && of).then_some(name)
}

fn one_step(ordering: &str, operation: &str) -> &'static [&'static str] {
    match (ordering, operation) {
        ("Acquire" | "Release", "fence") => &[],
        ("Acquire" | "Release", _) => &["Relaxed"],
        ("AcqRel", _) => &["Acquire", "Release"],
        ("SeqCst", "load") => &["Acquire"],
        ("SeqCst", "store") => &["Release"],
        ("SeqCst", _) => &["AcqRel"],
        _ => &[],
    }
}

/// Each fence left out.
pub(super) fn no_fence(function: &Function<'_>, found: &mut Vec<Found>) {
    each_expr(function.block, &mut |expr| {
        if matches!(expr, Expr::Call(_)) && called(expr).as_deref() == Some("fence") {
            found.push(function.left_out(range(expr)));
        }
    });
}
