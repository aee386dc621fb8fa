//! The command line.

use crate::mutant::Mutant;

/// What `--help` says.
pub const HELP: &str = "\
Weakens the sources one place at a time, and asks the models and tests who notices. Works in
a copy below target/mutate, and notes each result there, so that it can be ended at any time
and goes on where it was.

Usage: cargo mutate (--sample N | --all | --only ID) [OPTIONS]

  --sample N      N places drawn by the seed: of 100, at most an hour with -j 2
  --seed S        the seed of the sample [default: 1]
  --all           every place: days
  --only ID       the one of this id (its ten digits, or all of it); may be repeated
  --operator X    only those of this operator; may be repeated
  --file F        only those in files whose path contains this; may be repeated
  --list          names the places, and tries none
  --operators     names the operators
  -j N            so many at a time [default: one for each core]
  --again         also those that were tried with these very sources
  --unchecked     each by itself, without first running everything over the unchanged sources
  --table         writes docs/mutations.md from the results there are, and tries none

Fails if a change that is not argued for in tests/mutations.txt was noticed by nobody.";

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Options {
    /// How many are drawn.
    pub sample: Option<usize>,
    /// The sample's seed.
    pub seed: u64,
    /// Every one.
    pub all: bool,
    /// Ids.
    pub only: Vec<String>,
    /// Names of operators.
    pub operators: Vec<String>,
    /// Parts of paths.
    pub files: Vec<String>,
    /// Whether they are only named.
    pub list: bool,
    /// Whether the operators are only named.
    pub list_operators: bool,
    /// How many at a time.
    pub jobs: usize,
    /// Whether those are tried that were tried already.
    pub again: bool,
    /// Whether the unchanged sources are not tried.
    pub unchecked: bool,
    /// Whether only the table is written.
    pub table: bool,
}

impl Options {
    /// What `arguments` ask for, or `None` if for help.
    ///
    /// # Errors
    /// In words, if they make no sense.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            seed: 1,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            ..Self::default()
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} takes a value"));
            match argument.as_str() {
                "-h" | "--help" => return Ok(None),
                "--sample" => options.sample = Some(number(&value()?)?),
                "--seed" => options.seed = number(&value()?)?,
                "-j" => options.jobs = number::<usize>(&value()?)?.max(1),
                "--only" => options.only.push(value()?),
                "--operator" => options.operators.push(value()?),
                "--file" => options.files.push(value()?),
                "--all" => options.all = true,
                "--list" => options.list = true,
                "--operators" => options.list_operators = true,
                "--again" => options.again = true,
                "--unchecked" => options.unchecked = true,
                "--table" => options.table = true,
                other => match other.strip_prefix("-j") {
                    Some(jobs) => options.jobs = number::<usize>(jobs)?.max(1),
                    None => return Err(format!("unexpected argument {argument:?}")),
                },
            }
        }
        let chosen = options.sample.is_some() || options.all || !options.only.is_empty();
        if !chosen && !options.list && !options.list_operators {
            return Err("say which: --sample N, --all or --only ID".to_string());
        }
        if options.all && options.sample.is_some() {
            return Err("either all or a sample".to_string());
        }
        Ok(Some(options))
    }

    /// Those of `all` that were asked for.
    pub fn choose<'a>(&self, all: &'a [Mutant]) -> Vec<&'a Mutant> {
        let any = |wanted: &[String], is: &dyn Fn(&str) -> bool| {
            wanted.is_empty() || wanted.iter().any(|wanted| is(wanted))
        };
        let chosen: Vec<_> = all
            .iter()
            .filter(|m| any(&self.only, &|id| m.id() == id || m.key() == id))
            .filter(|m| any(&self.operators, &|name| m.operator == name))
            .filter(|m| any(&self.files, &|part| m.file.contains(part)))
            .collect();
        match self.sample {
            Some(size) => crate::sample::draw(&chosen, self.seed, size),
            None => chosen,
        }
    }

    /// The name of the file of results: a sample has one of its own.
    pub fn results(&self) -> String {
        match self.sample {
            Some(_) => format!("{}.tsv", self.seed),
            None => "all.tsv".to_string(),
        }
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("not a number: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Options>, String> {
        Options::read(line.split_whitespace().map(str::to_string))
    }

    #[test]
    fn the_command_line_is_read() {
        let options = read("--sample 20 --seed 7 -j 3 --file ring")
            .unwrap()
            .unwrap();
        assert_eq!(
            (options.sample, options.seed, options.jobs),
            (Some(20), 7, 3)
        );
        assert_eq!(options.results(), "7.tsv");
        assert_eq!(read("--only x").unwrap().unwrap().results(), "all.tsv");
        assert_eq!(read("--help"), Ok(None));
        assert_eq!(read("--all -j2").unwrap().unwrap().jobs, 2);
        for wrong in [
            "",
            "--sample",
            "--sample x",
            "--new",
            "--all --sample 3",
            "-j 2",
            "--all -jx",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn filters_choose() {
        let text = "fn f() { if a > b { c.notify_all(); } }";
        let all = crate::operators::scan("a/ring.rs", text).unwrap();
        let count = |line: &str| read(line).unwrap().unwrap().choose(&all).len();
        assert_eq!(count("--all"), all.len());
        assert_eq!(count("--all --operator comparison"), 1);
        assert_eq!(count("--all --operator comparison --operator condition"), 2);
        assert_eq!(count("--all --file ring --operator wake"), 1);
        assert_eq!(count("--all --file pipe"), 0);
        assert_eq!(count("--sample 2"), 2);
        assert_eq!(count(&format!("--only {}", all[0].key())), 1);
    }
}
