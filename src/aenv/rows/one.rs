//! A single row.

use super::{Rendering, Row};
use crate::aenv::envelope::Envelope;
use std::sync::Arc;

/// One object. Clones share it.
#[derive(Debug)]
pub struct One<R>(Arc<R>);

/// The shapes of one object on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OneShape {
    /// `data` is the row.
    Detail,
    /// `data` is the row, for the `/env-…` routes.
    Gateway,
}

impl<R> Clone for One<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Row> One<R> {
    /// The object of `row`.
    pub fn new(row: R) -> Self {
        Self(Arc::new(row))
    }

    pub(super) fn of(row: &Arc<R>) -> Self {
        Self(Arc::clone(row))
    }

    pub(super) fn shared(&self) -> Arc<R> {
        Arc::clone(&self.0)
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The row.
    pub fn row(&self) -> &R {
        &self.0
    }

    /// The JSON in this shape, rendered for this caller: one row is less work than looking its rendering up.
    pub fn render(&self, shape: OneShape) -> Rendering {
        let json = match shape {
            OneShape::Detail => Envelope::success(self.0.detail()).to_json(),
            OneShape::Gateway => Envelope::success(self.0.gateway()).to_json(),
        };
        Rendering::of_row(&(shape, &*self.0), json)
    }

    pub(super) fn bytes(&self) -> usize {
        row_bytes(&*self.0)
    }
}

/// About how many bytes of memory a row takes: the struct, its texts, and the counts and gaps of its allocations.
pub(super) fn row_bytes<R: Row>(row: &R) -> usize {
    size_of::<R>() + row.text_bytes() + 64
}
