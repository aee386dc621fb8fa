//! Reading parsed Rust: where a node stands, what it mentions, whether it is compiled here.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::BTreeSet;
use std::ops::Range;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, Lit, Local, Meta, Pat, Stmt, Token};

/// The bytes of the file that `node` takes.
pub(crate) fn range(node: &impl ToTokens) -> Range<usize> {
    let tokens: Vec<_> = node.to_token_stream().into_iter().collect();
    let start = tokens.first().map_or(0, |t| t.span().byte_range().start);
    let end = tokens.last().map_or(0, |t| t.span().byte_range().end);
    start..end
}

/// `text` in one line of at most `most` letters.
pub(crate) fn short(text: &str, most: usize) -> String {
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line));
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    let line = words.join(" ").replace('`', "'").replace('|', "¦");
    match line.char_indices().nth(most) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// The names that `node` mentions, inside of macros too.
pub(crate) fn mentioned(node: &impl ToTokens) -> BTreeSet<String> {
    fn collect(tokens: TokenStream, names: &mut BTreeSet<String>) {
        for token in tokens {
            match token {
                TokenTree::Ident(name) => _ = names.insert(name.to_string()),
                TokenTree::Group(group) => collect(group.stream(), names),
                // "{name}" in a format string.
                TokenTree::Literal(text) => {
                    names.extend((text.to_string().split(['{', '}', ':', '.'])).map(str::to_string))
                }
                TokenTree::Punct(_) => {}
            }
        }
    }
    let mut names = BTreeSet::new();
    collect(node.to_token_stream(), &mut names);
    names
}

/// The names that a `let` of this statement binds.
pub(crate) fn bound(stmt: &Stmt) -> BTreeSet<String> {
    struct Capacity(BTreeSet<String>);
    impl<'ast> Visit<'ast> for Capacity {
        fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
            self.0.insert(pat.ident.to_string());
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut bound = Capacity(BTreeSet::new());
    if let Stmt::Local(local) = stmt {
        bound.visit_pat(&local.pat);
    }
    bound.0
}

/// The variables that `node` gives away, as far as syntax tells: arguments that are a mere name.
pub(crate) fn given_away(node: &Stmt) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut note = |args: &Punctuated<Expr, Token![,]>| {
        // Constants are never given away.
        let is_variable = |name: &String| name.starts_with(char::is_lowercase);
        names.extend(args.iter().filter_map(name_of).filter(is_variable));
    };
    each_expr_of(node, &mut |expr| match expr {
        Expr::Call(call) => note(&call.args),
        Expr::MethodCall(call) => note(&call.args),
        _ => {}
    });
    names
}

/// The name, if `expr` is one.
pub(crate) fn name_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    }
}

/// The name, if a `let` binds nothing but one.
pub(crate) fn single_name(local: &Local) -> Option<String> {
    let pat = match &local.pat {
        Pat::Type(typed) => &typed.pat,
        pat => pat,
    };
    match pat {
        Pat::Ident(name) if name.subpat.is_none() => Some(name.ident.to_string()),
        _ => None,
    }
}

/// `expr` without parentheses, references, `?`, `.await` around it.
pub(crate) fn bare(mut expr: &Expr) -> &Expr {
    loop {
        expr = match expr {
            Expr::Paren(inner) => &inner.expr,
            Expr::Reference(inner) => &inner.expr,
            Expr::Try(inner) => &inner.expr,
            Expr::Await(inner) => &inner.base,
            Expr::Group(inner) => &inner.expr,
            _ => return expr,
        }
    }
}

/// The name of the function or method that `expr` calls.
pub(crate) fn called(expr: &Expr) -> Option<String> {
    match expr {
        Expr::MethodCall(call) => Some(call.method.to_string()),
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// The variable from which `expr` takes its value: `self` of `self.events().items.len()`.
pub(crate) fn root(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::MethodCall(call) => root(&call.receiver),
        Expr::Field(field) => root(&field.base),
        Expr::Index(index) => root(&index.expr),
        Expr::Unary(unary) => root(&unary.expr),
        expr => name_of(expr),
    }
}

/// Whether `stmt` is `drop(NAME);`, and of what.
pub(crate) fn dropped(stmt: &Stmt) -> Option<String> {
    match stmt {
        Stmt::Expr(expr @ Expr::Call(call), Some(_)) if call.args.len() == 1 => {
            let called = called(expr);
            (called.as_deref() == Some("drop")).then(|| name_of(&call.args[0]))?
        }
        _ => None,
    }
}

/// Visits each expression of a function but those of functions inside of it, and but what is
/// not compiled here.
struct Exprs<'f>(&'f mut dyn FnMut(&Expr));

impl<'ast> Visit<'ast> for Exprs<'_> {
    fn visit_item(&mut self, _: &'ast syn::Item) {}

    fn visit_stmt(&mut self, stmt: &'ast Stmt) {
        if !is_off(attributes(stmt)) {
            visit::visit_stmt(self, stmt);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !is_off(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        (self.0)(expr);
        visit::visit_expr(self, expr);
    }
}

/// Every expression in `block`, the outer ones first.
pub(crate) fn each_expr(block: &Block, f: &mut dyn FnMut(&Expr)) {
    Exprs(f).visit_block(block);
}

/// Every expression in `stmt`, the outer ones first.
pub(crate) fn each_expr_of(stmt: &Stmt, f: &mut dyn FnMut(&Expr)) {
    Exprs(f).visit_stmt(stmt);
}

/// Every block in `block`, itself first, as the statements in it that are compiled here.
pub(crate) fn each_block(block: &Block, f: &mut dyn FnMut(&[&Stmt])) {
    struct Blocks<'f>(&'f mut dyn FnMut(&[&Stmt]));
    impl<'ast> Visit<'ast> for Blocks<'_> {
        fn visit_item(&mut self, _: &'ast syn::Item) {}
        fn visit_stmt(&mut self, stmt: &'ast Stmt) {
            if !is_off(attributes(stmt)) {
                visit::visit_stmt(self, stmt);
            }
        }
        fn visit_block(&mut self, block: &'ast Block) {
            let on = block.stmts.iter().filter(|stmt| !is_off(attributes(stmt)));
            (self.0)(&on.collect::<Vec<_>>());
            visit::visit_block(self, block);
        }
    }
    Blocks(f).visit_block(block);
}

fn attributes(stmt: &Stmt) -> &[Attribute] {
    match stmt {
        Stmt::Local(local) => &local.attrs,
        Stmt::Macro(called) => &called.attrs,
        Stmt::Expr(expr, _) => match expr {
            Expr::Assign(e) => &e.attrs,
            Expr::Binary(e) => &e.attrs,
            Expr::Block(e) => &e.attrs,
            Expr::Call(e) => &e.attrs,
            Expr::If(e) => &e.attrs,
            Expr::Macro(e) => &e.attrs,
            Expr::Match(e) => &e.attrs,
            Expr::MethodCall(e) => &e.attrs,
            Expr::Unsafe(e) => &e.attrs,
            _ => &[],
        },
        Stmt::Item(_) => &[],
    }
}

/// Whether a `cfg` among `attrs` keeps the node out of what the tests here build: with all
/// features, without loom.
pub(crate) fn is_off(attrs: &[Attribute]) -> bool {
    let is = |attr: &&Attribute| attr.path().is_ident("cfg");
    attrs.iter().filter(is).any(|attr| {
        let condition = attr.parse_args::<Meta>();
        condition.is_ok_and(|condition| !is_on(&condition))
    })
}

fn is_on(condition: &Meta) -> bool {
    let of = |list: &syn::MetaList| {
        let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
        list.parse_args_with(parse)
            .map_or(Vec::new(), |all| all.into_iter().collect())
    };
    match condition {
        Meta::Path(path) => path.is_ident("unix") && cfg!(unix),
        Meta::NameValue(pair) => {
            let Expr::Lit(syn::ExprLit {
                lit: Lit::Str(value),
                ..
            }) = &pair.value
            else {
                return false;
            };
            let value = value.value();
            match pair.path.get_ident().map(ToString::to_string).as_deref() {
                Some("feature") => true,
                Some("target_os") => value == std::env::consts::OS,
                Some("target_arch") => value == std::env::consts::ARCH,
                Some("target_family") => value == std::env::consts::FAMILY,
                Some("target_pointer_width") => value == usize::BITS.to_string(),
                _ => false,
            }
        }
        Meta::List(list) if list.path.is_ident("not") => !of(list).iter().all(is_on),
        Meta::List(list) if list.path.is_ident("all") => of(list).iter().all(is_on),
        Meta::List(list) => of(list).iter().any(is_on),
    }
}

/// The file of `#[path = ".."]`.
pub(crate) fn path_attribute(attrs: &[Attribute]) -> Option<String> {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("path"))?;
    match &attr.meta.require_name_value().ok()?.value {
        Expr::Lit(syn::ExprLit {
            lit: Lit::Str(path),
            ..
        }) => Some(path.value()),
        _ => None,
    }
}
