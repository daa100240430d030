//! Lists: their options, their pages, and the token that leads from one page to the next.
//!
//! A token names the revision of the first page and the last key shown, so that the server keeps nothing
//! between pages; it stops working when that revision is compacted away.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::object::Object;
use super::resource::Resource;
use super::selector::{FieldSelector, LabelSelector};
use super::status::{ApiError, CONTINUE_TOO_OLD, FieldError};
use super::store::{Key, Store};

const REVISION_TOO_OLD: &str = "The resourceVersion for the provided list is too old.";

/// The query parameters of a request.
pub(super) type Query = HashMap<String, String>;

/// Options of a list request.
#[derive(Debug)]
pub(super) struct ListOptions {
    labels: LabelSelector,
    fields: FieldSelector,
    /// `None`: everything in one page.
    limit: Option<usize>,
    from: From,
}

#[derive(Debug, PartialEq, Eq)]
enum From {
    Latest,
    NotOlderThan(u64),
    Exactly(u64),
    Token(ContinueToken),
}

impl ListOptions {
    /// # Errors
    /// 400 for a selector, a number or a token that cannot be read, in the API server's words.
    pub(super) fn parse(resource: Resource, query: &Query) -> Result<Self, ApiError> {
        let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let limit = query.get("limit").map(|limit| integer(limit)).transpose()?;
        query.get("timeoutSeconds").map(|seconds| integer(seconds)).transpose()?;
        let limit = usize::try_from(limit.unwrap_or_default()).ok().filter(|limit| *limit > 0);
        let version = text("resourceVersion");
        let exact = match (text("resourceVersionMatch"), version) {
            ("", _) => None,
            (_, "") => {
                return Err(match_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"));
            }
            ("Exact", "0") => {
                return Err(match_forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
            }
            (rule, _) => Some(rule == "Exact"),
        };
        let token = text("continue");
        if !token.is_empty() && !matches!(version, "" | "0") {
            return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
        }
        // As from an API server's watch cache, which does not page.
        let from_cache = version == "0" && token.is_empty();
        let from = if !token.is_empty() {
            From::Token(token.parse()?)
        } else if matches!(version, "" | "0") {
            From::Latest
        } else {
            let version = parse_version(version)?;
            if exact.unwrap_or(limit.is_some()) { From::Exactly(version) } else { From::NotOlderThan(version) }
        };
        Ok(Self {
            labels: LabelSelector::parse(text("labelSelector"))?,
            fields: FieldSelector::parse(resource, text("fieldSelector"))?,
            limit: limit.filter(|_| !from_cache),
            from,
        })
    }
}

fn match_forbidden(why: &str) -> ApiError {
    let error = FieldError::forbidden("resourceVersionMatch", why);
    ApiError::invalid_document("ListOptions", "meta.k8s.io", "", &[error])
}

fn integer(text: &str) -> Result<i64, ApiError> {
    text.parse().map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
}

/// # Errors
/// 500, as the API server does it.
pub(super) fn parse_version(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        ApiError::internal(format!(
            "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
        ))
    })
}

/// Continue token: the place where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContinueToken {
    /// `None`: whatever is the latest, at the price of consistency.
    revision: Option<u64>,
    /// The number of the page to come; the first one is 1 and needs no token.
    pub(super) page: u32,
    after: Key,
}

impl fmt::Display for ContinueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "{revision}")?,
            None => write!(f, "latest")?,
        }
        write!(f, ".{}.{}.{}", self.page, self.after.namespace, self.after.name)
    }
}

impl FromStr for ContinueToken {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().unwrap_or_default();
        let (revision, page, namespace, name) = (part(), part(), part(), part());
        let revision = match revision {
            "latest" => Some(None),
            number => number.parse().ok().map(Some),
        };
        match (revision, page.parse()) {
            (Some(revision), Ok(page)) if !name.is_empty() => {
                Ok(Self { revision, page, after: Key { namespace: namespace.to_owned(), name: name.to_owned() } })
            }
            _ => Err(ApiError::bad_request(
                "invalid continue token: continue key is not valid: not a token of this server",
            )),
        }
    }
}

/// One page of a list.
pub(super) struct Page {
    pub(super) resource: Resource,
    pub(super) items: Vec<Arc<Object>>,
    revision: u64,
    next: Option<ContinueToken>,
    /// Known only where nothing was selected.
    remaining: Option<usize>,
}

impl Page {
    /// The page of `resource` that `options` ask for, as it looks at `now`.
    ///
    /// # Errors
    /// 410 for a revision that has been compacted away, 504 for one from the future.
    pub(super) fn read(
        store: &Store,
        resource: Resource,
        namespace: Option<&str>,
        options: &ListOptions,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let current = store.revision();
        let (revision, page, after) = match &options.from {
            From::Latest => (current, 1, None),
            From::NotOlderThan(version) | From::Exactly(version) if *version > current => {
                return Err(ApiError::version_too_large(*version, current));
            }
            From::NotOlderThan(_) => (current, 1, None),
            From::Exactly(version) => (*version, 1, None),
            From::Token(token) => (token.revision.unwrap_or(current), token.page, Some(&token.after)),
        };
        let expired = || match &options.from {
            From::Token(token) => {
                let restart = ContinueToken { revision: None, ..token.clone() };
                ApiError::expired(CONTINUE_TOO_OLD, Some(restart.to_string()))
            }
            _ => ApiError::expired(REVISION_TOO_OLD, None),
        };
        if revision > current {
            return Err(expired());
        }
        let mut found = store
            .scan(resource, namespace, after, revision)
            .map_err(|_| expired())?
            .map(|(key, object)| (key, object.at(now)))
            .filter(|(_, object)| {
                options.labels.matches(object.labels()) && options.fields.matches(|field| object.field(field))
            });
        let mut items = Vec::new();
        let mut last = None;
        for (key, object) in found.by_ref().take(options.limit.unwrap_or(usize::MAX)) {
            last = Some(key);
            items.push(object);
        }
        let more = found.next().is_some();
        let selected = !options.labels.is_empty() || !options.fields.is_empty();
        Ok(Self {
            resource,
            items,
            revision,
            remaining: (more && !selected).then(|| found.count() + 1),
            next: last.filter(|_| more).map(|after| ContinueToken {
                revision: Some(revision),
                page: page + 1,
                after: after.clone(),
            }),
        })
    }

    /// The `metadata` of the list.
    pub(super) fn metadata(&self) -> Value {
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if let Some(next) = &self.next {
            metadata["continue"] = json!(next.to_string());
        }
        if let Some(remaining) = self.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        metadata
    }

    /// The list document, written from the bytes of its items.
    pub(super) fn document(&self) -> Bytes {
        let head = format!(
            "{{\"kind\":\"{}List\",\"apiVersion\":\"{}\",\"metadata\":{},\"items\":[",
            self.resource.kind(),
            self.resource.api_version(),
            self.metadata()
        );
        let size: usize = self.items.iter().map(|item| item.item().len() + 1).sum();
        let mut body = Vec::with_capacity(head.len() + size + 2);
        body.extend_from_slice(head.as_bytes());
        for (at, item) in self.items.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            body.extend_from_slice(item.item());
        }
        body.extend_from_slice(b"]}");
        Bytes::from(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store_of(count: usize) -> Store {
        let mut store = Store::default();
        for number in 0..count {
            let key = Key { namespace: "ns".to_owned(), name: format!("p{number:03}") };
            let value = json!({"metadata": {"name": key.name, "labels": {"odd": (number % 2).to_string()}}});
            store.put(Resource::Pods, key, Object::new(Resource::Pods, value, None));
        }
        store
    }

    fn page(store: &Store, query: &[(&str, &str)]) -> Result<Page, ApiError> {
        let query = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = ListOptions::parse(Resource::Pods, &query)?;
        Page::read(store, Resource::Pods, None, &options, Timestamp::UNIX_EPOCH)
    }

    fn token(page: &Page) -> String {
        page.next.as_ref().unwrap().to_string()
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let store = store_of(25);
        let mut seen = Vec::new();
        let mut next = String::new();
        for (number, remaining) in [(1, Some(15)), (2, Some(5)), (3, None)] {
            let page = page(&store, &[("limit", "10"), ("continue", &next)]).unwrap();
            assert_eq!(page.remaining, remaining, "page {number}");
            seen.extend(page.items.iter().map(|item| item.field("metadata.name").to_owned()));
            next = page.next.as_ref().map(ToString::to_string).unwrap_or_default();
        }
        assert_eq!(next, "");
        assert_eq!(seen, (0..25).map(|number| format!("p{number:03}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_selector_hides_how_many_items_remain() {
        let page = page(&store_of(25), &[("limit", "5"), ("labelSelector", "odd=1")]).unwrap();
        assert_eq!((page.items.len(), page.remaining), (5, None));
        assert!(page.next.is_some());
    }

    #[test]
    fn a_page_shows_the_moment_of_the_first_one() {
        let mut store = store_of(3);
        let first = page(&store, &[("limit", "1")]).unwrap();
        let gone = Key { namespace: "ns".to_owned(), name: "p001".to_owned() };
        store.delete(Resource::Pods, gone);
        let second = page(&store, &[("limit", "1"), ("continue", &token(&first))]).unwrap();
        assert_eq!(second.items[0].field("metadata.name"), "p001");
        store.compact();
        let error = page(&store, &[("limit", "1"), ("continue", &token(&first))]).err().unwrap();
        assert_eq!(error.code, 410);
        let restart = error.to_document()["metadata"]["continue"].as_str().unwrap().to_owned();
        let inconsistent = page(&store, &[("limit", "1"), ("continue", &restart)]).unwrap();
        assert_eq!(inconsistent.items[0].field("metadata.name"), "p002");
    }

    #[test]
    fn resource_version_zero_is_one_page_whatever_the_limit() {
        let page = page(&store_of(7), &[("limit", "2"), ("resourceVersion", "0")]).unwrap();
        assert_eq!(page.items.len(), 7);
    }

    #[test]
    fn options_that_cannot_be_read_are_refused() {
        let store = store_of(1);
        for (query, code) in [
            ([("limit", "abc"), ("", "")], 400),
            ([("continue", "abc"), ("", "")], 400),
            ([("continue", "99.2.ns.p"), ("", "")], 410),
            ([("continue", "1.2.ns.p"), ("resourceVersion", "1")], 400),
            ([("resourceVersion", "abc"), ("", "")], 500),
            ([("resourceVersion", "99"), ("", "")], 504),
            ([("resourceVersionMatch", "Exact"), ("", "")], 422),
            ([("timeoutSeconds", "x"), ("", "")], 400),
        ] {
            assert_eq!(page(&store, &query).err().map(|error| error.code), Some(code), "{query:?}");
        }
    }
}
