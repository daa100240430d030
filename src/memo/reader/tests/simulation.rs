//! Pollers who each ask for their own object every two seconds, through the real throttle with its default settings, on
//! virtual time: reads one by one against gathered ones. A GET takes the server 5 ms, a page of 500 objects 60 ms.

use super::*;
use crate::throttle::{self, Rate, Throttle};
use std::sync::Mutex;

const PERIOD: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(30);

/// Observations of callers and server.
#[derive(Debug, Default)]
struct Seen {
    polls: usize,
    /// Refused, or answered by an old answer.
    failed: usize,
    oldest: Duration,
    longest: Duration,
    /// Polls that were not answered at once.
    waited: usize,
    calls_per_second: f64,
    lists: usize,
}

impl Seen {
    fn note(&mut self, waited: Duration, told: &Told) {
        self.polls += 1;
        self.longest = self.longest.max(waited);
        self.waited += usize::from(!waited.is_zero());
        match told {
            Ok(found) if found.source != Source::Stale => self.oldest = self.oldest.max(found.answer.age()),
            _ => self.failed += 1,
        }
    }
}

fn default_throttle() -> Throttle {
    let limits = throttle::Limits {
        rate: Some(Rate { qps: 50.0, burst: 100 }),
        adaptive: true,
        min_qps: 0.5,
        max_wait: Duration::from_secs(10),
        max_in_flight: 8,
    };
    Throttle::new(limits, Handle::current(), throttle::Metrics::new(&Registry::new()))
}

/// Load of one simulation.
#[derive(Debug, Clone, Copy)]
struct Load {
    pollers: usize,
    objects: usize,
    creates_per_second: u32,
    /// Names that do not exist, asked for in a second, each once.
    missing_per_second: usize,
    gathers: bool,
    time: Duration,
}

fn load(pollers: usize, objects: usize) -> Load {
    Load { pollers, objects, creates_per_second: 0, missing_per_second: 0, gathers: true, time: TIME }
}

async fn simulate(load: Load) -> Seen {
    let Load { pollers, objects, creates_per_second, missing_per_second, gathers, time } = load;
    let throttle = default_throttle();
    let server = Server::behind(Some(throttle.clone()), objects);
    let way = Box::new(move || match throttle.is_closed() {
        true => Way::Closed,
        false if throttle.would_wait() => Way::Queueing,
        false => Way::Free,
    });
    let metrics = Metrics::new(&Registry::new());
    let memo = Memo::new("test", 1 << 28, Live::new(limits()), way, Handle::current(), metrics);
    let reader = Arc::new(Reader::new(memo, server.clone()));
    let (seen, end) = (Arc::new(Mutex::new(Seen::default())), Instant::now() + time);
    let mut tasks = JoinSet::new();
    for n in 0..pollers {
        let (reader, server, seen) = (Arc::clone(&reader), server.clone(), Arc::clone(&seen));
        tasks.spawn(async move {
            let name = name(n);
            sleep(PERIOD.mul_f64(fastrand::Rng::with_seed(n as u64).f64())).await;
            while Instant::now() < end {
                let asked = Instant::now();
                let told = if gathers {
                    reader.get(&name, options()).await
                } else {
                    let (server, of) = (server.clone(), name.clone());
                    let fetch = move |call: Call| async move { server.get(&of, &call).await };
                    reader.memo.read_one(name.as_str(), options(), fetch).await
                };
                seen.lock().unwrap().note(asked.elapsed(), &told);
                sleep(PERIOD).await;
            }
        });
    }
    if creates_per_second > 0 {
        let (reader, server) = (Arc::clone(&reader), server.clone());
        tasks.spawn(async move {
            for n in 0.. {
                let new = format!("q-{n}");
                let write = reader.begin_write(&named(&new));
                server.set(&new, 1);
                sleep(Duration::from_millis(20)).await;
                write.stored(Objects::One(new.clone(), 1));
                let list = reader.list(ListFilter::default(), options()).await.unwrap();
                assert!(
                    list.answer.value.narrow(&Key::One(new.as_str().into())).is_some(),
                    "{new} is in the next list"
                );
                sleep(Duration::from_secs(1) / creates_per_second).await;
                if Instant::now() >= end {
                    return;
                }
            }
        });
    }
    for n in 0..missing_per_second * usize::try_from(time.as_secs()).unwrap() {
        let (reader, seen) = (Arc::clone(&reader), Arc::clone(&seen));
        tasks.spawn(async move {
            sleep(Duration::from_secs(1).mul_f64(n as f64 / missing_per_second as f64)).await;
            let asked = Instant::now();
            assert!(is_absent(&reader.get(&named(&format!("none-{n}")), options()).await));
            let mut seen = seen.lock().unwrap();
            seen.longest = seen.longest.max(asked.elapsed());
        });
    }
    tasks.join_all().await;
    let calls = u32::try_from(server.calls()).unwrap();
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    seen.calls_per_second = f64::from(calls) / time.as_secs_f64();
    seen.lists = server.asked().1;
    seen
}

#[tokio::test(start_paused = true)]
async fn thirty_pollers_in_a_large_namespace_are_plain_reads() {
    let seen = simulate(load(30, 10_000)).await;
    assert_eq!((seen.lists, seen.failed), (0, 0), "{seen:?}");
    assert!(seen.calls_per_second <= 15.5 && seen.longest < Duration::from_millis(100), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn the_table_of_gathered_reads() {
    for (pollers, objects, creates, calls, wait_ms) in
        [(300, 300, 0, 2.0, 200), (1500, 1500, 0, 3.5, 400), (1500, 1500, 20, 4.5, 400), (5000, 5000, 0, 11.0, 1000)]
    {
        let seen = simulate(Load { creates_per_second: creates, ..load(pollers, objects) }).await;
        assert_eq!(seen.failed, 0, "{pollers}: {seen:?}");
        assert!(seen.calls_per_second <= calls, "{pollers}: {seen:?}");
        assert!(seen.longest <= Duration::from_millis(wait_ms), "{pollers}: {seen:?}");
        assert!(seen.oldest <= Duration::from_millis(2000), "{pollers}: {seen:?}");
        assert!(seen.waited * 20 <= seen.polls, "lists are read ahead: {pollers}: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_missing_names_from_a_cold_start() {
    let seen = simulate(Load { missing_per_second: 556, time: Duration::from_secs(18), ..load(1500, 1500) }).await;
    assert_eq!(seen.failed, 0, "{seen:?}");
    assert!(seen.calls_per_second <= 6.0 && seen.longest <= Duration::from_millis(500), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn the_table_of_single_reads() {
    for (pollers, objects, failed, calls) in [(300, 300, 0.0, 45.0), (1500, 1500, 0.3, 45.0)] {
        let seen = simulate(Load { gathers: false, ..load(pollers, objects) }).await;
        let of = |n: usize| f64::from(u32::try_from(n).unwrap());
        assert!(of(seen.failed) >= failed * of(seen.polls) && seen.calls_per_second >= calls, "{pollers}: {seen:?}");
    }
}
