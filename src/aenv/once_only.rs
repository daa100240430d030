//! Idempotent creates: a caller's key, by which a create that is asked again finds its first object, on any replica.
//!
//! The generated name is derived from the key, so nothing has to be remembered. The object's fingerprint covers key and
//! contents, so that another request with the same key is told apart. The header is that of
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>.

use crate::call::ambient;
use crate::syntax::{NamePrefix, ObjectName};
use serde::Serialize;

/// The longest key, in bytes.
const LONGEST: usize = 255;

/// A caller's key for one create: 1 to 255 visible ASCII characters. Keys of different callers are different keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct IdempotencyKey {
    key: String,
    caller: Option<String>,
}

impl IdempotencyKey {
    /// The key `text` of `caller`, the name of whose token it is; `None` if nobody needs one. Quotes around it, as the
    /// draft has them, are not part of it. `None` if it is no key.
    pub(crate) fn new(text: &str, caller: Option<String>) -> Option<Self> {
        let text = text.trim();
        let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && (1..=LONGEST).contains(&key.len())).then(|| Self { key: key.to_owned(), caller })
    }
}

/// The name of an object that is being created: derived from the caller's key, else at random.
pub(super) fn generated_name(prefix: &NamePrefix, key: Option<&IdempotencyKey>) -> ObjectName {
    match key {
        Some(key) => prefix.derived_name(seed(key)),
        None => prefix.name(ambient::unique_id().as_u64_pair().1),
    }
}

/// FNV-1a (<https://datatracker.ietf.org/doc/draft-eastlake-fnv/>): the same on every replica, of every version.
fn seed(IdempotencyKey { key, caller }: &IdempotencyKey) -> u64 {
    let bytes = key.bytes().chain([0]).chain(caller.iter().flat_map(|caller| caller.bytes()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// An object that a create has made, or found as an earlier one with the same key has made it.
#[derive(Debug, Clone)]
pub(crate) struct Created<T> {
    pub object: T,
    /// True if it was found.
    pub replayed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Option<IdempotencyKey> {
        IdempotencyKey::new(text, None)
    }

    #[test]
    fn a_key_is_visible_ascii_with_or_without_quotes() {
        assert_eq!(key("\"8e03978e\""), key("8e03978e"));
        assert!(key(&"k".repeat(255)).is_some());
        for bad in ["", "\"\"", " ", "a b", "a\u{7f}", "ü", &"k".repeat(256)] {
            assert_eq!(key(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_name_depends_on_key_and_caller_and_on_nothing_else() {
        let prefix = NamePrefix::new("weather-", ObjectName::new).unwrap();
        let name = |text, caller: Option<&str>| {
            let key = IdempotencyKey::new(text, caller.map(str::to_owned)).unwrap();
            generated_name(&prefix, Some(&key))
        };
        assert_eq!(name("a", None), name("a", None));
        assert_ne!(name("a", None), name("b", None));
        assert_ne!(name("a", Some("jun")), name("a", Some("kim")));
        assert_ne!(generated_name(&prefix, None), generated_name(&prefix, None));
    }
}
