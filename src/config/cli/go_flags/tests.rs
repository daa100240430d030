//! Command lines as Go's package `flag` takes them.

use crate::config::cli::{Cli, Command, EXIT_USAGE, exit_code};
use crate::config::{Settings, SettingsError};

#[track_caller]
fn parse(line: &str) -> Cli {
    parse_words(&line.split(' ').collect::<Vec<_>>())
}

#[track_caller]
fn parse_words(words: &[&str]) -> Cli {
    Cli::parse(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn load(line: &str) -> Result<Settings, SettingsError> {
    Settings::load(&parse(line).flags, [])
}

#[track_caller]
fn unknown(line: &str) -> Vec<String> {
    parse(line).unused.unknown.iter().map(ToString::to_string).collect()
}

#[test]
fn a_flag_has_one_dash_or_two_and_its_value_behind_an_equals_sign_or_in_the_next_word() {
    let expected = parse("controller --qps=5 --namespace=aenv");
    for line in [
        "controller --qps 5 --namespace aenv",
        "controller -qps 5 -namespace=aenv",
        "controller -qps=5 --namespace aenv",
        "controller serve -qps 7 --namespace aenv -qps=5",
    ] {
        assert_eq!(parse(line), expected, "{line}");
    }
}

#[test]
fn both_upstream_charts_arguments_are_taken() {
    for words in [
        ["controller", "--namespace", "aenvsandbox", "--leader-elect", "false"].as_slice(),
        &["controller", "--namespace", "aenvsandbox", "--leader-elect=false"],
    ] {
        let cli = parse_words(words);
        assert_eq!((cli.command, cli.flags.namespace.as_deref()), (Command::Serve, Some("aenvsandbox")));
        assert_eq!(cli.unused.warnings(), ["flags accepted without effect: --leader-elect"]);
    }
}

#[test]
fn flags_behind_the_value_of_a_boolean_are_read() {
    let settings = load("controller --leader-elect true --qps 51 --logtostderr false --burst 101").unwrap();
    assert_eq!((settings.throttle.qps, settings.throttle.burst.get()), (51.0, 101));
    for line in ["controller --leader-elect serve", "controller --leader-elect --qps 50", "controller -leader-elect"] {
        assert_eq!(parse(line).unused.without_effect, ["--leader-elect"], "{line}");
    }
}

#[test]
fn flags_without_a_meaning_here_are_named_in_one_line() {
    let cli = parse(
        "controller --logtostderr --stderrthreshold INFO -vmodule=a=3 --logdir /home/admin/logs --pprof-addr :8089 \
         --leader-elect-lease-duration 65s --leader-elect-resource-lock leases --zap-devel --zap-new x --master=",
    );
    let expected = "flags accepted without effect: --logtostderr, --stderrthreshold, --vmodule, --logdir, --pprof-addr, \
                    --leader-elect-lease-duration, --leader-elect-resource-lock, --zap-devel, --zap-new, --master";
    assert_eq!(cli.unused.warnings(), [expected]);
    assert_eq!(cli.flags, parse("controller").flags);
}

#[test]
fn go_flags_with_a_meaning_become_settings() {
    let changed = |line: &str| {
        let changes = Settings::default().changes(&load(line).unwrap());
        changes.iter().map(|change| format!("{}={}", change.key, change.new)).collect::<Vec<_>>().join(" ")
    };
    for (line, expected) in [
        ("-v=4", "log.level=\"debug\""),
        ("-v 2", ""),
        ("--v=6", "log.level=\"trace\""),
        ("-v 4 --log-level warn", "log.level=\"warn\""),
        ("--zap-log-level=error --zap-encoder json", "log.level=\"error\" log.format=\"json\""),
        ("--health-probe-bind-address :9000", "server.readiness_port=9000"),
        ("--health-probe-bind-address=0", ""),
        ("--metrics-bind-address=127.0.0.1:9000", "server.metrics_addr=\"127.0.0.1:9000\""),
        ("--metrics-addr localhost:9000", "server.metrics_addr=\"127.0.0.1:9000\""),
        ("--metrics-addr 0", ""),
        ("--namespace= --qps= --kubeconfig=", ""),
    ] {
        assert_eq!(changed(&format!("controller {line}")), expected, "{line}");
    }
}

#[test]
fn bad_values_of_flags_with_a_meaning_are_refused_all_at_once() {
    let faults = load("controller -v=loud --health-probe-bind-address 8081 --metrics-bind-address x --qps many");
    let faults = faults.unwrap_err().to_string();
    let told: Vec<_> = faults.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(told, ["flag --health-probe-bind-address", "flag --metrics-bind-address", "flag --qps", "flag -v"]);
    assert!(faults.contains("-v: log.level: \"loud\" is not allowed, give a whole number: 0 to 3 is info"), "{faults}");
}

#[test]
fn an_unknown_flag_is_set_aside_with_its_value_and_the_flag_that_may_be_meant() {
    assert_eq!(unknown("controller --qqs 5 --burst 7"), ["--qqs (did you mean --qps?)"]);
    assert_eq!(
        unknown("controller -frobnicate=1 --colour red --server_port 80"),
        ["-frobnicate", "--colour", "--server_port (did you mean --server-port?)"]
    );
    assert_eq!(parse("controller --colour red doctor -x").command, Command::Doctor);
    assert_eq!(parse("controller --colour --burst 7").flags, parse("controller --burst 7").flags);
}

#[test]
fn a_flag_takes_no_known_flag_for_its_value() {
    let cli = parse("controller --logdir --leader-elect-lease-duration --burst 7 -v");
    assert_eq!(cli.flags, parse("controller --burst 7").flags);
    let error = Cli::parse(["controller", "--namespace", "--burst", "7"]).unwrap_err();
    assert_eq!(exit_code(&error), EXIT_USAGE);
}

#[cfg(feature = "sandbox")]
#[test]
fn a_subcommands_own_flags_are_taken_in_gos_spelling_too() {
    let expected = parse("controller sandbox --services 5 --qps 9 --api-qps 2.5");
    assert_eq!(parse("controller -qps 9 --leader-elect sandbox -services=5 -api-qps 2.5").command, expected.command);
    assert_eq!(unknown("controller sandbox --service 5"), ["--service (did you mean --services?)"]);
    assert!(Cli::parse(["controller", "sandbox", "--services", "many"]).is_err());
}

#[test]
fn help_is_asked_for_in_gos_spelling_too() {
    for line in ["controller -help", "controller --help", "controller help doctor", "controller -h"] {
        let error = Cli::parse(line.split(' ')).unwrap_err();
        assert_eq!(exit_code(&error), 0, "{line}");
    }
}
