//! Notifications left out, or given to fewer.

use super::{Found, Function};
use crate::syntax::{bare, called, each_block, each_expr, each_expr_of, range};
use syn::{Expr, Stmt};

/// Whether a call of this name wakes somebody; `settle` is how `AsyncQueue` does, `ring` and
/// `tell` how `queue-process` does.
fn is_wake(called: &str) -> bool {
    matches!(
        called,
        "wake" | "unpark" | "settle" | "ring" | "signal" | "post"
    ) || (called.starts_with("notify") && called != "notify_first")
        || called.starts_with("tell")
        || (called.starts_with("wake_") && called != "wake_mut")
}

fn wakes(expr: &Expr) -> bool {
    called(expr).is_some_and(|name| is_wake(&name))
}

/// Each call that wakes somebody left out, where nobody looks at its value.
pub(super) fn left_out(function: &Function<'_>, found: &mut Vec<Found>) {
    let mut leave_out = |expr: &Expr| {
        if wakes(expr) {
            found.push(function.left_out(range(expr)));
        }
    };
    each_block(function.block, &mut |stmts| {
        for stmt in stmts {
            if let Stmt::Expr(expr, Some(_)) = stmt {
                leave_out(expr);
            }
        }
    });
    each_expr(function.block, &mut |expr| match expr {
        Expr::Match(expr) => expr.arms.iter().for_each(|arm| leave_out(&arm.body)),
        // `settle` gives its callers something.
        Expr::Closure(closure) if called(&closure.body).as_deref() != Some("settle") => {
            leave_out(&closure.body);
        }
        _ => {}
    });
}

/// One instead of all; all of a loop but the first.
pub(super) fn fewer(function: &Function<'_>, found: &mut Vec<Found>) {
    each_block(function.block, &mut |stmts| {
        for stmt in stmts {
            if let Stmt::Expr(Expr::MethodCall(call), Some(_)) = stmt
                && call.method == "notify_all"
            {
                let whole = function.short(range(call));
                found.push(Found {
                    place: range(&call.method),
                    change: format!("{whole} to one"),
                    replacement: "notify".to_string(),
                });
            }
        }
    });
    each_expr(function.block, &mut |expr| match expr {
        Expr::ForLoop(each) => {
            let mut any = false;
            for stmt in &each.body.stmts {
                each_expr_of(stmt, &mut |expr| any |= wakes(expr));
            }
            if any {
                let place = range(&each.expr);
                let what = function.at(place.clone());
                found.push(Found {
                    change: format!("for .. in {}: not the first", function.short(place.clone())),
                    replacement: format!("({what}).into_iter().skip(1)"),
                    place,
                });
            }
        }
        Expr::MethodCall(call) if is_wake(&call.method.to_string()) => {
            for arg in &call.args {
                let is_all = matches!(function.at(range(bare(arg))), "u32::MAX" | "usize::MAX");
                if is_all {
                    let whole = function.short(range(call));
                    found.push(Found {
                        place: range(arg),
                        change: format!("{whole} to one"),
                        replacement: "1".to_string(),
                    });
                }
            }
        }
        _ => {}
    });
}
