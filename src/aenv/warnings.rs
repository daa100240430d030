//! Warnings: parts of a request that are read leniently or ignored, said to the caller instead of refused.
//!
//! They travel beside the value that was read, and `http` sends them as `Warning` headers. Their number is bounded, since
//! a body of a megabyte could earn a hundred thousand.

use std::borrow::Cow;

/// The most warnings that one answer carries.
const TOLD: usize = 8;

/// The warnings of one request, in the order in which they were found; those beyond a bound are counted only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Warnings {
    told: Vec<String>,
    more: usize,
}

impl Warnings {
    /// Adds a warning. It never repeats the value of an environment variable.
    pub(crate) fn push(&mut self, warning: impl Into<String>) {
        if self.told.len() < TOLD { self.told.push(warning.into()) } else { self.more += 1 }
    }

    /// Adds all of `others`.
    pub(crate) fn extend(&mut self, others: Self) {
        self.more += others.more;
        others.told.into_iter().for_each(|warning| self.push(warning));
    }

    /// True if there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// The warnings, and after them the number of those that were not kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let more = (self.more > 0).then(|| Cow::Owned(format!("and {} more warnings", self.more)));
        self.told.iter().map(|warning| Cow::Borrowed(&**warning)).chain(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_number_is_bounded_and_the_rest_is_counted() {
        let mut warnings = Warnings::default();
        (0..20).for_each(|number| warnings.push(format!("w{number}")));
        let mut all = Warnings::default();
        all.push("first");
        all.extend(warnings);
        let told: Vec<_> = all.iter().collect();
        assert_eq!((told.len(), &*told[0], &*told[8]), (9, "first", "and 13 more warnings"));
        assert_eq!(Warnings::default().iter().count(), 0);
    }
}
