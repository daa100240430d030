//! Row: the common parts of all kinds of rows.

use crate::syntax::ListFilter;
use serde::Serialize;
use std::hash::Hash;

/// A row of a listing. Its entity tag is made of its hash.
pub trait Row: Hash + Send + Sync + 'static {
    /// About how many bytes of JSON an item has besides its texts: keys, punctuation, numbers and times.
    const ITEM_OVERHEAD: usize;

    /// The same of a row as the `/env-…` routes give it.
    const GATEWAY_OVERHEAD: usize;

    /// The name of its object.
    fn name(&self) -> &str;

    /// The environment by which the API server would select its object; empty if there is none.
    fn env(&self) -> &str;

    /// The owner by which the API server would select its object; empty if there is none.
    fn owner(&self) -> &str;

    /// True if the API server would list its object for `filter`.
    fn matches(&self, filter: &ListFilter) -> bool;

    /// Number of bytes of text that it holds; see [`Interner`](super::Interner) for what of it is shared.
    fn text_bytes(&self) -> usize;

    /// As it stands in a list.
    fn item(&self) -> impl Serialize + '_;

    /// As it stands alone.
    fn detail(&self) -> impl Serialize + '_;

    /// As the `/env-…` routes give it, in lists and alone.
    fn gateway(&self) -> impl Serialize + '_;
}
