//! The other branch, and a `Drop` that does not come to its end.

use super::{Found, Function};
use crate::syntax::{bare, each_expr, range};
use syn::{Expr, Lit, Stmt};

/// Whether `stmt` sets or clears a flag, or an `Option`.
fn sets(stmt: &Stmt) -> bool {
    let is_literal = |expr: &Expr| match bare(expr) {
        Expr::Lit(literal) => matches!(literal.lit, Lit::Bool(_)),
        Expr::Path(path) => path.path.is_ident("None"),
        _ => false,
    };
    match stmt {
        Stmt::Expr(Expr::Assign(assign), Some(_)) => is_literal(&assign.right),
        Stmt::Expr(Expr::MethodCall(call), Some(_)) => {
            matches!(
                &*call.method.to_string(),
                "store" | "set" | "swap" | "replace"
            ) && call
                .args
                .first()
                .is_some_and(|arg| is_literal(arg) || matches!(bare(arg), Expr::Lit(_)))
        }
        _ => false,
    }
}

/// A flag of one branch moved into the other one, which may be new.
pub(super) fn other_branch(function: &Function<'_>, found: &mut Vec<Found>) {
    each_expr(function.block, &mut |expr| {
        let Expr::If(both) = expr else { return };
        let whole = range(both);
        let no = match &both.else_branch {
            Some((_, no)) => match &**no {
                Expr::Block(no) => Some(&no.block),
                _ => return,
            },
            None => None,
        };
        let branches = [(Some(&both.then_branch), no), (no, Some(&both.then_branch))];
        for (from, to) in branches {
            for stmt in from
                .iter()
                .flat_map(|from| &from.stmts)
                .filter(|stmt| sets(stmt))
            {
                let own = range(stmt);
                let text = function.at(own.clone());
                let without = |place: std::ops::Range<usize>| {
                    let at = |place| function.at(place);
                    if place.contains(&own.start) {
                        format!("{}{}", at(place.start..own.start), at(own.end..place.end))
                    } else {
                        at(place).to_string()
                    }
                };
                let replacement = match to.map(range) {
                    None => format!("{} else {{ {text} }}", without(whole.clone())),
                    Some(to) => format!(
                        "{} {text} {}",
                        without(whole.start..to.start + 1),
                        without(to.start + 1..whole.end)
                    ),
                };
                let condition = function.short(range(&both.cond));
                let change = format!("{} in the other branch of {condition}", function.short(own));
                found.push(Found {
                    place: whole.clone(),
                    change,
                    replacement,
                });
            }
        }
    });
}

/// `return` before each statement of a `Drop`, and so nothing of it or only its beginning.
pub(super) fn early_return(function: &Function<'_>, found: &mut Vec<Found>) {
    if !function.is_drop {
        return;
    }
    for (n, stmt) in function.block.stmts.iter().enumerate() {
        let place = range(stmt);
        let is_let = matches!(stmt, Stmt::Local(_) | Stmt::Item(_));
        if n == 0 || !is_let {
            let text = function.at(place.clone());
            found.push(Found {
                change: format!("return before {}", function.short(place.clone())),
                // The compiler must not see that the rest is not reached.
                replacement: format!("if std::hint::black_box(true) {{ return; }} {text}"),
                place,
            });
        }
    }
}
