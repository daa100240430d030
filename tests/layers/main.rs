//! Architecture check: imports point one way, dependencies stay in their rooms, no circle, no file left out.
//!
//! The source is read with a parser. `rules` holds the tables to edit when the layout changes; `source` finds the
//! modules and resolves the names in them; `verdict` compares the two, and `circles` looks for circles among the
//! modules of a room. Code under `#[cfg(test)]` may import anything, and comments and strings do not count.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod circles;
mod examples;
mod names;
mod rules;
mod source;
mod verdict;

use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock};

use rules::RULES;
use source::Source;

/// Rooms at the top of `src/`, the files there included.
const MOST_ENTRIES: usize = 16;

#[test]
fn imports_point_one_way() {
    assert_none(&verdict::arrows(source(), &RULES));
}

#[test]
fn dependencies_stay_in_their_places() {
    assert_none(&verdict::dependencies(source(), &RULES));
}

#[test]
fn there_is_no_circle_between_rooms_or_inside_one() {
    assert_none(&verdict::circles(source(), &RULES));
}

#[test]
fn every_file_is_declared() {
    assert_none(&source::undeclared(&files(&["src", "tests", "benches"])));
}

#[test]
fn the_top_of_the_source_stays_small() {
    let entries = fs::read_dir(root().join("src")).unwrap().count();
    assert!(entries <= MOST_ENTRIES, "{entries} entries in src/, at most {MOST_ENTRIES}: group them by idea");
}

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn source() -> &'static Source {
    static SOURCE: LazyLock<Source> = LazyLock::new(|| Source::parse(&files(&["src"])));
    &SOURCE
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of every Rust file in the folders, by its path from the root of the repository.
fn files(folders: &[&str]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut pending: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}
