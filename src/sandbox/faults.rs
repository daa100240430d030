//! Trouble on demand: latency, a rate limit, a hang, an outage, and rules that fail single calls.
//!
//! The faults in force can be read and replaced at any time, also while calls hang.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

/// The faults in force. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Every call waits this long before anything else happens.
    #[serde(skip_serializing_if = "is_default")]
    pub latency_ms: u64,
    /// Calls per second; beyond it the answer is the plain-text 429 of API Priority and Fairness.
    /// `None`: no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub qps: Option<f64>,
    /// Calls that may come at once before `qps` counts. `None`: one second's worth.
    #[serde(skip_serializing_if = "is_default")]
    pub burst: Option<u32>,
    /// The `Retry-After` of such a 429, in seconds. `None`: 1.
    #[serde(skip_serializing_if = "is_default")]
    pub retry_after_s: Option<u64>,
    /// Calls are accepted and not answered until this is taken back; then they go on.
    #[serde(skip_serializing_if = "is_default")]
    pub hang: bool,
    /// Connections are cut instead of being answered.
    #[serde(skip_serializing_if = "is_default")]
    pub outage: bool,
    /// Faults of single calls; the first one that matches is applied.
    #[serde(skip_serializing_if = "is_default")]
    pub rules: Vec<Rule>,
}

/// A fault of the calls that match all of `verb`, `resource`, `name` and `page`, those that are given. It does
/// one of `status`, `hang` and `cut`; a rule with none of them never matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// `get`, `list`, `create`, `update`, `patch` or `delete`.
    #[serde(skip_serializing_if = "is_default")]
    pub verb: Option<String>,
    /// `pods`, or `pods/status` for that part alone.
    #[serde(skip_serializing_if = "is_default")]
    pub resource: Option<String>,
    /// The name of the object, also of one that is to be created.
    #[serde(skip_serializing_if = "is_default")]
    pub name: Option<String>,
    /// The page of a list; the first one is 1.
    #[serde(skip_serializing_if = "is_default")]
    pub page: Option<u32>,
    /// Number of calls that it still applies to; it is counted down. `None`: for ever.
    #[serde(skip_serializing_if = "is_default")]
    pub times: Option<u32>,
    /// The call is carried out first, and its answer is lost.
    #[serde(skip_serializing_if = "is_default")]
    pub after: bool,
    /// Answer with this status: 429 in plain text, any other as a Status document.
    #[serde(skip_serializing_if = "is_default")]
    pub status: Option<u16>,
    /// Goes with `status`: the `Retry-After` header, in seconds. `None`: 1 for a 429, else no header.
    #[serde(skip_serializing_if = "is_default")]
    pub retry_after_s: Option<u64>,
    /// Goes with `status`: the reason of the Status document. `None`: the usual one.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: Option<String>,
    /// Do not answer until the faults are replaced; then go on.
    #[serde(skip_serializing_if = "is_default")]
    pub hang: bool,
    /// Cut the connection.
    #[serde(skip_serializing_if = "is_default")]
    pub cut: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Faults {
    /// From JSON, refusing what could never have an effect.
    ///
    /// # Errors
    /// In words, for the one who wrote it.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let faults: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if faults.qps.is_some_and(|qps| !qps.is_finite() || qps <= 0.0) {
            return Err("qps: must be greater than zero".to_owned());
        }
        for (number, rule) in faults.rules.iter().enumerate() {
            rule.check().map_err(|why| format!("rules[{number}]: {why}"))?;
        }
        Ok(faults)
    }
}

impl Rule {
    fn check(&self) -> Result<(), &'static str> {
        let verbs = ["get", "list", "create", "update", "patch", "delete"];
        if self.verb.as_deref().is_some_and(|verb| !verbs.contains(&verb)) {
            return Err("verb: must be get, list, create, update, patch or delete");
        }
        if [self.status.is_some(), self.hang, self.cut].into_iter().filter(|given| *given).count() != 1 {
            return Err("must have one of status, hang and cut");
        }
        match self.status {
            Some(status) if !(400..=599).contains(&status) => Err("status: must be between 400 and 599"),
            None if self.retry_after_s.is_some() || self.reason.is_some() => {
                Err("retry_after_s and reason go with status")
            }
            _ => Ok(()),
        }
    }

    fn matches(&self, call: &Call<'_>) -> bool {
        fn agrees<T: PartialEq>(wanted: Option<T>, given: Option<T>) -> bool {
            wanted.is_none() || wanted == given
        }
        let whole = call.resource.split('/').next().unwrap_or_default();
        self.times != Some(0)
            && agrees(self.verb.as_deref(), Some(call.verb))
            && self.resource.as_deref().is_none_or(|resource| resource == call.resource || resource == whole)
            && agrees(self.name.as_deref(), call.name)
            && agrees(self.page, call.page)
    }

    fn outcome(&self) -> Option<Outcome> {
        if self.hang {
            return Some(Outcome::Hang);
        }
        if self.cut {
            return Some(Outcome::Cut);
        }
        self.status.map(|status| Outcome::Answer {
            status,
            retry_after: self.retry_after_s.or((status == 429).then_some(1)),
            reason: self.reason.clone(),
        })
    }
}

/// A call as rules see it.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) verb: &'a str,
    pub(super) resource: &'a str,
    pub(super) name: Option<&'a str>,
    /// `None` for what is no list.
    pub(super) page: Option<u32>,
}

/// A fault that befalls a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) outcome: Outcome,
    /// Carry the call out first.
    pub(super) after: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answer { status: u16, retry_after: Option<u64>, reason: Option<String> },
    Hang,
    Cut,
}

/// The faults in force and what they have used up.
#[derive(Debug)]
pub(super) struct Control {
    state: Mutex<State>,
    /// True if everything hangs; sent anew with every change.
    hang: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    faults: Faults,
    tokens: f64,
    refilled: Instant,
}

impl State {
    fn new(faults: Faults) -> Self {
        Self { tokens: capacity(&faults), faults, refilled: Instant::now() }
    }

    fn take_token(&mut self, now: Instant) -> bool {
        let Some(qps) = self.faults.qps else {
            return true;
        };
        let gained = now.duration_since(self.refilled).as_secs_f64() * qps;
        self.tokens = (self.tokens + gained).min(capacity(&self.faults));
        self.refilled = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

fn capacity(faults: &Faults) -> f64 {
    let second = faults.qps.unwrap_or_default().ceil();
    faults.burst.map_or(second, f64::from).max(1.0)
}

impl Control {
    pub(super) fn new(faults: Faults) -> Self {
        Self { hang: watch::Sender::new(faults.hang), state: Mutex::new(State::new(faults)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    pub(super) fn faults(&self) -> Faults {
        self.lock().faults.clone()
    }

    pub(super) fn replace(&self, faults: Faults) {
        let hang = faults.hang;
        *self.lock() = State::new(faults);
        self.hang.send_replace(hang);
    }

    pub(super) fn latency(&self) -> Duration {
        Duration::from_millis(self.lock().faults.latency_ms)
    }

    /// True if a rule in force answers `call` with 403. Nothing is used up.
    pub(super) fn forbids(&self, call: &Call<'_>) -> bool {
        let state = self.lock();
        state.faults.rules.iter().any(|rule| rule.status == Some(403) && rule.matches(call))
    }

    /// To be taken before `judge`, so that no change is missed.
    pub(super) fn release(&self) -> Release {
        Release(self.hang.subscribe())
    }

    /// Fault for `call`, if there is one; a request that is no call (`None`) is judged by hang and outage alone.
    pub(super) fn judge(&self, call: Option<&Call<'_>>, now: Instant) -> Option<Fault> {
        let mut state = self.lock();
        let plain = |outcome| Some(Fault { outcome, after: false });
        if state.faults.outage {
            return plain(Outcome::Cut);
        }
        let Some(call) = call else {
            return state.faults.hang.then(|| plain(Outcome::Hang)).flatten();
        };
        if !state.take_token(now) {
            return plain(Outcome::Answer {
                status: 429,
                retry_after: state.faults.retry_after_s.or(Some(1)),
                reason: None,
            });
        }
        if state.faults.hang {
            return plain(Outcome::Hang);
        }
        let (rule, outcome) = state
            .faults
            .rules
            .iter_mut()
            .filter(|rule| rule.matches(call))
            .find_map(|rule| rule.outcome().map(|outcome| (rule, outcome)))?;
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(Fault { outcome, after: rule.after })
    }
}

/// The end of a hang.
pub(super) struct Release(watch::Receiver<bool>);

impl Release {
    /// Waits until the faults are replaced by some that do not hang everything.
    pub(super) async fn wait(mut self) {
        while self.0.changed().await.is_ok() {
            if !*self.0.borrow_and_update() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Call<'_> = Call { verb: "get", resource: "pods", name: Some("p"), page: None };

    fn control(json: &str) -> Control {
        Control::new(Faults::parse(json.as_bytes()).unwrap())
    }

    fn answered(control: &Control, call: &Call<'_>) -> Option<u16> {
        match control.judge(Some(call), Instant::now())?.outcome {
            Outcome::Answer { status, .. } => Some(status),
            Outcome::Hang | Outcome::Cut => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_limit_lets_a_burst_and_then_the_rate_pass() {
        let control = control(r#"{"qps": 2, "burst": 3}"#);
        let refused = |_| usize::from(answered(&control, &GET) == Some(429));
        assert_eq!((0..5).map(refused).sum::<usize>(), 2);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..5).map(refused).sum::<usize>(), 3);
    }

    #[tokio::test]
    async fn the_first_matching_rule_wins_until_it_is_used_up() {
        let control = control(
            r#"{"rules": [{"verb": "get", "resource": "pods", "times": 1, "status": 503}, {"name": "p", "status": 410}, {"page": 2, "cut": true}]}"#,
        );
        assert_eq!(answered(&control, &GET), Some(503));
        assert_eq!(answered(&control, &GET), Some(410));
        assert_eq!(control.faults().rules[0].times, Some(0));
        let page = |number| Call { verb: "list", resource: "deployments", name: None, page: Some(number) };
        assert_eq!(control.judge(Some(&page(1)), Instant::now()), None);
        let fault = control.judge(Some(&page(2)), Instant::now()).unwrap();
        assert_eq!(fault.outcome, Outcome::Cut);
    }

    #[tokio::test]
    async fn a_hang_ends_when_the_faults_are_replaced() {
        let control = control(r#"{"hang": true}"#);
        let release = control.release();
        assert_eq!(control.judge(None, Instant::now()).unwrap().outcome, Outcome::Hang);
        control.replace(Faults::default());
        release.wait().await;
        assert_eq!(control.judge(None, Instant::now()), None);
    }

    #[test]
    fn faults_without_effect_are_refused() {
        for json in [
            "",
            r#"{"latency": 5}"#,
            r#"{"qps": 0}"#,
            r#"{"rules": [{}]}"#,
            r#"{"rules": [{"status": 200}]}"#,
            r#"{"rules": [{"status": 500, "cut": true}]}"#,
            r#"{"rules": [{"hang": true, "reason": "x"}]}"#,
            r#"{"rules": [{"verb": "watch", "cut": true}]}"#,
            r#"{"rules": [{"cut": true, "zork": 1}]}"#,
        ] {
            assert!(Faults::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
