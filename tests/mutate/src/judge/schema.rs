//! One program that holds many mutants: a variable of its environment says which of them acts. So
//! it is compiled once for all of them. (Such a program is called a mutant schema.)

use super::reach;
use crate::mutant::Mutant;
use crate::operators::{self, Body};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::RangeInclusive;
use std::process::Command;

/// The variable that names the mutant that acts, by its ten digits.
const ACTS: &str = "MUTATE_ACTS";

/// The sources with mutants in them.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// Each file with its mutants.
    pub(super) files: BTreeMap<String, String>,
    /// Where each mutant stands.
    arms: Vec<Arm>,
}

/// The body that a function has if a mutant acts.
#[derive(Debug)]
struct Arm {
    key: String,
    file: String,
    /// Its lines, from 1.
    lines: RangeInclusive<usize>,
    /// Those of the function.
    function: RangeInclusive<usize>,
}

impl Schema {
    /// Those of `mutants` that stand in a function of `files`, each in a body of its own; but those
    /// that are `left_out`.
    ///
    /// # Errors
    /// If a file cannot be parsed.
    pub(super) fn weave(
        files: &BTreeMap<String, String>,
        mutants: &[&Mutant],
        left_out: &BTreeSet<String>,
    ) -> io::Result<Self> {
        let mut schema = Self::default();
        for (file, text) in files {
            let own: Vec<_> = (mutants.iter().copied())
                .filter(|mutant| mutant.file == *file && !left_out.contains(&mutant.key()))
                .collect();
            let woven = schema.weave_file(file, text, &own)?;
            schema.files.insert(file.clone(), woven);
        }
        Ok(schema)
    }

    fn weave_file(&mut self, file: &str, text: &str, mutants: &[&Mutant]) -> io::Result<String> {
        let (mut woven, mut written) = (String::new(), 0);
        for body in operators::bodies(text)? {
            let inside = body.place.start + 1..body.place.end - 1;
            woven += &text[written..inside.start];
            written = inside.end;
            woven += &reach::note(file, &body.function);
            let plain = &text[inside.clone()];
            let own: Vec<_> = (mutants.iter())
                .filter(|mutant| stands_in(mutant, &body))
                .collect();
            if own.is_empty() {
                woven += plain;
                continue;
            }
            let first = last_line(&woven);
            let mut lines = Vec::new();
            woven += &format!("match {} {{", acts());
            for mutant in own {
                let place = &mutant.place;
                let (before, after) = (inside.start..place.start, place.end..inside.end);
                woven += &format!("\n0x{} => {{", mutant.key());
                let start = last_line(&woven);
                woven += &[&text[before], &mutant.replacement, &text[after], "}"].concat();
                lines.push((mutant.key(), start..=last_line(&woven)));
            }
            woven += &format!("\n_ => {{{plain}}}}}");
            let function = first..=last_line(&woven);
            self.arms.extend(lines.into_iter().map(|(key, lines)| Arm {
                key,
                file: file.to_string(),
                lines,
                function: function.clone(),
            }));
        }
        woven += &text[written..];
        Ok(woven)
    }

    /// Whether the mutant is in it.
    pub(super) fn holds(&self, mutant: &Mutant) -> bool {
        let key = mutant.key();
        self.arms.iter().any(|arm| arm.key == key)
    }

    /// The mutants that may be why the compiler says `errors`.
    pub(super) fn blamed(&self, errors: &str) -> BTreeSet<String> {
        let mut blamed = BTreeSet::new();
        for places in places_of_errors(errors) {
            let of = |lines: fn(&Arm) -> &RangeInclusive<usize>| {
                let at = |(file, line): &(String, usize)| -> BTreeSet<_> {
                    (self.arms.iter())
                        .filter(|arm| arm.file == *file && lines(arm).contains(line))
                        .map(|arm| arm.key.clone())
                        .collect()
                };
                places.iter().map(at).find(|keys| !keys.is_empty())
            };
            // Or what stands beside it does not fit to one of them.
            let keys = of(|arm| &arm.lines).or_else(|| of(|arm| &arm.function));
            blamed.extend(keys.unwrap_or_default());
        }
        blamed
    }
}

/// Has `mutant` act in `command`.
pub(super) fn act(command: &mut Command, mutant: &Mutant) {
    command.env(ACTS, mutant.key());
}

fn stands_in(mutant: &Mutant, body: &Body) -> bool {
    let place = &mutant.place;
    body.place.start < place.start && place.end < body.place.end && !body.is_opaque
}

/// An expression: the number of the mutant that acts. It is looked up once for each place, and by
/// nothing that waits: a child may be forked in the middle of it.
fn acts() -> String {
    let name = "::std::sync::atomic::";
    format!(
        "{{ static ACTS: {name}AtomicU64 = {name}AtomicU64::new(::std::primitive::u64::MAX); \
         let known = ACTS.load({name}Ordering::Relaxed); \
         if known != ::std::primitive::u64::MAX {{ known }} else {{ \
         let found = ::std::env::var(\"{ACTS}\").ok() \
         .and_then(|key| ::std::primitive::u64::from_str_radix(&key, 16).ok()).unwrap_or(0); \
         ACTS.store(found, {name}Ordering::Relaxed); found }} }}"
    )
}

fn last_line(text: &str) -> usize {
    text.matches('\n').count() + 1
}

/// Where each of the compiler's errors stands, and what it says of other places: below it, each in
/// a line of its own, `--> file:line:column` and `::: file:line:column`.
fn places_of_errors(errors: &str) -> Vec<Vec<(String, usize)>> {
    let (mut places, mut is_error) = (Vec::new(), false);
    for line in errors.lines() {
        let place = line.trim_start();
        let place = place.strip_prefix("--> ").or(place.strip_prefix("::: "));
        if line.starts_with("error") {
            is_error = true;
            places.push(Vec::new());
        } else if line.starts_with("warning") {
            is_error = false;
        } else if let (Some(place), Some(of_error), true) = (place, places.last_mut(), is_error) {
            let mut parts = place.split(':');
            if let (Some(file), Some(Ok(line))) = (parts.next(), parts.next().map(str::parse)) {
                of_error.push((file.to_string(), line));
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn one(a: u8) -> u8 {\n    if a > 1 { 2 } else { 3 }\n}\n\
                        const fn fixed(a: u8) -> u8 { if a > 1 { 2 } else { 3 } }\n\
                        fn some() -> impl Iterator<Item = u8> { (0..9).filter(|a| *a > 1) }\n\
                        fn two(a: u8) { if a > 1 { b() } }\n";

    fn woven(left_out: &[String]) -> (Vec<Mutant>, Schema) {
        let mutants = operators::scan("a.rs", TEXT).unwrap();
        let files = BTreeMap::from([("a.rs".to_string(), TEXT.to_string())]);
        let left_out = left_out.iter().cloned().collect();
        let schema = Schema::weave(&files, &mutants.iter().collect::<Vec<_>>(), &left_out);
        (mutants, schema.unwrap())
    }

    #[test]
    fn each_body_stands_beside_the_plain_one() {
        let (mutants, schema) = woven(&[]);
        let text = &schema.files["a.rs"];
        assert!(syn::parse_file(text).is_ok(), "{text}");
        assert!(!mutants.is_empty());
        for mutant in &mutants {
            let is_in = matches!(mutant.function.as_str(), "one" | "two");
            assert_eq!(schema.holds(mutant), is_in, "{}", mutant.id());
            assert_eq!(text.contains(&format!("\n0x{} => {{", mutant.key())), is_in);
        }
        assert_eq!(text.matches("_ => {").count(), 2);
        // What is woven into a function is there as often as it has mutants, and once more.
        let of_two = mutants.iter().filter(|m| m.function == "two").count();
        assert_eq!(text.matches("b()").count(), of_two + 1);
    }

    #[test]
    fn the_program_acts_as_it_is_told() {
        let (mutants, schema) = woven(&[]);
        let home = std::env::temp_dir().join(format!("family-mutate-act-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let source = home.join("a.rs");
        let main = "fn b() {} fn main() { println!(\"{}\", one(2)); two(2); some(); fixed(2); }";
        std::fs::write(&source, format!("{}{main}", schema.files["a.rs"])).unwrap();
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut rustc = Command::new(rustc);
        rustc.args(["--edition", "2024", "-A", "warnings", "-o"]);
        rustc.arg(home.join("a")).arg(&source);
        assert!(rustc.status().unwrap().success());
        let says = |mutant: Option<&Mutant>| {
            let mut program = Command::new(home.join("a"));
            program.env_remove(ACTS);
            mutant.iter().for_each(|mutant| act(&mut program, mutant));
            String::from_utf8(program.output().unwrap().stdout).unwrap()
        };
        let turned = |function: &str| {
            let is = |m: &&Mutant| m.function == function && m.operator == "condition";
            mutants.iter().find(is)
        };
        assert_eq!(says(None), "2\n");
        assert_eq!(says(turned("one")), "3\n");
        assert_eq!(says(turned("two")), "2\n", "another one acts");
        std::fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn the_mutant_that_is_no_program_is_found_by_its_line() {
        let (mutants, schema) = woven(&[]);
        let text = &schema.files["a.rs"];
        let of_one: Vec<_> = mutants.iter().filter(|m| m.function == "one").collect();
        let line_of = |part: &str| last_line(&text[..text.find(part).unwrap()]);
        let blamed = |line: usize| {
            let errors = format!("error[E0308]: x\n  --> a.rs:{line}:9\n   |\n");
            schema.blamed(&errors)
        };
        for mutant in &of_one {
            // The body begins in the line of its number.
            let line = line_of(&format!("0x{} =>", mutant.key()));
            assert_eq!(blamed(line), BTreeSet::from([mutant.key()]));
            assert_eq!(blamed(line + 1), BTreeSet::from([mutant.key()]));
        }
        // The plain one fits to none: each may be why.
        let plain = line_of("_ => {");
        assert_eq!(blamed(plain), of_one.iter().map(|m| m.key()).collect());
        assert!(schema.blamed("warning: x\n  --> a.rs:2:9\n").is_empty());

        let (_, schema) = woven(&[of_one[0].key()]);
        assert!(!schema.holds(of_one[0]));
        assert!(of_one[1..].iter().all(|mutant| schema.holds(mutant)));
    }
}
