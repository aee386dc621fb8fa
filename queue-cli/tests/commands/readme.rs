//! The commands of the README, word for word.

use crate::tools::Stage;

/// The blocks of `language`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    let parts = text.split(&begin).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_one_liners_of_the_readme_do_what_it_says() {
    let readme = include_str!("../../README.md");
    let lines = blocks(readme, "sh");
    let outputs = blocks(readme, "text");
    assert_eq!((lines.len(), outputs.len()), (5, 5));
    for (line, output) in lines.iter().zip(outputs) {
        let stage = Stage::new();
        // Names of this test's own.
        let own = line.replace("://", &stage.url("", ""));
        let ended = stage.shell(&own);
        assert_eq!(
            (ended.status, &*ended.out),
            (0, output),
            "{line}{}",
            ended.err
        );
        stage.is_empty();
    }
}

#[test]
fn the_readme_of_the_family_has_the_same_ones() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    // The crate may be built on its own.
    let Ok(family) = std::fs::read_to_string(root) else {
        return;
    };
    for line in blocks(include_str!("../../README.md"), "sh") {
        assert!(family.contains(line), "{line}");
    }
}
