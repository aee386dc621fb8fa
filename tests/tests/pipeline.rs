//! The main program, run as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The program. `cargo test` has built it, unless it was told to build this test alone.
fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // Beside the folder of this test.
        let own = std::env::current_exe().unwrap();
        let program = own.ancestors().nth(2).unwrap().join("examples/pipeline");
        let changed = |file: &Path| std::fs::metadata(file).and_then(|file| file.modified());
        let sources = std::fs::read_dir(family_tests::root().join("examples/pipeline")).unwrap();
        let mut sources = sources.map(|file| changed(&file.unwrap().path()).unwrap());
        if !changed(&program).is_ok_and(|built| sources.all(|source| source < built)) {
            let built = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--example", "pipeline"])
                .current_dir(family_tests::root())
                .status();
            assert!(built.expect("cargo can be run").success());
        }
        program
    })
}

fn pipeline(arguments: &[&str]) -> Output {
    Command::new(program())
        .args(arguments)
        .current_dir(family_tests::root())
        .output()
        .expect("it was built")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A small tree of files, removed when dropped.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(root.join("below/deeper")).unwrap();
        let words: String = (0..1000).map(|n| format!("word{n} Again ")).collect();
        std::fs::write(root.join("many.txt"), words).unwrap();
        std::fs::write(root.join("below/few.txt"), "again, again: AGAIN!").unwrap();
        std::fs::write(root.join("below/deeper/empty.txt"), "").unwrap();
        std::fs::write(root.join("below/deeper/image"), [0xff, 0xfe, 0x00]).unwrap();
        Self(root)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn all_kinds_count_the_same() {
    let tree = Tree::new("pipeline-all");
    let path = tree.0.to_str().unwrap();
    for arguments in [&["--workers", "3", path][..], &["--capacity", "1", path]] {
        let output = pipeline(arguments);
        let seen = text(&output);
        assert!(output.status.success(), "{output:?}");
        assert!(seen.contains("All agree, word for word."), "{seen}");
        assert!(seen.contains("Most frequent: again 1003, "), "{seen}");
        assert!(
            seen.contains("3 files were text, 1 were not, 0 could not be read."),
            "{seen}"
        );
        for kind in [
            "ThreadQueue",
            "LockFreeQueue",
            "AsyncQueue",
            "PipeQueue",
            "ShmQueue",
            "IpcQueue",
        ] {
            let row = seen.lines().find(|line| line.starts_with(kind));
            let row = row.unwrap_or_else(|| panic!("no {kind} in {seen}"));
            assert!(row.contains(" 2003 ") && row.ends_with("the same"), "{row}");
        }
    }
}

#[test]
fn workers_that_are_killed_cost_no_word() {
    let tree = Tree::new("pipeline-kill");
    let output = pipeline(&["--kill", "3", "--workers", "2", tree.0.to_str().unwrap()]);
    let seen = text(&output);
    assert!(output.status.success(), "{output:?}");
    for kind in ["PipeQueue", "ShmQueue", "IpcQueue"] {
        let row = seen.lines().find(|line| line.starts_with(kind));
        let row = row.unwrap_or_else(|| panic!("no {kind} in {seen}"));
        assert!(row.contains("the same; 3 workers killed, "), "{row}");
    }
}

#[test]
fn a_url_says_where() {
    let tree = Tree::new("pipeline-url");
    for url in [
        "thread://words?capacity=8",
        "async:",
        "pipe://pipeline-url?capacity=8",
        "shm://pipeline-url",
    ] {
        let output = pipeline(&["--url", url, "--workers", "2", tree.0.to_str().unwrap()]);
        let seen = text(&output);
        let row = seen.lines().find(|line| line.starts_with(url));
        assert!(
            row.is_some_and(|row| row.contains(" 2003 ") && row.ends_with("the same")),
            "{output:?}"
        );
    }
    // Workers are other processes, and could not open that one.
    let output = pipeline(&["--url", "ipc:", tree.0.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn one_kind_alone() {
    let tree = Tree::new("pipeline-one");
    let output = pipeline(&["--queue", "thread", tree.0.to_str().unwrap()]);
    let seen = text(&output);
    assert!(
        output.status.success() && seen.contains("ThreadQueue"),
        "{output:?}"
    );
    assert!(!seen.contains("AsyncQueue"), "{seen}");
}

#[test]
fn what_it_cannot_do_it_says() {
    let output = pipeline(&["does/not/exist"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does/not/exist"));
    for wrong in [
        &["--workers", "0"][..],
        &["--queue", "none"],
        &["--capacity", "0"],
    ] {
        assert_eq!(pipeline(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let help = pipeline(&["--help"]);
    assert!(help.status.success() && text(&help).contains("--workers <N>"));
}
