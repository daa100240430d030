//! Slim objects: the few fields of Kubernetes objects that the controller uses.
//!
//! A pod is 6 to 20 kB of JSON; decoding only these fields takes a tenth of the time and a hundredth of the memory
//! of the full typed object. Each type reads both encodings: JSON by its field names, protobuf by the field numbers
//! of upstream's `generated.proto`. Fields that are not named here are skipped in both. Every field may be absent or
//! `null`, as the API server leaves out what is empty.

mod deployment;
mod metadata;
mod pod;
mod service;

pub use deployment::Deployment;
pub use metadata::{Labels, Metadata, Object};
pub use pod::{ContainerStatus, Pod, PodStatus, Terminated, Waiting};
pub use service::Service;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// The most bytes of a reason that are shown. Reasons are single words in CamelCase.
const REASON_MAX: usize = 128;

/// The most bytes of a message that are shown. Kubelets and schedulers write a few hundred; admission webhooks may
/// write anything.
const MESSAGE_MAX: usize = 1024;

/// An object of which the fields of use are read, in either encoding.
pub trait Slim: prost::Message + DeserializeOwned + Default + 'static {
    /// Its metadata.
    fn metadata(&self) -> &Metadata;
}

macro_rules! slim {
    ($object:ty) => {
        impl crate::cluster::slim::Slim for $object {
            fn metadata(&self) -> &crate::cluster::slim::Metadata {
                &self.metadata
            }
        }
    };
}
use slim;

/// A condition of a Pod or a Deployment. The field numbers differ, so there is one message for each.
pub trait Condition {
    /// Its type, such as `Ready` or `Progressing`.
    fn kind(&self) -> &str;
    /// `True`, `False` or `Unknown`.
    fn status(&self) -> &str;
    /// Its reason, one word; empty if there is none. At most 128 bytes.
    fn reason(&self) -> &str;
    /// Its message; empty if there is none. At most 1 KiB.
    fn message(&self) -> &str;
}

macro_rules! condition {
    ($message:ty) => {
        impl super::Condition for $message {
            fn kind(&self) -> &str {
                &self.r#type
            }
            fn status(&self) -> &str {
                &self.status
            }
            fn reason(&self) -> &str {
                super::reason(&self.reason)
            }
            fn message(&self) -> &str {
                super::message(&self.message)
            }
        }
    };
}
use condition;

/// Go writes an empty list or map as `null`.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn reason(text: &str) -> &str {
    clipped(text, REASON_MAX)
}

fn message(text: &str) -> &str {
    clipped(text, MESSAGE_MAX)
}

/// The longest beginning of `text` that has at most `max` bytes and ends between two characters.
pub(super) fn clipped(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_two_characters() {
        assert_eq!(clipped("short", 10), "short");
        assert_eq!(clipped("héllo", 2), "h");
        assert_eq!(clipped("héllo", 3), "hé");
        assert_eq!(clipped("", 0), "");
        let long = "ü".repeat(MESSAGE_MAX);
        assert_eq!(message(&long).len(), MESSAGE_MAX);
    }
}
