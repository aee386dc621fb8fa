//! `true` for `false`.

use super::{Found, Function};
use crate::syntax::{bare, each_expr, range};
use syn::{Expr, Lit};

/// Each `true` and `false` that is an argument, or is assigned.
pub(super) fn turned(function: &Function<'_>, found: &mut Vec<Found>) {
    each_expr(function.block, &mut |expr| {
        let values: Vec<&Expr> = match expr {
            Expr::Call(call) => call.args.iter().collect(),
            Expr::MethodCall(call) => call.args.iter().collect(),
            Expr::Assign(assign) => vec![&assign.right],
            _ => return,
        };
        for value in values {
            if let Expr::Lit(literal) = bare(value)
                && let Lit::Bool(flag) = &literal.lit
            {
                let other = !flag.value;
                found.push(Found {
                    place: range(flag),
                    change: format!("{} with {other}", function.short(range(expr))),
                    replacement: other.to_string(),
                });
            }
        }
    });
}
