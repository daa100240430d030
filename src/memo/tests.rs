mod cache_control;
mod refresh_ahead;
mod stale;

use super::answer::ReadBy;
use super::reader::Writing;
use super::*;
use crate::call::{Call, CallerKey, Failure};
use crate::reload::Live;
use crate::syntax::{LabelValue, ListFilter, ObjectName};
use crate::telemetry::metrics::Registry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, advance, sleep};

/// Names that a list holds; "name of env" pairs, to have something to narrow by.
#[derive(Debug, Clone, PartialEq)]
struct Names(Vec<(&'static str, &'static str)>);

impl Memorable for Names {
    fn narrow(&self, key: &Key) -> Option<Self> {
        let part =
            |keep: &dyn Fn(&(&str, &str)) -> bool| Self(self.0.iter().copied().filter(|row| keep(row)).collect());
        match key {
            Key::One(name) => Some(part(&|row| row.0 == &**name)).filter(|part| !part.0.is_empty()),
            Key::List(filter) => Some(part(&|row| filter.env.as_ref().is_none_or(|env| env.as_str() == row.1))),
        }
    }

    fn bytes(&self) -> usize {
        1000
    }
}

const ROWS: [(&str, &str); 2] = [("a", "weather"), ("b", "browser")];

fn limits() -> Limits {
    Limits {
        list_ttl: Duration::from_secs(2),
        get_ttl: Duration::from_secs(1),
        fetch_deadline: Duration::from_secs(25),
        ..Limits::default()
    }
}

/// With old answers for a minute.
fn lenient() -> Limits {
    Limits { max_stale: Duration::from_secs(60), patience: Duration::from_secs(3), ..limits() }
}

impl Failure for &'static str {
    fn is_outage(&self) -> bool {
        *self == "down"
    }
}

type TestMemo = Memo<Names, &'static str>;

fn memo_with(limits: Limits) -> TestMemo {
    closable(limits, 1 << 20).0
}

/// A memo, and whether the gate before its server is closed.
fn closable(limits: Limits, max_bytes: u64) -> (TestMemo, Live<bool>) {
    let closed = Live::new(false);
    let is_closed = closed.clone();
    let way = Box::new(move || if is_closed.get() { Way::Closed } else { Way::Free });
    let metrics = Metrics::new(&Registry::new());
    (Memo::new("test", max_bytes, Live::new(limits), way, Handle::current(), metrics), closed)
}

fn asked_for(seconds: u64) -> ReadOptions {
    ReadOptions {
        deadline: Instant::now() + Duration::from_secs(seconds),
        no_cache: false,
        max_age: None,
        memory_only: false,
        stale_if_error: None,
        caller: CallerKey::default(),
    }
}

fn uncached() -> ReadOptions {
    ReadOptions { no_cache: true, ..asked_for(60) }
}

fn everything() -> Key {
    Key::List(ListFilter::default())
}

fn one(name: &str) -> Key {
    Key::One(name.into())
}

/// An API server that counts its calls and answers each when it is let go.
#[derive(Clone, Default)]
struct Server {
    calls: Arc<AtomicUsize>,
    gate: Arc<Notify>,
}

impl Server {
    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn answer(self, _: Call) -> Result<Names, &'static str> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(Names(ROWS.to_vec()))
    }

    async fn answer_when_let(self, call: Call) -> Result<Names, &'static str> {
        let server = self.clone();
        let answer = server.answer(call).await;
        self.gate.notified().await;
        answer
    }

    async fn fail(self, _: Call) -> Result<Names, &'static str> {
        self.fail_with("down").await
    }

    async fn fail_with(self, why: &'static str) -> Result<Names, &'static str> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(100)).await;
        Err(why)
    }
}

async fn ask<Fut>(
    memo: &TestMemo,
    key: Key,
    options: ReadOptions,
    fetch: impl FnOnce(Call) -> Fut + Send + 'static,
) -> Result<Found<Names>, Error<&'static str>>
where
    Fut: Future<Output = Result<Names, &'static str>> + Send,
{
    let read_by = match &key {
        Key::One(_) => ReadBy::Get,
        Key::List(_) => ReadBy::List { proves_absence: true },
    };
    memo.read(key, options, move |call| async move { Ok((fetch(call).await?, read_by)) }).await
}

/// A write of `name` whose outcome is not known.
fn forget(memo: &TestMemo, name: &str) {
    Writing::begin(memo.clone(), ObjectName::new(name).unwrap()).touched();
}

async fn read(
    memo: &TestMemo,
    server: &Server,
    key: Key,
    options: ReadOptions,
) -> Result<Found<Names>, Error<&'static str>> {
    let server = server.clone();
    ask(memo, key, options, move |call| server.answer(call)).await
}

fn spawn_waiting(
    memo: &TestMemo,
    server: &Server,
    options: ReadOptions,
) -> tokio::task::JoinHandle<Result<Found<Names>, Error<&'static str>>> {
    let (memo, server) = (memo.clone(), server.clone());
    tokio::spawn(async move { ask(&memo, everything(), options, move |call| server.answer_when_let(call)).await })
}

/// A caller whose fetch never ends, and the call that this fetch was given.
async fn spawn_hanging(memo: &TestMemo) -> (tokio::task::JoinHandle<()>, Call) {
    let (memo, given) = (memo.clone(), Arc::new(Mutex::new(None::<Call>)));
    let seen = Arc::clone(&given);
    let caller = tokio::spawn(async move {
        let fetch = move |call| async move {
            *seen.lock().unwrap() = Some(call);
            std::future::pending().await
        };
        let _never = ask(&memo, everything(), asked_for(10), fetch).await;
    });
    settle().await;
    let call = given.lock().unwrap().clone().unwrap();
    (caller, call)
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_reads_issue_one_fetch() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let callers: Vec<_> = (0..200).map(|_| spawn_waiting(&memo, &server, asked_for(10))).collect();
    settle().await;
    server.gate.notify_waiters();
    let mut sources = Vec::new();
    for caller in callers {
        sources.push(caller.await.unwrap().unwrap().source);
    }
    assert_eq!(server.calls(), 1);
    assert_eq!(sources.iter().filter(|source| **source == Source::Fetched).count(), 1);
    assert_eq!(sources.iter().filter(|source| **source == Source::Joined).count(), 199);
}

#[tokio::test(start_paused = true)]
async fn callers_that_give_up_leave_one_fetch_and_the_last_is_served() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let callers: Vec<_> = (0..200)
        .map(|n| {
            let options =
                ReadOptions { deadline: Instant::now() + Duration::from_millis(50 * (n + 1)), ..asked_for(0) };
            spawn_waiting(&memo, &server, options)
        })
        .collect();
    sleep(Duration::from_millis(50 * 199 + 25)).await;
    server.gate.notify_waiters();
    let mut outcomes = Vec::new();
    for caller in callers {
        outcomes.push(caller.await.unwrap());
    }
    assert_eq!(server.calls(), 1);
    let last = outcomes.pop().unwrap().unwrap();
    assert_eq!(last.answer.value.0, ROWS);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(Error::Deadline))));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_outlives_its_first_caller_and_is_remembered() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let first = spawn_waiting(&memo, &server, asked_for(10));
    settle().await;
    first.abort();
    settle().await;
    server.gate.notify_waiters();
    settle().await;
    let found = read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    assert_eq!((found.source, server.calls()), (Source::Hit, 1));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_knows_whether_somebody_waits() {
    let memo = memo_with(limits());
    let (caller, call) = spawn_hanging(&memo).await;
    assert!(call.is_wanted());
    caller.abort();
    settle().await;
    assert!(!call.is_wanted());
    let server = Server::default();
    let _newcomer = spawn_waiting(&memo, &server, asked_for(10));
    settle().await;
    assert!(call.is_wanted(), "a newcomer joins the flight and wants it again");
    assert_eq!(server.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_as_old_as_the_attempt_that_brought_it() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let (wait, took) = (Duration::from_secs(3), Duration::from_millis(100));
    let fetch = {
        let server = server.clone();
        move |call: Call| async move {
            sleep(wait).await;
            call.answered(Instant::now());
            sleep(took).await;
            call.answered(Instant::now());
            server.answer(call).await
        }
    };
    let found = ask(&memo, everything(), asked_for(60), fetch).await.unwrap();
    assert_eq!((found.source, found.answer.age()), (Source::Fetched, took));
}

#[tokio::test(start_paused = true)]
async fn answers_are_fresh_for_their_ttl_and_say_their_age() {
    let (memo, server) = (memo_with(limits()), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    advance(Duration::from_millis(1999)).await;
    let hit = read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    assert_eq!(
        (hit.source, hit.answer.age(), hit.fresh_for),
        (Source::Hit, Duration::from_millis(1999), Duration::from_millis(1))
    );
    advance(Duration::from_millis(1)).await;
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Fetched);
    assert_eq!(server.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_ttl_of_zero_keeps_nothing_but_still_shares_fetches() {
    let nothing = Limits { list_ttl: Duration::ZERO, get_ttl: Duration::ZERO, ..limits() };
    let (memo, server) = (memo_with(nothing), Server::default());
    let callers: Vec<_> = (0..10).map(|_| spawn_waiting(&memo, &server, asked_for(10))).collect();
    settle().await;
    server.gate.notify_waiters();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(server.calls(), 1);
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_shared_once_and_never_kept() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (memo, server) = (memo.clone(), server.clone());
            tokio::spawn(async move { ask(&memo, everything(), asked_for(10), move |call| server.fail(call)).await })
        })
        .collect();
    for caller in callers {
        assert!(matches!(caller.await.unwrap(), Err(Error::Fetch(error)) if *error == "down"));
    }
    assert_eq!(server.calls(), 1);
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn a_wider_fresh_answer_serves_a_narrower_question() {
    let (memo, server) = (memo_with(limits()), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    let of_env = Key::List(ListFilter { env: LabelValue::new("weather").ok(), ..ListFilter::default() });
    for key in [of_env, one("a")] {
        let found = read(&memo, &server, key, asked_for(1)).await.unwrap();
        assert_eq!((found.source, &*found.answer.value.0), (Source::Hit, &ROWS[..1]));
    }
    assert_eq!(server.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_a_kept_list_lacks_is_asked_for() {
    let (memo, server) = (memo_with(limits()), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    assert_eq!(read(&memo, &server, one("new"), asked_for(1)).await.unwrap().source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_to_be_kept_is_not_called_fresh() {
    let (memo, server) = (closable(lenient(), 999).0, Server::default());
    for _ in 0..2 {
        let found = read(&memo, &server, everything(), asked_for(1)).await.unwrap();
        assert_eq!((found.source, found.fresh_for), (Source::Fetched, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_nobody_waits_for_does_not_begin() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let early = spawn_waiting(&memo, &server, asked_for(60));
    settle().await;
    let late = spawn_waiting(&memo, &server, uncached());
    settle().await;
    late.abort();
    settle().await;
    server.gate.notify_waiters();
    early.await.unwrap().unwrap();
    settle().await;
    assert_eq!(server.calls(), 1);
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Hit);
    assert_eq!(read(&memo, &server, everything(), uncached()).await.unwrap().source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn a_write_drops_what_it_touches_and_nothing_else() {
    let (memo, server) = (memo_with(limits()), Server::default());
    for key in [one("a"), one("b"), everything()] {
        read(&memo, &server, key, asked_for(1)).await.unwrap();
    }
    forget(&memo, "a");
    assert_eq!(read(&memo, &server, one("b"), asked_for(1)).await.unwrap().source, Source::Hit);
    assert_eq!(read(&memo, &server, one("a"), asked_for(1)).await.unwrap().source, Source::Fetched);
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn lists_that_began_before_an_open_write_are_not_joined() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let before = spawn_waiting(&memo, &server, asked_for(60));
    settle().await;
    forget(&memo, "a");
    let after = spawn_waiting(&memo, &server, asked_for(60));
    settle().await;
    assert_eq!(server.calls(), 1, "one list is under way");
    server.gate.notify_waiters();
    assert_eq!(before.await.unwrap().unwrap().source, Source::Fetched);
    settle().await;
    assert_eq!(server.calls(), 2);
    server.gate.notify_waiters();
    assert_eq!(after.await.unwrap().unwrap().source, Source::Fetched);
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Hit);
}

#[tokio::test(start_paused = true)]
async fn an_old_list_that_lands_last_does_not_come_back() {
    let (memo, old) = (memo_with(limits()), Server::default());
    let before = spawn_waiting(&memo, &old, asked_for(60));
    settle().await;
    forget(&memo, "a");
    old.gate.notify_waiters();
    before.await.unwrap().unwrap();
    let new = Server::default();
    assert_eq!(read(&memo, &new, everything(), asked_for(1)).await.unwrap().source, Source::Fetched);
    assert_eq!(new.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_told_and_not_joined() {
    let memo = memo_with(limits());
    let outcome = ask(&memo, everything(), asked_for(10), |_| async { panic!("a bug in a fetch, on purpose") }).await;
    assert!(matches!(outcome, Err(Error::Lost)));
    let found = read(&memo, &Server::default(), everything(), asked_for(1)).await.unwrap();
    assert_eq!(found.source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_by_bytes() {
    let (memo, server) = (closable(lenient(), 10_000).0, Server::default());
    for n in 0..100 {
        read(&memo, &server, one(&format!("x{n}")), asked_for(1)).await.unwrap();
    }
    assert!(memo.0.kept.weight() <= 10_000, "{}", memo.0.kept.weight());
    assert_eq!(read(&memo, &server, one("x99"), asked_for(1)).await.unwrap().source, Source::Hit);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_waits_for_the_next_flight_does_not_keep_the_one_ahead() {
    let memo = memo_with(limits());
    let (first, call) = spawn_hanging(&memo).await;
    let _next = spawn_waiting(&memo, &Server::default(), uncached());
    settle().await;
    first.abort();
    settle().await;
    assert!(!call.is_wanted());
}
