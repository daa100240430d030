//! The answers of one resource as the memo keeps them: lists and single objects side by side, since a list answers for
//! the objects in it.

use super::{One, Row, Rows};
use crate::memo::{Key, Memorable};
use crate::syntax::ListFilter;

/// An answer that the memo keeps.
#[derive(Debug)]
pub enum Listing<R> {
    /// To a question for a list.
    Many(Rows<R>),
    /// To a question for one object.
    Single(One<R>),
}

impl<R> Listing<R> {
    /// The rows of the answer to a question for a list.
    ///
    /// # Panics
    /// If it answers another question.
    pub fn rows(&self) -> Rows<R> {
        match self {
            Self::Many(rows) => rows.clone(),
            Self::Single(_) => unreachable!("a question for a list is answered by a list"),
        }
    }

    /// The row of the answer to a question for one object.
    ///
    /// # Panics
    /// If it answers another question.
    pub fn one(&self) -> One<R> {
        match self {
            Self::Single(one) => one.clone(),
            Self::Many(_) => unreachable!("a question for one object is answered by one"),
        }
    }
}

impl<R: Row> Memorable for Listing<R> {
    fn narrow(&self, key: &Key) -> Option<Self> {
        match (self, key) {
            (Self::Many(rows), Key::One(name)) => Some(Self::Single(rows.find(name)?)),
            (Self::Many(rows), Key::List(filter)) => Some(Self::Many(rows.narrowed(filter))),
            (Self::Single(_), _) => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Many(rows) => rows.bytes(),
            Self::Single(one) => one.bytes(),
        }
    }

    fn laid_over(&self, filter: &ListFilter, written: &[(&str, Option<&Self>)]) -> Option<Self> {
        let Self::Many(rows) = self else { return None };
        let written = written.iter().map(|&(name, listing)| match listing {
            Some(Self::Single(one)) => (name, Some(one)),
            Some(Self::Many(_)) | None => (name, None),
        });
        Some(Self::Many(rows.with(written, filter)))
    }

    async fn prepare_like(&self, before: &Self) {
        if let (Self::Many(rows), Self::Many(before)) = (self, before) {
            rows.prepare_like(before).await;
        }
    }
}
