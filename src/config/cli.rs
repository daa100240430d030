//! The command line: subcommands, flags, and the text of `--help`.
//!
//! Flags that stand for a key of the settings are taken as text. [`Settings::load`](crate::config::Settings::load)
//! checks them with the same table as the file, so that one message has all that is wrong.

mod go_flags;

pub(crate) use go_flags::GoSetting;
pub use go_flags::{UnknownFlag, UnusedFlags};

use crate::syntax::parse_go_duration;
use clap::{Args, CommandFactory, Parser, Subcommand};
use go_flags::rewrite;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The exit code for flags that cannot be understood and for settings that are refused: `EX_USAGE` of `sysexits.h`.
pub const EXIT_USAGE: u8 = 64;

const SETTINGS: &str = "Settings (a flag overrides the environment and the file)";

#[cfg(feature = "sandbox")]
const SANDBOX_EXAMPLES: &str = "
  controller sandbox                          an API server in memory with this in front: no cluster is needed
  curl http://localhost:8080/services         then ask it";
#[cfg(not(feature = "sandbox"))]
const SANDBOX_EXAMPLES: &str = "";

const EXAMPLES: &str = "
  controller --kubeconfig ~/.kube/config      serve a cluster from this machine
  controller check-config --config my.yaml    check a file and print every setting that would be in effect
  controller doctor                           look for what is wrong with the cluster, the rights, the settings
  controller sweep --dry-run                  print the instances whose time to live has passed";

const SOURCES_AND_EXITS: &str = "
Settings, the later source winning: defaults, file, environment, flags. `controller check-config` prints them all.

Environment:
  AENV_CONTROLLER__SECTION__KEY  a key of the file, as in AENV_CONTROLLER__THROTTLE__QPS=20
  SERVICE_DOMAIN_SUFFIX          services.domain_suffix, if the line above does not name it
  KUBECONFIG                     the kubeconfig, if no setting names one
  RUST_LOG                       what is logged, as in debug,hyper=info; stronger than log.level wherever that is set

While it runs, the settings file is read again when it changes and on SIGHUP, with the rest of the sources. What cannot
be changed then is named in the log; config/controller.yaml says of each key which it is.

Flags may be written as Go takes them: -flag, --flag, --flag=value, --flag value. Those of the Go controller, klog and
controller-runtime are accepted. These have an effect: -v (4: debug), --zap-log-level, --zap-encoder, --logging-format,
--health-probe-bind-address, --metrics-bind-address. The log names the others, such as --leader-elect, and flags that are
unknown. `controller check-config` refuses unknown flags.

Exit codes:
  0   ended as asked
  1   could not start: a port is taken, or there is no usable kubeconfig
  64  bad flags, settings or templates; all that is wrong with them is said at once";

const DOCTOR: &str = "
It takes the same settings as the controller, and asks through the same limited client, about thirty calls one after
the other: is the API server there, are the rights, what does a page of each list cost, under which priority level. It
changes nothing in the cluster, and prints no credentials. At the end it says which setting to change.

Example, in the Pod of a replica that is in trouble:
  kubectl -n aenv exec deploy/controller -- controller doctor --config=/etc/aenv/config/controller.yaml

Exit codes:
  0   all is well; there may be notes
  1   something is wrong that makes requests fail
  2   it works, with warnings
  64  bad flags, settings or templates";

const SWEEP: &str = "
It takes the same settings as the controller, and asks through the same limited client: one list of the instances, one
delete for each that goes, and with --incomplete-after one list of the Deployments and one of the Services. An object
that has changed since it was listed stays. Claims are never removed.

Examples:
  controller sweep --dry-run                  print the instances whose time to live has passed
  controller sweep --finished-after 1h        remove them, and those that ended an hour ago and more

Exit codes:
  0   nothing is left that should be gone
  1   a list could not be had in full, or some objects are left; the next sweep goes on
  64  bad flags, settings or templates";

#[cfg(feature = "sandbox")]
const SANDBOX: &str = "
The sandbox's API server tells its address at start. Besides what the controller and kubectl ask, it takes:
  GET /sandbox/calls   how often it has been asked what, by verb and resource
  PUT /sandbox/faults  latency, a rate limit, errors or an outage, from then on

Example:
  controller sandbox --services 300 --pods 2000 --api-qps 10 --api-latency-ms 20";

fn after_help() -> String {
    let text = ["Examples:", SANDBOX_EXAMPLES, EXAMPLES, "\n", SOURCES_AND_EXITS].concat();
    #[cfg(feature = "sandbox")]
    let text = [&text, "\n", SANDBOX].concat();
    text
}

/// A command line.
#[derive(Debug, Clone, PartialEq)]
pub struct Cli {
    /// The subcommand.
    pub command: Command,
    /// The flags, wherever on the line they stood.
    pub flags: Flags,
    /// Flags that change nothing: those of the Go controller without a meaning here, and unknown ones.
    pub unused: UnusedFlags,
}

impl Cli {
    /// Reads a command line, the program's name included. Flags may be written as Go takes them: `-flag`, `--flag`,
    /// `--flag=value`, `--flag value`.
    ///
    /// # Errors
    /// A line that cannot be understood, or one that asks for help or the version: print the error and exit with
    /// [`exit_code`].
    pub fn parse<A: Into<OsString> + Clone>(line: impl IntoIterator<Item = A>) -> Result<Self, clap::Error> {
        let rewritten = rewrite(line.into_iter().map(Into::into).collect(), &Line::command());
        let Line { command, flags } = Line::try_parse_from(rewritten.line)?;
        let flags = Flags { go: rewritten.settings, ..flags };
        Ok(Self { command: command.unwrap_or(Command::Serve), flags, unused: rewritten.unused })
    }
}

/// The exit code that goes with an `error` of [`Cli::parse`]: [`EXIT_USAGE`], or 0 for help and version.
pub fn exit_code(error: &clap::Error) -> u8 {
    if error.use_stderr() { EXIT_USAGE } else { 0 }
}

/// Runs AEnvironment sandboxes on Kubernetes: an HTTP API that turns environment services into Deployments and
/// environment instances into Pods.
///
/// It holds no state and asks the API server only when it is asked itself, within one limit (throttle.qps), so that
/// any number of replicas can serve at once.
#[derive(Debug, Parser)]
#[command(name = "controller", version, after_long_help = after_help(), args_override_self = true)]
#[command(after_help = "`--help` says more: examples, environment variables, exit codes.")]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

/// Subcommands.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Serve the API (the default)
    Serve,
    /// Check the settings and print the effective ones
    ///
    /// As YAML that can be used as a settings file. Nothing is served, and no API server is asked.
    CheckConfig,
    /// Look for what is wrong: API server, rights, cost of the lists; say which setting to change
    #[command(after_long_help = DOCTOR.trim_start())]
    Doctor,
    /// Remove what has expired, is finished, or was left half made; then end, as a CronJob wants it
    #[command(after_long_help = SWEEP.trim_start())]
    Sweep(Sweep),
    /// Serve an API server in memory, and the API in front of it
    #[cfg(feature = "sandbox")]
    #[command(after_long_help = SANDBOX.trim_start())]
    Sandbox(Sandbox),
}

/// The things that a sweep removes, besides instances whose time to live has passed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Sweep {
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove instances without a time to live too, once they have been finished for so long, as in 1h [default: never]
    #[arg(long, value_name = "DURATION", value_parser = go_duration)]
    pub finished_after: Option<Duration>,
    /// Remove services too whose create was cut off and not completed for so long, as in 15m [default: never]
    #[arg(long, value_name = "DURATION", value_parser = go_duration)]
    pub incomplete_after: Option<Duration>,
}

fn go_duration(text: &str) -> Result<Duration, String> {
    parse_go_duration(text).ok_or_else(|| "a Go duration is needed, such as 30m or 1h30m".to_owned())
}

/// Contents of the sandbox, and the behaviour of its API server at first.
#[cfg(feature = "sandbox")]
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Sandbox {
    /// Number of environment services
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub services: u16,
    /// Number of environment instances
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub pods: u16,
    /// Calls per second that the API server lets through; it answers 429 to more [default: no limit]
    #[arg(long, value_name = "R", value_parser = positive)]
    pub api_qps: Option<f64>,
    /// Milliseconds that the API server takes for an answer
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub api_latency_ms: u64,
    /// The API server's port on loopback; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub api_port: u16,
}

#[cfg(feature = "sandbox")]
fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let positive = number.is_finite() && number > 0.0;
    positive.then_some(number).ok_or_else(|| "more than 0 is needed".to_owned())
}

/// The flags, valid before and after the subcommand. If one is repeated, the last one counts, as in Go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Flags {
    /// The settings file [default: /etc/aenv/controller.yaml, if it exists]
    #[arg(long, global = true, value_name = "FILE", help_heading = SETTINGS)]
    pub config: Option<PathBuf>,
    /// kubernetes.kubeconfig [default: $KUBECONFIG, the pod's service account, or ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE", help_heading = SETTINGS)]
    pub kubeconfig: Option<String>,
    /// kubernetes.context [default: the kubeconfig's current one]
    #[arg(long, global = true, value_name = "NAME", help_heading = SETTINGS)]
    pub context: Option<String>,
    /// kubernetes.default_namespace, unless a pod template names one [default: aenv-sandbox]
    #[arg(long, global = true, value_name = "NAME", help_heading = SETTINGS)]
    pub namespace: Option<String>,
    /// server.port [default: 8080]
    #[arg(long, global = true, value_name = "PORT", help_heading = SETTINGS, allow_negative_numbers = true)]
    pub server_port: Option<String>,
    /// server.readiness_port [default: 8081]
    #[arg(long, global = true, value_name = "PORT", help_heading = SETTINGS, allow_negative_numbers = true)]
    pub readiness_port: Option<String>,
    /// server.metrics_addr, also as :8088 [default: 0.0.0.0:8088]
    #[arg(long, global = true, value_name = "ADDR", help_heading = SETTINGS)]
    pub metrics_addr: Option<String>,
    /// throttle.qps, API calls per second [default: 50]
    #[arg(long, global = true, value_name = "R", help_heading = SETTINGS, allow_negative_numbers = true)]
    pub qps: Option<String>,
    /// throttle.burst [default: 100]
    #[arg(long, global = true, value_name = "N", help_heading = SETTINGS, allow_negative_numbers = true)]
    pub burst: Option<String>,
    /// templates.dir [default: /etc/aenv/pod-templates]
    #[arg(long, global = true, value_name = "DIR", help_heading = SETTINGS)]
    pub templates_dir: Option<String>,
    /// log.level, such as debug, or info,aenv_controller::memo=debug for one module [default: info]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = SETTINGS)]
    pub log_level: Option<String>,
    /// log.format, text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = SETTINGS)]
    pub log_format: Option<String>,

    /// Go flags that stand for settings; weaker than the flags above.
    #[arg(skip)]
    pub(crate) go: Vec<GoSetting>,
}

impl Flags {
    /// The flags that stand for a key of the settings and were given: flag, path of the key, value. An empty value is
    /// one that a template left empty: as good as none.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let given = |value: &&str| !value.trim().is_empty();
        self.keys().filter_map(move |(flag, path, value)| Some((flag, path, value.filter(given)?)))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (&'static str, &'static str, Option<&str>)> {
        [
            ("--kubeconfig", "kubernetes.kubeconfig", &self.kubeconfig),
            ("--context", "kubernetes.context", &self.context),
            ("--namespace", "kubernetes.default_namespace", &self.namespace),
            ("--server-port", "server.port", &self.server_port),
            ("--readiness-port", "server.readiness_port", &self.readiness_port),
            ("--metrics-addr", "server.metrics_addr", &self.metrics_addr),
            ("--qps", "throttle.qps", &self.qps),
            ("--burst", "throttle.burst", &self.burst),
            ("--templates-dir", "templates.dir", &self.templates_dir),
            ("--log-level", "log.level", &self.log_level),
            ("--log-format", "log.format", &self.log_format),
        ]
        .into_iter()
        .map(|(flag, path, value)| (flag, path, value.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command, EXIT_USAGE, exit_code};

    #[track_caller]
    fn parse(line: &str) -> Cli {
        Cli::parse(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[track_caller]
    fn stopped(line: &str) -> (u8, String) {
        let error = Cli::parse(line.split(' ')).expect_err(line);
        (exit_code(&error), error.to_string())
    }

    #[test]
    fn serve_is_the_default_and_flags_stand_on_either_side_of_it() {
        let expected = parse("controller --qps 5");
        assert_eq!(expected.command, Command::Serve);
        assert_eq!(parse("controller serve --qps 5"), expected);
        assert_eq!(parse("controller --qps 5 serve"), expected);
        assert_eq!(parse("controller --qps=5").flags, expected.flags);
        assert_eq!(parse("controller check-config --qps 5").command, Command::CheckConfig);
    }

    #[test]
    fn flags_of_settings_are_passed_on_unchecked_and_the_last_one_counts() {
        let cli = parse("controller --qps 5 --qps -3 --metrics-addr :8088 --server-port abc");
        let given: Vec<_> = cli.flags.settings().collect();
        let expected = [
            ("--server-port", "server.port", "abc"),
            ("--metrics-addr", "server.metrics_addr", ":8088"),
            ("--qps", "throttle.qps", "-3"),
        ];
        assert_eq!(given, expected);
    }

    #[test]
    fn help_and_version_are_no_failures_and_bad_usage_is_64() {
        for line in ["controller --help", "controller -h", "controller help", "controller --version", "controller -V"] {
            assert_eq!(stopped(line).0, 0, "{line}");
        }
        for line in ["controller nonsense", "controller --qps", "controller serve now", "controller --config --qps 5"] {
            assert_eq!(stopped(line).0, EXIT_USAGE, "{line}");
        }
        assert_eq!(stopped("controller --version").1, format!("controller {}\n", env!("CARGO_PKG_VERSION")));
    }

    #[cfg(feature = "sandbox")]
    #[test]
    fn the_sandbox_has_defaults_and_refuses_a_rate_that_lets_nothing_through() {
        let Command::Sandbox(sandbox) = parse("controller sandbox").command else { panic!("not the sandbox") };
        assert_eq!((sandbox.services, sandbox.pods, sandbox.api_qps), (12, 30, None));
        assert_eq!((sandbox.api_latency_ms, sandbox.api_port), (0, 0));
        let Command::Sandbox(slow) = parse("controller sandbox --api-qps 2.5 --qps 9").command else {
            panic!("not the sandbox")
        };
        assert_eq!(slow.api_qps, Some(2.5));
        for rate in ["0", "-1", "nan", "inf", "many"] {
            assert_eq!(stopped(&format!("controller sandbox --api-qps={rate}")).0, EXIT_USAGE, "{rate}");
        }
    }

    #[test]
    fn the_help_names_the_key_of_each_flag_and_its_default() {
        let defaults = crate::config::Settings::default().render();
        let line = <super::Line as clap::CommandFactory>::command();
        let all = super::Flags::default();
        for (flag, path) in all.keys().map(|(flag, path, _)| (flag, path)) {
            let argument = line.get_arguments().find(|argument| flag.strip_prefix("--") == argument.get_long());
            let help = argument.and_then(clap::Arg::get_help).expect(flag).to_string();
            let (_, default) = help.strip_prefix(path).and_then(|rest| rest.split_once("[default: ")).expect(&help);
            let key = path.split_once('.').map_or(path, |(_, key)| key);
            let is_default =
                |line: &str| line.replace('"', "") == format!("  {key}: {}", default.trim_end_matches(']'));
            let is_open = defaults.contains(&format!("  {key}: ~\n"));
            assert!(is_open || defaults.lines().any(is_default), "{flag}: {help}");
        }
    }

    #[test]
    fn the_definition_of_the_command_line_holds_together() {
        <super::Line as clap::CommandFactory>::command().debug_assert();
    }
}
