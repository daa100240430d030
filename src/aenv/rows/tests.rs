use super::*;
use crate::memo::{Key, Memorable};
use crate::syntax::{LabelValue, ListFilter};
use serde::Serialize;

#[derive(Hash)]
struct Name(&'static str);

impl Row for Name {
    const ITEM_OVERHEAD: usize = 10;
    const GATEWAY_OVERHEAD: usize = 20;

    fn name(&self) -> &str {
        self.0
    }
    fn env(&self) -> &str {
        &self.0[..1]
    }
    fn owner(&self) -> &str {
        &self.0[1..]
    }
    fn matches(&self, filter: &ListFilter) -> bool {
        filter.env.as_ref().is_none_or(|env| env.as_str() == self.env())
            && filter.owner.as_ref().is_none_or(|owner| owner.as_str() == self.owner())
            && (!filter.with_ttl || self.0 == "b1")
    }
    fn text_bytes(&self) -> usize {
        self.0.len()
    }
    fn item(&self) -> impl Serialize + '_ {
        self.0
    }
    fn detail(&self) -> impl Serialize + '_ {
        self.0.to_uppercase()
    }
    fn gateway(&self) -> impl Serialize + '_ {
        (self.0, 1)
    }
}

fn rows(names: &[&'static str]) -> Rows<Name> {
    Rows::new(names.iter().copied().map(Name))
}

fn names(rows: &Rows<Name>) -> Vec<&str> {
    rows.iter().map(Row::name).collect()
}

async fn text(rows: &Rows<Name>, shape: ListShape) -> String {
    String::from_utf8(rows.rendering(shape).await.unwrap().body().to_vec()).unwrap()
}

fn filter(env: &str, owner: &str) -> ListFilter {
    ListFilter { env: LabelValue::new(env).ok(), owner: LabelValue::new(owner).ok(), ..ListFilter::default() }
}

#[tokio::test]
async fn each_shape_is_rendered_once() {
    let rows = rows(&["a1", "b1"]);
    assert_eq!(text(&rows, ListShape::Items).await, r#"{"success":true,"code":0,"data":["a1","b1"]}"#);
    assert_eq!(text(&rows, ListShape::Gateway).await, r#"{"success":true,"code":0,"data":[["a1",1],["b1",1]]}"#);
    assert_eq!(
        text(&rows, ListShape::GatewayPage).await,
        r#"{"success":true,"code":0,"data":{"items":[["a1",1],["b1",1]]}}"#
    );
    let (first, again) = (rows.rendering(ListShape::Items).await, rows.clone().rendering(ListShape::Items).await);
    assert_eq!(first.unwrap().body().as_ptr(), again.unwrap().body().as_ptr());
}

#[tokio::test]
async fn a_successor_is_rendered_as_its_predecessor_has_been() {
    let [before, after] = [0, 1].map(|_| Listing::Many(rows(&["a1", "b1"])));
    before.rows().rendering(ListShape::Gateway).await.unwrap();
    after.prepare_like(&before).await;
    let made = [ListShape::Items, ListShape::Gateway, ListShape::GatewayPage]
        .map(|shape| after.rows().rendering_at_hand(shape).is_some());
    assert_eq!(made, [false, true, false]);
}

#[tokio::test]
async fn an_empty_list_is_not_null() {
    assert_eq!(text(&rows(&[]), ListShape::Items).await, r#"{"success":true,"code":0,"data":[]}"#);
}

#[test]
fn a_single_row_is_rendered_alone() {
    let one = One::new(Name("a1"));
    assert_eq!(one.render(OneShape::Detail).body(), r#"{"success":true,"code":0,"data":"A1"}"#);
    assert_eq!(one.render(OneShape::Gateway).body(), r#"{"success":true,"code":0,"data":["a1",1]}"#);
    assert_ne!(
        one.render(OneShape::Detail).etag(Coding::Identity),
        one.render(OneShape::Gateway).etag(Coding::Identity)
    );
}

#[test]
fn rows_are_found_by_name_in_whatever_order_they_came() {
    let rows = rows(&["c1", "a1", "b1"]);
    assert_eq!(names(&rows), ["a1", "b1", "c1"]);
    for name in ["a1", "b1", "c1"] {
        assert_eq!(rows.find(name).unwrap().name(), name);
    }
    assert!(rows.find("a2").is_none());
}

#[test]
fn a_filter_finds_what_a_scan_would_find() {
    let rows = rows(&["a1", "a2", "b1", "b2", "b3"]);
    assert_eq!(names(&rows.narrowed(&filter("b", ""))), ["b1", "b2", "b3"]);
    assert_eq!(names(&rows.narrowed(&filter("b", "2"))), ["b2"]);
    assert_eq!(names(&rows.narrowed(&filter("", "1"))), ["a1", "b1"]);
    assert_eq!(names(&rows.narrowed(&ListFilter { with_ttl: true, ..ListFilter::default() })), ["b1"]);
    assert!(rows.narrowed(&filter("c", "")).is_empty());
}

#[test]
fn a_list_answers_for_its_objects_but_never_says_no() {
    let listing = Listing::Many(rows(&["a1", "b1"]));
    assert!(matches!(listing.narrow(&Key::One("b1".into())), Some(Listing::Single(one)) if one.name() == "b1"));
    assert!(listing.narrow(&Key::One("c1".into())).is_none());
    let part = listing.narrow(&Key::List(filter("a", "")));
    assert!(matches!(part, Some(Listing::Many(rows)) if names(&rows) == ["a1"]));
    assert!(Listing::Single(One::new(Name("a1"))).narrow(&Key::List(filter("a", ""))).is_none());
}

#[tokio::test]
async fn parts_keep_their_renderings_until_they_change() {
    let rows = rows(&["a1", "b1"]);
    let of_a = async |version| {
        let part = rows.part(0, version, |row| row.env() == "a");
        part.rendering(ListShape::Items).await.unwrap().body().clone()
    };
    let first = of_a(0).await;
    assert_eq!(rows.part(1, 0, |row| row.env() == "b").len(), 1);
    assert_eq!(of_a(0).await.as_ptr(), first.as_ptr());
    assert_ne!(of_a(1).await.as_ptr(), first.as_ptr());
}

#[tokio::test]
async fn rows_of_equal_content_have_equal_tags() {
    let tag = async |names| rows(names).rendering(ListShape::Items).await.unwrap().etag(Coding::Identity).to_owned();
    assert_eq!(tag(&["a1", "b1"]).await, tag(&["b1", "a1"]).await);
    assert_ne!(tag(&["a1"]).await, tag(&["a2"]).await);
}

#[test]
fn written_objects_take_the_place_of_older_rows_and_deleted_ones_go() {
    let [a0, b1] = ["a0", "b1"].map(|name| Listing::Single(One::new(Name(name))));
    let written = [("b1", Some(&b1)), ("a2", None), ("a0", Some(&a0)), ("c1", None)];
    let with = |filter, listed: &[&'static str]| match Listing::Many(rows(listed)).laid_over(&filter, &written) {
        Some(Listing::Many(rows)) => names(&rows).join(" "),
        _ => panic!("a list stays a list"),
    };
    assert_eq!(with(ListFilter::default(), &["a1", "a2", "b1"]), "a0 a1 b1");
    assert_eq!(with(filter("a", ""), &["a1", "a2"]), "a0 a1");
}
