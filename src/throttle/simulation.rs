//! Simulation of independent replicas against one API server that gives less than they want, on virtual time.
//!
//! The replicas are real [`Pace`]s; the API server is a token bucket with a second's worth of burst, answers within
//! milliseconds, and says `Retry-After: 1` when it is empty. The table in the throttle's documentation has to show the
//! outcome.

mod lanes;

use super::bucket::TokenBucket;
use super::pace::{Pace, Sent};
use super::{Limits, Outcome, Rate};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tokio::time::{Duration, Instant};

/// Capacity of the API server for all replicas together in each phase, in calls per second.
const CAPACITY: [f64; 5] = [50.0, 25.0, 50.0, 25.0, 50.0];
const PHASE: Duration = Duration::from_secs(120);
/// Beginning of a phase that its goodput does not count: the way from the last phase's capacity to this one's.
const SETTLING: Duration = Duration::from_secs(30);
const MAX_IN_FLIGHT: usize = 8;
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The replica looks whether it may send.
    Look,
    /// Its call number so-and-so is answered.
    Answer(usize),
}

struct Replica {
    pace: Pace,
    in_flight: usize,
    looks_at: Option<Instant>,
}

/// A call that the API server has taken or rejected.
struct Attempt {
    replica: usize,
    sent: Sent,
    taken: bool,
}

struct Outcomes {
    start: Instant,
    attempts: Vec<Attempt>,
    replicas: usize,
}

fn simulate(replicas: usize, adaptive: bool, seed: u64) -> Outcomes {
    let start = Instant::now();
    let mut chance = fastrand::Rng::with_seed(seed);
    let rate = Some(Rate { qps: 50.0, burst: 100 });
    let limits = Limits { rate, adaptive, min_qps: 0.5, max_wait: Duration::MAX, max_in_flight: MAX_IN_FLIGHT };
    let mut all: Vec<_> =
        (0..replicas).map(|_| Replica { pace: Pace::new(limits, start), in_flight: 0, looks_at: None }).collect();
    let mut server = TokenBucket::new(CAPACITY[0], CAPACITY[0], start);
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut events = BinaryHeap::new();
    for (n, replica) in all.iter_mut().enumerate() {
        let first = start + Duration::from_millis(chance.u64(..100));
        replica.looks_at = Some(first);
        events.push(Reverse((first, n, Event::Look)));
    }
    let mut phase = 0;
    while let Some(Reverse((now, n, event))) = events.pop() {
        let at = usize::try_from((now - start).as_secs() / PHASE.as_secs()).unwrap();
        let Some(capacity) = CAPACITY.get(at) else { break };
        if at != phase {
            server.set(*capacity, *capacity, now);
            phase = at;
        }
        let replica = &mut all[n];
        match event {
            Event::Look if replica.looks_at.take_if(|at| *at == now).is_none() => continue,
            Event::Look => {}
            Event::Answer(number) => {
                let Attempt { sent, taken, .. } = attempts[number];
                let outcome = match taken {
                    true => Outcome::Answered { status: 200, retry_after: None },
                    false => Outcome::Answered { status: 429, retry_after: Some(RETRY_AFTER) },
                };
                replica.pace.ended(sent, "pods", outcome, chance.f64(), now);
                replica.in_flight -= 1;
            }
        }
        while replica.in_flight < MAX_IN_FLIGHT {
            if let Err(hold) = replica.pace.check(now) {
                let until = hold.until.expect("nobody is unreachable here") + replica.pace.stagger(chance.f64());
                if replica.looks_at.is_none_or(|looks_at| until < looks_at) {
                    replica.looks_at = Some(until);
                    events.push(Reverse((until, n, Event::Look)));
                }
                break;
            }
            let sent = replica.pace.send(now);
            replica.in_flight += 1;
            attempts.push(Attempt { replica: n, sent, taken: server.try_take(now).is_ok() });
            let answered = now + Duration::from_millis(chance.u64(10..30));
            events.push(Reverse((answered, n, Event::Answer(attempts.len() - 1))));
        }
    }
    Outcomes { start, attempts, replicas }
}

#[expect(clippy::cast_precision_loss, reason = "some ten thousand calls")]
impl Outcomes {
    fn between(&self, from: Duration, to: Duration) -> &[Attempt] {
        let index = |at| self.attempts.partition_point(|attempt| attempt.sent.at < self.start + at);
        &self.attempts[index(from)..index(to)]
    }

    /// Calls per second that were taken.
    fn taken(&self, from: Duration, to: Duration) -> f64 {
        let taken = self.between(from, to).iter().filter(|attempt| attempt.taken).count();
        taken as f64 / (to - from).as_secs_f64()
    }

    /// In parts of the capacity.
    fn goodput(&self, phase: u32) -> f64 {
        self.taken(PHASE * phase + SETTLING, PHASE * (phase + 1)) / CAPACITY[phase as usize]
    }

    /// In parts of the attempts.
    fn rejected(&self, phase: u32) -> f64 {
        let (from, to) = (PHASE * phase + SETTLING, PHASE * (phase + 1));
        let attempts = self.between(from, to);
        attempts.iter().filter(|attempt| !attempt.taken).count() as f64 / attempts.len() as f64
    }

    /// Jain's index of what the replicas got.
    fn fairness(&self) -> f64 {
        let mut got = vec![0.0; self.replicas];
        self.attempts.iter().filter(|attempt| attempt.taken).for_each(|attempt| got[attempt.replica] += 1.0);
        let sum: f64 = got.iter().sum();
        sum * sum / (self.replicas as f64 * got.iter().map(|calls| calls * calls).sum::<f64>())
    }

    /// Time after the doubling that begins this phase when a window of five seconds first sees 90 % of what there is.
    fn recovery(&self, phase: u32) -> f64 {
        let (doubled, window) = (PHASE * phase, Duration::from_secs(5));
        let mut ends = (5..=PHASE.as_secs()).map(|second| doubled + Duration::from_secs(second));
        let recovered = ends.find(|end| self.taken(*end - window, *end) >= 0.9 * CAPACITY[phase as usize]);
        recovered.map_or(f64::INFINITY, |end| (end - doubled).as_secs_f64())
    }

    fn worst(&self, of: fn(&Self, u32) -> f64, pick: fn(f64, f64) -> f64, phases: &[u32]) -> f64 {
        phases.iter().map(|phase| of(self, *phase)).reduce(pick).expect("there are phases")
    }
}

/// The row of the table: the worst of two runs, in percent and seconds.
fn row(replicas: usize, adaptive: bool) -> (String, [f64; 5]) {
    let runs: Vec<_> = (1..=2).map(|seed| simulate(replicas, adaptive, seed)).collect();
    let worst = |of: &dyn Fn(&Outcomes) -> f64, pick: fn(f64, f64) -> f64| runs.iter().map(of).reduce(pick).unwrap();
    let goodput = worst(&|run| run.worst(Outcomes::goodput, f64::min, &[0, 1, 2, 3, 4]), f64::min);
    let rejected = [[0, 2, 4].as_slice(), &[1, 3]]
        .map(|phases| worst(&|run| run.worst(Outcomes::rejected, f64::max, phases), f64::max));
    let fairness = worst(&Outcomes::fairness, f64::min);
    let recovery = worst(&|run| run.worst(Outcomes::recovery, f64::max, &[2, 4]), f64::max);
    let pace = if adaptive { "adaptive" } else { "fixed" };
    let [full, half] = rejected.map(|part| format!("{:.1} %", part * 100.0));
    let text = format!(
        "//! | {replicas} | {pace} | {:.1} % | {full} | {half} | {fairness:.3} | {recovery:.0} s |\n",
        goodput * 100.0
    );
    (text, [goodput, rejected[0], rejected[1], fairness, recovery])
}

#[test]
fn an_api_server_that_rejects_everything_for_a_while_is_left_alone_and_then_asked_as_before() {
    let start = Instant::now();
    let limits = Limits {
        rate: Some(Rate { qps: 50.0, burst: 100 }),
        adaptive: true,
        min_qps: 0.5,
        max_wait: Duration::MAX,
        max_in_flight: MAX_IN_FLIGHT,
    };
    let (mut pace, mut now) = (Pace::new(limits, start), start);
    // Attempts in each second. Everything is rejected from the fifth second to the fifteenth.
    let mut seconds = [0; 20];
    while let Some(count) = seconds.get_mut(usize::try_from((now - start).as_secs()).unwrap()) {
        if let Err(hold) = pace.check(now) {
            now = hold.until.expect("nobody is unreachable here");
            continue;
        }
        *count += 1;
        let sent = pace.send(now);
        now += Duration::from_millis(5);
        let outcome = match (5..15).contains(&(now - start).as_secs()) {
            true => Outcome::Answered { status: 429, retry_after: Some(RETRY_AFTER) },
            false => Outcome::Answered { status: 200, retry_after: None },
        };
        pace.ended(sent, "pods", outcome, 0.5, now);
    }
    assert!(seconds[6..15].iter().all(|attempts| *attempts <= 2), "{seconds:?}");
    assert!(seconds[17..].iter().all(|attempts| *attempts >= 30), "{seconds:?}");
}

const HEAD: &str = "//! | replicas | rate | goodput | rejected at 50/s | rejected at 25/s | fairness | recovery |
//! | --- | --- | --- | --- | --- | --- | --- |
";

#[test]
fn replicas_share_what_there_is_with_few_rejections() {
    let mut table = HEAD.to_owned();
    for replicas in [2, 5, 20] {
        let (text, [goodput, full, half, fairness, recovery]) = row(replicas, true);
        table += &text;
        assert!(goodput >= 0.95, "goodput of {replicas}: {goodput}");
        assert!(full.max(half) <= 0.15, "rejected of {replicas}: {full}, {half}");
        assert!(fairness >= 0.98, "fairness of {replicas}: {fairness}");
        assert!(recovery <= 30.0, "recovery of {replicas}: {recovery}");
    }
    table += &row(5, false).0;
    assert!(include_str!("mod.rs").contains(&table), "the module's documentation should show\n{table}");
}
