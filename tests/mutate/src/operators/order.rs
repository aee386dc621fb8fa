//! Statements with effects, in another order.

use super::{Found, Function};
use crate::syntax::{
    bare, bound, called, dropped, each_block, each_expr_of, given_away, mentioned,
};
use crate::syntax::{range, root};
use std::collections::BTreeSet;
use syn::{BinOp, Expr, Pat, Stmt};

/// Calls that change nothing that others see.
const PURE: &[&str] = &[
    "as_mut",
    "as_ref",
    "black_box",
    "clone",
    "default",
    "from",
    "into",
    "into_iter",
    "iter",
    "new",
    "pause",
    "reserve",
    "shrink_to",
    "spin_loop",
    // Tells loom of a point where others may act.
    "step",
    "truncate",
    "with_capacity",
    "yield_now",
    "take",
];

/// Two neighbours swapped.
pub(super) fn swap(function: &Function<'_>, found: &mut Vec<Found>) {
    let locals = locals(function);
    each_block(function.block, &mut |stmts| {
        for pair in stmts.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            let both = has_effect(first, &locals) && has_effect(second, &locals);
            // To give a lock back earlier is an operator of its own.
            let is_unlock = dropped(second).is_some() && dropped(first).is_none();
            let is_same = sets_only(first) && sets_only(second);
            if both && !is_unlock && !is_same && may_change_places(first, second) {
                found.push(swapped(function, first, second));
            }
        }
    });
}

/// Whether `stmt` assigns what is there, and calls nobody: two of them are seen together by whoever
/// sees them at all, for only one thread at a time may assign.
fn sets_only(stmt: &Stmt) -> bool {
    let mut calls = false;
    each_expr_of(stmt, &mut |expr| {
        calls |= called(expr).is_some_and(|name| name.starts_with(char::is_lowercase));
    });
    match stmt {
        Stmt::Expr(Expr::Assign(_), _) => !calls,
        Stmt::Expr(Expr::Binary(binary), _) => assigns(&binary.op) && !calls,
        _ => false,
    }
}

/// `first` and `second`, neighbours, the other way round.
pub(super) fn swapped(function: &Function<'_>, first: &Stmt, second: &Stmt) -> Found {
    let (a, b) = (range(first), range(second));
    let (first, between) = (function.at(a.clone()), function.at(a.end..b.start));
    let second = function.at(b.clone());
    Found {
        place: a.start..b.end,
        change: format!("{} after {}", function.short(a), function.short(b)),
        replacement: format!("{second}{between}{first}"),
    }
}

/// Whether the compiler would take them in the other order, as far as names tell.
pub(super) fn may_change_places(first: &Stmt, second: &Stmt) -> bool {
    let (in_first, in_second) = (mentioned(first), mentioned(second));
    bound(first).is_disjoint(&in_second)
        && bound(second).is_disjoint(&in_first)
        && given_away(second).is_disjoint(&in_first)
        && !leaves(first)
        && !leaves(second)
}

/// Whether `stmt` may end the function or a loop by a word of its own: what comes after it then
/// need not happen, so that another order is another program.
fn leaves(stmt: &Stmt) -> bool {
    let mut leaves = false;
    each_expr_of(stmt, &mut |expr| {
        leaves |= matches!(expr, Expr::Return(_) | Expr::Break(_) | Expr::Continue(_));
    });
    leaves
}

/// The names of values that this function made, and that nobody else can see.
pub(super) fn locals(function: &Function<'_>) -> BTreeSet<String> {
    let mut locals = BTreeSet::new();
    each_block(function.block, &mut |stmts| {
        for stmt in stmts {
            let Stmt::Local(local) = stmt else { continue };
            let Some(init) = &local.init else { continue };
            let is_new = match bare(&init.expr) {
                Expr::Lit(_) | Expr::Array(_) | Expr::Repeat(_) | Expr::Macro(_) => true,
                call @ Expr::Call(_) => called(call)
                    .is_some_and(|name| matches!(&*name, "new" | "with_capacity" | "default")),
                _ => false,
            };
            if is_new {
                locals.extend(bound(stmt));
            }
        }
    });
    locals
}

/// Whether others might see what `stmt` does.
pub(super) fn has_effect(stmt: &Stmt, locals: &BTreeSet<String>) -> bool {
    match stmt {
        Stmt::Expr(expr, Some(_)) => acts(expr, locals),
        // An `if` is a statement without a semicolon.
        Stmt::Expr(Expr::If(expr), None) if expr.else_branch.is_none() => {
            (expr.then_branch.stmts.iter()).any(|stmt| has_effect(stmt, locals))
        }
        Stmt::Local(local) => local.init.as_ref().is_some_and(|init| {
            let is_nobodys = matches!(local.pat, Pat::Wild(_));
            let expr = bare(&init.expr);
            init.diverge.is_none()
                && acts(expr, locals)
                && (is_nobodys || root(expr).is_some_and(|root| root == "self"))
        }),
        _ => false,
    }
}

fn acts(expr: &Expr, locals: &BTreeSet<String>) -> bool {
    let is_local = |expr: &Expr| root(expr).is_some_and(|root| locals.contains(&root));
    match bare(expr) {
        Expr::MethodCall(call) => {
            !PURE.contains(&&*call.method.to_string()) && !is_local(&call.receiver)
        }
        call @ Expr::Call(_) => called(call)
            .is_some_and(|name| !PURE.contains(&&*name) && name.starts_with(char::is_lowercase)),
        Expr::Assign(assign) if matches!(*assign.left, Expr::Infer(_)) => {
            acts(&assign.right, locals)
        }
        Expr::Assign(assign) => !matches!(*assign.left, Expr::Path(_)) && !is_local(&assign.left),
        Expr::Binary(binary) => {
            assigns(&binary.op) && !matches!(*binary.left, Expr::Path(_)) && !is_local(&binary.left)
        }
        Expr::Unsafe(block) => match &block.block.stmts[..] {
            [Stmt::Expr(expr, _)] => acts(expr, locals),
            _ => false,
        },
        _ => false,
    }
}

/// Whether it is `+=` or one of its like.
pub(super) fn assigns(op: &BinOp) -> bool {
    matches!(
        op,
        BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::BitOrAssign(_) | BinOp::BitAndAssign(_)
    )
}
