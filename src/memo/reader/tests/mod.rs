mod model;
mod server;
mod simulation;
mod writes;

use super::*;
use crate::call::CallerKey;
use crate::memo::{Limits, Metrics};
use crate::reload::Live;
use crate::syntax::LabelValue;
use crate::telemetry::metrics::Registry;
use server::{Failed, Objects, Server};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{advance, sleep};

/// Number of reads one by one, of a crowd of 1,500 in a namespace as large, before the crowd is noticed.
const SCOUTS: usize = 27;

type TestReader = Arc<Reader<Server>>;

fn limits() -> Limits {
    Limits {
        list_ttl: Duration::from_secs(2),
        get_ttl: Duration::from_secs(1),
        max_stale: Duration::from_secs(60),
        patience: Duration::from_secs(3),
        fetch_deadline: Duration::from_secs(25),
        ..Limits::default()
    }
}

/// A reader, and the way to its server.
fn reader_with(server: &Server, limits: Limits) -> (TestReader, Live<Way>) {
    let way = Live::new(Way::Free);
    let look = way.clone();
    let metrics = Metrics::new(&Registry::new());
    let memo = Memo::new("test", 1 << 26, Live::new(limits), Box::new(move || look.get()), Handle::current(), metrics);
    (Arc::new(Reader::new(memo, server.clone())), way)
}

fn reader_of(server: &Server) -> TestReader {
    reader_with(server, limits()).0
}

fn options() -> ReadOptions {
    ReadOptions {
        deadline: Instant::now() + Duration::from_secs(25),
        no_cache: false,
        max_age: None,
        memory_only: false,
        stale_if_error: None,
        caller: CallerKey::default(),
    }
}

fn uncached() -> ReadOptions {
    ReadOptions { no_cache: true, ..options() }
}

fn name(n: usize) -> ObjectName {
    named(&format!("p-{n}"))
}

fn named(name: &str) -> ObjectName {
    ObjectName::new(name).unwrap()
}

type Told = Result<Found<Objects>, Error<Failed>>;

/// Reads of all these names at once.
async fn get_all(reader: &TestReader, names: impl IntoIterator<Item = ObjectName>, options: ReadOptions) -> Vec<Told> {
    let reads = names.into_iter().map(|name| {
        let reader = Arc::clone(reader);
        async move { reader.get(&name, options).await }
    });
    reads.collect::<JoinSet<_>>().join_all().await
}

fn is_absent(told: &Told) -> bool {
    matches!(told, Err(Error::Fetch(error)) if matches!(**error, Failed::NotFound(_)))
}

fn sizes(server: &Server) -> usize {
    server.sizes.load(Ordering::SeqCst)
}

/// A reader that knows how large its namespace is, and keeps nothing of it any more.
async fn reader_that_knows_the_size(server: &Server) -> TestReader {
    let reader = reader_of(server);
    reader.list(ListFilter::default(), options()).await.unwrap();
    advance(Duration::from_secs(100)).await;
    reader
}

#[tokio::test(start_paused = true)]
async fn a_few_names_are_read_one_by_one() {
    let server = Server::with(10_000);
    let reader = reader_of(&server);
    for _ in 0..10 {
        let told = get_all(&reader, (0..30).map(name), options()).await;
        assert!(told.iter().all(Result::is_ok));
        sleep(Duration::from_secs(2)).await;
    }
    assert_eq!(server.asked(), (300, 0));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_nothing_is_known_for_is_a_few_gets_and_one_list() {
    let server = Server::with(1500);
    let told = get_all(&reader_of(&server), (0..1500).map(name), options()).await;
    assert!(told.iter().all(Result::is_ok));
    assert_eq!((server.asked(), sizes(&server)), ((NAMES_FOR_SIZE - 1, 1), 1));
}

#[tokio::test(start_paused = true)]
async fn the_size_is_asked_for_once_and_then_more_names_than_that_are_read_one_by_one() {
    let server = Server::with(10_000);
    let reader = reader_of(&server);
    for _ in 0..10 {
        let told = get_all(&reader, (0..150).map(name), options()).await;
        assert!(told.iter().all(Result::is_ok));
        sleep(Duration::from_secs(2)).await;
    }
    assert_eq!((server.asked(), sizes(&server)), ((1500, 0), 1));
}

#[tokio::test(start_paused = true)]
async fn a_size_that_cannot_be_had_keeps_nobody_and_a_larger_crowd_tries_a_list() {
    let server = Server::with(500);
    *server.lists_fail.lock().unwrap() = Some(Failed::Down);
    let reader = reader_of(&server);
    let told = get_all(&reader, (0..63).map(name), options()).await;
    assert!(told.iter().all(Result::is_ok));
    *server.lists_fail.lock().unwrap() = None;
    sleep(Duration::from_millis(1500)).await;
    assert!(get_all(&reader, (0..100).map(name), options()).await.iter().all(Result::is_ok));
    assert_eq!((server.asked(), sizes(&server)), ((2 * 63, 1), 1));
}

#[tokio::test(start_paused = true)]
async fn a_size_that_takes_long_is_not_waited_for() {
    let server = Server::with(1500);
    server.call_takes.lock().unwrap().0 = Duration::from_secs(4);
    let reader = reader_of(&server);
    let began = Instant::now();
    assert!(get_all(&reader, (0..40).map(name), options()).await.iter().all(Result::is_ok));
    assert_eq!((server.asked(), began.elapsed()), ((40, 0), Duration::from_secs(4) + SIZE_PATIENCE));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_read_soon_anyway_is_read_earlier_for_a_few_names_that_it_lacks() {
    let server = Server::with(1500);
    let reader = reader_that_knows_the_size(&server).await;
    // The list is 1.9 s old: one that is read now comes a tenth of its time too early.
    get_all(&reader, (0..1500).map(name), options()).await;
    let list = reader.list(ListFilter::default(), options()).await.unwrap();
    sleep(Duration::from_millis(1900) - list.answer.age()).await;
    let told = get_all(&reader, (2000..2010).map(name), options()).await;
    assert!(told.iter().all(is_absent));
    assert_eq!(server.asked(), (SCOUTS + 1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_one_list_for_each_time_to_live() {
    let server = Server::with(1500);
    let reader = reader_that_knows_the_size(&server).await;
    for _ in 0..5 {
        for told in get_all(&reader, (0..1500).map(name), options()).await {
            assert!(told.unwrap().answer.age() <= Duration::from_secs(2));
        }
        sleep(Duration::from_secs(1)).await;
    }
    // Asked at 0, 1 and so on: each list answers twice.
    assert_eq!(server.asked(), (SCOUTS, 1 + 3));
}

#[tokio::test(start_paused = true)]
async fn the_gathered_list_answers_lists_too_and_a_list_answers_single_reads() {
    let server = Server::with(1500);
    let reader = reader_that_knows_the_size(&server).await;
    get_all(&reader, (0..1500).map(name), options()).await;
    let list = reader.list(ListFilter::default(), options()).await.unwrap();
    assert_eq!(list.source, Source::Hit);
    sleep(Duration::from_millis(1900) - list.answer.age()).await;
    let one = reader.get(&name(7), options()).await.unwrap();
    assert_eq!((one.source, one.answer.age()), (Source::Hit, Duration::from_millis(1900)));
    assert_eq!(server.asked(), (SCOUTS, 2));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_list_lacks_does_not_exist() {
    let server = Server::with(1500);
    let reader = reader_that_knows_the_size(&server).await;
    let told = get_all(&reader, (1000..2000).map(name), options()).await;
    assert_eq!((told.iter().filter(|told| is_absent(told)).count(), server.asked()), (500, (SCOUTS, 2)));
    let again = get_all(&reader, (1500..2000).map(name), options()).await;
    assert!(again.iter().all(is_absent));
    assert_eq!(server.asked(), (SCOUTS, 2), "it is known for a second");
    server.set("p-1500", 1);
    sleep(Duration::from_secs(1)).await;
    assert!(reader.get(&name(1500), options()).await.is_ok(), "another replica has made it");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_may_lag_says_nothing_about_absence() {
    let server = Server::with(500);
    let reader = reader_that_knows_the_size(&server).await;
    *server.lags.lock().unwrap() = true;
    let told = get_all(&reader, (480..520).map(name), options()).await;
    assert_eq!(told.iter().filter(|told| is_absent(told)).count(), 20);
    assert_eq!(server.asked(), (9 + 20, 2), "each is asked for");
}

#[tokio::test(start_paused = true)]
async fn late_callers_join_the_list_under_way_and_no_cache_the_next() {
    let server = Server::with(1500);
    let reader = reader_that_knows_the_size(&server).await;
    let early = tokio::spawn({
        let reader = Arc::clone(&reader);
        async move { get_all(&reader, (0..500).map(name), options()).await }
    });
    sleep(Duration::from_millis(100)).await;
    let asked = Instant::now();
    let (joining, strict) = tokio::join!(
        get_all(&reader, (500..1000).map(name), options()),
        get_all(&reader, (0..500).map(name), uncached())
    );
    assert!(joining.iter().chain(&early.await.unwrap()).chain(&strict).all(Result::is_ok));
    assert!(
        strict.iter().all(|told| told.as_ref().unwrap().answer.age() < asked.elapsed()),
        "read after it was asked for"
    );
    assert_eq!(server.asked(), (SCOUTS, 3));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_nobody_waits_for_does_not_begin() {
    let server = Server::with(1500);
    let reader = reader_that_knows_the_size(&server).await;
    let under_way = tokio::spawn({
        let reader = Arc::clone(&reader);
        async move { get_all(&reader, (0..500).map(name), options()).await }
    });
    sleep(Duration::from_millis(10)).await;
    let impatient = ReadOptions { deadline: Instant::now() + Duration::from_millis(50), ..uncached() };
    let told = get_all(&reader, (500..1000).map(name), impatient).await;
    assert!(told.iter().all(|told| matches!(told, Err(Error::Deadline))));
    under_way.await.unwrap();
    sleep(Duration::from_secs(9)).await;
    assert_eq!(server.asked(), (SCOUTS, 2));
}

#[tokio::test(start_paused = true)]
async fn calls_that_would_queue_make_a_list_pay_sooner() {
    let server = Server::with(1500);
    let (reader, way) = reader_with(&server, limits());
    reader.list(ListFilter::default(), options()).await.unwrap();
    for (state, asked) in [(Way::Free, (10, 1)), (Way::Queueing, (10 + 6, 2))] {
        way.set(state);
        advance(Duration::from_secs(100)).await;
        get_all(&reader, (0..10).map(name), options()).await;
        assert_eq!(server.asked(), asked, "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn denied_lists_fall_back_to_single_reads() {
    let server = Server::with(100);
    *server.lists_fail.lock().unwrap() = Some(Failed::Denied);
    let told = get_all(&reader_of(&server), (0..100).map(name), options()).await;
    assert!(told.iter().all(Result::is_ok));
    assert_eq!(server.asked(), (100, 1));
}

#[tokio::test(start_paused = true)]
async fn old_rows_stand_in_for_a_list_that_fails() {
    let server = Server::with(1500);
    let reader = reader_of(&server);
    reader.list(ListFilter::default(), options()).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    *server.lists_fail.lock().unwrap() = Some(Failed::Down);
    let told = get_all(&reader, (0..1500).map(name), options()).await;
    let old = told.iter().filter(|told| matches!(told, Ok(found) if found.source == Source::Stale)).count();
    assert_eq!((old, server.asked()), (1500 - SCOUTS, (SCOUTS, 2)));
}
