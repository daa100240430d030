//! Command lines as Go's package `flag` takes them: what the table of tests/it/compatibility/flags.yaml cannot say.

use crate::config::cli::Cli;

#[track_caller]
fn parse(line: &str) -> Cli {
    Cli::parse(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn a_boolean_takes_no_subcommand_and_no_flag_for_its_value() {
    for line in ["controller --leader-elect serve", "controller --leader-elect --qps 50", "controller -leader-elect"] {
        assert_eq!(parse(line).unused.without_effect, ["--leader-elect"], "{line}");
    }
}

#[cfg(feature = "sandbox")]
#[test]
fn a_subcommands_own_flags_are_taken_in_gos_spelling_too() {
    let expected = parse("controller sandbox --services 5 --qps 9 --api-qps 2.5");
    assert_eq!(parse("controller -qps 9 --leader-elect sandbox -services=5 -api-qps 2.5").command, expected.command);
    let unknown = parse("controller sandbox --service 5").unused.unknown;
    assert_eq!(unknown.iter().map(ToString::to_string).collect::<Vec<_>>(), ["--service (did you mean --services?)"]);
    assert!(Cli::parse(["controller", "sandbox", "--services", "many"]).is_err());
}
