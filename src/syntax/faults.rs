//! Faults: everything that is wrong with what somebody has written (a body, settings, templates, tokens), all of it at
//! once, each fault with its place.

use std::fmt;
use std::path::Path;

/// The most faults that are kept; a body of a megabyte could have a hundred thousand.
const MOST_KEPT: usize = 1_000;

/// The most faults that fit into one sentence.
const MOST_IN_A_SENTENCE: usize = 20;

/// All faults, in the order in which they were found; displayed, one line for each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    kept: Vec<Fault>,
    /// Number of those that were not kept.
    more: usize,
}

impl Faults {
    /// Adds a fault.
    pub fn push(&mut self, fault: Fault) {
        if self.kept.len() < MOST_KEPT { self.kept.push(fault) } else { self.more += 1 }
    }

    /// Adds all of `others`.
    pub fn append(&mut self, others: Self) {
        self.more += others.more;
        self.extend(others.kept);
    }

    /// True if nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The faults that are kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.kept.iter()
    }

    /// `value`, if nothing is wrong.
    pub fn none_or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The first faults in one line, for an answer.
    pub fn sentence(&self) -> String {
        self.join(MOST_IN_A_SENTENCE, "; ")
    }

    fn join(&self, most: usize, separator: &str) -> String {
        let mut told: Vec<_> = self.kept.iter().take(most).map(Fault::to_string).collect();
        let more = self.kept.len() - told.len() + self.more;
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        told.join(separator)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join(MOST_KEPT, "\n"))
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { kept: vec![fault], more: 0 }
    }
}

impl Extend<Fault> for Faults {
    fn extend<I: IntoIterator<Item = Fault>>(&mut self, faults: I) {
        faults.into_iter().for_each(|fault| self.push(fault));
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        let mut all = Self::default();
        all.extend(faults);
        all
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

/// One thing that is wrong; displayed as `source: key: problem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    source: Option<String>,
    key: Option<String>,
    problem: String,
}

impl Fault {
    /// A fault of the whole text.
    pub fn new(problem: impl fmt::Display) -> Self {
        Self { source: None, key: None, problem: problem.to_string() }
    }

    /// A fault at a key or a field.
    pub fn at(key: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self { key: Some(key.into()), ..Self::new(problem) }
    }

    /// A fault of a whole file or folder.
    pub fn of_file(file: &Path, problem: impl fmt::Display) -> Self {
        Self::new(problem).within(file.display())
    }

    /// The same, found in `source`: a file, maybe with a line of it, a variable, a flag.
    pub fn within(self, source: impl fmt::Display) -> Self {
        Self { source: Some(source.to_string()), ..self }
    }

    /// The key or the field. `None`: it is a fault of the whole.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in [&self.source, &self.key].into_iter().flatten() {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_displayed_with_as_much_of_its_place_as_is_known() {
        assert_eq!(Fault::new("is wrong").to_string(), "is wrong");
        assert_eq!(Fault::at("a.b", "is wrong").to_string(), "a.b: is wrong");
        assert_eq!(Fault::at("a.b", "is wrong").within("file:3").to_string(), "file:3: a.b: is wrong");
    }

    #[test]
    fn a_sentence_stays_short_and_the_lines_bounded() {
        let mut all = Faults::from(Fault::new("first"));
        all.append((0..2_000).map(|number| Fault::at(format!("f{number}"), "is wrong")).collect());
        let sentence = all.sentence();
        assert!(
            sentence.starts_with("first; f0: is wrong; f1: ") && sentence.ends_with("; and 1981 more"),
            "{sentence}"
        );
        let lines = all.to_string();
        assert_eq!(lines.lines().count(), MOST_KEPT + 1);
        assert!(lines.starts_with("first\nf0: is wrong\n") && lines.ends_with("\nand 1001 more"), "{lines}");
    }
}
