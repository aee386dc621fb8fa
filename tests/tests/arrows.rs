//! Which module of `queue-process` takes something from which: arrows that run one way alone.
//!
//! What counts is every path of a source that begins with `crate` or `super`, in `use` lines and
//! elsewhere, in macros too; but for tests and documentation. A model counts.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, from the lowest up, and the modules from which it may take something.
const MAY_TAKE_FROM: &[(&str, &[&str])] = &[
    ("sys", &[]),
    ("per_process", &["sys"]),
    ("unwind", &[]),
    ("handover", &[]),
    ("codec", &[]),
    ("types", &["codec"]),
    ("try_error", &[]),
    ("deferred", &["codec", "per_process"]),
    (
        "ipc",
        &[
            "sys",
            "codec",
            "unwind",
            "handover",
            "deferred",
            "per_process",
            "types",
            "try_error",
        ],
    ),
    ("linux::membership", &["sys"]),
    ("linux::lease", &["sys"]),
    ("linux::engine", &["sys", "try_error", "linux::lease"]),
    ("linux::wait", &["sys", "unwind", "linux::engine"]),
    (
        "linux::queue",
        &[
            "sys",
            "codec",
            "unwind",
            "deferred",
            "types",
            "try_error",
            "linux::membership",
            "linux::lease",
            "linux::engine",
            "linux::wait",
        ],
    ),
    (
        "linux::share",
        &[
            "sys",
            "codec",
            "handover",
            "linux::membership",
            "linux::queue",
        ],
    ),
    (
        "linux::shm",
        &["sys", "codec", "linux::engine", "linux::queue"],
    ),
    (
        "linux::pipe",
        &[
            "sys",
            "codec",
            "linux::lease",
            "linux::engine",
            "linux::queue",
        ],
    ),
    (
        "loom",
        &[
            "sys",
            "try_error",
            "linux::membership",
            "linux::lease",
            "linux::engine",
            "linux::wait",
            "linux::queue",
            "linux::shm",
            "linux::pipe",
        ],
    ),
];

/// The crates that are published, none of which knows another but `queue-core`.
const SIBLINGS: &[&str] = &["queue-thread", "queue-async", "queue-process"];

/// The path of a module or of something in it, from the root of its crate.
type Name = Vec<String>;

/// The sources below `directory`, each with the path of its module.
fn sources(directory: &Path) -> Vec<(PathBuf, Name)> {
    let (mut directories, mut found) = (vec![(directory.to_path_buf(), Name::new())], Vec::new());
    while let Some((directory, module)) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
            let below = || module.iter().cloned().chain([stem.clone()]).collect();
            if path.is_dir() {
                // Tests may take from everywhere.
                if stem != "tests" {
                    directories.push((path.clone(), below()));
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let is_parent = matches!(&*stem, "lib" | "mod");
                let module = if is_parent { module.clone() } else { below() };
                found.push((path, module));
            }
        }
    }
    assert!(found.len() > 3, "the sources were not found");
    found
}

fn parse(path: &Path) -> Vec<syn::Item> {
    let text = fs::read_to_string(path).unwrap();
    let file = syn::parse_file(&text);
    file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .items
}

/// The tokens of `items` that are no tests, each with the module in which it stands.
fn tokens(items: Vec<syn::Item>, module: &Name, into: &mut Vec<(Name, TokenStream)>) {
    for mut item in items {
        let attributes = attributes(&mut item);
        let cfg = |attribute: &syn::Attribute| {
            let text = attribute.to_token_stream().to_string();
            attribute.path().is_ident("cfg") && text.contains("test") && !text.contains("not (test")
        };
        if attributes.iter().any(cfg) {
            continue;
        }
        match item {
            syn::Item::Mod(syn::ItemMod {
                ident,
                content: Some((_, items)),
                ..
            }) => {
                let below = module.iter().cloned().chain([ident.to_string()]).collect();
                tokens(items, &below, into);
            }
            item => into.push((module.clone(), item.to_token_stream())),
        }
    }
}

/// Takes the attributes of `item`, its documentation too.
fn attributes(item: &mut syn::Item) -> Vec<syn::Attribute> {
    let attributes = match item {
        syn::Item::Const(item) => &mut item.attrs,
        syn::Item::Fn(item) => &mut item.attrs,
        syn::Item::Impl(item) => &mut item.attrs,
        syn::Item::Macro(item) => &mut item.attrs,
        syn::Item::Mod(item) => &mut item.attrs,
        syn::Item::Use(item) => &mut item.attrs,
        _ => return Vec::new(),
    };
    std::mem::take(attributes)
}

/// All that is named in `tokens`, which stand in `module`, by a path from `crate` or `super`.
fn named(tokens: TokenStream, module: &Name, into: &mut BTreeSet<Name>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => named(group.stream(), module, into),
            TokenTree::Ident(ident) if ident == "crate" && is_path(&tokens, at + 1) => {
                at = path(&tokens, at + 1, Name::new(), into);
                continue;
            }
            TokenTree::Ident(ident) if ident == "super" && is_path(&tokens, at + 1) => {
                let above = module.split_last().expect("the root has nothing above").1;
                at = path(&tokens, at + 1, above.to_vec(), into);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Whether `::` stands there.
fn is_path(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))
}

/// Reads the path that goes on there, behind `begun`: where it ends.
fn path(tokens: &[TokenTree], at: usize, mut begun: Name, into: &mut BTreeSet<Name>) -> usize {
    let mut at = at;
    while is_path(tokens, at) {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(ident)) if ident == "super" => _ = begun.pop(),
            Some(TokenTree::Ident(ident)) => begun.push(ident.to_string()),
            Some(TokenTree::Group(group)) => {
                branches(group.stream(), &begun, into);
                return at + 3;
            }
            // `::*` or `::<T>`.
            _ => {
                at += 2;
                break;
            }
        }
        at += 3;
    }
    into.insert(begun);
    at
}

/// Reads the branches of a `use` behind `begun`.
fn branches(tokens: TokenStream, begun: &Name, into: &mut BTreeSet<Name>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    for branch in tokens.split(is_comma) {
        if let Some(TokenTree::Ident(ident)) = branch.first() {
            let mut begun = begun.clone();
            if ident != "self" {
                begun.push(ident.to_string());
            }
            path(branch, 1, begun, into);
        }
    }
}

/// The module of the table that `name` is in, or of.
fn module_of(name: &Name) -> Option<&'static str> {
    let (module, _) = *MAY_TAKE_FROM.iter().find(|(module, _)| {
        let module: Vec<_> = module.split("::").collect();
        name.len() >= module.len() && name.iter().zip(&module).all(|(a, b)| a == b)
    })?;
    Some(module)
}

/// Who takes what from which other module: all that is there.
fn arrows() -> BTreeMap<(&'static str, &'static str), BTreeSet<String>> {
    let root = family_tests::root().join("queue-process/src");
    // What the root re-exports, and from where.
    let mut exported = BTreeMap::new();
    for item in parse(&root.join("lib.rs")) {
        if let syn::Item::Use(mut item) = item {
            item.attrs.clear();
            let mut names = BTreeSet::new();
            branches(item.tree.to_token_stream(), &Name::new(), &mut names);
            let last = |name: Name| (name.last().unwrap().clone(), name);
            exported.extend(names.into_iter().map(last));
        }
    }
    let mut arrows = BTreeMap::<_, BTreeSet<String>>::new();
    for (file, module) in sources(&root) {
        let Some(from) = module_of(&module) else {
            // The root, and `linux` itself, only say what there is.
            assert!(module.len() < 2, "{module:?} is in no module of the table");
            continue;
        };
        let mut all = Vec::new();
        tokens(parse(&file), &module, &mut all);
        let mut names = BTreeSet::new();
        for (module, tokens) in all {
            named(tokens, &module, &mut names);
        }
        for name in names {
            let name = match exported.get(&name[0]) {
                Some(whole) if name.len() == 1 => whole.clone(),
                _ => name,
            };
            let Some(to) = module_of(&name) else {
                panic!("{}: where is {}?", file.display(), name.join("::"));
            };
            if to != from {
                let file = file.strip_prefix(&root).unwrap().display().to_string();
                let arrow = arrows.entry((from, to)).or_default();
                arrow.insert(format!("{file} takes {}", name.join("::")));
            }
        }
    }
    arrows
}

#[test]
fn the_table_runs_one_way() {
    for (at, (module, below)) in MAY_TAKE_FROM.iter().enumerate() {
        for other in *below {
            let lower = MAY_TAKE_FROM[..at].iter().any(|(name, _)| name == other);
            assert!(lower, "{module} is not above {other}");
        }
    }
}

#[test]
fn every_arrow_is_one_of_the_table_and_each_of_those_is_there() {
    let arrows = arrows();
    let mut faults = Vec::new();
    for ((from, to), takes) in &arrows {
        let (_, below) = MAY_TAKE_FROM.iter().find(|(name, _)| name == from).unwrap();
        if !below.contains(to) {
            let takes: Vec<_> = takes.iter().map(String::as_str).collect();
            faults.push(format!("{from} -> {to}: {}", takes.join(", ")));
        }
    }
    for (from, below) in MAY_TAKE_FROM {
        let unused = below
            .iter()
            .filter(|to| !arrows.contains_key(&(*from, **to)));
        faults.extend(unused.map(|to| format!("{from} takes nothing from {to}")));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn no_crate_takes_anything_from_a_sibling() {
    let mut faults = Vec::new();
    for package in SIBLINGS {
        for (file, module) in sources(&family_tests::root().join(package).join("src")) {
            let mut all = Vec::new();
            tokens(parse(&file), &module, &mut all);
            let mentions = |sibling: &&&str| {
                let name = sibling.replace('-', "_");
                (all.iter()).any(|(_, tokens)| mentions(tokens.clone(), &name))
            };
            let others = SIBLINGS.iter().filter(|sibling| *sibling != package);
            for sibling in others.filter(mentions) {
                faults.push(format!("{} takes from {sibling}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Whether the name of a crate stands in `tokens`.
fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[test]
fn every_form_of_a_path_is_found() {
    let text = "
        use crate::a::{self, b, c::{D, E as F}};
        use super::{g, h::*};
        fn f() { crate::i::j(super::super::k::L::<u8>::m) }
        macro_rules! x { () => { $crate::n::o::<T>() } }
        #[cfg(test)]
        mod tests { use crate::z; }
        mod inside { use super::p; use super::super::q; }
    ";
    let module: Name = ["x", "y", "z"].map(String::from).to_vec();
    let (mut all, mut names) = (Vec::new(), BTreeSet::new());
    tokens(syn::parse_file(text).unwrap().items, &module, &mut all);
    for (module, tokens) in all {
        named(tokens, &module, &mut names);
    }
    let names: Vec<_> = names.iter().map(|name| name.join("::")).collect();
    let wanted = [
        "a",
        "a::b",
        "a::c::D",
        "a::c::E",
        "i::j",
        "n::o",
        "x::k::L",
        "x::y::g",
        "x::y::h",
        "x::y::q",
        "x::y::z::p",
    ];
    assert_eq!(names, wanted);
}
