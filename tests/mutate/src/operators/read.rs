//! What others may change meanwhile, read once more or once less.

use super::{Found, Function};
use crate::syntax::{bare, each_block, each_expr_of, name_of, range, root, short, single_name};
use syn::{Expr, Stmt};

/// Calls that read what others write.
const READS: &[&str] = &[
    "load",
    "len",
    "is_closed",
    "is_empty",
    "is_full",
    "waiting",
    "places",
    "granted",
    "has_waiting",
    "get",
    "mark",
    "elapsed",
    "now",
];

/// Whether `expr` only reads, from what others see.
fn reads(expr: &Expr) -> bool {
    match expr {
        Expr::MethodCall(call) => {
            let name = call.method.to_string();
            // The length of what was passed in is nobody else's to change.
            let is_shared = name == "load" || !matches!(*call.receiver, Expr::Path(_));
            let of_self = root(&call.receiver).is_some_and(|root| root == "self");
            READS.contains(&&*name) && (is_shared || of_self)
        }
        _ => false,
    }
}

/// The name and the reading, if `stmt` keeps what it read.
fn kept(stmt: &Stmt) -> Option<(String, &Expr)> {
    let Stmt::Local(local) = stmt else {
        return None;
    };
    let init = local.init.as_ref().filter(|init| init.diverge.is_none())?;
    let name = single_name(local)?;
    reads(&init.expr).then_some((name, &*init.expr))
}

/// The last use of what was read reads again.
pub(super) fn again(function: &Function<'_>, found: &mut Vec<Found>) {
    each_block(function.block, &mut |stmts| {
        for (n, stmt) in stmts.iter().enumerate() {
            let Some((name, reading)) = kept(stmt) else {
                continue;
            };
            let mut last = None;
            for later in &stmts[n + 1..] {
                each_expr_of(later, &mut |expr| {
                    if name_of(expr).as_ref() == Some(&name) {
                        last = Some(range(expr));
                    }
                });
            }
            if let Some(place) = last {
                let text = function.at(range(reading));
                found.push(Found {
                    place,
                    change: format!("{name} read again by {}", short(text, 50)),
                    replacement: text.to_string(),
                });
            }
        }
    });
}

/// What is read once more is what was read before.
pub(super) fn less(function: &Function<'_>, found: &mut Vec<Found>) {
    each_block(function.block, &mut |stmts| {
        for (n, stmt) in stmts.iter().enumerate() {
            let Some((name, reading)) = kept(stmt) else {
                continue;
            };
            let text = short(function.at(range(reading)), usize::MAX);
            for later in &stmts[n + 1..] {
                each_expr_of(later, &mut |expr| {
                    let place = range(bare(expr));
                    if reads(expr) && short(function.at(place.clone()), usize::MAX) == text {
                        found.push(Found {
                            place,
                            change: format!("{} not read again: {name}", short(&text, 50)),
                            replacement: name.clone(),
                        });
                    }
                });
            }
        }
    });
}
