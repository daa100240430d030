//! The answer to a request that is [repeated](super::repeat): what is done around a handler, done once more.

use super::access::{Asked, log_and_count};
use super::answer::{Provenance, Wish, answer_at_hand};
use super::api::Api;
use super::identify::Told;
use super::parts::Part;
use super::repeat::{Reply, reply};
use super::warning::is_warned;
use crate::aenv::rows::{ListShape, One, OneShape, Rendering, Row, Rows};
use crate::memo::{Found, ReadOptions};
use actix_http::ConnectionType;
use actix_web::HttpRequest;
use actix_web::http::header::EXPECT;
use actix_web::http::{Method, Version};
use actix_web::web::Data;
use tokio::time::Instant;

/// What an answer shows, and where that came from.
pub(super) struct Shown(Provenance, Rendering);

impl Shown {
    /// A list. `None`: it has not been rendered yet.
    pub(super) fn list<R: Row>(found: &Found<Rows<R>>, options: ReadOptions, shape: ListShape) -> Option<Self> {
        Some(Self(Provenance::of(found, options), found.answer.value.rendering_at_hand(shape)?))
    }

    /// One object.
    pub(super) fn one<R: Row>(found: &Found<One<R>>, options: ReadOptions, shape: OneShape) -> Self {
        Self(Provenance::of(found, options), found.answer.value.render(shape))
    }
}

/// All of a request that its next answer depends on.
pub(super) struct Question {
    api: Data<Api>,
    options: ReadOptions,
    told: Told,
    wish: Wish,
    route: Option<String>,
    path: String,
}

impl Question {
    /// That of `request`, whose answer is read with `options`. `None`: it is none that can be answered once more by itself.
    pub(super) fn of(request: &HttpRequest, api: &Data<Api>, options: ReadOptions) -> Option<Self> {
        let head = request.head();
        let goes_on =
            head.version == Version::HTTP_11 && head.connection_type() == ConnectionType::KeepAlive && !head.upgrade();
        // Whether a token is still good has to be looked up.
        let is_open = api.guard.is_none();
        let is_plain = *request.method() == Method::GET
            && Part::after(request.headers()) == Part::HEAD
            && !request.headers().contains_key(EXPECT);
        (goes_on && is_open && is_plain && !options.no_cache && !is_warned(request)).then(|| Self {
            api: api.clone(),
            options,
            told: Told::of(request.headers()),
            wish: Wish::of(request.headers()),
            route: request.match_pattern(),
            path: request.path().to_owned(),
        })
    }

    /// The answer that shows what `find` finds at hand. `None`: nothing is, or the replica says good-bye with its answers.
    pub(super) fn answer(&self, find: impl Fn(&Api, ReadOptions) -> Option<Shown>) -> Option<Reply> {
        let began = Instant::now();
        if !self.api.readiness.is_ready() {
            return None;
        }
        let Shown(origin, rendering) = find(&self.api, self.options)?;
        let (mut response, body) = answer_at_hand(&self.wish, &origin, &rendering)?;
        let names = self.told.names();
        let asked = Asked { route: self.route.as_deref(), method: Method::GET.as_str(), path: &self.path };
        let took = began.elapsed();
        names.sync_scope(|| {
            log_and_count(&self.api.metrics, &asked, response.status(), Some(origin.source()), None, took)
        });
        names.send(response.headers_mut());
        Some(reply(&response, body))
    }
}
