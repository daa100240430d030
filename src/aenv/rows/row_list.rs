//! Many rows, in the order of their names, with their JSON rendered at most once for each shape.

use super::once::{Effort, Once};
use super::one::row_bytes;
use super::text_file::file_bytes;
use super::{One, Rendering, Row};
use crate::aenv::envelope::Envelope;
use crate::syntax::ListFilter;
use serde::{Serialize, Serializer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// From this size on, a rendering is made on a thread of its own.
const LARGE: usize = 256 * 1024;

/// The bytes of JSON around all rows.
const ENVELOPE: usize = 64;

/// Rows of different names, sorted by name: a name is found by binary search, and a list that the API server gives in
/// another order renders the same. Clones share the rows and their renderings.
#[derive(Debug)]
pub struct Rows<R>(Arc<Inner<R>>);

#[derive(Debug)]
struct Inner<R> {
    rows: Vec<Arc<R>>,
    /// About how many bytes its renderings have, as items and as the longer `/env-…` objects.
    json_bytes: JsonBytes,
    renderings: [Once<Rendering>; 3],
    groups: OnceLock<Groups>,
    parts: Mutex<Vec<Part<R>>>,
}

#[derive(Debug)]
struct JsonBytes {
    items: usize,
    gateway: usize,
}

/// The positions of rows by what most filters ask for.
#[derive(Debug, Default)]
struct Groups {
    by_env: HashMap<String, Vec<usize>>,
    by_owner: HashMap<String, Vec<usize>>,
}

/// A part of the rows that only this program can tell from the others.
#[derive(Debug)]
struct Part<R> {
    slot: usize,
    version: usize,
    rows: Rows<R>,
}

/// The shapes of a list on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListShape {
    /// `data` is a list of items.
    Items,
    /// `data` is a list, for the `/env-…` routes.
    Gateway,
    /// `data` is `{"items": […]}`, which the SDK expects of `/env-instance/list` alone.
    GatewayPage,
}

impl<R> Clone for Rows<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Row> Rows<R> {
    /// A list of `rows`. One that is in an `Arc` already stays where it is.
    pub fn new(rows: impl IntoIterator<Item = impl Into<Arc<R>>>) -> Self {
        let mut rows = rows.into_iter().map(Into::into).collect::<Vec<_>>();
        rows.shrink_to_fit();
        // etcd lists in this order; an API server's memory need not.
        if !rows.is_sorted_by(|a, b| a.name() <= b.name()) {
            rows.sort_by(|a, b| a.name().cmp(b.name()));
        }
        Self::sorted(rows)
    }

    fn sorted(rows: Vec<Arc<R>>) -> Self {
        let text = rows.iter().map(|row| row.text_bytes()).sum::<usize>() + ENVELOPE;
        let of = |overhead| text + rows.len() * overhead;
        let json_bytes = JsonBytes { items: of(R::ITEM_OVERHEAD), gateway: of(R::GATEWAY_OVERHEAD) };
        let (renderings, groups, parts) = Default::default();
        Self(Arc::new(Inner { rows, json_bytes, renderings, groups, parts }))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.0.rows.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.rows.is_empty()
    }

    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.0.rows.iter().map(|row| &**row)
    }

    /// The row of this name.
    pub fn find(&self, name: &str) -> Option<One<R>> {
        let at = self.0.rows.binary_search_by(|row| row.name().cmp(name)).ok()?;
        Some(One::of(&self.0.rows[at]))
    }

    /// The rows that the API server would list for `filter`. Those of one environment or of one owner are found
    /// without a look at the others.
    pub fn narrowed(&self, filter: &ListFilter) -> Self {
        let rows = &self.0.rows;
        let group = if let Some(env) = &filter.env {
            self.groups().by_env.get(env.as_str())
        } else if let Some(owner) = &filter.owner {
            self.groups().by_owner.get(owner.as_str())
        } else {
            return Self::sorted(rows.iter().filter(|row| row.matches(filter)).cloned().collect());
        };
        let group = group.into_iter().flatten().map(|&at| &rows[at]);
        Self::sorted(group.filter(|row| row.matches(filter)).cloned().collect())
    }

    /// The list that `filter` asks for after these objects have been written: each takes the place of the row of its name,
    /// and is left out if `filter` does not ask for it, or if it does not exist any more (`None`).
    pub fn with<'a>(
        &self,
        written: impl IntoIterator<Item = (&'a str, Option<&'a One<R>>)>,
        filter: &ListFilter,
    ) -> Self {
        let mut written = written.into_iter().collect::<Vec<_>>();
        written.sort_by_key(|(name, _)| *name);
        let is_written = |row: &Arc<R>| written.binary_search_by(|(name, _)| (*name).cmp(row.name())).is_ok();
        let mut rows = self.0.rows.iter().filter(|row| !is_written(row)).cloned().collect::<Vec<_>>();
        rows.extend(
            written.iter().filter_map(|(_, one)| Some(one.as_ref()?.shared())).filter(|row| row.matches(filter)),
        );
        // Two sorted runs: merged in one pass.
        rows.sort_by(|a, b| a.name().cmp(b.name()));
        Self::sorted(rows)
    }

    fn groups(&self) -> &Groups {
        self.0.groups.get_or_init(|| {
            let mut groups = Groups::default();
            for (at, row) in self.iter().enumerate() {
                enter(&mut groups.by_env, row.env(), at);
                enter(&mut groups.by_owner, row.owner(), at);
            }
            groups
        })
    }

    /// The rows that `keep` says yes to, kept with their renderings as the part in `slot`, until another `version`
    /// takes its place. The parts of one list should have no row in common, so that all of them weigh no more than it.
    pub fn part(&self, slot: usize, version: usize, keep: impl Fn(&R) -> bool) -> Self {
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = parts.iter().find(|part| (part.slot, part.version) == (slot, version)) {
            return part.rows.clone();
        }
        let rows = Self::sorted(self.0.rows.iter().filter(|row| keep(row)).cloned().collect());
        parts.retain(|part| part.slot != slot);
        parts.push(Part { slot, version, rows: rows.clone() });
        rows
    }

    /// The JSON in this shape, rendered when it is first asked for. `None`: rendering panicked.
    pub async fn rendering(&self, shape: ListShape) -> Option<Rendering> {
        let effort = if self.json_bytes(shape) < LARGE { Effort::Small } else { Effort::Large };
        let rows = self.clone();
        self.0.renderings[shape as usize].get(effort, move || rows.render(shape)).await
    }

    /// Makes the renderings that have been made of `before`, in the same codings.
    pub(super) async fn prepare_like(&self, before: &Self) {
        for shape in [ListShape::Items, ListShape::Gateway, ListShape::GatewayPage] {
            if let Some(before) = before.rendering_at_hand(shape)
                && let Some(rendering) = self.rendering(shape).await
            {
                rendering.prepare_like(&before).await;
            }
        }
    }

    /// The rendering in this shape, if it has been made.
    pub fn rendering_at_hand(&self, shape: ListShape) -> Option<Rendering> {
        self.0.renderings[shape as usize].made()
    }

    fn json_bytes(&self, shape: ListShape) -> usize {
        match shape {
            ListShape::Items => self.0.json_bytes.items,
            ListShape::Gateway | ListShape::GatewayPage => self.0.json_bytes.gateway,
        }
    }

    fn render(&self, shape: ListShape) -> Rendering {
        let room = self.json_bytes(shape);
        let json = match shape {
            ListShape::Items => Envelope::success(self.views(R::item)).to_json_of(room),
            ListShape::Gateway => Envelope::success(self.views(R::gateway)).to_json_of(room),
            ListShape::GatewayPage => Envelope::success(Page { items: self.views(R::gateway) }).to_json_of(room),
        };
        Rendering::of_rows(&(shape, &self.0.rows), json)
    }

    fn views<'a, V: Serialize>(&'a self, view: impl Fn(&'a R) -> V) -> impl Serialize {
        Views { rows: &self.0.rows, view }
    }

    /// About how many bytes of memory it takes: the rows, and two renderings of them, each plain, in a file, and compressed to a
    /// sixth twice, whether they have been made or not. All three shapes of one answer are hardly asked for within its few
    /// seconds.
    pub(super) fn bytes(&self) -> usize {
        // Its pointer, and its positions in the groups.
        let place = size_of::<Arc<R>>() + 2 * size_of::<usize>();
        let rows = self.iter().map(|row| row_bytes(row) + place).sum::<usize>();
        let rendering = |json| json * 4 / 3 + file_bytes(json);
        let JsonBytes { items, gateway } = self.0.json_bytes;
        rows + size_of::<Inner<R>>() + rendering(items) + rendering(gateway)
    }
}

fn enter(group: &mut HashMap<String, Vec<usize>>, of: &str, at: usize) {
    match group.get_mut(of) {
        Some(places) => places.push(at),
        None => _ = group.insert(of.to_owned(), vec![at]),
    }
}

/// Rows in one of their shapes, serialized one after the other.
struct Views<'a, R, F> {
    rows: &'a [Arc<R>],
    view: F,
}

impl<'a, R, V: Serialize, F: Fn(&'a R) -> V> Serialize for Views<'a, R, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| (self.view)(row)))
    }
}

/// A list as an object.
#[derive(Serialize)]
struct Page<V> {
    items: V,
}
