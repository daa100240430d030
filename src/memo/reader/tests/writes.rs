//! Writes: what they spoil, what is laid over lists, and what is left open.

use super::*;

#[tokio::test(start_paused = true)]
async fn proven_absence_ends_with_a_create_and_no_cache_asks_anew() {
    let server = Server::with(1);
    let reader = reader_of(&server);
    for options in [options(), options(), uncached()] {
        assert!(is_absent(&reader.get(&named("new"), options).await));
    }
    assert_eq!(server.asked(), (2, 0));
    let write = reader.begin_write(&named("new"));
    server.set("new", 1);
    write.stored(Objects::One("new".to_owned(), 1));
    let found = reader.get(&named("new"), options()).await.unwrap();
    assert_eq!((found.source, &found.answer.value), (Source::Hit, &Objects::One("new".to_owned(), 1)));
    assert_eq!(server.asked(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_spoils_only_what_it_touches() {
    let server = Server::with(1500);
    let reader = reader_of(&server);
    reader.list(ListFilter::default(), options()).await.unwrap();
    for n in 0..20 {
        let new = format!("q-{n}");
        let write = reader.begin_write(&named(&new));
        server.set(&new, 1);
        write.stored(Objects::One(new.clone(), 1));
        let list = reader.list(ListFilter::default(), options()).await.unwrap();
        assert_eq!(list.source, Source::Hit);
        assert!(list.answer.value.narrow(&Key::One(new.as_str().into())).is_some(), "{new} is in the next list");
        assert_eq!(reader.get(&named(&new), options()).await.unwrap().source, Source::Hit);
        assert_eq!(reader.get(&name(n), options()).await.unwrap().source, Source::Hit);
    }
    assert_eq!(server.asked(), (0, 1));
    let of = |env| ListFilter { env: LabelValue::new(env).ok(), ..ListFilter::default() };
    for (env, count) in [("p", 1500), ("q", 20)] {
        let part = reader.list(of(env), options()).await.unwrap();
        assert!(matches!(&part.answer.value, Objects::Many(objects) if objects.len() == count), "{env}");
    }
    assert_eq!(server.asked(), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_delete_is_laid_over_lists_and_costs_no_read() {
    let server = Server::with(1500);
    let reader = reader_of(&server);
    reader.list(ListFilter::default(), options()).await.unwrap();
    for n in 0..20 {
        let write = reader.begin_write(&name(n));
        server.remove(name(n).as_str());
        write.removed();
        let list = reader.list(ListFilter::default(), options()).await.unwrap();
        assert_eq!(list.source, Source::Hit);
        assert!(list.answer.value.narrow(&Key::one(&name(n))).is_none(), "{n} is not in the next list");
        assert!(is_absent(&reader.get(&name(n), options()).await));
        assert_eq!(reader.get(&name(n + 1), options()).await.unwrap().source, Source::Hit);
    }
    assert_eq!(server.asked(), (0, 1));
    // Another replica makes it again.
    server.set("p-3", 7);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(reader.get(&name(3), options()).await.unwrap().answer.value, Objects::One("p-3".to_owned(), 7));
    assert_eq!(server.asked(), (1, 1), "an absence counts for a second");
}

#[tokio::test(start_paused = true)]
async fn lists_beside_deletes_are_read_once_in_their_time_to_live() {
    let server = Server::with(1500);
    let reader = reader_of(&server);
    for n in 0..200 {
        let write = reader.begin_write(&name(n));
        server.remove(name(n).as_str());
        sleep(Duration::from_millis(20)).await;
        write.removed();
        let list = reader.list(ListFilter::default(), options()).await.unwrap();
        assert!(list.answer.value.narrow(&Key::one(&name(n))).is_none());
        sleep(Duration::from_millis(30)).await;
    }
    let (gets, lists) = server.asked();
    assert!(gets == 0 && lists <= 6, "in ten seconds: {gets} and {lists}");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_has_no_old_answer() {
    let server = Server::with(10);
    let (reader, way) = reader_with(&server, limits());
    reader.list(ListFilter::default(), options()).await.unwrap();
    let write = reader.begin_write(&name(1));
    server.remove("p-1");
    write.removed();
    sleep(Duration::from_secs(10)).await;
    way.set(Way::Closed);
    let list = reader.list(ListFilter::default(), options()).await.unwrap();
    assert_eq!(list.source, Source::Stale);
    assert!(list.answer.value.narrow(&Key::one(&name(1))).is_none());
    assert!(is_absent(&reader.get(&name(1), options()).await));
    assert_eq!(server.asked(), (1, 1), "it is asked for");
    assert_eq!(reader.get(&name(2), options()).await.unwrap().source, Source::Stale);
}

#[tokio::test(start_paused = true)]
async fn a_delete_and_a_create_of_one_name_at_the_same_time_leave_it_open() {
    let server = Server::with(10);
    let reader = reader_of(&server);
    let (create, delete) = (reader.begin_write(&name(1)), reader.begin_write(&name(1)));
    create.stored(Objects::One("p-1".to_owned(), 1));
    server.remove("p-1");
    delete.removed();
    assert!(is_absent(&reader.get(&name(1), options()).await));
    assert_eq!(server.asked(), (1, 0), "it is asked for");
    // One after the other, the later one counts.
    let create = reader.begin_write(&name(1));
    server.set("p-1", 2);
    create.stored(Objects::One("p-1".to_owned(), 2));
    assert_eq!(reader.get(&name(1), options()).await.unwrap().source, Source::Hit);
}

#[tokio::test(start_paused = true)]
async fn writes_of_open_outcome_forget_their_object_and_lists_only() {
    let server = Server::with(1500);
    let reader = reader_of(&server);
    reader.list(ListFilter::default(), options()).await.unwrap();
    reader.begin_write(&name(1)).touched();
    assert_eq!(reader.get(&name(2), options()).await.unwrap().source, Source::Hit);
    assert_eq!(reader.get(&name(1), options()).await.unwrap().source, Source::Fetched);
    assert_eq!(reader.list(ListFilter::default(), options()).await.unwrap().source, Source::Fetched);
    assert_eq!(reader.list(ListFilter::default(), options()).await.unwrap().source, Source::Hit);
    assert_eq!(server.asked(), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_list_under_way_shows_what_is_written_and_lacks_what_is_deleted_meanwhile() {
    let server = Server::with(1500);
    let reader = reader_of(&server);
    let list = tokio::spawn({
        let reader = Arc::clone(&reader);
        async move { reader.list(ListFilter::default(), options()).await }
    });
    sleep(Duration::from_millis(100)).await;
    let (create, delete) = (reader.begin_write(&named("new")), reader.begin_write(&name(7)));
    server.set("new", 1);
    create.stored(Objects::One("new".to_owned(), 1));
    server.remove("p-7");
    delete.removed();
    let joined = reader.list(ListFilter::default(), options()).await.unwrap();
    for found in [joined, list.await.unwrap().unwrap()] {
        let shows = |name: ObjectName| found.answer.value.narrow(&Key::one(&name)).is_some();
        assert_eq!((shows(named("new")), shows(name(7)), shows(name(8))), (true, false, true));
    }
    assert_eq!(server.asked(), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_written_row_is_as_old_as_the_attempt_that_was_answered() {
    let server = Server::with(1);
    let reader = reader_of(&server);
    let call = Call::until(Instant::now() + Duration::from_secs(60));
    let write = reader.begin_write(&name(0)).by(&call);
    sleep(Duration::from_secs(18)).await;
    call.answered(Instant::now());
    sleep(Duration::from_millis(20)).await;
    write.stored(Objects::One("p-0".to_owned(), 2));
    let found = reader.get(&name(0), options()).await.unwrap();
    assert_eq!((found.source, found.answer.age()), (Source::Hit, Duration::from_millis(20)));
}

#[tokio::test(start_paused = true)]
async fn two_writes_of_one_object_at_the_same_time_leave_it_open() {
    let server = Server::with(10);
    let reader = reader_of(&server);
    let (first, second) = (reader.begin_write(&name(1)), reader.begin_write(&name(1)));
    server.set("p-1", 2);
    second.stored(Objects::One("p-1".to_owned(), 2));
    first.stored(Objects::One("p-1".to_owned(), 1));
    let found = reader.get(&name(1), options()).await.unwrap();
    assert_eq!((found.source, &found.answer.value), (Source::Fetched, &Objects::One("p-1".to_owned(), 2)));
}
