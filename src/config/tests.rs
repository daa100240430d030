//! The settings as a whole: through the real sources, with a file on disk and an environment of the test's own.

mod shipped;

use super::reader::Reader;
use super::sources::Sources;
use super::{Applies, ListPlan, Settings};
use crate::config::cli::Cli;
use crate::syntax::Faults;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const NO_WHOLE_NUMBER: &[&str] =
    &["-1", "1.5", "50.0", "\"5\"", "five", "[5]", "{a: 5}", "true", "1e400", "99999999999999999999"];
const NO_RATE: &[&str] = &["-1", "0", "1e400", "10001", "\"5\"", "many", "[5]", "true", "99999999999999999999"];
const NO_SWITCH: &[&str] = &["1", "yes", "\"true\"", "[true]"];
const NO_TEXT: &[&str] = &["\"\"", "5", "1.5", "true", "[a]", "{a: b}"];

/// Every key: an allowed value other than the default, what is not allowed for its type, and what is out of range.
type Case = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);
const KEYS: &[Case] = &[
    ("server.bind", "\"::1\"", NO_TEXT, &["localhost", "1.2.3", "0.0.0.0:80"]),
    ("server.port", "0", NO_WHOLE_NUMBER, &["65536"]),
    ("server.readiness_port", "0", NO_WHOLE_NUMBER, &["65536"]),
    ("server.metrics_addr", "\"[::]:9000\"", NO_TEXT, &["0.0.0.0", "\":\"", ":65536", "example.com:8088", "8088"]),
    ("server.request_deadline_ms", "1", NO_WHOLE_NUMBER, &["0", "600001"]),
    ("server.max_body_bytes", "1024", NO_WHOLE_NUMBER, &["1023", "67108865"]),
    (
        "server.allowed_hosts",
        "\"aenv.example.com, *.corp.example\"",
        &["5", "1.5", "true", "[a]", "{a: b}"],
        &["https://aenv.example.com", "aenv.example.com:443", "\"*x\"", "\"a.b, c d\""],
    ),
    (
        "server.trusted_proxies",
        "\"10.0.0.0/8, fd00::/8\"",
        &["5", "1.5", "true", "[a]", "{a: b}"],
        &["10.0.0.0/33", "proxy", "\"10.0.0.1 10.0.0.2\""],
    ),
    ("server.max_connections", "1", NO_WHOLE_NUMBER, &["0", "1000001"]),
    ("server.max_waiting", "1", NO_WHOLE_NUMBER, &["0", "1000001"]),
    ("server.header_timeout_ms", "1", NO_WHOLE_NUMBER, &["0", "600001"]),
    ("server.body_timeout_ms", "1", NO_WHOLE_NUMBER, &["0", "600001"]),
    ("server.write_timeout_ms", "1", NO_WHOLE_NUMBER, &["0", "600001"]),
    ("server.max_bodies_bytes", "1048576", NO_WHOLE_NUMBER, &["1048575", "1073741825"]),
    ("server.lame_duck_ms", "0", NO_WHOLE_NUMBER, &["600001"]),
    ("server.drain_ms", "0", NO_WHOLE_NUMBER, &["600001"]),
    ("auth.tokens_file", "/etc/aenv/tokens", NO_TEXT, &["\" \""]),
    ("auth.metrics", "true", NO_SWITCH, &[]),
    ("tls.cert_file", "/etc/aenv/tls/tls.crt", NO_TEXT, &["\" \""]),
    ("tls.key_file", "/etc/aenv/tls/tls.key", NO_TEXT, &["\" \""]),
    ("tls.client_ca_file", "/etc/aenv/tls/ca.crt", NO_TEXT, &["\" \""]),
    ("kubernetes.namespace", "\"123\"", NO_TEXT, &["Upper", "a.b", "-a", "a_b", "a/../b"]),
    ("kubernetes.default_namespace", "\"123\"", NO_TEXT, &["Upper", "a.b", "-a", "a_b", "a/../b"]),
    ("kubernetes.kubeconfig", "/home/me/.kube/config", NO_TEXT, &["\" \"", "\"a\\nb\""]),
    ("kubernetes.context", "admin@prod \\ \"one\"", NO_TEXT, &["\" \""]),
    ("kubernetes.user_agent", "mine/1.0 (here)", NO_TEXT, &["\" a\"", "\"a\\r\\nX: y\"", "naïve"]),
    ("kubernetes.connect_timeout_ms", "1", NO_WHOLE_NUMBER, &["0", "60001"]),
    ("kubernetes.read_timeout_ms", "1", NO_WHOLE_NUMBER, &["0", "600001"]),
    ("kubernetes.encoding", "json", NO_TEXT, &["Json", "protobuf"]),
    ("throttle.qps", "12.5", NO_RATE, &["0.009"]),
    ("throttle.burst", "1", NO_WHOLE_NUMBER, &["0", "10001"]),
    ("throttle.unlimited", "true", NO_SWITCH, &[]),
    ("throttle.adaptive", "false", NO_SWITCH, &[]),
    ("throttle.min_qps", "0.01", NO_RATE, &["0.009"]),
    ("throttle.max_wait_ms", "0", NO_WHOLE_NUMBER, &["600001"]),
    ("throttle.max_in_flight", "1", NO_WHOLE_NUMBER, &["0", "1001"]),
    ("retry.max_attempts", "1", NO_WHOLE_NUMBER, &["0", "21"]),
    ("retry.initial_ms", "1", NO_WHOLE_NUMBER, &["0", "60001"]),
    ("retry.max_ms", "600000", NO_WHOLE_NUMBER, &["0", "600001"]),
    ("memo.list_ttl_ms", "0", NO_WHOLE_NUMBER, &["3600001"]),
    ("memo.get_ttl_ms", "0", NO_WHOLE_NUMBER, &["3600001"]),
    ("memo.revalidate_ms", "1", NO_WHOLE_NUMBER, &["3600001"]),
    ("memo.max_stale_ms", "0", NO_WHOLE_NUMBER, &["3600001"]),
    ("memo.patience_ms", "0", NO_WHOLE_NUMBER, &["600001"]),
    ("memo.max_bytes", "1048576", NO_WHOLE_NUMBER, &["0", "1048575", "17179869185"]),
    ("list.page_size", "1", NO_WHOLE_NUMBER, &["0", "10001"]),
    ("list.plan", "watch_cache", NO_TEXT, &["Paged", "watch-cache"]),
    ("list.max_objects", "1", NO_WHOLE_NUMBER, &["0", "10000001"]),
    ("list.max_item_bytes", "65536", NO_WHOLE_NUMBER, &["65535", "67108865"]),
    ("templates.dir", "./templates", NO_TEXT, &["\" \""]),
    ("services.domain_suffix", "svc.example.org", NO_TEXT, &[".svc", "svc.", "a..b", "Svc"]),
    (
        "envhub.url",
        "https://envhub:8080/v1",
        NO_TEXT,
        &["envhub", "ftp://envhub", "http://", "/path", "http://a/?token=x"],
    ),
    ("log.level", "warn,aenv_controller::memo=debug", NO_TEXT, &["loud", "info,", "aenv_controller", "info,a"]),
    ("log.format", "json", NO_TEXT, &["JSON", "yaml"]),
];

/// A folder with a settings file, and the flags that name it.
struct Scene {
    folder: TempDir,
    environment: Vec<(String, String)>,
    line: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, environment: Vec::new(), line: vec!["controller".to_owned()] }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("controller.yaml")
    }

    fn file(mut self, yaml: &str) -> Self {
        fs::write(self.path(), yaml).unwrap();
        self.line.push(format!("--config={}", self.path().display()));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flags(mut self, line: &str) -> Self {
        self.line.extend(line.split(' ').map(str::to_owned));
        self
    }

    fn load(&self) -> Result<Settings, Faults> {
        let cli = Cli::parse(&self.line).unwrap();
        let nowhere = self.folder.path().join("none.yaml");
        Settings::from_sources(Sources::collect(&cli.flags, self.environment.clone(), &nowhere))
    }

    #[track_caller]
    fn settings(&self) -> Settings {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The message's lines, the file's folder left out.
    #[track_caller]
    fn faults(&self) -> Vec<String> {
        let message = self.load().expect_err("there should be a fault").to_string();
        message.replace(&self.path().display().to_string(), "FILE").lines().map(str::to_owned).collect()
    }
}

fn known_keys() -> Vec<&'static str> {
    let mut reader = Reader::default();
    Settings::read(&mut reader);
    reader.known().to_vec()
}

fn yaml(path: &str, value: &str) -> String {
    let (section, key) = path.split_once('.').unwrap();
    format!("{section}:\n  {key}: {value}\n")
}

#[test]
fn the_cases_of_these_tests_cover_every_key() {
    assert_eq!(KEYS.iter().map(|(path, ..)| *path).collect::<Vec<_>>(), known_keys());
}

#[test]
fn every_key_takes_effect_and_survives_being_printed_and_loaded_again() {
    for (path, good, ..) in KEYS {
        let settings = Scene::new().file(&yaml(path, good)).settings();
        assert_ne!(settings, Settings::default(), "{path}: {good}");
        assert_eq!(Scene::new().file(&settings.render()).settings(), settings, "{path}: {good}");
    }
}

#[test]
fn every_bad_value_is_one_fault_with_place_value_and_allowed_values() {
    for (path, _, wrong_type, out_of_range) in KEYS {
        for bad in wrong_type.iter().chain(*out_of_range) {
            let faults = Scene::new().file(&yaml(path, bad)).faults();
            assert_eq!(faults.len(), 1, "{path}: {bad}: {faults:?}");
            assert!(faults[0].starts_with(&format!("FILE: {path}: ")), "{faults:?}");
            assert!(faults[0].contains(" is not allowed, give "), "{faults:?}");
        }
    }
}

#[test]
fn every_key_can_be_left_open() {
    for (path, ..) in KEYS {
        assert_eq!(Scene::new().file(&yaml(path, "~")).settings(), Settings::default(), "{path}");
    }
}

#[test]
fn every_key_has_a_variable_and_a_bad_value_names_it() {
    for (path, good, ..) in KEYS {
        let name = format!("AENV_CONTROLLER__{}", path.to_uppercase().replace('.', "__"));
        let from_file = Scene::new().file(&yaml(path, good)).settings();
        let plain = good.strip_prefix('"').and_then(|good| good.strip_suffix('"')).unwrap_or(good);
        assert_eq!(Scene::new().variable(&name, plain).settings(), from_file, "{name}={plain}");
        let faults = Scene::new().variable(&name, "\u{1}").faults();
        assert!(faults[0].starts_with(&format!("environment variable {name}: {path}: ")), "{faults:?}");
    }
}

#[test]
fn changed_keys_are_named_with_both_values_and_live_ones_applied() {
    let before = Settings::default();
    for (path, good, ..) in KEYS {
        let after = Scene::new().file(&yaml(path, good)).settings();
        let changes = before.changes(&after);
        let [change] = &changes[..] else { panic!("{path}: {changes:?}") };
        assert_eq!(change.key, *path);
        let value = |settings: &Settings| settings.render().contains(&format!("{}\n", change.new));
        assert!(value(&after) && change.old != change.new, "{change}");
        let expected = match change.applies {
            Applies::Live => &after,
            Applies::Restart => &before,
        };
        assert_eq!(before.retuned(&after), *expected, "{change}");
    }
    assert_eq!(before.changes(&before), []);
}

#[test]
fn no_file_and_files_without_a_setting_give_the_defaults() {
    assert_eq!(Scene::new().settings(), Settings::default());
    for empty in ["", "\n", "# nothing\n", "---\n# nothing\n", "{}", "throttle:\nmemo: {}\n", "\u{feff}# mark\n"] {
        assert_eq!(Scene::new().file(empty).settings(), Settings::default(), "{empty:?}");
    }
}

#[test]
fn later_sources_win() {
    let chart = Scene::new().variable("SERVICE_DOMAIN_SUFFIX", "svc.chart");
    assert_eq!(chart.settings().services.domain_suffix, "svc.chart");
    let file = chart.file("services:\n  domain_suffix: svc.file\nthrottle:\n  qps: 10\n");
    assert_eq!(file.settings().services.domain_suffix, "svc.chart");
    let without = Scene::new().file("services:\n  domain_suffix: svc.file\n");
    assert_eq!(without.settings().services.domain_suffix, "svc.file");
    assert_eq!(file.settings().throttle.rate(), Some(10.0));
    let variable = file
        .variable("AENV_CONTROLLER__SERVICES__DOMAIN_SUFFIX", "svc.variable")
        .variable("AENV_CONTROLLER__THROTTLE__QPS", "20");
    assert_eq!(variable.settings().services.domain_suffix, "svc.variable");
    assert_eq!(variable.settings().throttle.rate(), Some(20.0));
    let flag = variable.flags("--qps 30.5");
    assert_eq!(flag.settings().throttle.rate(), Some(30.5));
}

#[test]
fn a_strong_value_does_not_hide_a_weaker_ones_fault() {
    let faults = Scene::new().file("throttle:\n  burst: none\n").flags("--burst 7").faults();
    assert_eq!(faults, ["FILE: throttle.burst: \"none\" is not allowed, give a whole number: 1 to 10000"]);
}

#[test]
fn the_standard_file_is_read_only_if_no_flag_names_one() {
    let standard = Scene::new().file("throttle:\n  burst: 7\n");
    let other = Scene::new().file("throttle:\n  qps: 9\n");
    let load = |line: &[String]| {
        let cli = Cli::parse(line).unwrap();
        Settings::from_sources(Sources::collect(&cli.flags, [], &standard.path())).unwrap().throttle
    };
    assert_eq!(load(&["controller".to_owned()]).burst.get(), 7);
    assert_eq!((load(&other.line).qps, load(&other.line).burst.get()), (9.0, 100));
}

#[test]
fn all_faults_are_said_at_once() {
    let faults = Scene::new()
        .file("throttle:\n  qps: 0\n  brust: 5\nmemo:\n  max_bytes: -1\nlist: 5\nserver:\n  port: 8081\n")
        .variable("AENV_CONTROLLER__THROTTLE__QSP", "5")
        .flags("--server-port abc --burst 0")
        .faults();
    let expected = [
        "FILE: throttle.qps: 0 is not allowed, give a number of calls per second: 0.01 to 10000 (for no limit: throttle.unlimited: true)",
        "FILE: memo.max_bytes: -1 is not allowed, give a whole number of bytes: 1048576 to 17179869184",
        "FILE: list: is a section, give a mapping with any of the keys page_size, plan, max_objects, max_item_bytes",
        "FILE: throttle.brust: unknown key, did you mean `throttle.burst`?",
        "environment variable AENV_CONTROLLER__THROTTLE__QSP: throttle.qsp: unknown key, did you mean `throttle.qps`?",
        "flag --burst: throttle.burst: \"0\" is not allowed, give a whole number: 1 to 10000",
        "flag --server-port: server.port: \"abc\" is not allowed, give a port number (0: any free one): 0 to 65535",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn unknown_keys_and_sections_are_explained() {
    for (yaml, expected) in [
        ("qps: 5", "qps: unknown key, did you mean `throttle.qps`?"),
        ("list:\n  qps: 5", "list.qps: unknown key, did you mean `throttle.qps`?"),
        ("trottle:\n  qps: 5", "trottle.qps: unknown key, did you mean `throttle.qps`?"),
        (
            "server:\n  requestDeadlineMs: 5",
            "server.requestDeadlineMs: unknown key, did you mean `server.request_deadline_ms`?",
        ),
        ("list:\n  colour: red", "list.colour: unknown key, there are page_size, plan, max_objects, max_item_bytes"),
        ("throttle_qps: 5", "throttle_qps: unknown key, did you mean `throttle.qps`?"),
        ("throttle.qps: 5", "throttle.qps: a key stands beneath the name of its section, not behind it"),
        (
            "list: [5]",
            "list: is a section, give a mapping with any of the keys page_size, plan, max_objects, max_item_bytes",
        ),
    ] {
        assert_eq!(Scene::new().file(yaml).faults(), [format!("FILE: {expected}")], "{yaml}");
    }
    let faults = Scene::new().file("apiVersion: v1\nusers: []\nthing: {}\n").faults();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.contains("unknown section, there are server, auth, tls, kubernetes, ")));
}

#[test]
fn quotes_are_hinted_at_where_they_are_all_that_is_wrong() {
    let faults = Scene::new()
        .file("throttle:\n  qps: \"50\"\nkubernetes:\n  namespace: 123\nlist:\n  page_size: 50.0\n")
        .faults();
    assert!(faults[0].ends_with("digit at both ends, in quotes"), "{faults:?}");
    assert!(faults[1].ends_with(", without quotes"), "{faults:?}");
    assert!(faults[2].ends_with("1 to 10000"), "{faults:?}");
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    for (yaml, expected) in [
        ("server:\n  readiness_port: 8080", "server.readiness_port: port 8080 is that of server.port too"),
        ("server:\n  port: 8088", "server.metrics_addr: port 8088 is that of server.port too"),
        (
            "server:\n  metrics_addr: 127.0.0.1:8081",
            "server.metrics_addr: port 8081 is that of server.readiness_port too",
        ),
        ("retry:\n  max_ms: 100", "retry.initial_ms: 200 is more than retry.max_ms, which is 100"),
    ] {
        let faults = Scene::new().file(yaml).faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(&format!("FILE: {expected}")), "{faults:?}");
    }
    let faults = Scene::new().file("server:\n  readiness_port: 9000").flags("--server-port 9000").faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("flag --server-port: server.readiness_port: port 9000"), "{faults:?}");
}

#[test]
fn free_ports_do_not_contradict_each_other() {
    let server = Scene::new().flags("--server-port 0 --readiness-port 0 --metrics-addr :0").settings().server;
    assert_eq!((server.port, server.readiness_port, server.metrics_addr.port()), (0, 0, 0));
}

#[test]
fn a_value_that_could_not_be_read_contradicts_nothing() {
    let faults = Scene::new().file("server:\n  port: abc\n  readiness_port: 8080\n").faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_line_if_there_is_one() {
    for (yaml, expected) in [
        ("throttle:\n  qps: [1\n", "is not valid YAML: "),
        ("throttle:\n  qps: 1\n  qps: 2\n", "duplicated key in mapping at byte 26 line 3 column 8"),
        ("throttle:\n\tqps: 1\n", "line 2 column 2"),
        ("throttle:\n  qps: .nan\n", "Parsing .nan as floating point number failed"),
        ("a: 1\n---\nb: 2\n", "Got 2 YAML documents"),
        ("- throttle\n", "no mapping of sections at its top level"),
        ("5", "no mapping of sections at its top level"),
    ] {
        let faults = Scene::new().file(yaml).faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with("FILE: ") && faults[0].contains(expected), "{faults:?}");
    }
}

#[test]
fn a_file_that_was_named_has_to_be_there_and_the_rest_is_still_checked() {
    let missing = Scene::new();
    let line = format!("--config {} --qps abc", missing.path().display());
    let faults = missing.flags(&line).faults();
    assert!(faults[0].starts_with("FILE: cannot be read: "), "{faults:?}");
    assert!(faults[1].starts_with("flag --qps: "), "{faults:?}");
    let folder = Scene::new();
    let line = format!("--config {}", folder.folder.path().display());
    assert!(folder.flags(&line).faults()[0].contains("cannot be read: "));
}

#[test]
fn variables_of_others_and_empty_ones_are_left_alone() {
    let scene = Scene::new()
        .variable("AENV_CONTROLLER_PORT", "tcp://10.0.0.1:8080")
        .variable("CONTROLLER__THROTTLE__QPS", "abc")
        .variable("SERVICE_DOMAIN_SUFFIX", "")
        .variable("AENV_CONTROLLER__ENVHUB__URL", " ");
    assert_eq!(scene.settings(), Settings::default());
}

#[test]
fn numbers_in_variables_are_numbers_and_texts_stay_texts() {
    let settings = Scene::new()
        .variable("AENV_CONTROLLER__THROTTLE__BURST", "7\n")
        .variable("AENV_CONTROLLER__MEMO__LIST_TTL_MS", "0")
        .variable("AENV_CONTROLLER__KUBERNETES__NAMESPACE", "0123")
        .variable("AENV_CONTROLLER__KUBERNETES__CONTEXT", "true")
        .variable("AENV_CONTROLLER__LIST__PLAN", "watch_cache")
        .settings();
    assert_eq!((settings.throttle.burst.get(), settings.memo.list_ttl), (7, Duration::ZERO));
    assert_eq!(settings.kubernetes.namespace.as_deref(), Some("0123"));
    assert_eq!(settings.kubernetes.context.as_deref(), Some("true"));
    assert_eq!(settings.list.plan, ListPlan::WatchCache);
    for bad in ["nan", "inf", "1e400", "0", "-1", "1,5"] {
        assert_eq!(Scene::new().variable("AENV_CONTROLLER__THROTTLE__QPS", bad).faults().len(), 1, "{bad}");
    }
}

#[test]
fn the_helm_charts_call_is_understood() {
    let settings = Scene::new()
        .variable("SERVICE_DOMAIN_SUFFIX", "svc.cluster.local")
        .flags("--namespace aenv-sandbox --leader-elect=false --metrics-addr :9090")
        .settings();
    assert_eq!(settings.kubernetes.namespace, None);
    assert_eq!(settings.kubernetes.default_namespace.as_deref(), Some("aenv-sandbox"));
    assert_eq!(settings.server.metrics_addr, "0.0.0.0:9090".parse().unwrap());
}

#[test]
fn without_a_limit_there_is_no_rate() {
    assert_eq!(Scene::new().settings().throttle.rate(), Some(50.0));
    assert_eq!(Scene::new().file("throttle:\n  unlimited: true\n").settings().throttle.rate(), None);
}

#[test]
fn messages_repeat_neither_credentials_nor_endless_values() {
    let secret = Scene::new().file("envhub:\n  url: http://me:hunter2@envhub\n  token: hunter2\n").faults().join("\n");
    assert!(secret.contains("***@envhub") && !secret.contains("hunter2"), "{secret}");
    let token = Scene::new().file("hunter2").faults().join("\n");
    assert!(!token.contains("hunter2"), "{token}");
    let long = Scene::new().file(&yaml("list.plan", &"x".repeat(10_000))).faults();
    assert!(long[0].len() < 200, "{}", long[0].len());
}
