//! Rows: the objects of an answer, as clients read them.
//!
//! Many rows ([`Rows`]) and a single one ([`One`]) are two types, each with the shapes in which it can be shown, so
//! that a list cannot be answered where one object was asked for. Both are cheap to clone: clones share the rows.
//! The memo keeps either, as a [`Listing`].

mod labels;
mod listing;
mod once;
mod one;
mod rendering;
mod row;
mod row_list;
#[cfg(test)]
mod tests;
mod text;
mod text_file;

pub(crate) use labels::RowLabels;
pub use listing::Listing;
pub(crate) use one::{One, OneShape};
pub(crate) use rendering::{Body, Coding, Rendering};
pub(crate) use row::Row;
pub use row_list::{ListShape, Rows};
pub use text::Interner;
pub(crate) use text::{ReadAt, Text, TextMap};
pub(crate) use text_file::TextFile;
