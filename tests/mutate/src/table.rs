//! The committed table, `docs/mutations.md`, from the results of a run.

use crate::list::{List, REASONS};
use crate::mutant::Mutant;
use crate::operators::{self, LISTED};
use crate::options::Options;
use crate::results::{Fate, Results, Row};
use crate::sources::EXCLUDED;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const HEAD: &str = "\
# Mutations

Each row is one change to the sources that makes them weaker or wrong at one place, and who noticed
it. `cargo mutate` finds the places by itself, by the operators below, in every function that is
compiled here; those of `listed` need judgement, and stand in
[tests/mutations.txt](../tests/mutations.txt) with the arguments for what nothing can notice. Asked are
the crate's unit tests, its loom models, its contract and other tests, those of the crates that are
built on it, and the family's suites, the quickest first; the first that notices has its name here.
";

/// The table as text: of `chosen` of `all`, as far as `results` know them.
pub fn write(
    all: &[Mutant],
    chosen: &[&Mutant],
    list: &List,
    results: &Results,
    options: &Options,
) -> String {
    let known: Vec<(&Mutant, &Row)> = (chosen.iter())
        .filter_map(|mutant| Some((*mutant, results.get(&mutant.id())?)))
        .collect();
    let (programs, broken): (Vec<_>, Vec<_>) = known
        .iter()
        .copied()
        .partition(|(_, row)| !matches!(row.fate, Fate::NotBuilt(_)));
    let mut text = HEAD.to_string();
    counts(&mut text, all, &programs, broken.len(), options);
    by_operator(&mut text, all, &programs, list);
    by_reason(&mut text, &programs, list);
    left_alone(&mut text);
    rows(&mut text, &programs, list);
    text
}

/// The counts of some rows.
#[derive(Default)]
struct Counts {
    noticed: usize,
    hung: usize,
    argued: usize,
    open: usize,
}

fn count(programs: &[(&Mutant, &Row)], list: &List) -> Counts {
    let mut counts = Counts::default();
    for (_, row) in programs {
        match &row.fate {
            Fate::Noticed(..) => counts.noticed += 1,
            Fate::Hung(_) => counts.hung += 1,
            _ if list.argument(&row.id).is_some() => counts.argued += 1,
            _ => counts.open += 1,
        }
    }
    counts
}

fn counts(
    text: &mut String,
    all: &[Mutant],
    programs: &[(&Mutant, &Row)],
    broken: usize,
    options: &Options,
) {
    let files: BTreeSet<_> = all.iter().map(|mutant| &mutant.file).collect();
    let commits: BTreeSet<_> = programs
        .iter()
        .map(|(_, row)| row.commit.as_str())
        .collect();
    let commits: Vec<_> = commits
        .into_iter()
        .map(|commit| format!("`{commit}`"))
        .collect();
    let from = match options.sample {
        Some(size) => format!("A sample of {size}, drawn by the seed {}", options.seed),
        None => "All that were tried".to_string(),
    };
    let _ = write!(
        text,
        "\n{} places in {} files, of {} operators. {from}, at commit {}: {} tried. {broken} more were \
         drawn that are no program, and do not count.\n",
        all.len(),
        files.len(),
        operators::ALL.len() + 1,
        commits.join(", "),
        programs.len(),
    );
}

fn by_operator(text: &mut String, all: &[Mutant], programs: &[(&Mutant, &Row)], list: &List) {
    *text +=
        "\n| operator | what it does | places | tried | noticed | did not end | argued | open |\n";
    *text += "|---|---|--:|--:|--:|--:|--:|--:|\n";
    let listed = (LISTED, "a change that needs judgement");
    let names = operators::ALL
        .iter()
        .map(|operator| (operator.name, operator.what));
    for (name, what) in names.chain([listed]) {
        let places = all.iter().filter(|mutant| mutant.operator == name).count();
        let own: Vec<_> = programs
            .iter()
            .copied()
            .filter(|(m, _)| m.operator == name)
            .collect();
        line(text, &[name, what], places, &own, list);
    }
    line(text, &["**all**", ""], all.len(), programs, list);
}

fn line(text: &mut String, words: &[&str; 2], places: usize, own: &[(&Mutant, &Row)], list: &List) {
    let Counts {
        noticed,
        hung,
        argued,
        open,
    } = count(own, list);
    let [name, what] = words;
    let tried = own.len();
    let _ = writeln!(
        text,
        "| {name} | {what} | {places} | {tried} | {noticed} | {hung} | {argued} | {open} |"
    );
}

fn by_reason(text: &mut String, programs: &[(&Mutant, &Row)], list: &List) {
    let survived = programs
        .iter()
        .filter(|(_, row)| row.fate == Fate::Survived);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, row) in survived {
        *reasons
            .entry(list.argument(&row.id).map_or("open", |a| a.reason))
            .or_default() += 1;
    }
    *text += "\nSurvivors by reason:\n\n| reason | | survivors |\n|---|---|--:|\n";
    for (reason, what) in REASONS
        .iter()
        .chain(&[("open", "nobody noticed, and nobody argues")])
    {
        let count = reasons.get(reason).copied().unwrap_or_default();
        let _ = writeln!(text, "| {reason} | {what} | {count} |");
    }
}

fn left_alone(text: &mut String) {
    *text += "\nLeft alone: what is not compiled here (other systems, features that are off, \
              stand-ins for loom), unit tests, what macros write, and\n\n";
    for (path, why) in EXCLUDED {
        let _ = writeln!(text, "* `{path}`: {why}");
    }
}

fn rows(text: &mut String, programs: &[(&Mutant, &Row)], list: &List) {
    let mut programs = programs.to_vec();
    // Stable: within a file in the order of its functions.
    programs.sort_by(|(a, _), (b, _)| (&a.file, a.place.start).cmp(&(&b.file, b.place.start)));
    let mut file = "";
    for (mutant, row) in programs {
        if mutant.file != file {
            file = &mutant.file;
            let _ = write!(
                text,
                "\n## {file}\n\n| function | operator | change | noticed by |\n|---|---|---|---|\n"
            );
        }
        let fate = match &row.fate {
            Fate::Noticed(by, test) => format!("`{by}` `{test}`"),
            Fate::Hung(by) => format!("`{by}` (did not end)"),
            _ => match list.argument(&row.id) {
                Some(argument) => format!("argued, {}: {}", argument.reason, argument.why),
                None => "**nobody**".to_string(),
            },
        };
        let function = match mutant.function.as_str() {
            "" => String::new(),
            name => format!("`{name}`"),
        };
        let Mutant {
            operator, change, ..
        } = mutant;
        let _ = writeln!(text, "| {function} | {operator} | `{change}` | {fate} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_the_operator_the_place_and_who_noticed() {
        let text = "fn f() { if a > b { c.notify_all(); } }";
        let all = operators::scan("a/src/ring.rs", text).unwrap();
        let chosen: Vec<_> = all.iter().take(4).collect();
        let path = std::env::temp_dir().join(format!("family-mutate-table-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut results = Results::open(&path).unwrap();
        let fates = [
            Fate::Noticed("a/loom_ring".to_string(), "close".to_string()),
            Fate::Survived,
            Fate::Survived,
            Fate::NotBuilt("error".to_string()),
        ];
        for (mutant, fate) in chosen.iter().zip(fates) {
            let (id, commit) = (mutant.id(), "abc".to_string());
            results
                .add(Row {
                    id,
                    fate,
                    seconds: 1,
                    sources: String::new(),
                    commit,
                })
                .unwrap();
        }
        let argued = format!("argued speed {}\nno promise is about this", chosen[1].id());
        let list = crate::list::read(&argued, Path::new("")).unwrap();
        let options = Options {
            sample: Some(4),
            seed: 9,
            ..Options::default()
        };
        let table = write(&all, &chosen, &list, &results, &options);
        std::fs::remove_file(&path).unwrap();
        for wanted in [
            "A sample of 4, drawn by the seed 9, at commit `abc`: 3 tried. 1 more were",
            "| `f` | wake | `c.notify_all() left out` | `a/loom_ring` `close` |",
            "argued, speed: no promise is about this |",
            "| **nobody** |",
            "| speed | it is slower or sleeps more or less, within what is promised | 1 |",
            "| open | nobody noticed, and nobody argues | 1 |",
            "| wake | a wake left out | 1 | 1 | 1 | 0 | 0 | 0 |",
            "* `queue-core/src/error.rs`: plain data",
        ] {
            assert!(table.contains(wanted), "{wanted}\n{table}");
        }
    }

    use std::path::Path;
}
