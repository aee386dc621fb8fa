//! What the project promises of its own text: size, unsafe code, arrows, nothing unfinished.

use std::path::Path;

/// The files that may hold unsafe code. Each block argues for itself.
const MAY_BE_UNSAFE: &[&str] = &[
    "queue-core/src/sync/lock.rs",
    "queue-core/src/sync/cache_prefetch.rs",
    "queue-thread/src/lock_free/ring.rs",
    "queue-thread/src/lock_free/chain.rs",
    "queue-thread/src/lock_free/owner.rs",
    "queue-process/src/ipc/page.rs",
    "queue-process/src/sys/",
    // Never published: it measures memory and processor time.
    "bench/src/",
    // An allocator that watches how much decoding asks for.
    "queue-process/tests/codec.rs",
    // It closes standard streams.
    "queue-process/tests/streams.rs",
    // Processes that are copies of others, and limits of them.
    "queue-process/tests/fork/tools.rs",
    // Notes in memory that outlives a killed process.
    "tests/tests/chaos/storm/log.rs",
    // Processes run one instruction at a time, and counted.
    "tests/cost/src/steps.rs",
    // A clock that counts who asks.
    "tests/tests/clock.rs",
    // Processes run one instruction at a time, and signals.
    "tests/tests/chaos/storm/steps.rs",
    "tests/tests/chaos/storm/watchdog.rs",
];

/// Crates that promise to hold no unsafe code at all, and those that allow it by name.
const LINTS: &[(&str, &str)] = &[
    ("queue-thread/src/lib.rs", "#![deny(unsafe_code)]"),
    ("queue-async/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("tests/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("tests/mutate/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("examples/pipeline/main.rs", "#![forbid(unsafe_code)]"),
    (
        "examples/loom-downstream/src/lib.rs",
        "#![forbid(unsafe_code)]",
    ),
    ("queue-core/src/lib.rs", "#![deny(unsafe_code)]"),
    ("queue-process/src/lib.rs", "#![deny(unsafe_code)]"),
    ("queue-any/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("queue-cli/src/main.rs", "#![forbid(unsafe_code)]"),
];

/// Lines of a file that are neither documentation nor unit tests: what is longer is two concepts.
const LIMIT: usize = 600;

/// A file below the root of the repository.
struct File {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

/// Every text file of the repository, but what is built or locked.
fn files() -> Vec<File> {
    let root = family_tests::root();
    let (mut directories, mut files) = (vec![root.clone()], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if matches!(&*name, "target" | ".git" | "Cargo.lock" | "node_modules") {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                files.push(File {
                    path: relative(&root, &path),
                    text,
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 20, "the repository was not found");
    files
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap();
    path.to_string_lossy().replace('\\', "/")
}

fn rust_files() -> impl Iterator<Item = File> {
    files().into_iter().filter(|f| f.path.ends_with(".rs"))
}

/// Lines outside of comments, numbered from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.split("//").next().unwrap_or(line)))
}

/// Fails with all of `faults` at once.
#[track_caller]
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_file_holds_one_concept() {
    let faults = rust_files().filter_map(|file| {
        let is_documentation = |line: &&str| {
            let line = line.trim_start();
            line.starts_with("///") || line.starts_with("//!")
        };
        let lines = file.text.lines().take_while(|l| *l != "mod tests {");
        let lines = lines.filter(|l| !is_documentation(l)).count();
        (lines > LIMIT).then(|| format!("{}: {lines} lines, limit {LIMIT}", file.path))
    });
    none(faults.collect());
}

#[test]
fn unsafe_code_stays_where_it_is_argued() {
    let mut faults = Vec::new();
    let mut unused = MAY_BE_UNSAFE.to_vec();
    for file in rust_files() {
        let may = MAY_BE_UNSAFE.iter().any(|may| file.path.starts_with(may));
        for (n, line) in code(&file.text) {
            let says_unsafe = line
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == "unsafe");
            if says_unsafe && !line.contains('"') {
                unused.retain(|may| !file.path.starts_with(may));
                if !may {
                    faults.push(format!("{}:{n}: {}", file.path, line.trim()));
                }
            }
        }
    }
    faults.extend(
        unused
            .iter()
            .map(|may| format!("{may}: holds none, and need not be named")),
    );
    for (path, lint) in LINTS {
        let text = std::fs::read_to_string(family_tests::root().join(path)).unwrap_or_default();
        if !text.contains(lint) {
            faults.push(format!("{path}: without {lint}"));
        }
    }
    none(faults);
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    // In two halves, so that this file does not find itself.
    let signs = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        // With a reason it is visible, and allowed.
        concat!("#[", "ignore]"),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("X", "XX"),
    ];
    none(found(&signs));
}

/// What a reader copies: pages, examples, and what stands in documentation comments.
fn is_shown(file: &File, line: &str) -> bool {
    let line = line.trim_start();
    file.path.ends_with(".md")
        || file.path.starts_with("examples/")
        || line.starts_with("///")
        || line.starts_with("//!")
}

#[test]
fn no_loop_that_is_shown_swallows_a_failure() {
    let swallows = |line: &str| {
        let ends_at_any_error = line.contains("while let Ok(");
        let asks_no_error =
            line.contains("while ") && line.contains("pop") && line.contains("is_ok");
        ends_at_any_error || asks_no_error
    };
    let mut faults = Vec::new();
    let mut shown = 0;
    for file in files() {
        for (n, line) in file.text.lines().enumerate() {
            if is_shown(&file, line) {
                shown += 1;
                if swallows(line) {
                    faults.push(format!("{}:{}: {}", file.path, n + 1, line.trim()));
                }
            }
        }
    }
    assert!(shown > 1000, "the pages were not found");
    none(faults);
}

/// What a newcomer copies is a page at most, and two of them fit in a glance.
#[test]
fn recipes_are_short_and_beside_their_original() {
    let page = std::fs::read_to_string(family_tests::root().join("docs/recipes.md")).unwrap();
    let recipes: Vec<_> = page.split("\n## ").skip(1).collect();
    let mut faults = Vec::new();
    let mut glances = 0;
    for recipe in &recipes {
        let name = recipe.lines().next().unwrap_or_default();
        let of = |language: &str| {
            let block = recipe
                .split("```")
                .find(|block| block.starts_with(language));
            let lines = block.unwrap_or_default().lines().skip(1);
            lines.filter(|line| !line.starts_with("    # ")).count()
        };
        let short = ["A pool whose worker is killed", "Retry, and wait for all"].contains(&name);
        glances += usize::from(short);
        let limit = if short { 20 } else { 40 };
        if of("python") == 0 || !(15..=limit).contains(&of("rust")) {
            faults.push(format!("{name}: {} of {limit} lines", of("rust")));
        }
    }
    assert_eq!((recipes.len() >= 13, glances), (true, 2));
    none(faults);
}

#[test]
fn the_text_speaks_of_no_machine() {
    let signs = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/tmp", "/wt"),
        concat!("crates", ".io"),
        concat!("pypi", ".org"),
    ];
    none(found(&signs));
}

/// A page that leads to the sources names files that are there: `name.rs`, or the end of a path.
#[test]
fn files_that_pages_name_are_there() {
    let all: Vec<_> = rust_files().map(|file| file.path).collect();
    let is_there = |name: &str| {
        let end = format!("/{name}");
        all.iter().any(|path| format!("/{path}").ends_with(&end))
    };
    let mut faults = Vec::new();
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/verification.md"] {
        let text = std::fs::read_to_string(family_tests::root().join(page)).unwrap();
        let names: Vec<_> = text
            .split(|c: char| !(c.is_ascii_alphanumeric() || "_-./".contains(c)))
            .map(|word| word.trim_end_matches('.'))
            .filter(|word| word.ends_with(".rs") && !word.starts_with('.'))
            .collect();
        assert!(!names.is_empty(), "{page} names a file");
        let gone = names.into_iter().filter(|name| !is_there(name));
        faults.extend(gone.map(|name| format!("{page}: no {name}")));
    }
    none(faults);
}

/// Whether `sign` stands in `line`; a path from the root no less than from its start, for any folder
/// may have that name.
fn stands_in(line: &str, sign: &str) -> bool {
    line.match_indices(sign).any(|(at, _)| {
        let is_below = line[..at].ends_with(|before: char| before.is_alphanumeric());
        !(sign.starts_with('/') && is_below)
    })
}

/// Where any of `signs` stands.
fn found(signs: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files() {
        for (n, line) in file.text.lines().enumerate() {
            if let Some(sign) = signs.iter().find(|sign| stands_in(line, sign)) {
                found.push(format!("{}:{}: {sign}", file.path, n + 1));
            }
        }
    }
    found
}

#[test]
fn the_arrows_point_to_the_core_alone() {
    let published = [
        "queue-core",
        "queue-codec",
        "queue-thread",
        "queue-async",
        "queue-process",
        "queue-nats",
    ];
    let mut faults = Vec::new();
    for package in published {
        let manifest = format!("{package}/Cargo.toml");
        let text = std::fs::read_to_string(family_tests::root().join(&manifest)).unwrap();
        let own = text.lines().filter(|line| !line.starts_with("name"));
        for line in own {
            for sibling in published {
                // Between processes and machines items are bytes.
                let is_codec =
                    sibling == "queue-codec" && ["queue-process", "queue-nats"].contains(&package);
                let allowed = sibling == "queue-core" || sibling == package || is_codec;
                if line.starts_with(sibling) && !allowed {
                    faults.push(format!("{manifest}: depends on its sibling {sibling}"));
                }
            }
        }
    }
    none(faults);
}

#[test]
fn every_member_inherits_the_shared_settings() {
    let mut faults = Vec::new();
    for package in [
        "queue-core",
        "queue-thread",
        "queue-async",
        "queue-codec",
        "queue-process",
        "queue-nats",
        "queue-any",
        "queue-cli",
        "tests",
        "tests/mutate",
    ] {
        let manifest = format!("{package}/Cargo.toml");
        let text = std::fs::read_to_string(family_tests::root().join(&manifest)).unwrap();
        for wanted in [
            "version.workspace = true",
            "edition.workspace = true",
            "license.workspace = true",
            "[lints]\nworkspace = true",
        ] {
            if !text.contains(wanted) {
                faults.push(format!("{manifest}: without {wanted:?}"));
            }
        }
    }
    none(faults);
}

/// What a user of other libraries types into the search of the documentation, and what it is
/// to find: a line of one of our sources, behind the word as an alias.
const SEARCHED: &[(&str, &str)] = &[
    ("send", "fn push("),
    ("send", "fn push_async("),
    ("put", "fn push("),
    ("try_send", "fn try_push("),
    ("put_nowait", "fn try_push("),
    ("send_timeout", "fn push_timeout("),
    ("send_deadline", "fn push_deadline("),
    ("recv", "fn pop("),
    ("recv", "fn pop_async("),
    ("receive", "fn pop("),
    ("get", "fn pop("),
    ("try_recv", "fn try_pop("),
    ("get_nowait", "fn try_pop("),
    ("recv_timeout", "fn pop_timeout("),
    ("recv_deadline", "fn pop_deadline("),
    ("select", "fn pop_async("),
    ("select", "fn pop_any<"),
    ("select!", "struct Select<"),
    ("batch", "fn push_many("),
    ("batch", "fn pop_many("),
    ("recv_many", "fn pop_many("),
    ("drain", "fn try_iter("),
    ("drain", "fn close_now("),
    ("qsize", "fn len("),
    ("maxsize", "fn capacity("),
    ("shutdown", "fn close("),
    ("sender", "Producer, Side::Producers"),
    ("receiver", "Consumer, Side::Consumers"),
    ("channel", "trait Queue:"),
    ("channel", "struct ThreadQueue<"),
    ("channel", "struct LockFreeQueue<"),
    ("channel", "struct AsyncQueue<"),
    ("channel", "type PipeQueue<"),
    ("channel", "type ShmQueue<"),
    ("channel", "struct IpcQueue<"),
    ("channel", "fn bounded(n: usize)"),
    ("channel", "fn unbounded()"),
];

#[test]
fn the_words_of_other_libraries_are_found() {
    let mut missing = SEARCHED.to_vec();
    for file in rust_files().filter(|f| f.path.contains("/src/")) {
        // Of the item that comes next.
        let mut aliases = Vec::new();
        for line in file.text.lines().map(str::trim_start) {
            if line.starts_with("#[doc(alias(") {
                aliases.extend(line.split('"').skip(1).step_by(2));
            } else if !line.starts_with("#[") && !line.starts_with("//") {
                missing.retain(|(word, item)| !(aliases.contains(word) && line.contains(item)));
                aliases.clear();
            }
        }
    }
    let say = |(word, item): &(&str, &str)| format!("no alias {word:?} of {item:?}");
    none(missing.iter().map(say).collect());
}
