//! Write log: the writes that this replica has made of late, to be laid over answers whose fetch began before them.
//!
//! Writes are numbered. An answer carries the number of the latest write that it reflects together with all before; the log
//! tells the later ones. A write whose result is known has left a row to show, or no object; an open one (its outcome is not
//! known, or it left the object in an unknown state) spoils every list until it is read again, and single reads of its name
//! alone.

use super::answer::Answer;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::{Duration, Instant};

/// The most writes that are known at the same time; the oldest go first. Each is a row.
const MAX_WRITES: usize = 4096;

/// The log of one resource.
#[derive(Debug)]
pub(super) struct Writes<V> {
    generation: u64,
    /// Writes up to this one may have been forgotten.
    forgotten: u64,
    /// The latest write of each name.
    by_name: HashMap<Arc<str>, Written<V>>,
    /// All writes in order; those that are not the latest of their name count for nothing.
    order: VecDeque<(u64, Instant, Arc<str>)>,
}

/// The state in which a write has left its object.
#[derive(Debug)]
pub(super) enum Left<V> {
    /// It is stored like this.
    Row(Arc<Answer<V>>),
    /// There is none, since a moment after this one.
    Absent(Instant),
}

impl<V> Clone for Left<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Row(row) => Self::Row(Arc::clone(row)),
            Self::Absent(since) => Self::Absent(*since),
        }
    }
}

impl<V> Left<V> {
    fn value(&self) -> Option<&V> {
        match self {
            Self::Row(row) => Some(&row.value),
            Self::Absent(_) => None,
        }
    }
}

#[derive(Debug)]
struct Written<V> {
    generation: u64,
    /// State left by the latest write whose result is known, and that write; `None`: there is none.
    left: Option<(u64, Left<V>)>,
    /// True if its state may be another by now.
    is_open: bool,
}

impl<V> Written<V> {
    fn left_since(&self, generation: u64) -> Option<&Left<V>> {
        self.left.as_ref().filter(|(written_by, _)| *written_by > generation).map(|(_, left)| left)
    }
}

/// The state of one object after the writes that an answer does not reflect.
#[derive(Debug)]
pub(super) enum Touched<V> {
    /// As in the answer.
    No,
    Known(Left<V>),
    /// Not known.
    Open,
}

impl<V> Default for Writes<V> {
    fn default() -> Self {
        Self { generation: 0, forgotten: 0, by_name: HashMap::new(), order: VecDeque::new() }
    }
}

impl<V> Writes<V> {
    /// The number of the latest write.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Logs a write of `name` that began after the write `began_after`. If nothing is known of what it has `left`, or if
    /// another write of the same name has been logged meanwhile, it is open: nobody knows which of the two was stored last.
    ///
    /// True if it is not open.
    pub(super) fn log(
        &mut self,
        name: &str,
        began_after: u64,
        left: Option<Left<V>>,
        now: Instant,
        kept_for: Duration,
    ) -> bool {
        self.forget(now, kept_for);
        self.generation += 1;
        let earlier = self.by_name.remove(name);
        let raced = earlier.as_ref().is_some_and(|earlier| earlier.generation > began_after);
        let is_open = raced || left.is_none();
        let known = left.filter(|_| !raced).map(|left| (self.generation, left));
        let left = known.or_else(|| earlier.and_then(|earlier| earlier.left));
        let name: Arc<str> = name.into();
        self.order.push_back((self.generation, now, Arc::clone(&name)));
        self.by_name.insert(name, Written { generation: self.generation, left, is_open });
        !is_open
    }

    fn forget(&mut self, now: Instant, kept_for: Duration) {
        while let Some((generation, at, name)) = self.order.front()
            && (*at + kept_for < now || self.order.len() >= MAX_WRITES)
        {
            if self.by_name.get(name).is_some_and(|written| written.generation == *generation) {
                self.by_name.remove(name);
            }
            self.forgotten = *generation;
            self.order.pop_front();
        }
    }

    /// The state of `name` after the writes that an answer of this generation does not reflect.
    pub(super) fn touched(&self, generation: u64, name: &str) -> Touched<V> {
        if generation < self.forgotten {
            return Touched::Open;
        }
        match self.by_name.get(name) {
            Some(written) if written.generation > generation => match &written.left {
                Some((_, left)) if !written.is_open => Touched::Known(left.clone()),
                _ => Touched::Open,
            },
            _ => Touched::No,
        }
    }

    /// State that a write has left since an answer of this generation, though a later write may be open.
    pub(super) fn left_since(&self, generation: u64, name: &str) -> Option<Left<V>> {
        self.by_name.get(name)?.left_since(generation).cloned()
    }

    /// The objects that an answer of this generation does not reflect, by name, `None` for one that does not exist any more;
    /// and the generation that it has with them: the newest one, unless a write is open.
    pub(super) fn since(&self, generation: u64) -> (Vec<(&str, Option<&V>)>, u64) {
        if generation < self.forgotten {
            return (Vec::new(), generation);
        }
        let later = || self.by_name.iter().filter(|(_, written)| written.generation > generation);
        let left = later().filter_map(|(name, written)| Some((&**name, written.left_since(generation)?.value())));
        let left = left.collect();
        let open = later().filter(|(_, written)| written.is_open).map(|(_, written)| written.generation).min();
        (left, open.map_or(self.generation, |open| open - 1))
    }
}
