//! Locks held for less than they were.

use super::order::{assigns, swapped};
use super::{Found, Function};
use crate::syntax::{bare, bound, called, dropped, each_block, each_expr_of, mentioned};
use crate::syntax::{range, single_name};
use std::collections::BTreeSet;
use syn::{Expr, Stmt};

/// The name of the guard, if `stmt` takes a lock and keeps it.
fn taken(stmt: &Stmt) -> Option<String> {
    let Stmt::Local(local) = stmt else {
        return None;
    };
    let name = single_name(local)?;
    // What a call returns and nobody looks at is kept for its drop.
    let is_kept = name.starts_with('_')
        && matches!(&local.init, Some(init) if matches!(bare(&init.expr), Expr::MethodCall(_)));
    (is_kept || locks(stmt) || name.contains("guard") || name.contains("held")).then_some(name)
}

/// Whether `stmt` binds what a call returns that takes a lock.
fn locks(stmt: &Stmt) -> bool {
    let Stmt::Local(local) = stmt else {
        return false;
    };
    let Some(init) = &local.init else {
        return false;
    };
    let mut expr = bare(&init.expr);
    // `lock().unwrap()` and its like.
    while let Expr::MethodCall(call) = expr {
        if !matches!(
            &*call.method.to_string(),
            "unwrap" | "expect" | "unwrap_or_else"
        ) {
            break;
        }
        expr = bare(&call.receiver);
    }
    let Some(called) = called(expr) else {
        return false;
    };
    let is_question =
        called.starts_with("is_") || called.ends_with("_lock") && called != "try_lock";
    !is_question
        && ["lock", "hold", "freeze"]
            .iter()
            .any(|lock| called.contains(lock))
}

/// What the function's `let`s bind that is no guard.
fn others(function: &Function<'_>) -> BTreeSet<String> {
    let (mut guards, mut others) = (BTreeSet::new(), BTreeSet::new());
    each_block(function.block, &mut |stmts| {
        for stmt in stmts {
            let of = if locks(stmt) || taken(stmt).is_some() {
                &mut guards
            } else {
                &mut others
            };
            of.extend(bound(stmt));
        }
    });
    &others - &guards
}

/// Whether `node` does something: more than to make a value of what is there.
fn acts(node: &Stmt) -> bool {
    let mut acts = false;
    each_expr_of(node, &mut |expr| {
        let calls = called(expr).is_some_and(|name| name.starts_with(char::is_lowercase));
        let is_assignment = match expr {
            Expr::Assign(_) => true,
            Expr::Binary(binary) => assigns(&binary.op),
            _ => false,
        };
        acts |= calls || is_assignment;
    });
    acts
}

/// A lock given back before the statement that was the last one under it.
pub(super) fn early(function: &Function<'_>, found: &mut Vec<Found>) {
    let others = others(function);
    each_block(function.block, &mut |stmts| {
        for pair in stmts.windows(2) {
            if let Some(guard) = dropped(pair[1])
                && !others.contains(&guard)
                && dropped(pair[0]).is_none()
                && acts(pair[0])
                && !mentioned(pair[0]).contains(&guard)
            {
                found.push(swapped(function, pair[0], pair[1]));
            }
        }
        // A guard that goes at the end of its block.
        let Some((last, before)) = stmts.split_last() else {
            return;
        };
        for guard in before.iter().filter_map(|stmt| taken(stmt)) {
            let is_dropped = stmts
                .iter()
                .any(|stmt| dropped(stmt).as_ref() == Some(&guard));
            if !is_dropped && acts(last) && !mentioned(last).contains(&guard) {
                let place = range(last);
                found.push(Found {
                    change: format!("{guard} dropped before {}", function.short(place.clone())),
                    replacement: format!("drop({guard}); {}", function.at(place.clone())),
                    place,
                });
            }
        }
    });
}

/// A lock taken after the statement that was the first one under it.
pub(super) fn late(function: &Function<'_>, found: &mut Vec<Found>) {
    each_block(function.block, &mut |stmts| {
        for pair in stmts.windows(2) {
            if let Some(guard) = taken(pair[0])
                && matches!(pair[1], Stmt::Local(_) | Stmt::Expr(_, Some(_)))
                && !mentioned(pair[1]).contains(&guard)
            {
                found.push(swapped(function, pair[0], pair[1]));
            }
        }
    });
}

/// A guard that nobody looks at bound to `_`, and so dropped at once.
pub(super) fn unbound(function: &Function<'_>, found: &mut Vec<Found>) {
    each_block(function.block, &mut |stmts| {
        for (n, stmt) in stmts.iter().enumerate() {
            let (Some(guard), Stmt::Local(local)) = (taken(stmt), stmt) else {
                continue;
            };
            let rest = &stmts[n + 1..];
            let drop = rest
                .iter()
                .find(|stmt| dropped(stmt).as_ref() == Some(&guard));
            let users = rest
                .iter()
                .filter(|stmt| mentioned(**stmt).contains(&guard))
                .count();
            if users != usize::from(drop.is_some()) {
                continue;
            }
            let name = range(&local.pat);
            let (place, replacement) = match drop {
                None => (name.clone(), "_".to_string()),
                Some(drop) => {
                    let drop = range(*drop);
                    let between = function.at(name.end..drop.start);
                    (name.start..drop.end, format!("_{between}"))
                }
            };
            let change = format!("{} bound to _", function.short(range(*stmt)));
            found.push(Found {
                place,
                change,
                replacement,
            });
        }
    });
}
