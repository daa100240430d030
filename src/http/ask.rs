//! A request as handlers see it: what they work with, how its caller asks, and how it is answered.

use super::again::{Question, Shown};
pub(super) use super::answer::Answer;
use super::answer::{Provenance, answer};
use super::api::Api;
use super::body::Body;
use super::caller::caller_key;
use super::error::ApiError;
use super::pace::body_has_come;
use super::repeat::Repeats;
use super::waiting::Place;
use super::warning::warn;
use crate::aenv::rows::{ListShape, One, OneShape, Row, Rows};
use crate::aenv::warnings::Warnings;
use crate::call::Call;
use crate::memo::{Found, ReadOptions};
use actix_web::dev::Payload as Incoming;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use actix_web::web::{Data, Payload};
use actix_web::{FromRequest, HttpRequest};
use std::cell::OnceCell;
use std::future::{Ready, ready};
use std::rc::Rc;
use tokio::time::{Duration, Instant};

/// A request to the API.
pub(super) struct Ask {
    pub(super) api: Data<Api>,
    pub(super) http: HttpRequest,
    /// Until when the caller waits, and whether it takes an answer from memory.
    pub(super) options: ReadOptions,
    /// Its place among those who wait, once it has one.
    place: OnceCell<Place>,
}

impl Ask {
    /// The answer that shows a list.
    pub(super) async fn show_list<R: Row>(&self, found: &Found<Rows<R>>, shape: ListShape) -> Answer {
        let rendering = found.answer.value.rendering(shape).await.ok_or(ApiError::NoRendering)?;
        answer(&self.http, &Provenance::of(found, self.options), &rendering).await
    }

    /// The answer that shows one object.
    pub(super) async fn show_one<R: Row>(&self, found: &Found<One<R>>, shape: OneShape) -> Answer {
        answer(&self.http, &Provenance::of(found, self.options), &found.answer.value.render(shape)).await
    }

    /// Has the same request answered with what `find` finds at hand, when its caller repeats it on its connection.
    pub(super) fn answer_again(&self, find: impl Fn(&Api, ReadOptions) -> Option<Shown> + 'static) {
        if let Some(repeats) = self.http.conn_data::<Rc<Repeats>>()
            && repeats.compares()
            && let Some(question) = Question::of(&self.http, &self.api, self.options)
        {
            repeats.keep(Box::new(move || question.answer(&find)));
        }
    }

    /// Adds warnings to the answer, whichever it will be.
    pub(super) fn warn(&self, warnings: Warnings) {
        warn(&self.http, warnings);
    }

    /// The call of a write on behalf of the request's caller.
    pub(super) fn write(&self) -> Call {
        Call::until(self.options.deadline).by(self.options.caller)
    }

    /// Gives its place up, for a pause in which it asks nothing.
    pub(super) fn rest(&mut self) {
        self.place.take();
    }

    /// Takes a place again; without one it reads from memory only.
    pub(super) fn resume(&mut self) {
        self.place = self.api.waiting.enter(&self.api.metrics).map_or_else(OnceCell::new, OnceCell::from);
        self.options.memory_only = self.place.get().is_none();
    }

    /// The request's body. Once it has arrived, the request takes its place.
    pub(super) async fn read(&self, body: Payload) -> Result<Body, ApiError> {
        let Api { bodies, limits, .. } = &**self.api;
        let body = bodies.read(body, self.http.headers(), limits.get()).await?;
        body_has_come(&self.http);
        let place = self.api.waiting.enter(&self.api.metrics).ok_or(ApiError::Crowded)?;
        self.place.get_or_init(|| place);
        Ok(body)
    }
}

impl FromRequest for Ask {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Incoming) -> Self::Future {
        ready(Self::of(request))
    }
}

impl Ask {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let api = request.app_data::<Data<Api>>().cloned().expect("every route of the API is given it");
        let method = request.method();
        let has_body = matches!(*method, Method::POST | Method::PUT);
        let place = if has_body { None } else { api.waiting.enter(&api.metrics) };
        if *method == Method::DELETE && place.is_none() {
            return Err(ApiError::Crowded);
        }
        let directives = Directives::of(request.headers());
        let options = ReadOptions {
            deadline: Instant::now() + api.limits.get().request_deadline,
            no_cache: directives.no_cache,
            max_age: directives.max_age,
            memory_only: place.is_none() && !has_body,
            stale_if_error: directives.stale_if_error,
            caller: caller_key(request, &api.trusted_proxies),
        };
        let place = place.map_or_else(OnceCell::new, OnceCell::from);
        Ok(Self { api, http: request.clone(), options, place })
    }
}

/// The directives of `Cache-Control` that mean something here. Their names are taken in any case.
#[derive(Debug, Default, PartialEq, Eq)]
struct Directives {
    /// `no-cache`, or `max-age=0`, which browsers send when a page is loaded again.
    no_cache: bool,
    /// The oldest answer that the caller takes from memory.
    max_age: Option<Duration>,
    /// The oldest answer that the caller takes in place of an error (RFC 5861, section 4).
    stale_if_error: Option<Duration>,
}

impl Directives {
    fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(CACHE_CONTROL).filter_map(|value| value.to_str().ok());
        let mut read = Self::default();
        for directive in values.flat_map(|value| value.split(',')) {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            let seconds = argument.trim().trim_matches('"').parse().ok();
            match name.trim().to_ascii_lowercase().as_str() {
                "no-cache" => read.no_cache = true,
                "max-age" if seconds == Some(0) => read.no_cache = true,
                "max-age" => read.max_age = read.max_age.or(seconds.map(Duration::from_secs)),
                "stale-if-error" => read.stale_if_error = read.stale_if_error.or(seconds.map(Duration::from_secs)),
                _ => {}
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn read(values: &[&'static str]) -> Directives {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| headers.append(CACHE_CONTROL, HeaderValue::from_static(value)));
        Directives::of(&headers)
    }

    #[test]
    fn directives_are_read_in_any_case_and_in_any_order() {
        let fresh = Directives { no_cache: true, ..Directives::default() };
        for value in ["no-cache", "No-Cache", "private, NO-CACHE ", "max-age=0", "Max-Age = \"0\""] {
            assert_eq!(read(&[value]), fresh, "{value}");
        }
        for value in ["", "max-age=", "max-age=soon", "no-cached", "no-store", "max-age=-0"] {
            assert_eq!(read(&[value]), Directives::default(), "{value}");
        }
        let young = Directives { max_age: Some(Duration::from_secs(5)), ..Directives::default() };
        assert_eq!(read(&["max-age=5"]), young);
        let both = Directives { stale_if_error: Some(Duration::from_secs(7)), ..fresh };
        assert_eq!(read(&["Stale-If-Error=7, max-age=0"]), both);
        assert_eq!(read(&["no-cache", "stale-if-error=7"]), both);
        assert_eq!(read(&["stale-if-error=soon"]), Directives::default());
    }
}
