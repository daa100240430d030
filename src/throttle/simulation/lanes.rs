//! Writes, reads and pages that ask one throttle for more than there is, on virtual time. The table in the throttle's
//! documentation has to show the outcome.

use crate::call::{Call, Lane, Operation};
use crate::telemetry::metrics::Registry;
use crate::throttle::{Limits, Metrics, Outcome, Rate, Throttle};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, sleep, sleep_until};

const MINUTE: Duration = Duration::from_secs(60);

/// The deadline of a request, as `server.request_deadline_ms` has it.
const DEADLINE: Duration = Duration::from_secs(25);

/// The time that the API server takes for a call.
const ANSWERED_IN: Duration = Duration::from_millis(20);

/// Calls a second that each lane asks for.
const ASKED: [[u32; 3]; 6] = [[100, 100, 100], [100, 100, 0], [0, 100, 100], [10, 100, 100], [100, 10, 4], [20, 20, 5]];

/// One lane's minute: the turns it had, and the longest wait for one.
#[derive(Debug, Clone, Copy, Default)]
struct Served {
    turns: u32,
    longest: Duration,
}

impl Served {
    fn per_second(self) -> f64 {
        f64::from(self.turns) / MINUTE.as_secs_f64()
    }
}

async fn simulate(asked: [u32; 3]) -> [Served; 3] {
    let rate = Some(Rate { qps: 50.0, burst: 1 });
    let limits = Limits { rate, adaptive: true, min_qps: 0.5, max_wait: Duration::from_secs(10), max_in_flight: 8 };
    let throttle = Throttle::new(limits, Handle::current(), Metrics::new(&Registry::new()));
    let served = Arc::new(Mutex::new([Served::default(); 3]));
    let start = Instant::now();
    for (lane, per_second) in Lane::ALL.into_iter().zip(asked).filter(|(_, per_second)| *per_second > 0) {
        let (throttle, served) = (throttle.clone(), Arc::clone(&served));
        tokio::spawn(async move {
            for n in 0.. {
                sleep_until(start + Duration::from_secs(1) * n / per_second).await;
                let (throttle, served) = (throttle.clone(), Arc::clone(&served));
                tokio::spawn(async move {
                    let arrived = Instant::now();
                    let call = Call::until(arrived + DEADLINE).in_lane(lane);
                    let operation = Operation { verb: "get", resource: "pods" };
                    let Ok(mut permit) = throttle.admit(&call, operation).await else { return };
                    {
                        let served = &mut served.lock().unwrap()[lane as usize];
                        served.turns += 1;
                        served.longest = served.longest.max(arrived.elapsed());
                    }
                    sleep(ANSWERED_IN).await;
                    permit.ended(Outcome::Answered { status: 200, retry_after: None });
                });
            }
        });
    }
    sleep_until(start + MINUTE).await;
    *served.lock().unwrap()
}

fn row(asked: [u32; 3], served: [Served; 3]) -> String {
    let asked = asked.map(|calls| calls.to_string()).join(", ");
    let got = served.map(|lane| format!("{:.0}", lane.per_second())).join(", ");
    let waits = served.map(|lane| match lane.turns {
        0 => "-".to_owned(),
        _ => format!("{:.1} s", lane.longest.as_secs_f64()),
    });
    format!("//! | {asked} | {got} | {} |\n", waits.join(", "))
}

const HEAD: &str = "//! | asked: writes, reads, bulk | turns: writes, reads, bulk | longest wait of each |
//! | --- | --- | --- |
";

#[tokio::test(start_paused = true)]
async fn lanes_have_their_shares_and_none_starves() {
    let mut table = HEAD.to_owned();
    for asked in ASKED {
        let served = simulate(asked).await;
        table += &row(asked, served);
        let shares: [f64; 3] = [30.0, 15.0, 5.0];
        for ((lane, asked), share) in served.into_iter().zip(asked).zip(shares) {
            let due = share.min(f64::from(asked));
            assert!(lane.per_second() >= 0.95 * due, "{asked}/s asked, {due}/s due: {lane:?}");
        }
        let all: f64 = served.into_iter().map(Served::per_second).sum();
        let due = f64::from(asked.into_iter().sum::<u32>()).min(50.0);
        assert!((0.95 * due..=1.02 * due).contains(&all), "{all}/s of {due}/s");
    }
    assert!(include_str!("../mod.rs").contains(&table), "the throttle's documentation should show\n{table}");
}
