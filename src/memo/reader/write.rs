//! Writing, as the memory sees it: a write is announced before it is sent, so that two of the same object at the same time
//! are noticed, and logged before its caller is answered.

use super::super::answer::{Answer, ReadBy};
use super::super::key::Key;
use super::super::memorable::Memorable;
use super::super::memory::Memo;
use super::super::writes::Left;
use crate::call::{Call, Failure};
use crate::syntax::ObjectName;
use std::sync::Arc;
use tokio::time::Instant;

/// A write that is under way. Dropped without a word, it has changed nothing.
pub struct Writing<V, E> {
    memo: Memo<V, E>,
    name: ObjectName,
    generation: u64,
    began: Instant,
    call: Option<Call>,
}

impl<V: Memorable, E: Failure> Writing<V, E> {
    pub(in crate::memo) fn begin(memo: Memo<V, E>, name: ObjectName) -> Self {
        let generation = memo.0.kept.generation();
        Self { memo, name, generation, began: Instant::now(), call: None }
    }

    /// The same, made by this call: what it leaves is as old as the attempts that were answered.
    #[must_use]
    pub(crate) fn by(self, call: &Call) -> Self {
        Self { call: Some(call.clone()), ..self }
    }

    fn as_of(&self) -> Instant {
        self.call.as_ref().and_then(Call::answered_as_of).unwrap_or(self.began)
    }

    /// The object is stored like this: it is shown in lists, and answered for, as if it had been read.
    pub fn stored(&self, value: V) {
        let (began, read, generation) = (self.as_of(), Instant::now(), self.generation);
        let row = Answer { value, began, read, generation, read_by: ReadBy::Write };
        self.log(Some(Left::Row(Arc::new(row))));
    }

    /// There is no such object any more: it is left out of lists, and not found by whoever asks for it.
    pub fn removed(&self) {
        self.log(Some(Left::Absent(self.as_of())));
    }

    /// The object may have been changed: it, and every list, is read again.
    pub fn touched(&self) {
        self.log(None);
    }

    fn log(&self, left: Option<Left<V>>) {
        let mut flights = self.memo.0.flights();
        // A read that began before the write keeps its callers, who asked before, but gets no new ones.
        flights.remove(&Key::one(&self.name));
        self.memo.0.kept.written(self.name.as_str(), self.generation, left);
    }
}
