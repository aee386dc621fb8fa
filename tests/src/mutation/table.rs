//! The committed table, `MUTATIONS.md`: written after a run, and read before the next one
//! to ask first whoever noticed last time.

use super::Mutation;
use super::list::List;
use super::run::Fate;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What became of each mutation, by name.
pub type Fates = BTreeMap<String, Fate>;

const HEAD: &str = "\
# Mutations

Each row is one change to the sources that makes them weaker: a memory ordering one step
down, a fence or a notification gone, a re-check left out. `cargo mutate` makes them one at a
time and reports which model or test noticed. The places are found by reading the sources;
those that need judgement, and the arguments for what nothing can notice, stand in
[tests/mutations.txt](tests/mutations.txt).
";

/// The table as text, for the `mutations` there are now.
pub fn write(mutations: &[Mutation], list: &List, fates: &Fates) -> String {
    let argument = |id: &str| list.argued.iter().find(|(argued, _)| argued == id);
    let known = |m: &&Mutation| fates.contains_key(&m.id);
    let caught = |m: &&Mutation| matches!(fates.get(&m.id), Some(Fate::Caught(..) | Fate::Hung(_)));
    let tried: Vec<_> = mutations.iter().filter(known).collect();
    let caught = tried.iter().copied().filter(caught).count();
    let argued = tried
        .iter()
        .filter(|m| fates[&m.id] == Fate::Survived && argument(&m.id).is_some())
        .count();
    let mut text = format!(
        "{HEAD}\n**{} of {} places tried: {caught} caught, {argued} argued, {} open.**\n",
        tried.len(),
        mutations.len(),
        tried.len() - caught - argued,
    );
    let mut file = "";
    for mutation in mutations {
        if mutation.file != file {
            file = &mutation.file;
            let _ = write!(text, "\n## {file}\n\n| change | noticed by |\n|---|---|\n");
        }
        let change = mutation
            .id
            .split_once(": ")
            .map_or("", |(_, change)| change);
        let fate = match (fates.get(&mutation.id), argument(&mutation.id)) {
            (Some(Fate::Caught(suite, test)), _) => format!("`{suite}` `{test}`"),
            (Some(Fate::Hung(suite)), _) => format!("`{suite}` (did not end)"),
            (Some(Fate::Survived), Some((_, why))) => format!("argued: {why}"),
            (Some(Fate::Survived), None) => "**nobody**".to_string(),
            (Some(Fate::NotBuilt), _) => "**does not build**".to_string(),
            (None, _) => "not tried".to_string(),
        };
        let _ = writeln!(text, "| `{change}` | {fate} |");
    }
    text
}

/// Who noticed, in a table written earlier, and what nobody did.
pub fn read(text: &str) -> Fates {
    let (mut fates, mut file) = (Fates::new(), "");
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            file = name;
        }
        let quoted: Vec<_> = line.split('`').skip(1).step_by(2).collect();
        match (line.starts_with("| `"), quoted[..].split_first()) {
            (true, Some((change, _)))
                if line.contains("| **nobody**") || line.contains("| argued: ") =>
            {
                fates.insert(format!("{file}: {change}"), Fate::Survived);
            }
            (true, Some((change, [suite, test]))) => {
                let fate = Fate::Caught((*suite).to_string(), (*test).to_string());
                fates.insert(format!("{file}: {change}"), fate);
            }
            (true, Some((change, [suite]))) if line.contains("did not end") => {
                fates.insert(
                    format!("{file}: {change}"),
                    Fate::Hung((*suite).to_string()),
                );
            }
            _ => {}
        }
    }
    fates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutation(id: &str) -> Mutation {
        Mutation {
            id: id.to_string(),
            file: id.split(": ").next().unwrap().to_string(),
            place: 0..0,
            replacement: String::new(),
        }
    }

    #[test]
    fn reads_what_it_wrote() {
        let ids = [
            "a.rs: f: x dropped",
            "a.rs: f: y dropped",
            "b.rs: g: z dropped",
            "b.rs: g: w",
            "b.rs: g: v",
        ];
        let mutations = ids.map(mutation);
        let caught = Fate::Caught(
            "queue-core/tests/loom_a.rs".to_string(),
            "close".to_string(),
        );
        let fates = Fates::from([
            (ids[0].to_string(), caught.clone()),
            (ids[1].to_string(), Fate::Hung("queue-core".to_string())),
            (ids[2].to_string(), Fate::Survived),
            (ids[4].to_string(), Fate::Survived),
        ]);
        let argued = vec![(ids[2].to_string(), "it is only a hint".to_string())];
        let list = List {
            mutations: Vec::new(),
            argued,
        };
        let text = write(&mutations, &list, &fates);
        assert!(
            text.contains("4 of 5 places tried: 2 caught, 1 argued, 1 open"),
            "{text}"
        );
        assert!(text.contains("argued: it is only a hint"), "{text}");
        let back = read(&text);
        assert_eq!(back.len(), 4);
        assert_eq!(back[ids[2]], Fate::Survived);
        assert_eq!(back[ids[4]], Fate::Survived);
        assert_eq!(back[ids[0]], caught);
        assert_eq!(back[ids[1]], Fate::Hung("queue-core".to_string()));
    }
}
