//! The kept list of mutations still fits the sources.

use family_tests::mutation;

#[test]
fn the_list_fits_the_sources() {
    let root = family_tests::root();
    let (all, list) = mutation::all(&root).expect("every entry stands in its file");
    assert!(all.len() > 50, "{} places", all.len());
    let mut names: Vec<_> = all.iter().map(|m| m.id.as_str()).collect();
    for (argued, why) in &list.argued {
        assert!(
            names.contains(&argued.as_str()),
            "nothing to argue for: {argued}"
        );
        assert!(why.len() > 20, "no argument: {argued}");
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two mutations have the same name");
}
