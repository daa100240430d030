//! The `controller` binary: arguments, logger, signals, exit codes.

use aenv_controller::app::doctor::Severity;
use aenv_controller::app::reload::Tuner;
#[cfg(feature = "sandbox")]
use aenv_controller::app::sandbox::Sandbox;
use aenv_controller::app::sweep::Sweeping;
use aenv_controller::app::{self, Running, StartError};
use aenv_controller::config::cli::{self, Cli, Command, EXIT_USAGE, UnusedFlags};
use aenv_controller::config::{Reloader, Settings, environment};
#[cfg(feature = "sandbox")]
use aenv_controller::sandbox::Options;
use aenv_controller::telemetry::logger::Logger;
use log::LevelFilter;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(feature = "sandbox")]
use tokio::time::Duration;

/// The log level of commands that print a report: only what their report does not tell.
const REPORT_LOG: LevelFilter = LevelFilter::Warn;

/// The exit codes of commands that print a report, besides 0.
const EXIT_WRONG: u8 = 1;
const EXIT_WARNINGS: u8 = 2;

/// The exit code for a start that failed for another reason than its settings.
const EXIT_FAILED_START: u8 = 1;

fn main() -> ExitCode {
    let cli = match Cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell if the terminal is gone.
            let _unprinted = error.print();
            return ExitCode::from(cli::exit_code(&error));
        }
    };
    let settings = match Settings::load(&cli.flags, environment()) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("The settings are refused:\n{faults}");
            if cli.command == Command::CheckConfig {
                refuse_unknown(&cli.unused);
            }
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if cli.command == Command::CheckConfig {
        return check_config(&settings, &cli.unused);
    }
    let rust_log = std::env::var("RUST_LOG").ok().filter(|words| !words.trim().is_empty());
    let reports = matches!(cli.command, Command::Doctor | Command::Sweep(_));
    let level = if reports { &REPORT_LOG.into() } else { &settings.log.level };
    let logger = Logger::install(level, settings.log.format, rust_log.as_deref());
    for warning in cli.unused.warnings() {
        log::warn!("{warning}");
    }
    let tuner = Tuner::new(Reloader::new(cli.flags, settings.clone()), logger);
    let code = match run(cli.command, &settings, tuner) {
        Ok(code) => code,
        Err(error) => {
            log::error!("❌ {error}");
            let refused = matches!(error.downcast_ref(), Some(StartError::Templates(_) | StartError::Credentials(_)));
            ExitCode::from(if refused { EXIT_USAGE } else { EXIT_FAILED_START })
        }
    };
    log::logger().flush();
    code
}

/// Prints the effective settings, which have been checked, and checks the flags and the files that they name.
fn check_config(settings: &Settings, unused: &UnusedFlags) -> ExitCode {
    if io::stdout().write_all(settings.render().as_bytes()).is_err() {
        return ExitCode::from(EXIT_FAILED_START);
    }
    let warn = |warnings: Vec<String>| warnings.iter().for_each(|warning| eprintln!("Warning: {warning}"));
    let mut accepted = refuse_unknown(unused);
    warn(UnusedFlags { unknown: Vec::new(), ..unused.clone() }.warnings());
    match app::check_templates(settings) {
        Ok(warnings) => warn(warnings),
        Err(faults) => {
            accepted = false;
            eprintln!("The templates are refused:\n{faults}");
        }
    }
    match app::check_credentials(settings) {
        Ok(warnings) => warn(warnings),
        Err(faults) => {
            accepted = false;
            eprintln!("The tokens or certificates are refused:\n{faults}");
        }
    }
    if accepted { ExitCode::SUCCESS } else { ExitCode::from(EXIT_USAGE) }
}

/// Names the unknown flags, which only `check-config` refuses, and tells whether there are none.
fn refuse_unknown(unused: &UnusedFlags) -> bool {
    unused.unknown.iter().for_each(|flag| eprintln!("unknown flag {flag}"));
    unused.unknown.is_empty()
}

fn run(command: Command, settings: &Settings, tuner: Tuner) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve | Command::CheckConfig => serve(settings, tuner).await.map(|()| ExitCode::SUCCESS),
            Command::Doctor => examine(settings).await,
            Command::Sweep(asked) => sweep(&asked, settings).await,
            #[cfg(feature = "sandbox")]
            Command::Sandbox(sandbox) => serve_sandbox(&sandbox, settings, tuner).await.map(|()| ExitCode::SUCCESS),
        }
    });
    // What is still under way is no reason to stay, and ends all at once with the process: were the fetches ended
    // first, the requests that wait for them would be answered with a 500 in their last moment.
    std::mem::forget(runtime);
    outcome
}

async fn serve(settings: &Settings, tuner: Tuner) -> Result<(), Box<dyn std::error::Error>> {
    let mut signals = Signals::listen()?;
    let cluster = app::find_cluster(settings).await?;
    let running = app::start(settings, cluster, None)?;
    let end = tokio::select! {
        end = signals.tune(tuner, &running) => end,
        () = running.worker_crashed() => return Err("a worker of the API has crashed".into()),
    };
    let leave = async {
        if end == TERMINATE {
            running.retire().await;
        }
        running.stop().await;
    };
    signals.drain(leave).await;
    Ok(())
}

async fn examine(settings: &Settings) -> Result<ExitCode, Box<dyn std::error::Error>> {
    Ok(match app::doctor::examine(settings, &mut io::stdout()).await? {
        Severity::Fine | Severity::Note => ExitCode::SUCCESS,
        Severity::Warning => ExitCode::from(EXIT_WARNINGS),
        Severity::Wrong => ExitCode::from(EXIT_WRONG),
    })
}

async fn sweep(asked: &cli::Sweep, settings: &Settings) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let cli::Sweep { dry_run, finished_after, incomplete_after } = *asked;
    let sweeping = Sweeping { finished_after, incomplete_after, dry_run };
    let clean = app::sweep::sweep(settings, sweeping, &mut io::stdout()).await?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(EXIT_WRONG) })
}

#[cfg(feature = "sandbox")]
async fn serve_sandbox(
    asked: &cli::Sandbox,
    settings: &Settings,
    tuner: Tuner,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut signals = Signals::listen()?;
    let options = Options {
        services: asked.services.into(),
        pods: asked.pods.into(),
        qps: asked.api_qps,
        latency: Duration::from_millis(asked.api_latency_ms),
        port: asked.api_port,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options, settings).await?;
    io::stdout().write_all(sandbox.to_string().as_bytes())?;
    signals.tune(tuner, sandbox.running()).await;
    signals.drain(sandbox.stop()).await;
    Ok(())
}

/// The signals that the process knows.
struct Signals {
    end: Ends,
    hangup: Signal,
}

/// Signal by which the system asks a process to end, other than a person at a terminal.
const TERMINATE: &str = "SIGTERM";

/// Those that end it.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    on_terminal: bool,
}

impl Ends {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => TERMINATE,
            _ = self.interrupt.recv() => "SIGINT",
            () = terminal_closed(&mut self.hangup, self.on_terminal) => "the terminal is closed",
        }
    }
}

/// SIGHUP says two things: read the settings again, as daemons take it, and, what it was made for, that the terminal is
/// gone. A sandbox that somebody tried out should not outlive its window.
async fn terminal_closed(hangup: &mut Signal, on_terminal: bool) {
    loop {
        hangup.recv().await;
        if on_terminal && !io::stderr().is_terminal() {
            return;
        }
    }
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let end = Ends {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            on_terminal: io::stderr().is_terminal(),
        };
        Ok(Self { end, hangup: signal(SignalKind::hangup())? })
    }

    /// Keeps `running` up to date with its settings until the first signal to end, which it names.
    async fn tune(&mut self, mut tuner: Tuner, running: &Running) -> &'static str {
        let first = tokio::select! {
            first = self.end.next() => first,
            never = tuner.run(running, &mut self.hangup) => never,
        };
        log::info!("{first}: not ready any more, draining; a second signal ends at once");
        first
    }

    /// Waits for `stop`; another signal to end ends it at once.
    async fn drain(mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => log::info!("drained"),
            second = self.end.next() => log::warn!("{second}: ending at once"),
        }
    }
}
