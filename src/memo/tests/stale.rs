//! Answers that are not fresh any more: when they stand in, for how long, and what is fetched meanwhile.

use super::*;

/// Reads from a server that fails.
async fn read_failing(
    memo: &TestMemo,
    server: &Server,
    key: Key,
    options: ReadOptions,
    why: &'static str,
) -> Result<Found<Names>, Error<&'static str>> {
    let server = server.clone();
    ask(memo, key, options, move |_| server.fail_with(why)).await
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_stands_in_for_one_that_cannot_be_had_and_says_its_age() {
    let (memo, server) = (memo_with(lenient()), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    advance(Duration::from_secs(10)).await;
    for key in [everything(), one("a")] {
        let found = read_failing(&memo, &server, key, asked_for(9), "down").await.unwrap();
        assert_eq!((found.source, found.fresh_for), (Source::Stale, Duration::ZERO));
        assert_eq!(found.answer.age().as_secs(), 10);
    }
    assert_eq!(server.calls(), 3, "each question was asked");
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_old_stands_in_for_nothing() {
    let (memo, server) = (memo_with(lenient()), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    advance(Duration::from_millis(59_899)).await;
    let last = read_failing(&memo, &server, everything(), asked_for(9), "down").await.unwrap();
    assert_eq!(last.source, Source::Stale);
    assert!(read_failing(&memo, &server, everything(), asked_for(9), "down").await.is_err(), "a minute is over");
}

#[tokio::test(start_paused = true)]
async fn denied_reads_drop_the_old_answer() {
    let (memo, server) = (memo_with(lenient()), Server::default());
    read(&memo, &server, one("a"), asked_for(1)).await.unwrap();
    advance(Duration::from_secs(10)).await;
    let denied = read_failing(&memo, &server, one("a"), asked_for(9), "denied").await;
    assert!(matches!(denied, Err(Error::Fetch(error)) if *error == "denied"));
    let down = read_failing(&memo, &server, one("a"), asked_for(9), "down").await;
    assert!(down.is_err(), "what was denied is gone");
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_and_an_old_answer_need_no_waiting_and_no_fetch() {
    let ((memo, closed), server) = (closable(lenient(), 1 << 20), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    advance(Duration::from_secs(10)).await;
    closed.set(true);
    let asked = Instant::now();
    for key in [everything(), one("b")] {
        assert_eq!(read(&memo, &server, key, asked_for(9)).await.unwrap().source, Source::Stale);
    }
    assert_eq!((server.calls(), asked.elapsed()), (1, Duration::ZERO));
    assert_eq!(read(&memo, &server, everything(), uncached()).await.unwrap().source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn with_an_old_answer_at_hand_patience_ends_and_the_fetch_goes_on() {
    let (memo, server) = (memo_with(lenient()), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    advance(Duration::from_secs(10)).await;
    let asked = Instant::now();
    let found = spawn_waiting(&memo, &server, asked_for(25)).await.unwrap().unwrap();
    assert_eq!((found.source, asked.elapsed()), (Source::Stale, Duration::from_secs(3)));
    let next = spawn_waiting(&memo, &server, asked_for(25)).await.unwrap().unwrap();
    assert_eq!((next.source, asked.elapsed()), (Source::Stale, Duration::from_secs(3)), "nobody else waits as long");
    assert_eq!(server.calls(), 2);
    server.gate.notify_waiters();
    settle().await;
    let landed = read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    assert_eq!((landed.source, landed.answer.age()), (Source::Stale, Duration::from_secs(3)), "older than it may be");
    assert_eq!(server.calls(), 2, "it is not asked for again at once");
}

#[tokio::test(start_paused = true)]
async fn a_caller_may_prefer_an_error_to_an_old_answer() {
    let (memo, server) = (memo_with(lenient()), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    advance(Duration::from_secs(10)).await;
    for (accepted, answered) in [(0, false), (5, false), (30, true)] {
        let options = ReadOptions { stale_if_error: Some(Duration::from_secs(accepted)), ..asked_for(9) };
        let outcome = read_failing(&memo, &server, everything(), options, "down").await;
        assert_eq!(outcome.is_ok(), answered, "{accepted}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_with_an_old_answer_behind_it_makes_one_attempt() {
    let (memo, server) = (memo_with(lenient()), Server::default());
    for retried in [true, false] {
        let server = server.clone();
        let fetch = move |call: Call| async move {
            assert_eq!(call.may_be_retried(), retried);
            server.answer(call).await
        };
        ask(&memo, everything(), asked_for(9), fetch).await.unwrap();
        advance(Duration::from_secs(10)).await;
    }
    assert_eq!(server.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_little_too_old_is_answered_at_once_while_one_new_answer_is_fetched() {
    let (memo, server) = (memo_with(Limits { revalidate: Duration::from_secs(5), ..limits() }), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    advance(Duration::from_secs(4)).await;
    let callers: Vec<_> = (0..50).map(|_| spawn_waiting(&memo, &server, asked_for(10))).collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().source, Source::Revalidating);
    }
    settle().await;
    assert_eq!(server.calls(), 2, "one for all, though nobody waits for it");
    server.gate.notify_waiters();
    settle().await;
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Hit);
    advance(Duration::from_secs(100)).await;
    assert_eq!(server.calls(), 2, "nothing is fetched unless somebody asks");
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn new_limits_count_for_what_is_kept_already() {
    let (memo, server) = (memo_with(lenient()), Server::default());
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    advance(Duration::from_secs(10)).await;
    memo.0.limits.set(Limits { list_ttl: Duration::from_secs(30), ..lenient() });
    assert_eq!(read(&memo, &server, everything(), asked_for(1)).await.unwrap().source, Source::Hit);
    memo.0.limits.set(limits());
    assert!(read_failing(&memo, &server, everything(), asked_for(9), "down").await.is_err());
}
