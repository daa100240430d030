//! The answer to a request that is [repeated](super::repeat): what is done around a handler, done once more.

use super::access::Asked;
use super::answer::{Provenance, Wish};
use super::api::Api;
use super::error::MIME;
use super::identify::{Names, Told};
use super::metrics::Requests;
use super::parts::Part;
use super::repeat::Head;
use super::unsent::Unsent;
use super::warning::is_warned;
use crate::aenv::rows::{ListShape, One, OneShape, Rendering, Row, Rows};
use crate::memo::{Found, ReadOptions, Source};
use actix_http::ConnectionType;
use actix_web::HttpRequest;
use actix_web::http::header::{EXPECT, HeaderName};
use actix_web::http::{Method, StatusCode, Version};
use actix_web::web::Data;
use std::cell::RefCell;
use tokio::time::{Duration, Instant};

/// Content of an answer, and its origin.
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
    /// The count of the last answer.
    requests: RefCell<Option<(StatusCode, Requests)>>,
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
            requests: RefCell::default(),
        })
    }

    /// The answer that shows what `find` finds at hand. `None`: nothing is, or the replica says good-bye with its answers.
    pub(super) fn answer(&self, find: impl Fn(&Api, ReadOptions) -> Option<Shown>) -> Option<Unsent> {
        let began = Instant::now();
        if !self.api.readiness.is_ready() {
            return None;
        }
        let Shown(origin, rendering) = find(&self.api, self.options)?;
        let form = self.wish.form(&rendering);
        let body = match form.coding() {
            Some(coding) => Some(rendering.at_hand(coding)?),
            None => None,
        };
        let names = self.told.names();
        let mut head = Head::new(form.status());
        let mut add = |name: HeaderName, value: &[u8]| head.add(&name, value);
        form.tell(MIME, &mut add);
        origin.tell(&mut add);
        let (name, id) = names.header();
        add(name, id.as_bytes());
        self.tell(&names, form.status(), origin.source(), began.elapsed());
        Some(head.with(body))
    }

    /// Logs and counts an answer.
    fn tell(&self, names: &Names, status: StatusCode, source: Source, took: Duration) {
        let asked = Asked { route: self.route.as_deref(), method: Method::GET.as_str(), path: &self.path };
        let mut requests = self.requests.borrow_mut();
        let counted = match requests.take() {
            Some((same, requests)) if same == status => requests,
            _ => asked.requests(&self.api.metrics, status),
        };
        counted.count(took);
        *requests = Some((status, counted));
        names.sync_scope(|| asked.log(status, Some(source), None, took));
    }
}
