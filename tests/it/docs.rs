//! The documentation: its links lead somewhere, the places in the code that it names exist, and the README stays short.

use crate::support::manifest::repository;
use std::fs;
use std::path::{Path, PathBuf};

/// Words of the README: what somebody reads before they try it.
const README_WORDS: usize = 1000;

fn pages() -> Vec<PathBuf> {
    let top = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "k8s/README.md"];
    let mut pages: Vec<_> = top.iter().map(|name| repository().join(name)).collect();
    let docs = fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    pages
}

/// Texts between `open` and `close` on one line.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.lines().flat_map(move |line| line.split(open).skip(1).filter_map(move |rest| rest.split(close).next()))
}

/// Code and documents that are named from the top of the repository, or from `src/` on.
fn is_place(word: &str) -> bool {
    let shape = word.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter));
    let ending = word.ends_with('/') || [".rs", ".md", ".yaml", ".json", ".toml"].iter().any(|end| word.ends_with(end));
    shape && ending && word.contains('/') && !word.starts_with(['/', '.'])
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in between(&text, "](", ')').filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            assert!(page.parent().unwrap().join(file).exists(), "{}: {link}", page.display());
        }
    }
}

#[test]
fn places_in_the_code_exist() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        // Every other piece between backticks is code.
        let words = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|word| is_place(word));
        for word in words.filter(|word| !word.starts_with("k8s/mine") && !word.starts_with("deploy/")) {
            let home: &Path = page.parent().unwrap();
            let roots =
                [home.to_owned(), repository().to_owned(), repository().join("src"), repository().join("src/aenv")];
            assert!(roots.iter().any(|root| root.join(word).exists()), "{}: there is no {word}", page.display());
        }
    }
}

/// All code below a folder of the repository, one text.
fn code(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| match path.is_dir() {
        true => code(&path),
        false if path.extension().is_some_and(|extension| extension == "rs") => fs::read_to_string(&path).unwrap(),
        false => String::new(),
    });
    texts.collect()
}

/// A test is the only thing whose name has that many words.
fn is_test(word: &str) -> bool {
    word.matches('_').count() >= 4 && word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[test]
fn each_threat_is_shown_to_be_held_by_tests_that_exist() {
    let code = ["src", "tests"].map(|folder| code(&repository().join(folder))).concat();
    let page = fs::read_to_string(repository().join("SECURITY.md")).unwrap();
    let table = page.split("## Threats").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let shown = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let mut words = shown.split('`').skip(1).step_by(2).peekable();
        assert!(words.peek().is_some(), "{row}");
        for test in words.filter(|word| is_test(word)) {
            assert!(code.contains(&format!("fn {test}(")), "there is no test {test}");
        }
    }
}

#[test]
fn the_readme_is_short() {
    let words = fs::read_to_string(repository().join("README.md")).unwrap().split_whitespace().count();
    assert!(words <= README_WORDS, "{words} words");
}
