//! Callers who want a newer answer than memory has.

use super::*;

#[tokio::test(start_paused = true)]
async fn no_cache_waits_for_a_fetch_that_begins_after_it_and_all_share_one() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let early = spawn_waiting(&memo, &server, asked_for(60));
    settle().await;
    let late: Vec<_> = (0..200).map(|_| spawn_waiting(&memo, &server, uncached())).collect();
    settle().await;
    assert_eq!(server.calls(), 1, "the second fetch waits for the first");
    server.gate.notify_waiters();
    early.await.unwrap().unwrap();
    settle().await;
    assert_eq!(server.calls(), 2);
    server.gate.notify_waiters();
    for caller in late {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(server.calls(), 2);
    assert_eq!(read(&memo, &server, everything(), uncached()).await.unwrap().source, Source::Fetched);
}

#[tokio::test(start_paused = true)]
async fn max_age_bounds_the_age_of_what_is_answered_from_memory_and_of_what_is_joined() {
    let (memo, server) = (memo_with(Limits { list_ttl: Duration::from_secs(60), ..limits() }), Server::default());
    let at_most = |seconds| ReadOptions { max_age: Some(Duration::from_secs(seconds)), ..asked_for(60) };
    read(&memo, &server, everything(), asked_for(1)).await.unwrap();
    advance(Duration::from_secs(3)).await;
    assert_eq!(read(&memo, &server, everything(), at_most(5)).await.unwrap().source, Source::Hit);
    assert_eq!(read(&memo, &server, one("a"), at_most(2)).await.unwrap().source, Source::Fetched, "the list is older");
    assert_eq!(read(&memo, &server, everything(), at_most(2)).await.unwrap().source, Source::Fetched);
    advance(Duration::from_secs(3)).await;
    let calls = server.calls();
    let early = spawn_waiting(&memo, &server, at_most(1));
    settle().await;
    advance(Duration::from_secs(2)).await;
    let late = [at_most(1), at_most(2)].map(|options| spawn_waiting(&memo, &server, options));
    settle().await;
    server.gate.notify_waiters();
    early.await.unwrap().unwrap();
    settle().await;
    server.gate.notify_waiters();
    let [too_old_for_it, joined] = late;
    too_old_for_it.await.unwrap().unwrap();
    assert_eq!(joined.await.unwrap().unwrap().source, Source::Joined);
    assert_eq!(server.calls(), calls + 2);
}
