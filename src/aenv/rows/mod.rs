//! Rows: the objects of an answer, as clients read them.
//!
//! Many rows ([`Rows`]) and a single one ([`One`]) are two types, each with the shapes in which it can be shown, so
//! that a list cannot be answered where one object was asked for. Both are cheap to clone: clones share the rows.
//! The memo keeps either, as a [`Listing`].

mod listing;
mod once;
mod one;
mod rendering;
mod row_list;
#[cfg(test)]
mod tests;
mod text;

pub use listing::Listing;
pub use one::{One, OneShape};
pub use rendering::Rendering;
pub use row_list::{ListShape, Rows};
pub use text::{Interner, ReadAt, Text};

use crate::syntax::ListFilter;
use serde::Serialize;
use std::hash::Hash;

/// What a row of a listing can do. Its hash is what its entity tag is made of.
pub trait Row: Hash + Send + Sync + 'static {
    /// About how many bytes of JSON a row has besides its texts, in the longest of its shapes: keys, punctuation,
    /// numbers and times.
    const JSON_OVERHEAD: usize;

    /// The name of its object.
    fn name(&self) -> &str;

    /// The environment by which the API server would select its object; empty if there is none.
    fn env(&self) -> &str;

    /// The owner by which the API server would select its object; empty if there is none.
    fn owner(&self) -> &str;

    /// Whether the API server would list its object for `filter`.
    fn matches(&self, filter: &ListFilter) -> bool;

    /// How many bytes of text it holds; see [`Interner`] for what of it is shared.
    fn text_bytes(&self) -> usize;

    /// As it stands in a list.
    fn item(&self) -> impl Serialize + '_;

    /// As it stands alone.
    fn detail(&self) -> impl Serialize + '_;

    /// As the `/env-…` routes give it, in lists and alone.
    fn gateway(&self) -> impl Serialize + '_;
}
