//! What `cargo mutate` works from still fits the sources.

use family_mutate::list::List;
use family_mutate::mutant::Mutant;
use family_mutate::operators;
use family_mutate::sources::EXCLUDED;
use std::sync::LazyLock;

static ALL: LazyLock<(Vec<Mutant>, List)> = LazyLock::new(|| {
    family_mutate::all(&family_tests::root()).expect("every entry stands in its file")
});

#[test]
fn the_list_fits_the_sources() {
    let (all, list) = &*ALL;
    let mut ids: Vec<_> = all.iter().map(Mutant::id).collect();
    for argument in &list.argued {
        assert!(
            ids.iter().any(|id| argument.is_about(id)),
            "nothing to argue for: {}",
            argument.id
        );
        assert!(argument.why.len() > 20, "no argument: {}", argument.id);
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "two mutants have the same name");
    let mut keys: Vec<_> = all.iter().map(Mutant::key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count, "two mutants have the same ten digits");
}

#[test]
fn every_operator_finds_places_and_each_is_a_change() {
    let (root, (all, _)) = (family_tests::root(), &*ALL);
    for operator in operators::ALL {
        let found = all.iter().filter(|mutant| mutant.operator == operator.name);
        assert!(found.count() > 1, "{} finds none", operator.name);
    }
    for mutant in all {
        let text = std::fs::read_to_string(root.join(&mutant.file)).expect("it was read before");
        assert_ne!(mutant.apply(&text), text, "{}", mutant.id());
    }
}

#[test]
fn what_is_left_alone_is_there() {
    for (path, _) in EXCLUDED {
        assert!(family_tests::root().join(path).exists(), "{path}");
    }
}
