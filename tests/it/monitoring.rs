//! Dashboards, alerts and the autoscaler ask for names and labels that `/metrics` has.

use crate::support::controller::Controller;
use crate::support::manifest::{at, folder, object};
use crate::support::sandboxed;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Metrics, each with its labels.
type Metrics = BTreeMap<String, BTreeSet<String>>;

/// Labels that Prometheus adds to every target.
const OF_TARGETS: [&str; 3] = ["namespace", "pod", "job"];

#[tokio::test]
async fn only_metrics_that_exist_are_asked_for() {
    let known = known().await;
    for (origin, expression) in expressions() {
        let asked = Asked::read(&expression);
        assert!(!asked.metrics.is_empty(), "{origin}: {expression}");
        let mut labels = BTreeSet::from(OF_TARGETS);
        for metric in &asked.metrics {
            if metric != "up" {
                let of_metric = known.get(metric).unwrap_or_else(|| panic!("{origin}: there is no {metric}"));
                labels.extend(of_metric.iter().map(String::as_str));
            }
        }
        let unknown: Vec<_> = asked.labels.iter().filter(|label| !labels.contains(label.as_str())).collect();
        assert!(unknown.is_empty(), "{origin}: {unknown:?} in {expression}");
    }
}

#[test]
fn names_and_labels_are_found_in_an_expression() {
    let asked =
        Asked::read(r#"sum by (route, le) (rate(a_bucket{code=~"50[0-9]", x!="by(z)"}[5m])) / on (pod) up > 0.5"#);
    assert_eq!(asked.metrics.iter().collect::<Vec<_>>(), ["a_bucket", "up"]);
    assert_eq!(asked.labels.iter().collect::<Vec<_>>(), ["code", "le", "pod", "route", "x"]);
}

/// Every expression below `k8s/`, and whose it is.
fn expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut keep =
        |origin: &Value, expression: &Value| found.push((origin.to_string(), expression.as_str().unwrap().to_owned()));
    let alerts = object("monitoring/alerts.yaml");
    for rule in at(&alerts, "/spec/groups/0/rules").as_array().unwrap() {
        keep(&rule["alert"], &rule["expr"]);
    }
    let dashboard = fs::read_to_string(folder().join("monitoring/controller.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    for panel in at(&dashboard, "/panels").as_array().unwrap() {
        for target in at(panel, "/targets").as_array().unwrap() {
            keep(&panel["title"], &target["expr"]);
        }
    }
    let autoscaler = object("ha/autoscaler.yaml");
    let counted = at(&autoscaler, "/spec/metrics/1/pods/metric/name").as_str().unwrap();
    found.push(("the autoscaler".to_owned(), format!("{counted}_total")));
    assert!(found.len() > 20, "{found:?}");
    found
}

/// Series of a controller that has been asked this and that, by their names.
async fn known() -> Metrics {
    let (_server, cluster) = sandboxed::start().await;
    let controller = Controller::on(&cluster).await;
    controller.rows("/services").await;
    controller.get("/pods/nope").await.failure(404);
    let mut known = Metrics::new();
    for line in controller.metrics_page().await.1.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let asked = Asked::read(series);
        known.entry(asked.metrics.into_iter().next().unwrap()).or_default().extend(asked.labels);
    }
    known
}

/// Names in an expression of PromQL; all that is needed of its grammar.
#[derive(Default)]
struct Asked {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
}

impl Asked {
    /// Words are metrics, unless an opening parenthesis or brace says what they are: a function, or what stands before
    /// a list of labels.
    fn read(expression: &str) -> Self {
        const BEFORE_LABELS: [&str; 4] = ["by", "on", "without", "ignoring"];
        const OPERATORS: [&str; 10] =
            ["sum", "avg", "max", "min", "count", "unless", "and", "or", "group_left", "group_right"];
        let mut asked = Self::default();
        // Strings, ranges and Grafana's variables name nothing.
        let bare = without(&without(expression, '"', '"'), '[', ']');
        let mut rest = bare.as_str();
        let mut labels_until = None;
        while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric() || "_{}()".contains(c)) {
            rest = &rest[start..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_.".contains(c)).unwrap_or(rest.len()).max(1);
            let (word, after) = rest.split_at(end);
            let next = after.trim_start().chars().next();
            match word {
                "{" => labels_until = Some('}'),
                "(" => {}
                "}" | ")" => labels_until = labels_until.filter(|&close| !word.starts_with(close)),
                word if BEFORE_LABELS.contains(&word) => labels_until = Some(')'),
                word if word.starts_with(|c: char| c.is_ascii_digit()) => {}
                word if labels_until.is_some() => _ = asked.labels.insert(word.to_owned()),
                word if next == Some('(') || OPERATORS.contains(&word) => {}
                word => _ = asked.metrics.insert(word.to_owned()),
            }
            rest = after;
        }
        asked
    }
}

/// A text without what stands between `open` and `close`.
fn without(text: &str, open: char, close: char) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once(open) {
        kept += before;
        rest = inside.split_once(close).map_or("", |(_, after)| after);
    }
    kept + rest
}
