//! Any YAML as a tree with the place of every key and value.

use super::key_path::{KeyPath, Place, Step};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;
use std::fmt;

/// A value and where it begins.
#[derive(Debug)]
pub(super) struct Node {
    place: Place,
    pub(super) tree: Tree,
}

/// A value.
#[derive(Debug)]
pub(super) enum Tree {
    Null,
    Text(String),
    /// A number or a boolean, whichever.
    Other,
    List(Vec<Node>),
    Mapping(Vec<Member>),
}

/// A key, where it stands, and its value.
#[derive(Debug)]
pub(super) struct Member {
    place: Place,
    pub(super) key: String,
    pub(super) value: Node,
}

impl Node {
    /// The place that `path` leads to, or the last one on the way that is there.
    pub(super) fn place_of(&self, path: &KeyPath) -> Place {
        let (mut node, mut place) = (self, self.place);
        for step in path.steps() {
            (place, node) = match (step, &node.tree) {
                (Step::Key(key), Tree::Mapping(members)) => match members.iter().find(|member| member.key == *key) {
                    Some(member) => (member.place, &member.value),
                    None => break,
                },
                (Step::Index(index), Tree::List(items)) => match items.get(*index) {
                    Some(item) => (item.place, item),
                    None => break,
                },
                _ => break,
            };
        }
        place
    }

    /// Adds the path of every key below `path` that says something and that `typed` does not have.
    pub(super) fn unknown_keys(&self, typed: &Value, path: &KeyPath, unknown: &mut Vec<KeyPath>) {
        match &self.tree {
            Tree::Mapping(members) => {
                for Member { key, value, .. } in members.iter().filter(|member| member.value.says_something()) {
                    let path = path.key(key);
                    match typed.get(key) {
                        Some(typed) => value.unknown_keys(typed, &path, unknown),
                        None => unknown.push(path),
                    }
                }
            }
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.unknown_keys(&typed[index], &path.index(index), unknown);
                }
            }
            Tree::Null | Tree::Text(_) | Tree::Other => {}
        }
    }

    /// True if it is more than an empty placeholder, which may be left out of a typed object.
    fn says_something(&self) -> bool {
        match &self.tree {
            Tree::Null => false,
            Tree::List(items) => !items.is_empty(),
            Tree::Mapping(members) => !members.is_empty(),
            Tree::Text(_) | Tree::Other => true,
        }
    }
}

impl From<Spanned<Tree>> for Node {
    fn from(spanned: Spanned<Tree>) -> Self {
        Self { place: spanned.referenced.into(), tree: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyTree)
    }
}

struct AnyTree;

impl<'de> Visitor<'de> for AnyTree {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Tree>>()? {
            list.push(item.into());
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut mapping = Vec::new();
        while let Some((key, value)) = members.next_entry::<Spanned<String>, Spanned<Tree>>()? {
            mapping.push(Member { place: key.referenced.into(), key: key.value, value: value.into() });
        }
        Ok(Tree::Mapping(mapping))
    }
}
