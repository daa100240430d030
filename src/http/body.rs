//! Request bodies: each bounded by size and time, all of them together by memory.
//!
//! A body takes its bytes from a budget as they arrive, so that callers who stop in the middle hold no more than they have
//! sent, and many of them no more than the budget. Large bodies have a part of their own: they cannot shut out the small
//! ones, which nearly all are.

use super::error::ApiError;
use super::limits::Limits;
use actix_web::body::{BodyStream, MessageBody as _};
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, timeout};

/// A body that is announced to be larger, or of unknown length, is a large one. Creates are about 1 KB.
const SMALL: usize = 64 * 1024;

/// Longest wait of a body for its next bytes of the budget.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most bodies that wait for that at the same time: each has some received bytes in the connection's buffers.
const MAX_WAITING: usize = 64;

/// The memory for all request bodies.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    small: Pool,
    large: Pool,
}

#[derive(Debug)]
struct Pool {
    size: u32,
    free: Arc<Semaphore>,
    waiting: Semaphore,
}

/// A body that has arrived, with its share of the budget.
#[derive(Debug)]
pub(super) struct Body {
    bytes: BytesMut,
    share: Option<OwnedSemaphorePermit>,
}

impl BodyBudget {
    /// A budget of `bytes`, a quarter of it for small bodies. One body of `max_body` fits in any case.
    pub(crate) fn new(bytes: usize, max_body: usize) -> Self {
        Self { small: Pool::of(bytes / 4), large: Pool::of((bytes - bytes / 4).max(max_body)) }
    }

    /// Reads the whole of `payload`.
    pub(super) async fn read(&self, payload: Payload, headers: &HeaderMap, limits: Limits) -> Result<Body, ApiError> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limits.max_body_bytes) {
            return Err(ApiError::TooLarge);
        }
        let pool = if announced.is_some_and(|length| length <= SMALL) { &self.small } else { &self.large };
        let received = pool.receive(payload, limits.max_body_bytes);
        timeout(limits.body_timeout, received).await.unwrap_or(Err(ApiError::SlowBody))
    }
}

impl Pool {
    fn of(bytes: usize) -> Self {
        let size = u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 1);
        Self { size, free: Arc::new(Semaphore::new(size as usize)), waiting: Semaphore::new(MAX_WAITING) }
    }

    async fn receive(&self, payload: Payload, max_bytes: usize) -> Result<Body, ApiError> {
        let mut stream = pin!(BodyStream::new(payload));
        let mut body = Body { bytes: BytesMut::new(), share: None };
        while let Some(piece) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            let piece: Bytes = piece.map_err(|error| ApiError::BadRequest(format!("Invalid request body: {error}")))?;
            if body.bytes.len() + piece.len() > max_bytes {
                return Err(ApiError::TooLarge);
            }
            self.grow(&mut body.share, piece.len()).await?;
            body.bytes.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Adds `bytes` to a share.
    async fn grow(&self, share: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), ApiError> {
        let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        // No body is larger than the budget, except after `server.max_body_bytes` has been raised while it runs.
        let bytes = bytes.min((self.size as usize).saturating_sub(held));
        let Ok(bytes) = u32::try_from(bytes) else { return Err(ApiError::TooLarge) };
        let more = match Arc::clone(&self.free).try_acquire_many_owned(bytes) {
            Ok(more) => more,
            Err(_) => {
                let _turn = self.waiting.try_acquire().map_err(|_| ApiError::BodiesCrowded)?;
                let free = Arc::clone(&self.free).acquire_many_owned(bytes);
                let granted = timeout(PATIENCE, free).await.map_err(|_| ApiError::BodiesCrowded)?;
                granted.expect("the budget is never closed")
            }
        };
        match share {
            Some(share) => share.merge(more),
            None => *share = Some(more),
        }
        Ok(())
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_waits_for_its_bytes_and_is_refused_when_none_are_given_back() {
        let budget = BodyBudget::new(400, 300);
        let (mut first, mut second) = (None, None);
        budget.large.grow(&mut first, 250).await.unwrap();
        assert!(matches!(budget.large.grow(&mut second, 100).await, Err(ApiError::BodiesCrowded)));
        let mut small = None;
        budget.small.grow(&mut small, 100).await.unwrap();
        let give_back = async {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(first);
        };
        let (grown, ()) = tokio::join!(budget.large.grow(&mut second, 100), give_back);
        grown.unwrap();
        assert_eq!(second.map(|share| share.num_permits()), Some(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_larger_than_the_budget_takes_all_of_it() {
        let pool = Pool::of(100);
        let mut share = None;
        pool.grow(&mut share, 80).await.unwrap();
        pool.grow(&mut share, 80).await.unwrap();
        assert_eq!(share.map(|share| share.num_permits()), Some(100));
    }

    #[tokio::test(start_paused = true)]
    async fn few_bodies_wait_at_the_same_time() {
        let pool = Pool::of(10);
        let mut all = None;
        pool.grow(&mut all, 10).await.unwrap();
        let waiting: Vec<_> = (0..MAX_WAITING).map(|_| pool.waiting.try_acquire().unwrap()).collect();
        let began = tokio::time::Instant::now();
        assert!(matches!(pool.grow(&mut None, 1).await, Err(ApiError::BodiesCrowded)));
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop(waiting);
    }
}
