//! World: everything that the parts of one run share.

use crate::api_server::ApiServer;
use crate::faults::Weather;
use crate::history::History;
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::time::{Duration, Instant};

/// One of the two replicas.
pub(crate) type ReplicaId = usize;

/// The world of one run.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) api_server: ApiServer,
    pub(crate) began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    history: History,
    weather: Weather,
    log: Vec<String>,
    broken: Vec<String>,
    /// Pods that a replica writes or has written.
    written: BTreeSet<(ReplicaId, String)>,
}

impl World {
    pub(crate) fn new(plan: Plan, api_server: ApiServer) -> Arc<Self> {
        Arc::new(Self { plan, api_server, began: Instant::now(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Looks at, or adds to, all that has become of the objects.
    pub(crate) fn history<T>(&self, look: impl FnOnce(&mut History) -> T) -> T {
        look(&mut self.state().history)
    }

    pub(crate) fn weather(&self) -> Weather {
        self.state().weather
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.log(format_args!("weather: {weather:?}"));
        self.state().weather = weather;
    }

    /// A replica begins to write a Pod.
    pub(crate) fn writes(&self, replica: ReplicaId, pod: &str) {
        self.state().written.insert((replica, pod.to_owned()));
    }

    /// True if this is the path of a Pod that the replica has reasons of its own to read, besides being asked for it.
    pub(crate) fn has_written(&self, replica: ReplicaId, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap();
        self.state().written.contains(&(replica, name.to_owned()))
    }

    /// Adds a line, with the virtual time.
    pub(crate) fn log(&self, line: impl Display) {
        let at = self.ms(Instant::now());
        self.state().log.push(format!("{at:>7} {line}"));
    }

    /// A promise is broken.
    pub(crate) fn broken(&self, why: impl Display) {
        let line = format!("{:>7} BROKEN {why}", self.ms(Instant::now()));
        let mut state = self.state();
        state.log.push(line.clone());
        state.broken.push(line);
    }

    /// Milliseconds since the beginning of the run.
    pub(crate) fn ms(&self, at: Instant) -> u128 {
        at.saturating_duration_since(self.began).as_millis()
    }

    /// The instant so long ago, but not before the beginning.
    pub(crate) fn ago(&self, at: Instant, age: Duration) -> Instant {
        at.checked_sub(age).map_or(self.began, |then| then.max(self.began))
    }

    pub(crate) fn take(&self) -> (Vec<String>, Vec<String>) {
        let mut state = self.state();
        (std::mem::take(&mut state.log), std::mem::take(&mut state.broken))
    }
}
