//! Drawing a sample by a seed.

use crate::mutant::{Mutant, hash};

/// `size` of `mutants`, each as likely as any other, in an order of chance.
///
/// Each mutant draws a number from the seed and its own name, and the lowest are taken. So a
/// larger sample of the same seed begins with the smaller one, and a change of the sources
/// changes no more of the sample than it must.
pub fn draw<'a>(mutants: &[&'a Mutant], seed: u64, size: usize) -> Vec<&'a Mutant> {
    let mut drawn: Vec<_> = mutants
        .iter()
        .map(|mutant| {
            let id = mutant.id();
            (
                hash(seed.to_le_bytes().into_iter().chain(id.bytes())),
                id,
                *mutant,
            )
        })
        .collect();
    drawn.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    drawn.truncate(size);
    drawn.into_iter().map(|(_, _, mutant)| mutant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants(count: usize) -> Vec<Mutant> {
        let text: String = (0..count)
            .map(|n| format!("fn f{n}() {{ if a {{ b(); }} }}\n"))
            .collect();
        crate::operators::scan("a.rs", &text).unwrap()
    }

    fn ids(mutants: &[&Mutant], seed: u64, size: usize) -> Vec<String> {
        let drawn = draw(mutants, seed, size);
        drawn.into_iter().map(Mutant::id).collect()
    }

    #[test]
    fn a_seed_draws_the_same_again_and_another_seed_another() {
        let all = mutants(200);
        let mut all: Vec<_> = all.iter().collect();
        let first = ids(&all, 1, 20);
        all.reverse();
        assert_eq!(ids(&all, 1, 20), first);
        assert_ne!(ids(&all, 2, 20), first);
        assert_eq!(ids(&all, 1, 40)[..20], first);
    }

    #[test]
    fn what_is_added_elsewhere_pushes_out_no_more_than_itself() {
        let all = mutants(220);
        let all: Vec<_> = all.iter().collect();
        let (before, after) = (ids(&all[..200], 7, 50), ids(&all, 7, 50));
        let kept = before.iter().filter(|id| after.contains(id)).count();
        assert!((30..50).contains(&kept), "{kept}");
    }

    #[test]
    fn every_mutant_is_as_likely_as_any_other() {
        let all = mutants(10);
        let all: Vec<_> = all.iter().collect();
        let mut times = std::collections::BTreeMap::new();
        for seed in 0..2000 {
            for id in ids(&all, seed, 3) {
                *times.entry(id).or_insert(0) += 1;
            }
        }
        assert_eq!(times.len(), 10);
        assert!(times.values().all(|n| (500..700).contains(n)), "{times:?}");
    }
}
