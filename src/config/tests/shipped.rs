//! The file that the image has: every key, its default, whether it can be changed while the controller runs.

use super::*;
use crate::config::document;
use proptest::prelude::*;
use std::path::Path;

const SHIPPED: &str = include_str!("../../../config/controller.yaml");

/// The generated files, the copy that kustomize mounts among them.
#[test]
fn the_generated_documentation_is_that_of_the_table() {
    let table = Settings::table();
    let yaml = document::yaml(&table);
    let markdown = document::markdown(&table);
    for (file, expected) in
        [("config/controller.yaml", &yaml), ("k8s/base/controller.yaml", &yaml), ("docs/CONFIGURATION.md", &markdown)]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, expected).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == *expected, "{file} is stale: UPDATE=1 cargo test --lib config::");
    }
}

#[test]
fn a_file_with_a_slip_is_taken_or_refused_in_few_words() {
    let places: Vec<_> = SHIPPED.match_indices(": ").map(|(place, _)| place).collect();
    let slips = (prop::sample::select(places), "\\PC{0,3}|[\\[\\]{}:&*!|>\n -]{1,4}|: [0-9.eE+-]{0,12} #");
    proptest!(ProptestConfig::with_cases(16), |((place, slip) in slips)| {
        let text = format!("{}{slip}{}", &SHIPPED[..place], &SHIPPED[place + 1..]);
        if let Err(error) = Scene::new().file(&text).load() {
            prop_assert!((1..4_000).contains(&error.to_string().len()), "{}", error);
        }
    });
}

#[test]
fn the_shipped_file_has_every_key_at_its_default() {
    let scene = Scene::new().file(SHIPPED);
    assert_eq!(scene.settings(), Settings::default());
    let cli = Cli::parse(&scene.line).unwrap();
    let mut mentioned: Vec<_> =
        Sources::collect(&cli.flags, [], &scene.path()).entries.into_iter().map(|entry| entry.path).collect();
    let mut known = known_keys();
    mentioned.sort();
    known.sort_unstable();
    assert_eq!(mentioned, known);
}

#[test]
fn the_shipped_file_has_the_keys_in_the_order_of_the_table() {
    let keys = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
    };
    assert_eq!(keys(SHIPPED), keys(&Settings::default().render()));
}

#[test]
fn the_shipped_file_marks_the_keys_that_are_live() {
    let mut marked = Vec::new();
    let mut section = "";
    for line in SHIPPED.lines().filter(|line| !line.trim_start().starts_with('#')) {
        match line.split_once(':') {
            Some((key, rest)) if line.starts_with("  ") && rest.ends_with("  # live") => {
                marked.push(format!("{section}.{}", key.trim()));
            }
            Some((name, "")) => section = name,
            _ => {}
        }
    }
    let changes = KEYS
        .iter()
        .flat_map(|(path, good, ..)| Settings::default().changes(&Scene::new().file(&yaml(path, good)).settings()));
    let live: Vec<_> = changes.filter(|change| change.applies == Applies::Live).map(|change| change.key).collect();
    assert_eq!(marked, live);
}
