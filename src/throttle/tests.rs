use super::queue::SEARCH_PERIOD;
use super::*;
use crate::call::{Call, CallerKey, Lane, Operation};
use crate::telemetry::metrics::Registry;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, timeout_at};

const LIST: Operation = Operation { verb: "list", resource: "pods" };

fn limits(qps: f64, burst: u32, max_in_flight: usize) -> Limits {
    let (rate, max_wait) = (Some(Rate { qps, burst }), Duration::from_secs(10));
    Limits { rate, adaptive: true, min_qps: 0.5, max_wait, max_in_flight }
}

fn with(limits: Limits) -> Throttle {
    Throttle::new(limits, Handle::current(), Metrics::new(&Registry::new()))
}

fn throttle(qps: f64, burst: u32, max_in_flight: usize) -> Throttle {
    with(limits(qps, burst, max_in_flight))
}

fn call_for(seconds: u64) -> Call {
    Call::until(Instant::now() + Duration::from_secs(seconds))
}

#[tokio::test(start_paused = true)]
async fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
    let throttle = throttle(10.0, 5, 100);
    let began = Instant::now();
    for n in 0_u32..15 {
        throttle.admit(&call_for(60), LIST).await.unwrap();
        let due = Duration::from_millis(100) * n.saturating_sub(4);
        assert!(began.elapsed() >= due, "the {n}th came {:?} before {due:?}", began.elapsed());
        assert!(began.elapsed() < due + Duration::from_millis(5), "the {n}th came late: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_that_cannot_go_in_time_are_refused_at_once() {
    let throttle = throttle(1.0, 1, 100);
    throttle.admit(&call_for(60), LIST).await.unwrap();
    let began = Instant::now();
    let refused = throttle.admit(&Call::until(began + Duration::from_millis(500)), LIST).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(refused.retry_after > Duration::from_millis(900), "{refused}");
    assert!(refused.retry_after <= Duration::from_secs(1), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn the_queue_counts_towards_the_wait() {
    let throttle = throttle(1.0, 1, 100);
    throttle.admit(&call_for(60), LIST).await.unwrap();
    let queued: Vec<_> = (0..10)
        .map(|_| {
            let throttle = throttle.clone();
            tokio::spawn(async move { throttle.admit(&call_for(60), LIST).await.map(drop) })
        })
        .collect();
    tokio::task::yield_now().await;
    let refused = throttle.admit(&call_for(60), LIST).await.unwrap_err();
    assert!(refused.retry_after > Duration::from_secs(10), "max_wait bounds the queue: {refused}");
    for waiter in queued {
        waiter.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_the_order_they_came() {
    let throttle = throttle(10.0, 1, 100);
    throttle.admit(&call_for(60), LIST).await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiters = Vec::new();
    for n in 0..5 {
        let (throttle, order) = (throttle.clone(), Arc::clone(&order));
        waiters.push(tokio::spawn(async move {
            throttle.admit(&call_for(60), LIST).await.unwrap();
            order.lock().unwrap().push(n);
        }));
        tokio::task::yield_now().await;
    }
    for waiter in waiters {
        waiter.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn abandoned_waits_cost_no_token() {
    let throttle = throttle(1.0, 1, 100);
    throttle.admit(&call_for(60), LIST).await.unwrap();
    let gone = timeout_at(Instant::now() + Duration::from_millis(100), throttle.admit(&call_for(60), LIST)).await;
    assert!(gone.is_err());
    let began = Instant::now();
    throttle.admit(&call_for(60), LIST).await.unwrap();
    assert!(began.elapsed() <= Duration::from_millis(905), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_bounded_and_free_their_place() {
    let throttle = throttle(1000.0, 1000, 2);
    let first = throttle.admit(&call_for(1), LIST).await.unwrap();
    let _second = throttle.admit(&call_for(1), LIST).await.unwrap();
    assert!(throttle.admit(&call_for(1), LIST).await.is_err());
    drop(first);
    throttle.admit(&call_for(1), LIST).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn places_that_free_up_late_do_not_release_more_than_the_burst() {
    let throttle = throttle(1.0, 2, 8);
    let places: Vec<_> =
        vec![throttle.admit(&call_for(60), LIST).await.unwrap(), throttle.admit(&call_for(60), LIST).await.unwrap()];
    tokio::time::sleep(Duration::from_secs(60)).await;
    drop(places);
    let began = Instant::now();
    for _ in 0..4 {
        throttle.admit(&call_for(60), LIST).await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_secs(2), "two saved tokens, then one a second: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_a_rate_only_the_places_bound() {
    let throttle = with(Limits { rate: None, ..limits(1.0, 1, 1) });
    let began = Instant::now();
    for _ in 0..1000 {
        throttle.admit(&call_for(1), LIST).await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

const OVERLOADED: Outcome = Outcome::Answered { status: 429, retry_after: Some(Duration::from_secs(1)) };

async fn end_with(throttle: &Throttle, outcome: Outcome) {
    throttle.admit(&call_for(60), LIST).await.unwrap().ended(outcome);
}

#[tokio::test(start_paused = true)]
async fn a_429_holds_all_attempts_back_and_cuts_the_rate() {
    let throttle = throttle(10.0, 5, 8);
    let began = Instant::now();
    end_with(&throttle, OVERLOADED).await;
    assert!(throttle.is_closed());
    let refused = throttle.admit(&Call::until(began + Duration::from_millis(900)), LIST).await.unwrap_err();
    assert_eq!((refused.why, began.elapsed()), (Why::Overloaded, Duration::ZERO));
    assert!(refused.retry_after >= Duration::from_secs(1), "{refused}");
    throttle.admit(&call_for(60), LIST).await.unwrap();
    // The pause is spread by a quarter of itself, and the attempt staggered by up to half the time between two.
    let due = Duration::from_secs_f64(1.0 + 1.0 / 7.0)..Duration::from_secs_f64(1.26 + 1.5 / 7.0);
    assert!(due.contains(&began.elapsed()), "the saved tokens are gone, the rate is 7/s: {:?}", began.elapsed());
    assert_eq!(throttle.metrics().rate.get(), 7.0);
}

#[tokio::test(start_paused = true)]
async fn a_fixed_rate_gives_way_to_nothing() {
    let throttle = with(Limits { adaptive: false, ..limits(10.0, 5, 8) });
    end_with(&throttle, OVERLOADED).await;
    assert!(!throttle.is_closed());
    assert_eq!(throttle.metrics().rate.get(), 10.0);
}

#[tokio::test(start_paused = true)]
async fn a_dead_api_server_is_probed_by_one_attempt_at_a_time() {
    let throttle = throttle(1000.0, 1000, 8);
    for _ in 0..3 {
        end_with(&throttle, Outcome::NoAnswer).await;
    }
    let (waiting, wanted) = (call_for(60), 5);
    let waiters: Vec<_> = (0..wanted).map(|_| tokio::spawn(admitted(throttle.clone(), waiting.clone()))).collect();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut probes: Vec<_> = waiters.into_iter().collect();
    assert_eq!(probes.iter().filter(|waiter| waiter.is_finished()).count(), 1);
    let first = probes.iter().position(tokio::task::JoinHandle::is_finished).unwrap();
    let mut probe = probes.remove(first).await.unwrap();
    assert!(throttle.is_closed(), "while the probe is under way, nobody else asks");
    probe.ended(Outcome::Answered { status: 200, retry_after: None });
    drop(probe);
    for waiter in probes {
        drop(waiter.await.unwrap());
    }
    assert!(!throttle.is_closed());
}

async fn admitted(throttle: Throttle, call: Call) -> Permit {
    throttle.admit(&call, LIST).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_first_call_waits_at_most_two_token_intervals_behind_fifty_pages() {
    let throttle = throttle(2.0, 1, 8);
    throttle.admit(&call_for(60), LIST).await.unwrap();
    let pages = tokio::spawn({
        let throttle = throttle.clone();
        async move {
            for _ in 0..50 {
                throttle.admit(&call_for(60).in_lane(Lane::Bulk), LIST).await.unwrap();
            }
        }
    });
    for pause in [0, 130, 900, 1700] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let asked = Instant::now();
        throttle.admit(&call_for(60), LIST).await.unwrap();
        assert!(asked.elapsed() <= Duration::from_millis(1001), "two tokens of half a second: {:?}", asked.elapsed());
    }
    assert!(!pages.is_finished());
}

#[tokio::test(start_paused = true)]
async fn no_lane_starves_another() {
    let throttle = throttle(100.0, 1, 8);
    let served = [(); 3].map(|()| Arc::new(Mutex::new(0_u32)));
    for (lane, served) in Lane::ALL.into_iter().zip(&served) {
        for _ in 0..20 {
            let (throttle, served) = (throttle.clone(), Arc::clone(served));
            tokio::spawn(async move {
                loop {
                    throttle.admit(&call_for(60).in_lane(lane), LIST).await.unwrap();
                    *served.lock().unwrap() += 1;
                }
            });
        }
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let served = served.map(|served| *served.lock().unwrap());
    for (turns, share) in served.into_iter().zip([600_u32, 300, 100]) {
        assert!(turns.abs_diff(share) <= 4, "{served:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_came_too_late_goes_to_the_next() {
    let throttle = throttle(1.0, 1, 1);
    let first = throttle.admit(&call_for(60), LIST).await.unwrap();
    let call = call_for(60);
    let mut gone = Box::pin(throttle.admit(&call, LIST));
    assert!(poll_once(&mut gone).is_none());
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(first);
    drop(gone);
    let began = Instant::now();
    throttle.admit(&call_for(60), LIST).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO, "place and token were given back");
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test(start_paused = true)]
async fn new_limits_count_for_those_who_wait_already() {
    let throttle = throttle(0.1, 1, 8);
    throttle.admit(&call_for(60), LIST).await.unwrap();
    let began = Instant::now();
    let waiter = tokio::spawn(admitted(throttle.clone(), call_for(60)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    throttle.retune(limits(10.0, 1, 8));
    drop(waiter.await.unwrap());
    assert!(began.elapsed() <= Duration::from_millis(1101), "{:?}", began.elapsed());
    assert_eq!(throttle.metrics().ceiling.get(), 10.0);
}

#[tokio::test(start_paused = true)]
async fn writes_wait_until_their_deadline_and_reads_up_to_max_wait() {
    let throttle = throttle(50.0, 100, 8);
    let began = Instant::now();
    let writes: Vec<_> = (0..1000)
        .map(|_| {
            let throttle = throttle.clone();
            tokio::spawn(async move { throttle.admit(&call_for(25).in_lane(Lane::Write), LIST).await.map(drop) })
        })
        .collect();
    // The clock moves when all of them wait.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let refused = throttle.admit(&call_for(17).in_lane(Lane::Write), LIST).await.unwrap_err();
    let at_once = began.elapsed() <= Duration::from_millis(2);
    assert_eq!((refused.why, at_once), (Why::Rate, true), "the queue cannot reach it in time");
    throttle.admit(&call_for(25), LIST).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(100), "reads have turns of their own: {:?}", began.elapsed());
    for write in writes {
        write.await.unwrap().unwrap();
    }
    assert!((17..=19).contains(&began.elapsed().as_secs()), "900 behind the burst at 50/s: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hung_writes_do_not_hold_reads_up_nor_the_other_way_round() {
    for (hung, other) in [(Lane::Write, Lane::Read), (Lane::Read, Lane::Write)] {
        let throttle = throttle(1000.0, 1000, 8);
        let mut places = Vec::new();
        while let Ok(permit) = throttle.admit(&call_for(1).in_lane(hung), LIST).await {
            places.push(permit);
        }
        let began = Instant::now();
        throttle.admit(&call_for(1).in_lane(other), LIST).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO, "{} of {hung:?} hang", places.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_wants_any_more_costs_no_token() {
    let throttle = throttle(1.0, 1, 8);
    throttle.admit(&call_for(60), LIST).await.unwrap();
    let caller = Arc::new(());
    let watched = Arc::downgrade(&caller);
    let wanted = move || watched.strong_count() > 0;
    let gone = [call_for(60).while_wanted(wanted.clone()), call_for(60).while_wanted(wanted)];
    let gone = gone.map(|call| {
        tokio::spawn({
            let throttle = throttle.clone();
            async move { throttle.admit(&call, LIST).await.map(drop).unwrap_err() }
        })
    });
    tokio::task::yield_now().await;
    drop(caller);
    let began = Instant::now();
    throttle.admit(&call_for(60), LIST).await.unwrap();
    assert!(began.elapsed() <= Duration::from_millis(1001), "the first token is for it: {:?}", began.elapsed());
    for call in gone {
        assert_eq!(call.await.unwrap().why, Why::Unwanted);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_nobody_wants_any_more_do_not_fill_the_queue() {
    let throttle = throttle(1.0, 1, 8);
    throttle.admit(&call_for(60), LIST).await.unwrap();
    let caller = Arc::new(());
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let (throttle, watched) = (throttle.clone(), Arc::downgrade(&caller));
            let call = call_for(60).while_wanted(move || watched.strong_count() > 0);
            tokio::spawn(async move { throttle.admit(&call, LIST).await.map(drop).unwrap_err() })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(throttle.admit(&call_for(60), LIST).await.is_err(), "ten are ahead");
    drop(caller);
    tokio::time::sleep(SEARCH_PERIOD).await;
    throttle.admit(&call_for(60), LIST).await.unwrap();
    for call in waiting {
        assert_eq!(call.await.unwrap().why, Why::Unwanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_many_calls_leaves_others_their_turns() {
    let throttle = throttle(10.0, 1, 8);
    for _ in 0..90 {
        let throttle = throttle.clone();
        tokio::spawn(async move { throttle.admit(&call_for(60).by(CallerKey::of("many")), LIST).await.map(drop) });
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    for _ in 0..5 {
        let began = Instant::now();
        throttle.admit(&call_for(60).by(CallerKey::of("one")), LIST).await.unwrap();
        assert!(began.elapsed() <= Duration::from_millis(201), "every other turn: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_not_ready_holds_nothing_else_back() {
    let throttle = throttle(1000.0, 1000, 8);
    let began = Instant::now();
    let not_ready = Outcome::ResourceNotReady { retry_after: Some(Duration::from_secs(1)) };
    throttle.admit(&call_for(60), LIST).await.unwrap().ended(not_ready);
    assert!(!throttle.is_closed());
    throttle.admit(&call_for(60), Operation { verb: "list", resource: "services" }).await.unwrap();
    let refused = throttle.admit(&Call::until(began + Duration::from_millis(900)), LIST).await.unwrap_err();
    assert_eq!((refused.why, began.elapsed()), (Why::Overloaded, Duration::ZERO));
    throttle.admit(&call_for(60), LIST).await.unwrap();
    assert!((1000..=1252).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!(throttle.metrics().rate.get(), 1000.0, "one resource says nothing of the rate");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_when_its_resource_is_closed_goes_on_waiting() {
    let throttle = throttle(1.0, 1, 8);
    let mut first = throttle.admit(&call_for(60), LIST).await.unwrap();
    let waiter = tokio::spawn(admitted(throttle.clone(), call_for(60)));
    tokio::task::yield_now().await;
    first.ended(Outcome::ResourceNotReady { retry_after: Some(Duration::from_secs(4)) });
    drop(first);
    let began = Instant::now();
    drop(waiter.await.unwrap());
    assert!((4000..=5002).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}
