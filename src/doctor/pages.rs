//! Cost of the lists: the first page of each, asked for as the controller asks, and an estimate of the rest.

use super::patient::Patient;
use super::probe::Probe;
use super::reach;
use super::report::{Finding, RESOURCE_WIDTH, Report, Severity, count, millis, size, worst};
use crate::cluster::inspect::Exchange;
use crate::cluster::{Error, ListPlan, Resource};
use crate::throttle::Rate;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::io;
use tokio::time::Duration;

/// Pages of a list come one after the other, so this is what each adds to somebody's waiting; and the API server's own
/// priority levels count a long list as several calls for as long as it lasts.
const SLOW_PAGE: Duration = Duration::from_secs(1);

/// `throttle.max_in_flight` pages may be held in memory at once: eight of these are more than all that `memo` may
/// keep with the default settings. 500 pods of an ordinary 9 kB are less than half of it.
const LARGE_PAGE: u64 = 10_000_000;

/// A page that is no larger takes its time for another reason than its size: a dozen ordinary pods.
const SMALL_PAGE: u64 = 100_000;

/// An ordinary pod is 6 to 20 kB. What is so much larger carries something that does not belong into it.
const LARGE_OBJECT: u64 = 50_000;

/// The part of the request's deadline that a list may take before it is a warning: the API server need only be twice as
/// slow as now.
const DEADLINE_SHARE: u32 = 2;

/// Measurements of a first page.
#[derive(Debug)]
pub(super) struct Measured {
    resource: Resource,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Page(Page),
    Failed { error: Error, headers: Option<HeaderMap> },
}

#[derive(Debug, Clone, Default)]
struct Page {
    headers: HeaderMap,
    took: Duration,
    bytes: u64,
    rows: u64,
    /// True if there is another page.
    more: bool,
    /// Number of objects on the pages after this; `None`: not told.
    remaining: Option<u64>,
}

impl Measured {
    /// True if a list came back, and there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.outcome, Outcome::Page(page) if page.rows == 0)
    }

    /// True if the API server said that there are too many calls.
    pub(super) fn is_turned_away(&self) -> bool {
        matches!(&self.outcome, Outcome::Failed { error, .. } if error.has_status(StatusCode::TOO_MANY_REQUESTS))
    }

    /// The headers of the answer; `None` if there was none.
    pub(super) fn headers(&self) -> Option<&HeaderMap> {
        match &self.outcome {
            Outcome::Page(page) => Some(&page.headers),
            Outcome::Failed { headers, .. } => headers.as_ref(),
        }
    }

    fn page(&self) -> Option<&Page> {
        match &self.outcome {
            Outcome::Page(page) => Some(page),
            Outcome::Failed { .. } => None,
        }
    }
}

/// Asks for the first page of `resource`.
pub(super) async fn examine(
    resource: Resource,
    patient: &Patient,
    probe: &Probe<'_>,
    report: &mut Report<'_>,
) -> io::Result<Measured> {
    let outcome = match probe.first_page(resource).await {
        Ok(exchange) => read(exchange),
        Err(error) => Outcome::Failed { error, headers: None },
    };
    let measured = Measured { resource, outcome };
    let findings = judge(&measured, patient);
    // What a 429 means is told once, together with the priority level that it came from.
    let severity = if measured.is_turned_away() { Severity::Wrong } else { worst(&findings) };
    report.line(severity, "list", &format!("{:<RESOURCE_WIDTH$}{}", resource.plural(), tell(&measured, patient)))?;
    report.keep(findings);
    Ok(measured)
}

fn read(exchange: Exchange) -> Outcome {
    #[derive(Deserialize)]
    struct List {
        metadata: ListMeta,
        #[serde(deserialize_with = "Option::deserialize")]
        items: Option<Vec<IgnoredAny>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ListMeta {
        r#continue: Option<String>,
        remaining_item_count: Option<u64>,
    }

    if let Some(error) = exchange.failure() {
        return Outcome::Failed { error, headers: Some(exchange.headers) };
    }
    match serde_json::from_slice::<List>(&exchange.body) {
        Ok(List { metadata, items }) => Outcome::Page(Page {
            headers: exchange.headers,
            took: exchange.took,
            bytes: exchange.body.len() as u64,
            rows: items.unwrap_or_default().len() as u64,
            more: metadata.r#continue.is_some_and(|token| !token.is_empty()),
            remaining: metadata.remaining_item_count,
        }),
        Err(error) => Outcome::Failed { error: Error::not_json(error), headers: Some(exchange.headers) },
    }
}

impl Page {
    /// Number of pages of the whole list; at least two if the API server does not say.
    fn pages(&self, patient: &Patient) -> u32 {
        let behind = match (self.more, self.remaining) {
            (false, _) => 0,
            (true, None) => 1,
            (true, Some(objects)) => objects.div_ceil(u64::from(patient.page_size)).max(1),
        };
        u32::try_from(behind).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Time that the whole list takes: its pages one after the other, and the tokens that it has to wait for.
    fn whole(&self, patient: &Patient) -> Duration {
        let pages = self.pages(patient);
        let waiting = patient.rate.and_then(|Rate { qps, burst }| {
            Duration::try_from_secs_f64(f64::from(pages.saturating_sub(burst)) / qps).ok()
        });
        self.took.saturating_mul(pages).saturating_add(waiting.unwrap_or_default())
    }

    fn object(&self) -> Option<u64> {
        self.bytes.checked_div(self.rows)
    }
}

fn tell(measured: &Measured, patient: &Patient) -> String {
    let page = match &measured.outcome {
        Outcome::Page(page) => page,
        Outcome::Failed { error: error @ Error::Answered { status, retry_after, .. }, .. } => {
            let asked = retry_after.map(|time| format!(", come back after {}", millis(time)));
            return format!("{}{}: {error}", status.as_u16(), asked.unwrap_or_default());
        }
        Outcome::Failed { error, .. } => return error.to_string(),
    };
    let each = page.object().map(|object| format!(" ({} each)", size(object))).unwrap_or_default();
    let pages = match (page.more, page.remaining) {
        (false, _) => "all of them".to_owned(),
        (true, None) => "and more, how many is not told".to_owned(),
        (true, Some(_)) => {
            format!(
                "the first of {}, {} in all",
                count(page.pages(patient).into(), "page"),
                millis(page.whole(patient))
            )
        }
    };
    let rows = count(page.rows, "row");
    format!("200 in {}, {rows}, {}{each}; {pages}", millis(page.took), size(page.bytes))
}

/// Findings from a list's first page about the settings.
fn judge(measured: &Measured, patient: &Patient) -> Vec<Finding> {
    let what = measured.resource.plural();
    let page = match &measured.outcome {
        Outcome::Page(page) => page,
        Outcome::Failed { error, .. } => return failed(what, error, patient).into_iter().collect(),
    };
    let mut findings = Vec::new();
    let whole = page.whole(patient);
    let late = whole.saturating_mul(DEADLINE_SHARE) > patient.request_deadline;
    if late {
        let text = format!(
            "A whole list of {what} takes about {} ({}); requests are given up after {}.",
            millis(whole),
            count(page.pages(patient).into(), "page"),
            millis(patient.request_deadline)
        );
        let enough = whole.saturating_mul(DEADLINE_SHARE).as_secs() + 1;
        let change = format!("server.request_deadline_ms: {enough}000{}", or_from_memory(patient));
        let finding = if whole > patient.request_deadline { Finding::wrong } else { Finding::warning };
        findings.push(finding(text, change));
    }
    if page.took > SLOW_PAGE && page.bytes <= SMALL_PAGE {
        findings.push(Finding::warning(
            format!("Even small lists (up to {}) take more than {}.", size(SMALL_PAGE), millis(SLOW_PAGE)),
            "Not their size but the API server, etcd or the network is slow. To ask less often: raise memo.list_ttl_ms.",
        ));
    } else if page.took > SLOW_PAGE || page.bytes > LARGE_PAGE {
        let text =
            format!("A page of {} {what} takes {} and is {} large.", page.rows, millis(page.took), size(page.bytes));
        findings.push(Finding::warning(text, lighter(page, patient)));
    }
    if let Some(object) = page.object().filter(|object| *object > LARGE_OBJECT) {
        findings.push(Finding::note(
            format!("The {what} are large: {} each on average.", size(object)),
            "Look at one (kubectl get -o yaml): long environment variables, annotations or managedFields make every list dear.",
        ));
    }
    findings
}

/// Advice on making a page lighter.
fn lighter(page: &Page, patient: &Patient) -> String {
    match patient.list_plan {
        ListPlan::Auto | ListPlan::Paged if page.rows > 1 => {
            let by_size = LARGE_PAGE as f64 / 2.0 / page.bytes as f64;
            let by_time = SLOW_PAGE.as_secs_f64() / 2.0 / page.took.as_secs_f64();
            let fewer = page.rows as f64 * by_size.min(by_time).min(0.5);
            format!("list.page_size: {}{}", round(fewer), or_from_memory(patient))
        }
        ListPlan::Auto | ListPlan::Paged => "The objects themselves are the weight; no setting makes them lighter.".to_owned(),
        ListPlan::WatchCache => {
            "list.plan: paged, so that it comes in pieces; or raise memo.list_ttl_ms, so that it is asked for less often."
                .to_owned()
        }
    }
}

fn or_from_memory(patient: &Patient) -> &'static str {
    match patient.list_plan {
        ListPlan::Auto | ListPlan::Paged => {
            ", or list.plan: watch_cache (one call from the API server's memory, perhaps a little old)"
        }
        ListPlan::WatchCache => "",
    }
}

fn failed(what: &str, error: &Error, patient: &Patient) -> Option<Finding> {
    let finding = match error {
        Error::Answered { status: StatusCode::TOO_MANY_REQUESTS, .. } => return None,
        Error::Answered { status: StatusCode::UNAUTHORIZED, .. } => reach::credentials(),
        Error::Answered { status: StatusCode::FORBIDDEN, .. } => Finding::wrong(
            format!("{what} may not be listed: {error}"),
            "Grant the right to list them, by a Role in the namespace.",
        ),
        Error::Answered { status, .. } if status.is_server_error() => Finding::wrong(
            format!("The list of {what} is answered with {}: {error}", status.as_u16()),
            "The API server or etcd is in trouble. Fewer calls help: raise memo.list_ttl_ms, lower throttle.qps.",
        ),
        Error::TimedOut(_) | Error::Deadline => Finding::wrong(
            format!(
                "A page of {what} is not there within {}.",
                millis(patient.read_timeout.min(patient.request_deadline))
            ),
            format!(
                "If the API server is healthy: list.page_size: {}{}.\nIf other lists hang too, look at it and at etcd.",
                (patient.page_size / 5).max(1),
                or_from_memory(patient)
            ),
        ),
        _ => Finding::wrong(
            format!("The list of {what} failed: {error}"),
            "Look at the API server and the network to it.",
        ),
    };
    Some(finding)
}

/// True if lists that are asked for without a pause stay within `throttle.qps`.
pub(super) fn judge_pace(measured: &[Measured], patient: &Patient) -> Option<Finding> {
    let qps = patient.rate?.qps;
    let pages: Vec<_> = measured.iter().filter_map(Measured::page).collect();
    let calls: f64 = pages.iter().map(|page| f64::from(page.pages(patient))).sum();
    let slowest = pages.iter().map(|page| page.whole(patient)).max()?;
    let period = patient.list_ttl.max(slowest);
    if calls <= qps * period.as_secs_f64() {
        return None;
    }
    let enough = (calls / qps).ceil();
    Some(Finding::warning(
        format!(
            "All lists together are {calls} calls every {} when somebody always asks: more than throttle.qps {qps} gives \
             one replica, and every replica asks as much.",
            millis(period)
        ),
        format!("memo.list_ttl_ms: {enough}000 at least, or larger pages (list.page_size)"),
    ))
}

/// A number that a person would choose: one leading digit, then zeros.
fn round(number: f64) -> u32 {
    let number = number.max(1.0);
    let magnitude = 10_f64.powf(number.log10().floor());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1, and less than a page")]
    let rounded = ((number / magnitude).floor() * magnitude) as u32;
    rounded
}

#[cfg(test)]
mod tests;
