//! The answers of one resource as the memo keeps them: lists and single objects side by side, since a list answers for
//! the objects in it.

use super::{One, Row, Rows};
use crate::call::{Call, Failure};
use crate::memo::{Error, Found, Key, Memo, Memorable, ReadOptions};
use crate::syntax::{ListFilter, ObjectName};
use std::future::Future;

/// An answer that the memo keeps.
#[derive(Debug)]
pub enum Listing<R> {
    /// To a question for a list.
    Many(Rows<R>),
    /// To a question for one object.
    Single(One<R>),
}

impl<R: Row> Listing<R> {
    /// The list that `filter` asks for, from `memo` or by `fetch`.
    ///
    /// # Errors
    /// As [`Memo::read`].
    pub async fn list<E: Failure, Fut>(
        memo: &Memo<Self, E>,
        filter: ListFilter,
        options: ReadOptions,
        fetch: impl FnOnce(Call) -> Fut + Send + 'static,
    ) -> Result<Found<Rows<R>>, Error<E>>
    where
        Fut: Future<Output = Result<Rows<R>, E>> + Send,
    {
        let found = memo.read(Key::List(filter), options, |call| async { Ok(Self::Many(fetch(call).await?)) }).await?;
        Ok(found.map(|listing| match listing {
            Self::Many(rows) => rows.clone(),
            Self::Single(_) => unreachable!("a question for a list is answered by a list"),
        }))
    }

    /// The object `name`, from `memo` or by `fetch`.
    ///
    /// # Errors
    /// As [`Memo::read`].
    pub async fn get<E: Failure, Fut>(
        memo: &Memo<Self, E>,
        name: &ObjectName,
        options: ReadOptions,
        fetch: impl FnOnce(Call) -> Fut + Send + 'static,
    ) -> Result<Found<One<R>>, Error<E>>
    where
        Fut: Future<Output = Result<One<R>, E>> + Send,
    {
        let found = memo.read(Key::one(name), options, |call| async { Ok(Self::Single(fetch(call).await?)) }).await?;
        Ok(found.map(|listing| match listing {
            Self::Single(one) => one.clone(),
            Self::Many(_) => unreachable!("a question for one object is answered by one"),
        }))
    }
}

impl<R: Row> Memorable for Listing<R> {
    fn narrow(&self, key: &Key) -> Option<Self> {
        match (self, key) {
            (Self::Many(rows), Key::One(name)) => Some(Self::Single(rows.find(name)?)),
            (Self::Many(rows), Key::List(filter)) => Some(Self::Many(rows.narrowed(filter))),
            (Self::Single(_), _) => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Many(rows) => rows.bytes(),
            Self::Single(one) => one.bytes(),
        }
    }
}
