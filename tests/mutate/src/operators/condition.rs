//! Conditions turned, halved, or off by one.

use super::{Found, Function};
use crate::syntax::{each_expr, mentioned, range};
use std::mem::discriminant;
use syn::{BinOp, Expr};

/// Whether `expr` holds a `let` that binds, or asks how the program is compiled.
fn is_fixed(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => is_fixed(&binary.left) || is_fixed(&binary.right),
        Expr::Paren(inner) => is_fixed(&inner.expr),
        _ => mentioned(expr).contains("cfg"),
    }
}

/// The parts of a chain of `&&`.
fn chain<'e>(expr: &'e Expr, parts: &mut Vec<&'e Expr>) {
    match expr {
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
            chain(&binary.left, parts);
            chain(&binary.right, parts);
        }
        _ => parts.push(expr),
    }
}

/// Each condition of `if`, `while` and of a `match` arm turned; of a chain with `let`, each part.
/// And each `==` elsewhere.
pub(super) fn turned(function: &Function<'_>, found: &mut Vec<Found>) {
    let mut conditions = Vec::new();
    let mut turn = |expr: &Expr| {
        let mut parts = vec![expr];
        if is_fixed(expr) {
            parts.clear();
            chain(expr, &mut parts);
        }
        for part in parts {
            if !is_fixed(part) {
                conditions.push(range(part));
            }
        }
    };
    each_expr(function.block, &mut |expr| match expr {
        Expr::If(expr) => turn(&expr.cond),
        Expr::While(expr) => turn(&expr.cond),
        Expr::Match(expr) => {
            let guards = expr.arms.iter().filter_map(|arm| arm.guard.as_ref());
            guards.for_each(|(_, guard)| turn(guard));
        }
        _ => {}
    });
    for place in &conditions {
        found.push(Found {
            change: format!("{} turned", function.short(place.clone())),
            replacement: format!("!({})", function.at(place.clone())),
            place: place.clone(),
        });
    }
    each_expr(function.block, &mut |expr| {
        let Expr::Binary(binary) = expr else { return };
        let other = match binary.op {
            BinOp::Eq(_) => "!=",
            BinOp::Ne(_) => "==",
            _ => return,
        };
        let whole = range(expr);
        if !conditions.contains(&whole) {
            found.push(Found {
                place: range(&binary.op),
                change: format!("{} turned", function.short(whole)),
                replacement: other.to_string(),
            });
        }
    });
}

/// Each operand of `&&` and `||` left out.
pub(super) fn operand(function: &Function<'_>, found: &mut Vec<Found>) {
    each_expr(function.block, &mut |expr| {
        let Expr::Binary(binary) = expr else { return };
        if !matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) {
            return;
        }
        let place = range(expr);
        // The inner one of `a && b && c` leaves out `a` and `b`.
        let is_chain = matches!(
            &*binary.left,
            Expr::Binary(left) if discriminant(&left.op) == discriminant(&binary.op)
        );
        let (left, right) = (&binary.left, &binary.right);
        for (left_out, kept, skipped) in [(left, right, is_chain), (right, left, false)] {
            if is_fixed(left_out) || skipped {
                continue;
            }
            let name = function.short(place.clone());
            found.push(Found {
                change: format!("{name} without {}", function.short(range(left_out))),
                replacement: function.at(range(kept)).to_string(),
                place: place.clone(),
            });
        }
    });
}

/// Each comparison with or without the case of being equal.
pub(super) fn comparison(function: &Function<'_>, found: &mut Vec<Found>) {
    each_expr(function.block, &mut |expr| {
        let Expr::Binary(binary) = expr else { return };
        let other = match binary.op {
            BinOp::Gt(_) => ">=",
            BinOp::Ge(_) => ">",
            BinOp::Lt(_) => "<=",
            BinOp::Le(_) => "<",
            _ => return,
        };
        found.push(Found {
            place: range(&binary.op),
            change: format!("{} with {other}", function.short(range(expr))),
            replacement: other.to_string(),
        });
    });
}
