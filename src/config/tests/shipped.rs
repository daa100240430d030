//! The file that the image has: every key, its default, whether it can be changed while the controller runs.

use super::*;
use crate::config::document;
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
