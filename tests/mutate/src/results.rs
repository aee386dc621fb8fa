//! What became of each mutant, in a file to which a line is added for each: a run that is ended
//! goes on where it was.

use crate::mutant::{self, Mutant};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A test failed: its target, and its name.
    Noticed(String, String),
    /// A target ran over its time, as a hung test does, and no test failed.
    Hung(String),
    /// All passed.
    Survived,
    /// The change is not a program: the compiler's first error.
    NotBuilt(String),
}

impl Fate {
    /// Whether somebody noticed.
    pub fn is_noticed(&self) -> bool {
        matches!(self, Self::Noticed(..) | Self::Hung(_))
    }
}

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The mutant's id.
    pub id: String,
    /// What became of it.
    pub fate: Fate,
    /// How long that took, in seconds.
    pub seconds: u64,
    /// Which sources it was, as a hash of them.
    pub sources: String,
    /// The commit that they were, with a `+` if they had been changed since.
    pub commit: String,
}

/// The file of results.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    rows: HashMap<String, Row>,
}

impl Results {
    /// Reads what there is at `path`. Of two lines for one mutant the later one counts; a line
    /// that is cut short does not.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let rows = text
            .split_inclusive('\n')
            .filter_map(|line| read(line.strip_suffix('\n')?));
        Ok(Self {
            path: path.to_path_buf(),
            rows: rows.map(|row| (row.id.clone(), row)).collect(),
        })
    }

    /// What became of the mutant of this id when it was last tried, with whatever sources.
    pub fn get(&self, id: &str) -> Option<&Row> {
        self.rows.get(id)
    }

    /// Those of `mutants` that have not been tried with these `sources`.
    pub fn missing<'a>(&self, mutants: &[&'a Mutant], sources: &str) -> Vec<&'a Mutant> {
        let is_missing = |mutant: &&&Mutant| {
            self.get(&mutant.id())
                .is_none_or(|row| row.sources != sources)
        };
        mutants.iter().filter(is_missing).copied().collect()
    }

    /// Adds a line, on the disk too.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, row: Row) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let ends_whole = std::fs::read(&self.path)
            .map_or(true, |text| text.last().is_none_or(|last| *last == b'\n'));
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)?;
        // Behind a line that was cut short.
        let start = if ends_whole { "" } else { "\n" };
        file.write_all(format!("{start}{}\n", write(&row)).as_bytes())?;
        self.rows.insert(row.id.clone(), row);
        Ok(())
    }
}

fn write(row: &Row) -> String {
    let (fate, by, test) = match &row.fate {
        Fate::Noticed(by, test) => ("noticed", by.as_str(), test.as_str()),
        Fate::Hung(by) => ("hung", by.as_str(), ""),
        Fate::Survived => ("survived", "", ""),
        Fate::NotBuilt(error) => ("not built", error.as_str(), ""),
    };
    let key = mutant::key(&row.id);
    let Row {
        id,
        seconds,
        sources,
        commit,
        ..
    } = row;
    let fields = [
        &key,
        fate,
        by,
        test,
        &seconds.to_string(),
        sources,
        commit,
        id,
    ];
    fields
        .map(|field| field.replace(['\t', '\n'], " "))
        .join("\t")
}

fn read(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [_, fate, by, test, seconds, sources, commit, id] = fields[..] else {
        return None;
    };
    let fate = match fate {
        "noticed" => Fate::Noticed(by.to_string(), test.to_string()),
        "hung" => Fate::Hung(by.to_string()),
        "survived" => Fate::Survived,
        "not built" => Fate::NotBuilt(by.to_string()),
        _ => return None,
    };
    Some(Row {
        id: id.to_string(),
        fate,
        seconds: seconds.parse().ok()?,
        sources: sources.to_string(),
        commit: commit.to_string(),
    })
}

/// The time as whole seconds, rounded up, so that nothing took none.
pub fn seconds(time: Duration) -> u64 {
    time.as_secs() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants() -> Vec<Mutant> {
        let text = "fn f() { if a { b(); } } fn g() { if a { b(); } } fn h() { if a { b(); } }";
        crate::operators::scan("a.rs", text).unwrap()
    }

    fn row(id: &str, fate: Fate, sources: &str) -> Row {
        Row {
            id: id.to_string(),
            fate,
            seconds: 3,
            sources: sources.to_string(),
            commit: "abc+".to_string(),
        }
    }

    /// A file of results that is gone at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("family-mutate-{name}-{}.tsv", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = std::fs::remove_file(&path);
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_run_goes_on_where_it_was() {
        let scratch = Scratch::new("goes-on");
        let all = mutants();
        let all: Vec<_> = all.iter().collect();
        let fates = [
            Fate::Noticed("queue-core/loom_a".to_string(), "close".to_string()),
            Fate::Survived,
        ];
        let mut results = Results::open(&scratch.0).unwrap();
        assert_eq!(results.missing(&all, "s").len(), all.len());
        for (mutant, fate) in all.iter().zip(&fates) {
            results.add(row(&mutant.id(), fate.clone(), "s")).unwrap();
        }
        let results = Results::open(&scratch.0).unwrap();
        assert_eq!(results.missing(&all, "s"), all[2..]);
        assert_eq!(results.get(&all[0].id()).unwrap().fate, fates[0]);
        // Other sources: all again, but who noticed is known.
        assert_eq!(results.missing(&all, "other").len(), all.len());
    }

    #[test]
    fn every_fate_is_read_as_it_was_written() {
        let scratch = Scratch::new("fates");
        let fates = [
            Fate::Noticed("a".to_string(), "b::c".to_string()),
            Fate::Hung("queue-core".to_string()),
            Fate::Survived,
            Fate::NotBuilt("error[E0382]: borrow of moved\tvalue".to_string()),
        ];
        let mut results = Results::open(&scratch.0).unwrap();
        for (n, fate) in fates.iter().enumerate() {
            results
                .add(row(&format!("m{n}"), fate.clone(), "s"))
                .unwrap();
        }
        let results = Results::open(&scratch.0).unwrap();
        for (n, fate) in fates.iter().take(3).enumerate() {
            assert_eq!(results.get(&format!("m{n}")).unwrap().fate, *fate);
        }
        assert!(
            matches!(&results.get("m3").unwrap().fate, Fate::NotBuilt(e) if e.contains("moved"))
        );
    }

    #[test]
    fn a_line_that_was_cut_short_does_not_count() {
        let scratch = Scratch::new("cut");
        let mut results = Results::open(&scratch.0).unwrap();
        results.add(row("first", Fate::Survived, "s")).unwrap();
        results.add(row("second", Fate::Survived, "s")).unwrap();
        let text = std::fs::read_to_string(&scratch.0).unwrap();
        std::fs::write(&scratch.0, &text[..text.len() - 3]).unwrap();
        let mut results = Results::open(&scratch.0).unwrap();
        assert!(results.get("first").is_some());
        assert!(results.get("second").is_none());
        results.add(row("third", Fate::Survived, "s")).unwrap();
        let results = Results::open(&scratch.0).unwrap();
        assert!(results.get("first").is_some() && results.get("third").is_some());
        assert!(results.get("second").is_none());
    }
}
