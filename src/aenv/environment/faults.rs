//! Faults of a body: all of them in one message, each with its field and the mend.

use std::fmt;

/// The most characters of the caller's own words that a message repeats at once.
const WORDS_SHOWN: usize = 80;

/// The most faults that a message tells; a body of a megabyte could have a hundred thousand.
const FAULTS_SHOWN: usize = 20;

/// Everything that is wrong with a body, in the order in which it was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, thiserror::Error)]
#[error("{}", self.joined())]
pub struct Faults {
    shown: Vec<Fault>,
    more: usize,
}

impl Faults {
    /// Adds a fault.
    pub fn push(&mut self, fault: Fault) {
        if self.shown.len() < FAULTS_SHOWN { self.shown.push(fault) } else { self.more += 1 }
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: Self) {
        self.more += others.more;
        others.shown.into_iter().for_each(|fault| self.push(fault));
    }

    /// True if nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    fn joined(&self) -> String {
        let mut faults = self.shown.iter().map(Fault::to_string).collect::<Vec<_>>();
        if self.more > 0 {
            faults.push(format!("and {} more", self.more));
        }
        faults.join("; ")
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { shown: vec![fault], more: 0 }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    field: Option<String>,
    problem: String,
}

impl Fault {
    /// A fault of the body as a whole.
    pub(super) fn of_body(problem: impl Into<String>) -> Self {
        Self { field: None, problem: problem.into() }
    }

    /// A fault of the field at `path`.
    pub(super) fn at(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: Some(path.into()), problem: problem.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.problem)
    }
}

/// The caller's words for a message: on one line, and not too many.
#[must_use]
pub fn cut(words: &str) -> String {
    let shown = words.chars().take(WORDS_SHOWN).flat_map(char::escape_debug).collect::<String>();
    let more = if words.chars().nth(WORDS_SHOWN).is_some() { "…" } else { "" };
    format!("{shown}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_short_whatever_the_body_is() {
        assert_eq!(cut("a\n\"ü\""), r#"a\n\"ü\""#);
        assert_eq!(cut(&"x".repeat(80)), "x".repeat(80));
        assert_eq!(cut(&"x".repeat(81)), format!("{}…", "x".repeat(80)));
        let mut faults = Faults::default();
        (0..1_000).for_each(|number| faults.push(Fault::at(format!("f{number}"), "is wrong")));
        let mut all = Faults::from(Fault::of_body("first"));
        all.extend(faults);
        let message = all.to_string();
        assert!(message.starts_with("first; f0: is wrong; f1: ") && message.ends_with("; and 981 more"), "{message}");
    }
}
