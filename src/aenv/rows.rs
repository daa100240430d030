//! The rows of an answer, with their JSON rendered at most once for each shape in which clients ask for it.

use crate::aenv::envelope::Envelope;
use crate::memo::{Key, Memorable};
use crate::syntax::ListFilter;
use bytes::Bytes;
use serde::Serialize;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, OnceLock};

/// What a row of a listing can do.
pub trait Row: Send + Sync + 'static {
    /// The name of its object.
    fn name(&self) -> &str;

    /// Whether the API server would list its object for `filter`.
    fn matches(&self, filter: &ListFilter) -> bool;

    /// About how many bytes of text it holds.
    fn text_bytes(&self) -> usize;

    /// As it stands in a list.
    fn item(&self) -> impl Serialize + '_;

    /// As it stands alone.
    fn detail(&self) -> impl Serialize + '_;

    /// As the `/env-…` routes give it, in lists and alone.
    fn gateway(&self) -> impl Serialize + '_;
}

/// The shapes of one listing on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `data` is a list of items.
    Items,
    /// `data` is the one row.
    Detail,
    /// `data` is a list, for the `/env-…` routes.
    GatewayItems,
    /// `data` is the one row, for the `/env-…` routes.
    GatewayDetail,
    /// `data` is `{"items": […]}`, which the SDK expects of `/env-instance/list` alone.
    GatewayPage,
}

/// A rendered answer.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The JSON text.
    pub body: Bytes,
    /// A strong entity tag, quotes included (RFC 9110, section 8.8.3).
    pub etag: String,
}

impl Rendered {
    /// This text, with its tag.
    #[must_use]
    pub fn new(json: Vec<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&json);
        Self { etag: format!("\"{:016x}\"", hasher.finish()), body: json.into() }
    }
}

/// Rows, in the order of the API server.
#[derive(Debug)]
pub struct Listing<R> {
    rows: Vec<Arc<R>>,
    rendered: [OnceLock<Rendered>; 5],
}

/// What a row costs beyond its text: the struct, its allocations, and the punctuation and keys of its JSON.
const ROW_OVERHEAD: usize = 512;

impl<R: Row> Listing<R> {
    /// A listing of `rows`.
    pub fn new(rows: impl IntoIterator<Item = R>) -> Self {
        Self::of(rows.into_iter().map(Arc::new))
    }

    fn of(rows: impl IntoIterator<Item = Arc<R>>) -> Self {
        Self { rows: rows.into_iter().collect(), rendered: Default::default() }
    }

    /// The rows that `keep` says yes to.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&R) -> bool) -> Self {
        Self::of(self.rows.iter().filter(|row| keep(row)).cloned())
    }

    /// The name of the first row.
    #[must_use]
    pub fn first_name(&self) -> Option<&str> {
        self.rows.first().map(|row| row.name())
    }

    /// The JSON in this shape, rendered when it is first asked for.
    pub fn rendered(&self, shape: Shape) -> &Rendered {
        self.rendered[shape as usize].get_or_init(|| {
            let json = match shape {
                Shape::Items => self.render(R::item),
                Shape::GatewayItems => self.render(R::gateway),
                Shape::Detail => self.render_one(R::detail),
                Shape::GatewayDetail => self.render_one(R::gateway),
                Shape::GatewayPage => Envelope::success(Page { items: self.views(R::gateway) }).to_json(),
            };
            Rendered::new(json)
        })
    }

    fn views<'a, V: Serialize + 'a>(&'a self, view: impl Fn(&'a R) -> V) -> Vec<V> {
        self.rows.iter().map(|row| view(row)).collect()
    }

    fn render<'a, V: Serialize + 'a>(&'a self, view: impl Fn(&'a R) -> V) -> Vec<u8> {
        Envelope::success(self.views(view)).to_json()
    }

    fn render_one<'a, V: Serialize + 'a>(&'a self, view: impl Fn(&'a R) -> V) -> Vec<u8> {
        let row = self.rows.first().expect("an answer to a question for one object holds it");
        Envelope::success(view(row)).to_json()
    }
}

/// A list as an object.
#[derive(Serialize)]
struct Page<V> {
    items: Vec<V>,
}

impl<R: Row> Memorable for Listing<R> {
    fn narrow(&self, key: &Key) -> Option<Self> {
        match key {
            Key::One(name) => {
                let row = self.rows.iter().find(|row| row.name() == &**name)?;
                Some(Self::of([Arc::clone(row)]))
            }
            Key::List(filter) => Some(self.filtered(|row| row.matches(filter))),
        }
    }

    /// The rows and two renderings of them, whether they have been made or not: more than two shapes of one
    /// answer are hardly asked for within its few seconds.
    fn bytes(&self) -> usize {
        self.rows.iter().map(|row| 3 * (row.text_bytes() + ROW_OVERHEAD)).sum::<usize>() + ROW_OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Name(String);

    impl Row for Name {
        fn name(&self) -> &str {
            &self.0
        }
        fn matches(&self, _: &ListFilter) -> bool {
            self.0.starts_with('a')
        }
        fn text_bytes(&self) -> usize {
            self.0.len()
        }
        fn item(&self) -> impl Serialize + '_ {
            &self.0
        }
        fn detail(&self) -> impl Serialize + '_ {
            self.0.to_uppercase()
        }
        fn gateway(&self) -> impl Serialize + '_ {
            (&self.0, 1)
        }
    }

    fn text(listing: &Listing<Name>, shape: Shape) -> String {
        String::from_utf8(listing.rendered(shape).body.to_vec()).unwrap()
    }

    #[test]
    fn each_shape_is_rendered_once() {
        let listing = Listing::new(["ab".to_owned(), "c".to_owned()].map(Name));
        assert_eq!(text(&listing, Shape::Items), r#"{"success":true,"code":0,"data":["ab","c"]}"#);
        assert_eq!(text(&listing, Shape::GatewayItems), r#"{"success":true,"code":0,"data":[["ab",1],["c",1]]}"#);
        assert_eq!(
            text(&listing, Shape::GatewayPage),
            r#"{"success":true,"code":0,"data":{"items":[["ab",1],["c",1]]}}"#
        );
        assert_eq!(text(&listing, Shape::Detail), r#"{"success":true,"code":0,"data":"AB"}"#);
        let again = listing.rendered(Shape::Items).body.as_ptr();
        assert_eq!(listing.rendered(Shape::Items).body.as_ptr(), again);
        assert_ne!(listing.rendered(Shape::Items).etag, listing.rendered(Shape::Detail).etag);
    }

    #[test]
    fn an_empty_listing_is_an_empty_list_not_null() {
        assert_eq!(text(&Listing::new([]), Shape::Items), r#"{"success":true,"code":0,"data":[]}"#);
    }

    #[test]
    fn it_narrows_to_a_part_but_never_says_no() {
        let listing = Listing::new(["ab".to_owned(), "c".to_owned()].map(Name));
        let part = listing.narrow(&Key::List(ListFilter::default())).unwrap();
        assert_eq!(text(&part, Shape::Items), r#"{"success":true,"code":0,"data":["ab"]}"#);
        assert!(listing.narrow(&Key::One("c".into())).is_some());
        assert!(listing.narrow(&Key::One("d".into())).is_none());
    }

    #[test]
    fn its_weight_covers_its_renderings() {
        let listing = Listing::new((0..100).map(|n| Name(format!("name-{n}"))));
        let rendered = text(&listing, Shape::Items).len() + text(&listing, Shape::GatewayItems).len();
        assert!(listing.bytes() > rendered);
    }
}
