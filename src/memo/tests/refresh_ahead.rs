//! Lists that are read again before they are needed.

use super::*;

const TOOK: Duration = Duration::from_millis(400);

/// A list that takes `took` to read.
async fn listed(memo: &TestMemo, server: &Server, took: Duration) -> Found<Names> {
    let server = server.clone();
    let fetch = move |call| async move {
        sleep(took).await;
        server.answer(call).await
    };
    ask(memo, everything(), asked_for(60), fetch).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn callers_of_a_list_never_wait_after_the_first() {
    let (memo, server) = (memo_with(limits()), Server::default());
    listed(&memo, &server, TOOK).await;
    let began = Instant::now();
    for _ in 0..200 {
        sleep(Duration::from_millis(50)).await;
        let asked = Instant::now();
        let found = listed(&memo, &server, TOOK).await;
        assert_eq!((found.source, asked.elapsed()), (Source::Hit, Duration::ZERO));
        assert!(found.answer.age() < limits().list_ttl);
    }
    // Each is read again when it is fresh for 500 ms more, at an age of 1.5 s.
    let lists = server.calls();
    assert!(lists <= 2 + usize::try_from(began.elapsed().as_millis() / 1500).unwrap(), "{lists} lists");
}

#[tokio::test(start_paused = true)]
async fn it_is_read_again_for_a_caller_and_once_however_many_ask() {
    let (memo, server) = (memo_with(limits()), Server::default());
    listed(&memo, &server, TOOK).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(server.calls(), 1, "nobody asks");
    listed(&memo, &server, TOOK).await;
    sleep(Duration::from_millis(1200)).await;
    for _ in 0..100 {
        assert_eq!(listed(&memo, &server, TOOK).await.source, Source::Hit);
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(server.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_ahead_while_the_gate_is_closed() {
    let (memo, closed) = closable(limits(), 1 << 20);
    let server = Server::default();
    listed(&memo, &server, TOOK).await;
    sleep(Duration::from_millis(1500)).await;
    closed.set(true);
    assert_eq!(listed(&memo, &server, TOOK).await.source, Source::Hit);
    sleep(TOOK).await;
    assert_eq!(server.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_under_way_for_two_thirds_of_the_time_at_most() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let slow = Duration::from_millis(1400);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        listed(&memo, &server, slow).await;
        sleep(Duration::from_millis(20)).await;
    }
    let under_way = slow * u32::try_from(server.calls()).unwrap();
    assert!(under_way <= began.elapsed() * 2 / 3 + slow, "{under_way:?} of {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_next_look_is_when_a_slow_list_is_read_again_or_its_successor_is_there() {
    let (memo, server) = (memo_with(limits()), Server::default());
    let found = listed(&memo, &server, TOOK).await;
    assert_eq!((found.fresh_for, found.next_look()), (Duration::from_millis(1600), Duration::from_millis(1100)));
    sleep(found.next_look() + Duration::from_millis(1)).await;
    let expiring = listed(&memo, &server, TOOK).await;
    assert_eq!(expiring.next_look(), Duration::from_millis(499));
    sleep(expiring.next_look()).await;
    let successor = listed(&memo, &server, TOOK).await;
    assert_eq!((successor.source, successor.answer.age()), (Source::Hit, Duration::from_millis(499)));
}
