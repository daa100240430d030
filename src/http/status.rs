//! `/status`: how this replica and the API server get along, for the page at `/`.
//!
//! All of it is known here already: the API server is asked nothing. Counts are totals since the start; who asks twice
//! has the rate between.

use super::ask::{Answer, Ask};
use super::error::MIME;
use super::query::{NoQuery, Query};
use super::replica::Replica;
use crate::aenv::envelope::Envelope;
use crate::call::Lane;
use crate::throttle::Closed;
use crate::throttle::{Metrics, Queue};
use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use serde::Serialize;
use std::collections::BTreeMap;
use tokio::time::Instant;
use utoipa::ToSchema;

/// State of this replica and of its way to the API server. Counts are totals since the start.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplicaStatus)]
pub(super) struct Status<'a> {
    #[schema(inline)]
    replica: &'a Replica,
    /// Time that a list is fresh: to ask more often tells nothing new.
    #[schema(value_type = u64)]
    list_ttl_ms: u128,
    #[schema(inline)]
    throttle: Throttle,
    /// Requests to the API server by what became of them.
    #[schema(inline)]
    api_calls: Outcomes,
    /// Answers by where they came from, as in the log.
    answers: BTreeMap<String, u64>,
}

#[derive(Serialize, ToSchema)]
struct Throttle {
    /// API calls per second; `null`: without a limit.
    #[schema(value_type = Option<f64>)]
    rate: f64,
    /// The most that it can be.
    #[schema(value_type = Option<f64>)]
    ceiling: f64,
    /// `null`: open.
    #[schema(inline)]
    closed: Option<Gate>,
    in_flight: i64,
    #[schema(value_type = BTreeMap<String, BTreeMap<String, f64>>)]
    lanes: BTreeMap<&'static str, Queue>,
    /// Attempts that were not let through, by reason.
    refused: BTreeMap<&'static str, u64>,
}

#[derive(Serialize, ToSchema)]
struct Gate {
    /// `overloaded`: the API server asked to be left alone; `unreachable`: it does not answer.
    why: &'static str,
    /// `null`: when the probe that is under way has ended.
    #[schema(value_type = Option<u64>)]
    opens_in_ms: Option<u128>,
}

/// Requests to the API server. Each counts once.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
struct Outcomes {
    ok: u64,
    client_error: u64,
    /// 429: the API server is overloaded, and says so.
    throttled: u64,
    server_error: u64,
    no_answer: u64,
    /// Nobody waited for the end.
    abandoned: u64,
}

impl Outcomes {
    fn of(codes: BTreeMap<String, u64>) -> Self {
        let mut outcomes = Self::default();
        for (code, count) in codes {
            let outcome = match code.as_str() {
                "error" => &mut outcomes.no_answer,
                "abandoned" => &mut outcomes.abandoned,
                "429" => &mut outcomes.throttled,
                code if code.starts_with('4') => &mut outcomes.client_error,
                code if code.starts_with('5') => &mut outcomes.server_error,
                _ => &mut outcomes.ok,
            };
            *outcome += count;
        }
        outcomes
    }
}

pub(super) async fn show_status(ask: Ask, _: Query<NoQuery>) -> Answer {
    let api = &ask.api;
    let status = Status {
        replica: &api.replica,
        list_ttl_ms: api.freshness.get().list_ttl.as_millis(),
        throttle: throttle(&api.calls, api.throttle.closed()),
        api_calls: Outcomes::of(api.calls.api_calls_by_code()),
        answers: api.answers.answers_by_source(),
    };
    let body = Envelope::success(status).to_json();
    Ok(HttpResponse::Ok().content_type(MIME).insert_header((CACHE_CONTROL, "no-store")).body(body))
}

fn throttle(metrics: &Metrics, closed: Option<(Closed, Option<Instant>)>) -> Throttle {
    let gate = |(why, opens): (Closed, Option<Instant>)| Gate {
        why: match why {
            Closed::Overloaded => "overloaded",
            Closed::Unreachable => "unreachable",
        },
        opens_in_ms: opens.map(|opens| opens.saturating_duration_since(Instant::now()).as_millis()),
    };
    let lanes = Lane::ALL;
    Throttle {
        // JSON has no infinity: it becomes `null`.
        rate: metrics.rate(),
        ceiling: metrics.ceiling(),
        closed: closed.map(gate),
        in_flight: metrics.in_flight(),
        lanes: lanes.into_iter().map(|lane| (lane.as_str(), metrics.queue(lane))).collect(),
        refused: metrics.refused_by_reason(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_one_outcome() {
        let codes = ["200", "201", "404", "409", "429", "500", "503", "error", "abandoned"];
        let counted = codes.map(|code| (code.to_owned(), 1));
        assert_eq!(
            Outcomes::of(counted.into()),
            Outcomes { ok: 2, client_error: 2, throttled: 1, server_error: 2, no_answer: 1, abandoned: 1 }
        );
    }
}
