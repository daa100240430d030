//! Pieces of a list, as both encodings are cut into them, and the errors of both.

use crate::cluster::error::Error;

/// Beginning of a protobuf answer.
pub(super) const MAGIC: &[u8] = b"k8s\0";

/// A piece of a list that is complete.
pub(super) enum Piece<'a> {
    Metadata(&'a [u8]),
    Item(&'a [u8]),
}

pub(super) fn no_envelope() -> Error {
    unreadable("it is no Kubernetes protobuf")
}

pub(super) fn unreadable(what: &str) -> Error {
    Error::Unreadable(what.to_owned())
}
