use super::super::patient::tests::patient;
use super::*;

fn pods(page: Page) -> Measured {
    Measured { resource: Resource::Pods, outcome: Outcome::Page(page) }
}

fn failed_with(error: Error) -> Measured {
    Measured { resource: Resource::Pods, outcome: Outcome::Failed { error, headers: None } }
}

fn answered(status: u16) -> Error {
    let status = StatusCode::from_u16(status).unwrap();
    Error::Answered { status, reason: String::new(), message: "told".to_owned(), retry_after: None }
}

/// 500 pods of 9 kB in 30 ms, and so many more behind them.
fn page(remaining: u64) -> Page {
    Page {
        took: Duration::from_millis(30),
        bytes: 4_500_000,
        rows: 500,
        more: remaining > 0,
        remaining: (remaining > 0).then_some(remaining),
        ..Page::default()
    }
}

#[track_caller]
fn only(findings: Vec<Finding>) -> Finding {
    let [finding] = <[_; 1]>::try_from(findings).unwrap();
    finding
}

#[test]
fn an_ordinary_page_is_no_finding() {
    assert_eq!(judge(&pods(page(0)), &patient()), []);
    assert_eq!(judge(&pods(page(1_500)), &patient()), []);
    assert_eq!(judge(&pods(Page::default()), &patient()), []);
    assert_eq!(judge_pace(&[pods(page(1_500))], &patient()), None);
}

#[test]
fn the_line_tells_what_was_measured() {
    let told = tell(&pods(page(1_501)), &patient());
    assert_eq!(told, "200 in 30 ms, 500 rows, 4.5 MB (9.0 kB each); the first of 5 pages, 150 ms in all");
    let unknown = Page { more: true, remaining: None, ..page(0) };
    assert!(tell(&pods(unknown), &patient()).ends_with("and more, how many is not told"));
    assert_eq!(tell(&pods(Page::default()), &patient()), "200 in under 1 ms, 0 rows, 0 B; all of them");
    let mut error = answered(429);
    if let Error::Answered { retry_after, .. } = &mut error {
        *retry_after = Some(Duration::from_secs(4));
    }
    assert_eq!(tell(&failed_with(error), &patient()), "429, come back after 4.0 s: told");
}

#[test]
fn slow_or_large_pages_want_a_smaller_page_size() {
    let slow = only(judge(&pods(Page { took: Duration::from_millis(2_500), ..page(0) }), &patient()));
    assert_eq!(slow.severity, Severity::Warning);
    assert!(slow.change.starts_with("list.page_size: 100, or list.plan: watch_cache"), "{}", slow.change);
    let large = only(judge(&pods(Page { bytes: 12_000_000, ..page(0) }), &patient()));
    assert!(large.change.starts_with("list.page_size: 200"), "{}", large.change);
    let in_one_piece = Patient { list_plan: ListPlan::WatchCache, ..patient() };
    let large = only(judge(&pods(Page { bytes: 12_000_000, ..page(0) }), &in_one_piece));
    assert!(large.change.starts_with("list.plan: paged"), "{}", large.change);
}

#[test]
fn a_slow_page_with_little_on_it_blames_no_setting_of_the_list() {
    let slow = Page { took: Duration::from_secs(2), rows: 3, bytes: 27_000, ..page(0) };
    let finding = only(judge(&pods(slow), &patient()));
    assert!(finding.what.starts_with("Even small lists") && !finding.change.contains("page_size"), "{finding:?}");
}

#[test]
fn a_list_that_comes_near_the_deadline_is_a_warning_and_beyond_it_wrong() {
    let slow = Page { took: Duration::from_millis(900), ..page(0) };
    let of_pages = |pages: u64| Page { more: true, remaining: Some((pages - 1) * 500), ..slow.clone() };
    assert_eq!(judge(&pods(of_pages(13)), &patient()), []);
    let near = only(judge(&pods(of_pages(20)), &patient()));
    assert_eq!((near.severity, near.what.contains("about 18.0 s (20 pages)")), (Severity::Warning, true));
    assert!(near.change.starts_with("server.request_deadline_ms: 37000"), "{}", near.change);
    assert_eq!(only(judge(&pods(of_pages(40)), &patient())).severity, Severity::Wrong);
}

#[test]
fn waiting_for_tokens_counts_towards_the_deadline() {
    let slow = Patient { rate: Some(Rate { qps: 0.5, burst: 1 }), ..patient() };
    let late = only(judge(&pods(page(10_000)), &slow));
    assert_eq!(late.severity, Severity::Wrong);
    assert!(late.what.contains("40."), "20 pages after the first, 2 s each: {}", late.what);
}

#[test]
fn large_objects_are_worth_a_note() {
    let heavy = Page { rows: 100, bytes: 6_000_000, ..page(0) };
    assert_eq!(only(judge(&pods(heavy), &patient())).severity, Severity::Note);
}

#[test]
fn more_calls_than_the_limit_gives_want_a_longer_memory() {
    let many = pods(page(75_000));
    let finding = judge_pace(&[pods(page(0)), many], &Patient { list_ttl: Duration::ZERO, ..patient() });
    assert_eq!(finding, None, "the list itself takes longer than its tokens");
    let tight = Patient { rate: Some(Rate { qps: 1.0, burst: 100 }), ..patient() };
    let finding = judge_pace(&[pods(page(0)), pods(page(1_500))], &tight).unwrap();
    assert!(finding.what.starts_with("All lists together are 5 calls every 2.0 s"), "{}", finding.what);
    assert!(finding.change.starts_with("memo.list_ttl_ms: 5000"), "{}", finding.change);
}

#[test]
fn lists_that_fail_say_what_to_do() {
    assert_eq!(judge(&failed_with(answered(429)), &patient()), [], "told with the priority level");
    for (error, words) in [
        (answered(401), "credentials"),
        (answered(403), "may not be listed"),
        (answered(503), "answered with 503"),
        (Error::Deadline, "not there within 20.0 s"),
        (Error::Cut("reset".to_owned()), "failed"),
    ] {
        let finding = only(judge(&failed_with(error), &patient()));
        assert_eq!(finding.severity, Severity::Wrong);
        assert!(finding.what.contains(words), "{words}: {}", finding.what);
    }
}
