//! Go command lines: rewritten to the form that clap reads, so that the arguments of the Go controller keep working.
//!
//! The Go controller reads its flags with Go's package `flag`, and klog and controller-runtime add their own. That
//! allows `-flag`, `--flag`, `--flag=value` and `--flag value`. Flags with a meaning here become a setting; the others
//! are accepted without effect. An unknown flag is set aside with the known one that is spelled most like it.

use crate::config::nearest::nearest;
use clap::Command;
use std::ffi::{OsStr, OsString};
use std::vec::IntoIter;

/// A command line in the form that clap reads, and the flags that were taken out of it.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    pub(super) line: Vec<OsString>,
    pub(super) settings: Vec<GoSetting>,
    pub(super) unused: UnusedFlags,
}

/// A Go flag that stands for a key of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoSetting {
    /// The flag, with its dashes.
    pub(crate) flag: &'static str,
    /// The path of the key.
    pub(crate) path: &'static str,
    /// The value in the key's own terms; an error says what the flag takes.
    pub(crate) value: Result<String, String>,
}

/// Flags that change nothing, for the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnusedFlags {
    /// Flags of the Go controller, klog or controller-runtime without a meaning here.
    pub without_effect: Vec<String>,
    /// Flags that nobody knows, each with the known one that is spelled most like it.
    pub unknown: Vec<UnknownFlag>,
}

/// A flag that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFlag {
    /// The flag, with its dashes.
    pub flag: String,
    /// The known flag that may have been meant.
    pub nearest: Option<String>,
}

impl UnusedFlags {
    /// A line for each kind of flag that was given.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.without_effect.is_empty() {
            warnings.push(format!("flags accepted without effect: {}", self.without_effect.join(", ")));
        }
        if !self.unknown.is_empty() {
            let unknown: Vec<_> = self.unknown.iter().map(UnknownFlag::to_string).collect();
            warnings.push(format!("unknown flags are ignored: {}", unknown.join(", ")));
        }
        warnings
    }
}

impl std::fmt::Display for UnknownFlag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.flag)?;
        self.nearest.as_ref().map_or(Ok(()), |nearest| write!(f, " (did you mean {nearest}?)"))
    }
}

/// A flag of the Go controller, klog or controller-runtime that clap does not know.
struct GoFlag {
    /// The name, with the dashes that it is written with.
    flag: &'static str,
    kind: Kind,
}

enum Kind {
    /// A boolean, which has a value only behind `=`; a value in the next word is taken as one all the same.
    Boolean,
    /// A flag with a value.
    Value,
    /// A flag with a value for the key at this path.
    Setting(&'static str, fn(&str) -> Translated),
}

/// The value of a Go flag, in the terms of its key.
enum Translated {
    Value(String),
    /// The value switches something off that stays on here.
    WithoutEffect,
    /// The value is not allowed; the text says what is.
    Refused(&'static str),
}

const fn boolean(flag: &'static str) -> GoFlag {
    GoFlag { flag, kind: Kind::Boolean }
}

const fn value(flag: &'static str) -> GoFlag {
    GoFlag { flag, kind: Kind::Value }
}

const fn setting(flag: &'static str, path: &'static str, translate: fn(&str) -> Translated) -> GoFlag {
    GoFlag { flag, kind: Kind::Setting(path, translate) }
}

const GO_FLAGS: &[GoFlag] = &[
    // The Go controller: all replicas serve at once, the log goes to standard error, and there is no Go profiler.
    boolean("--leader-elect"),
    value("--leader-elect-lease-duration"),
    value("--leader-elect-renew-deadline"),
    value("--leader-elect-retry-period"),
    value("--logdir"),
    value("--pprof-addr"),
    // klog.
    setting("-v", "log.level", verbosity),
    boolean("--add_dir_header"),
    boolean("--alsologtostderr"),
    value("--log_backtrace_at"),
    value("--log_dir"),
    value("--log_file"),
    value("--log_file_max_size"),
    boolean("--logtostderr"),
    boolean("--one_output"),
    boolean("--skip_headers"),
    boolean("--skip_log_headers"),
    value("--stderrthreshold"),
    value("--vmodule"),
    value("--log-flush-frequency"),
    setting("--logging-format", "log.format", log_format),
    // controller-runtime and its scaffold.
    setting("--health-probe-bind-address", "server.readiness_port", port_of_address),
    setting("--health-probe-addr", "server.readiness_port", port_of_address),
    setting("--metrics-bind-address", "server.metrics_addr", address_or_off),
    setting("--zap-log-level", "log.level", zap_level),
    setting("--zap-encoder", "log.format", log_format),
    boolean("--zap-devel"),
    value("--zap-stacktrace-level"),
    value("--zap-time-encoding"),
    boolean("--enable-leader-election"),
    value("--leader-election-id"),
    value("--leader-election-namespace"),
    boolean("--enable-http2"),
    boolean("--metrics-secure"),
    boolean("--enable-webhooks"),
    value("--webhook-port"),
    value("--webhook-cert-dir"),
    value("--master"),
    value("--sync-period"),
];

/// Families of flags with values: whatever a version adds to them means nothing here either.
const GO_FAMILIES: &[&str] = &["--leader-elect-", "--zap-"];

/// The log level for a verbosity of klog; Kubernetes' conventions call 4 the debug level.
fn verbosity(given: &str) -> Translated {
    match given.parse::<i32>() {
        Ok(..=3) => Translated::Value("info".to_owned()),
        Ok(4..=5) => Translated::Value("debug".to_owned()),
        Ok(6..) => Translated::Value("trace".to_owned()),
        Err(_) => Translated::Refused("a whole number: 0 to 3 is info, 4 and 5 debug, 6 and more trace"),
    }
}

fn zap_level(given: &str) -> Translated {
    match given {
        "debug" | "info" | "warn" | "error" => Translated::Value(given.to_owned()),
        "dpanic" | "panic" | "fatal" => Translated::Value("error".to_owned()),
        number => match verbosity(number) {
            Translated::Refused(_) => Translated::Refused("debug, info, warn, error, panic or a whole number"),
            level => level,
        },
    }
}

fn log_format(given: &str) -> Translated {
    match given {
        "json" => Translated::Value("json".to_owned()),
        "console" | "text" => Translated::Value("text".to_owned()),
        _ => Translated::Refused("json, console or text"),
    }
}

/// controller-runtime takes an address `0` as "do not listen".
const OFF: &str = "0";

fn address_or_off(given: &str) -> Translated {
    if given == OFF { Translated::WithoutEffect } else { Translated::Value(given.to_owned()) }
}

/// The port of `:8081` or `0.0.0.0:8081`; readiness is served on the address of the API.
fn port_of_address(given: &str) -> Translated {
    match given.rsplit_once(':').map(|(_, port)| port.parse::<u16>()) {
        _ if given == OFF => Translated::WithoutEffect,
        Some(Ok(port)) => Translated::Value(port.to_string()),
        _ => Translated::Refused("an address with a port, such as :8081"),
    }
}

/// Rewrites `line`, the program's name included, for the command line that `definition` declares.
pub(super) fn rewrite(line: Vec<OsString>, definition: &Command) -> Rewritten {
    let mut words = line.into_iter();
    let rewritten = Rewritten { line: words.next().into_iter().collect(), ..Rewritten::default() };
    let mut rewriter = Rewriter { definition, command: None, words, rewritten };
    rewriter.run();
    rewriter.rewritten
}

struct Rewriter<'a> {
    definition: &'a Command,
    /// The subcommand, once it has been read.
    command: Option<&'a Command>,
    words: IntoIter<OsString>,
    rewritten: Rewritten,
}

/// A flag as it was written: its name without dashes, and the value behind `=`.
struct Written<'w> {
    name: &'w str,
    value: Option<&'w str>,
}

impl<'w> Written<'w> {
    /// The flag that `word` is. `None`: it is none, as a value, a lone `-` and `--` are not.
    fn of(word: &'w OsStr) -> Option<Self> {
        let word = word.to_str()?.strip_prefix('-')?;
        let word = word.strip_prefix('-').unwrap_or(word);
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        (!name.is_empty()).then_some(Self { name, value })
    }
}

impl Rewriter<'_> {
    fn run(&mut self) {
        while let Some(word) = self.words.next() {
            if word == "--" || self.command.is_some_and(|command| command.get_name() == "help") {
                self.rewritten.line.push(word);
                self.rewritten.line.extend(self.words.by_ref());
                return;
            }
            match Written::of(&word) {
                Some(written) => self.flag(&word, &written),
                None => self.bare(word),
            }
        }
    }

    /// A word that is no flag: the subcommand, or something for clap to refuse.
    fn bare(&mut self, word: OsString) {
        if self.is_subcommand(&word) {
            self.command = self.definition.find_subcommand(&word);
        }
        self.rewritten.line.push(word);
    }

    fn flag(&mut self, word: &OsStr, written: &Written<'_>) {
        if let Some(takes_value) = self.clap_flag(written.name) {
            self.clap(word, written, takes_value);
        } else if let Some(known) = go_flag(written.name) {
            self.go(known, written);
        } else if GO_FAMILIES.iter().any(|family| format!("--{}", written.name).starts_with(family)) {
            self.value_of(written);
            self.rewritten.unused.without_effect.push(format!("--{}", written.name));
        } else {
            self.optional_value_of(written);
            self.unknown(word, written);
        }
    }

    /// Passes a flag that clap knows on with two dashes, its value behind `=`.
    fn clap(&mut self, word: &OsStr, written: &Written<'_>, takes_value: bool) {
        if written.name.len() == 1 {
            self.rewritten.line.push(word.to_owned());
            return;
        }
        let mut flag = OsString::from(format!("--{}", written.name));
        let value = if takes_value { self.value_of(written) } else { written.value.map(OsString::from) };
        if written.name == "metrics-addr" && value.as_deref() == Some(OsStr::new(OFF)) {
            self.rewritten.unused.without_effect.push(format!("--{}={OFF}", written.name));
            return;
        }
        if let Some(value) = value {
            flag.push("=");
            flag.push(value);
        }
        self.rewritten.line.push(flag);
    }

    fn go(&mut self, GoFlag { flag, kind }: &'static GoFlag, written: &Written<'_>) {
        match kind {
            Kind::Boolean => drop(self.optional_value_of(written)),
            Kind::Value => drop(self.value_of(written)),
            Kind::Setting(path, translate) => {
                let given = self.value_of(written).map(|value| value.to_string_lossy().into_owned());
                let given = given.unwrap_or_default();
                let value = match translate(given.trim()) {
                    // As for a variable that a template left empty.
                    _ if given.trim().is_empty() => None,
                    Translated::Value(value) => Some(Ok(value)),
                    Translated::Refused(allowed) => Some(Err(format!("{given:?} is not allowed, give {allowed}"))),
                    Translated::WithoutEffect => None,
                };
                if let Some(value) = value {
                    self.rewritten.settings.push(GoSetting { flag, path, value });
                    return;
                }
            }
        }
        self.rewritten.unused.without_effect.push((*flag).to_owned());
    }

    fn unknown(&mut self, word: &OsStr, written: &Written<'_>) {
        let known: Vec<&str> = self
            .clap_arguments()
            .filter_map(clap::Arg::get_long)
            .chain(GO_FLAGS.iter().map(|known| known.flag.trim_start_matches('-')))
            .filter(|name| name.len() > 1)
            .collect();
        let dashes = word.to_string_lossy().chars().take_while(|c| *c == '-').count();
        self.rewritten.unused.unknown.push(UnknownFlag {
            flag: format!("{}{}", "-".repeat(dashes), written.name),
            nearest: nearest(written.name, &known).map(|name| format!("--{name}")),
        });
    }

    /// The value of a flag that has to have one: behind `=`, or the next word, unless that is a flag that is known.
    fn value_of(&mut self, written: &Written<'_>) -> Option<OsString> {
        written.value.map(OsString::from).or_else(|| {
            let next = self.words.as_slice().first()?;
            let is_flag = Written::of(next).is_some_and(|next| self.is_known(next.name)) || next == "--";
            if is_flag { None } else { self.words.next() }
        })
    }

    /// The value of a flag that may have one. Go would end the flags at `--leader-elect false`, since there a boolean
    /// has no value in the next word; the Helm chart writes it so nevertheless.
    fn optional_value_of(&mut self, written: &Written<'_>) -> Option<OsString> {
        written.value.map(OsString::from).or_else(|| {
            let next = self.words.as_slice().first()?;
            let is_value = !next.as_encoded_bytes().starts_with(b"-") && !self.is_subcommand(next);
            if is_value { self.words.next() } else { None }
        })
    }

    fn is_subcommand(&self, word: &OsStr) -> bool {
        self.command.is_none() && (word == "help" || self.definition.find_subcommand(word).is_some())
    }

    fn is_known(&self, name: &str) -> bool {
        self.clap_flag(name).is_some() || go_flag(name).is_some()
    }

    /// True if the flag that clap knows by this name takes a value. `None`: clap does not know it.
    fn clap_flag(&self, name: &str) -> Option<bool> {
        if matches!(name, "help" | "version" | "h" | "V") {
            return Some(false);
        }
        let argument = self.clap_arguments().find(|argument| argument.get_long() == Some(name))?;
        Some(argument.get_action().takes_values())
    }

    fn clap_arguments(&self) -> impl Iterator<Item = &clap::Arg> {
        let own = self.command.into_iter().flat_map(Command::get_arguments);
        self.definition.get_arguments().chain(own)
    }
}

fn go_flag(name: &str) -> Option<&'static GoFlag> {
    GO_FLAGS.iter().find(|known| known.flag.trim_start_matches('-') == name)
}

#[cfg(test)]
mod tests;
