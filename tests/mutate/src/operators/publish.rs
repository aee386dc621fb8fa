//! A count or flag that others read, published before or after what it is about.

use super::order::{assigns, has_effect, locals, may_change_places};
use super::{Found, Function};
use crate::syntax::{bare, dropped, each_block, each_expr_of, mentioned, name_of, range};
use syn::{Expr, Member, Stmt};

/// Whether `stmt` stores what others load.
fn publishes(stmt: &Stmt) -> bool {
    let Stmt::Expr(expr, Some(_)) = stmt else {
        return false;
    };
    match bare(expr) {
        Expr::MethodCall(call) => matches!(
            &*call.method.to_string(),
            "store" | "swap" | "fetch_add" | "fetch_sub" | "fetch_or" | "fetch_and" | "publish"
        ),
        Expr::Binary(binary) => assigns(&binary.op) && matches!(*binary.left, Expr::Field(_)),
        _ => false,
    }
}

/// Whether it makes a difference to whom `stmt` assigns that it does so on the other side of
/// `others`. What is published by a call, others may see at any time; what is merely assigned, only
/// they: if they mention it, are of the same object, or give a lock back.
fn concerns(stmt: &Stmt, others: &[&Stmt]) -> bool {
    let Stmt::Expr(Expr::Binary(binary), _) = stmt else {
        return true;
    };
    let Expr::Field(field) = &*binary.left else {
        return true;
    };
    let name = member_name(&field.member);
    others.iter().any(|other| {
        let mut calls_self = false;
        each_expr_of(other, &mut |expr| {
            if let Expr::MethodCall(call) = expr {
                calls_self |= name_of(&call.receiver).is_some_and(|name| name == "self");
            }
        });
        calls_self || dropped(other).is_some() || mentioned(*other).contains(&name)
    })
}

fn member_name(member: &Member) -> String {
    match member {
        Member::Named(name) => name.to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}

/// The statement moved over its neighbour, if `swap` does not do that, and to the beginning and
/// the end of its block.
pub(super) fn moved(function: &Function<'_>, found: &mut Vec<Found>) {
    let locals = locals(function);
    each_block(function.block, &mut |stmts| {
        for (n, stmt) in stmts.iter().enumerate().filter(|(_, stmt)| publishes(stmt)) {
            let own = range(*stmt);
            let text = function.at(own.clone());
            let name = function.short(own.clone());
            // Backwards, as far as it may go; forwards likewise.
            let free = |other: &&&Stmt| match other {
                Stmt::Local(_) | Stmt::Expr(_, Some(_)) | Stmt::Expr(Expr::If(_), None) => true,
                Stmt::Macro(_) | Stmt::Item(_) | Stmt::Expr(_, None) => false,
            };
            let back = stmts[..n].iter().rev().take_while(free);
            let back = back
                .take_while(|other| may_change_places(other, stmt))
                .count();
            let on = stmts[n + 1..].iter().take_while(free);
            let on = on
                .take_while(|other| may_change_places(stmt, other))
                .count();
            for steps in [1, back] {
                let is_swap = steps == 1 && n > 0 && has_effect(stmts[n - 1], &locals);
                if (1..=back).contains(&steps) && !is_swap && concerns(stmt, &stmts[n - steps..n]) {
                    let over = range(stmts[n - steps]);
                    found.push(Found {
                        change: format!("{name} before {}", function.short(over.clone())),
                        replacement: format!(
                            "{text} {}",
                            function.at(over.start..own.start).trim_end()
                        ),
                        place: over.start..own.end,
                    });
                }
            }
            for steps in [1, on] {
                let is_swap =
                    steps == 1 && n + 1 < stmts.len() && has_effect(stmts[n + 1], &locals);
                if (1..=on).contains(&steps)
                    && !is_swap
                    && concerns(stmt, &stmts[n + 1..=n + steps])
                {
                    let over = range(stmts[n + steps]);
                    found.push(Found {
                        change: format!("{name} after {}", function.short(over.clone())),
                        replacement: format!(
                            "{}\n{text}",
                            function.at(own.end..over.end).trim_start()
                        ),
                        place: own.start..over.end,
                    });
                }
            }
        }
    });
}
