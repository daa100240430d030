//! Waiting for a state: `?wait_for=Running` with `Prefer: wait=20` (RFC 7240, section 4.3).
//!
//! It is the read that the caller would repeat, repeated here: all who wait share its answers with each other and with
//! those who poll. The next look comes when the last answer expires, and not sooner than a pace that slows down. Between two looks the request keeps no place among those who wait for the API server.

use super::answer::Answer;
use super::ask::Ask;
use super::error::ApiError;
use super::query::one_of;
use crate::aenv::instances::InstanceRow;
use crate::aenv::rows::One;
use crate::aenv::services::{ServiceRow, Status};
use crate::call::Failure as _;
use crate::memo::{Found, ReadOptions};
use crate::syntax::Phase;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::time::{Duration, Instant, sleep, timeout_at};
use utoipa::IntoParams;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The pause between two looks at first, and after a long wait. The longest adds to the age of an answer from memory, and
/// both together should stay below what a caller notices.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The query of a read of one object, and of a create.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// The states to wait for, separated by commas; `Succeeded` and `Failed` end the wait, too. The answer comes when the
    /// object is in one of them, or when the time of `Prefer: wait=<seconds>` is up; without that header after
    /// `server.request_deadline_ms`.
    #[param(example = "Running")]
    wait_for: Option<String>,
}

/// A wait: the states that end it, and its end.
#[derive(Debug)]
pub(super) struct Wait {
    states: Vec<&'static str>,
    until: Instant,
    applied: Duration,
}

impl Wait {
    /// The wait for an instance that a request asks for; `None` if it asks for none.
    pub(super) fn for_instance(ask: &Ask, query: &WaitQuery) -> Result<Option<Self>, ApiError> {
        Self::of(ask, query, |word| {
            one_of("wait_for", Some(word), Phase::ALL, Phase::as_str).map(|p| p.map(Phase::as_str))
        })
    }

    /// The wait for a service that a request asks for; `None` if it asks for none.
    pub(super) fn for_service(ask: &Ask, query: &WaitQuery) -> Result<Option<Self>, ApiError> {
        Self::of(ask, query, |word| {
            one_of("wait_for", Some(word), Status::ALL, Status::as_str).map(|status| status.map(Status::as_str))
        })
    }

    fn of(
        ask: &Ask,
        WaitQuery { wait_for }: &WaitQuery,
        state: impl Fn(&str) -> Result<Option<&'static str>, ApiError>,
    ) -> Result<Option<Self>, ApiError> {
        let words = wait_for.as_deref().unwrap_or_default().split(',').map(str::trim);
        let states = words.filter_map(|word| state(word).transpose()).collect::<Result<Vec<_>, _>>()?;
        if states.is_empty() {
            return Ok(None);
        }
        let longest = ask.options.deadline.saturating_duration_since(Instant::now());
        let applied = preferred(ask.http.headers()).map_or(longest, |preferred| preferred.min(longest));
        Ok(Some(Self { states, until: Instant::now() + applied, applied }))
    }

    /// Waits for an instance.
    pub(super) async fn instance(
        &self,
        ask: &mut Ask,
        read: impl AsyncFn(&Ask, ReadOptions) -> Result<Found<One<InstanceRow>>, ApiError>,
    ) -> Result<Found<One<InstanceRow>>, ApiError> {
        Box::pin(self.run(ask, read, |one| self.is_over(one.row().status()))).await
    }

    /// Waits for a service.
    pub(super) async fn service(
        &self,
        ask: &mut Ask,
        read: impl AsyncFn(&Ask, ReadOptions) -> Result<Found<One<ServiceRow>>, ApiError>,
    ) -> Result<Found<One<ServiceRow>>, ApiError> {
        Box::pin(self.run(ask, read, |one| self.is_over(one.row().status().as_str()))).await
    }

    fn is_over(&self, state: &str) -> bool {
        self.states.contains(&state) || [Phase::Succeeded, Phase::Failed].iter().any(|last| last.as_str() == state)
    }

    /// Looks until the state is reached or the time is up. An outage in between is waited out: the last state is known.
    /// Boxed by its callers, so that the future of a read without a wait stays small.
    async fn run<R>(
        &self,
        ask: &mut Ask,
        read: impl AsyncFn(&Ask, ReadOptions) -> Result<Found<One<R>>, ApiError>,
        is_over: impl Fn(&One<R>) -> bool,
    ) -> Result<Found<One<R>>, ApiError> {
        let began = Instant::now();
        let mut last = read(ask, ask.options).await?;
        loop {
            let now = Instant::now();
            if is_over(&last.answer.value) || now >= self.until {
                return Ok(last);
            }
            let pace = (now - began) / 8;
            let pause = last.next_look().max(pace.clamp(FIRST_PAUSE, LONGEST_PAUSE));
            ask.rest();
            sleep(pause.min(self.until - now)).await;
            ask.resume();
            match timeout_at(self.until, read(ask, ask.options)).await {
                Ok(Ok(found)) => last = found,
                Ok(Err(ApiError::Read(error))) if error.is_outage() => last.fresh_for = LONGEST_PAUSE,
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(last),
            }
        }
    }

    /// Tells how long was waited at most.
    pub(super) fn applied(&self, answer: Answer) -> Answer {
        let mut response = answer?;
        let told = HeaderValue::try_from(format!("wait={}", self.applied.as_secs()));
        if let Ok(told) = told {
            response.headers_mut().insert(PREFERENCE_APPLIED, told);
        }
        Ok(response)
    }
}

/// The seconds of `Prefer: wait=…`. A preference that cannot be understood is ignored (RFC 7240, section 2).
fn preferred(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(PREFER).filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split([',', ';']));
    preferences.find_map(|preference| {
        let (name, seconds) = preference.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        is_wait.then(|| seconds.trim().trim_matches('"').parse().ok().map(Duration::from_secs)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(values: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| headers.append(PREFER, HeaderValue::from_static(value)));
        preferred(&headers).map(|preferred| preferred.as_secs())
    }

    #[test]
    fn the_wait_is_found_among_other_preferences() {
        for values in [&["wait=20"][..], &["respond-async, Wait = \"20\""], &["return=minimal", "wait=20"]] {
            assert_eq!(seconds(values), Some(20), "{values:?}");
        }
        for values in [&[][..], &["wait"], &["wait=soon"], &["wait=-1"], &["waiting=20"]] {
            assert_eq!(seconds(values), None, "{values:?}");
        }
    }
}
