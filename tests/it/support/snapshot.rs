//! Snapshots and generated pages: text for people, kept in files, so that a change of it is seen in review.

use std::fs;
use std::path::Path;

/// Compares `text` with `tests/it/snapshots/<name>.txt`. With `UPDATE=1` in the environment the file is written instead.
#[track_caller]
pub(crate) fn assert_snapshot(name: &str, text: &str) {
    assert_file(&format!("tests/it/snapshots/{name}.txt"), text, "snapshots");
}

/// The same for any file of the repository, which the tests named `tests` write.
#[track_caller]
pub(crate) fn assert_file(file: &str, text: &str, tests: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).find(|(kept, now)| kept != now);
    assert!(kept == text, "{file} is stale (UPDATE=1 cargo test --test it {tests} writes it), at {differs:?}:\n{text}");
}

/// `text` with `…` in the place of every number before one of the `units`.
pub(crate) fn without_numbers(text: &str, units: &[&str]) -> String {
    let words: Vec<_> = text.split_inclusive([' ', '\n']).collect();
    let is_unit = |word: &str| units.contains(&word.trim_end_matches(|end: char| !end.is_ascii_alphabetic()));
    let mut kept = String::new();
    for (number, word) in words.iter().enumerate() {
        let (open, value) = word.strip_prefix('(').map_or(("", *word), |value| ("(", value));
        let is_number = value.trim().parse::<f64>().is_ok();
        match words.get(number + 1) {
            Some(next) if is_number && is_unit(next) => kept.extend([open, "… "]),
            _ => kept.push_str(word),
        }
    }
    kept
}
