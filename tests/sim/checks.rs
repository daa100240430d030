//! Checks of answers: each must be explained by a moment that its caller was promised.

use crate::history::{Kind, State, Told, Window};
use crate::world::{ReplicaId, World};
use actix_web::http::StatusCode;
use serde_json::Value;
use tokio::time::{Duration, Instant};

/// Ages are told in whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) cache_status: String,
    pub(crate) age: Option<u64>,
    /// True if a create has found what an earlier one with its key had made.
    pub(crate) replayed: bool,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn data(&self) -> &Value {
        &self.body["data"]
    }
}

/// A read, as it was asked.
pub(crate) struct Asked {
    pub(crate) replica: ReplicaId,
    pub(crate) at: Instant,
    /// What its replica had told of writes by then.
    pub(crate) told: Told,
    pub(crate) no_cache: bool,
    /// True if it waits for a state: then its answer may be from the last look before the time was up.
    pub(crate) waits: bool,
}

impl Asked {
    pub(crate) fn now(world: &World, replica: ReplicaId) -> Self {
        let told = world.history(|history| history.told(replica));
        Self { replica, at: Instant::now(), told, no_cache: false, waits: false }
    }
}

/// Objects that a list asks for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    pub(crate) env: Option<&'static str>,
    pub(crate) phase: Option<&'static str>,
}

impl Filter {
    fn matches(self, state: &State) -> bool {
        self.env.is_none_or(|env| state.env == env) && self.phase.is_none_or(|phase| state.phase == phase)
    }
}

/// A list of Pods or Deployments that was answered with 200.
pub(crate) fn list(world: &World, kind: Kind, asked: &Asked, filter: Filter, answer: &Answer) {
    let Some((window, told)) = promised(world, asked, answer) else { return };
    let rows = answer.data().as_array().unwrap();
    let mut names = world.history(|history| history.names(kind));
    let row_of = |name: &str| rows.iter().find(|row| row["id"] == name);
    names.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
    names.sort();
    names.dedup();
    for name in names {
        object(world, kind, &name, row_of(&name), filter, &told, window);
    }
}

/// A read of one object that was answered with 200 or 404.
pub(crate) fn one(world: &World, kind: Kind, asked: &Asked, name: &str, answer: &Answer) {
    if answer.status == StatusCode::NOT_FOUND {
        // An absence is remembered for a second, and shared with those who come while it is read.
        let memory = if asked.no_cache { Duration::ZERO } else { SECOND };
        let slowest = if world.plan.calm { SECOND } else { world.plan.settings.server.request_deadline };
        let from = world.ago(asked.at, memory + slowest);
        let window = Window { from, to: Instant::now(), of: asked.replica };
        return object(world, kind, name, None, Filter::default(), &asked.told, window);
    }
    let Some((window, told)) = promised(world, asked, answer) else { return };
    object(world, kind, name, Some(answer.data()), Filter::default(), &told, window);
}

fn object(world: &World, kind: Kind, name: &str, row: Option<&Value>, filter: Filter, told: &Told, window: Window) {
    let shown = row.map(|row| State::shown_in_row(kind, row));
    let says = |possible: &Option<&State>| match possible.filter(|state| filter.matches(state)) {
        Some(state) => shown.as_ref() == Some(&state.shown),
        None => shown.is_none(),
    };
    let unexplained = world.history(|history| {
        let possible = history.possible(kind, name, told, window);
        (!possible.iter().any(says)).then(|| format!("{possible:?}"))
    });
    if let Some(possible) = unexplained {
        let (from, to) = (world.ms(window.from), world.ms(window.to));
        world.broken(format_args!(
            "r{} shows {kind:?} {name} as {shown:?}; from {from} to {to} it was one of {possible}",
            window.of
        ));
    }
    if let (Kind::Deployment, Some(row)) = (kind, row) {
        let is_reached = row["service_url"] != "";
        let explained = world.history(|history| {
            let possible = history.possible(Kind::Service, name, told, window);
            possible.iter().any(|state| state.is_some() == is_reached)
        });
        if !explained {
            world.broken(format_args!("r{} says of {name} that its Service {is_reached}", window.of));
        }
    }
}

/// The past that may explain an answer from a moment that was promised; `None` if it says nothing of its age.
fn promised(world: &World, asked: &Asked, answer: &Answer) -> Option<(Window, Told)> {
    let (now, memo) = (Instant::now(), &world.plan.settings.memo);
    let Some(age) = answer.age.map(Duration::from_secs) else {
        world.broken(format_args!("r{} does not tell the age of {answer:?}", asked.replica));
        return None;
    };
    let is_stale = answer.cache_status.contains("fwd=stale");
    let is_hit = answer.cache_status.contains("hit") && !is_stale;
    let is_fetched = !is_stale && !is_hit && !answer.cache_status.contains("collapsed");
    let ttl = memo.list_ttl.max(memo.get_ttl) + memo.revalidate;
    let oldest = match () {
        () if asked.waits => Duration::MAX,
        () if is_stale => memo.max_stale,
        () if is_hit && world.plan.calm => ttl,
        () => ttl + world.plan.settings.server.request_deadline,
    };
    if age > oldest {
        world.broken(format_args!(
            "r{} gives an answer of {age:?}, though {oldest:?} is promised: {}",
            asked.replica, answer.cache_status
        ));
    }
    if asked.no_cache && is_hit {
        world.broken(format_args!("r{} answers no-cache from memory", asked.replica));
    }
    let told_from = world.ago(now, age + SECOND);
    let from = if is_fetched || (asked.no_cache && !is_stale) { told_from.max(asked.at) } else { told_from };
    let window = Window { from, to: now, of: asked.replica };
    // One that stands in for another may lack what was written since; it says so.
    let told = if is_stale { Told::new() } else { asked.told.clone() };
    Some((window, told))
}
