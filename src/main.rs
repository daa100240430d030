//! The `controller` binary: arguments, logger, signals, exit codes.

#[cfg(feature = "sandbox")]
use aenv_controller::app::sandbox::Sandbox;
use aenv_controller::app::{self, StartError};
use aenv_controller::cli::{self, Cli, Command, EXIT_USAGE};
use aenv_controller::doctor::report::Severity;
#[cfg(feature = "sandbox")]
use aenv_controller::sandbox::Options;
use aenv_controller::settings::{Settings, environment};
use std::io::{self, Write};
use std::process::ExitCode;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(feature = "sandbox")]
use tokio::time::Duration;

/// What is logged unless `RUST_LOG` says otherwise. kube logs whole bodies when they cannot be decoded; what matters
/// of that is logged at our own edge. actix tells of each listener what our own lines tell already.
const DEFAULT_LOG: &str = "info,actix_server=warn,kube_client=off";

/// What is logged while the doctor reports: that it reads templates and settings is part of its report.
const DOCTOR_LOG: &str = "warn,kube_client=off";

/// The exit codes of the doctor, besides 0.
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
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if matches!(cli.command, Command::CheckConfig) {
        return check_config(&settings);
    }
    let log = if cli.command == Command::Doctor { DOCTOR_LOG } else { DEFAULT_LOG };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(log)).init();
    let without_effect = cli.flags.without_effect();
    if !without_effect.is_empty() {
        log::info!("accepted without effect: {}", without_effect.join(", "));
    }
    match run(cli.command, &settings) {
        Ok(code) => code,
        Err(error) => {
            log::error!("❌ {error}");
            let refused = matches!(error.downcast_ref(), Some(StartError::Templates(_)));
            ExitCode::from(if refused { EXIT_USAGE } else { EXIT_FAILED_START })
        }
    }
}

/// Prints the effective settings, which have been checked, and checks the templates that they name.
fn check_config(settings: &Settings) -> ExitCode {
    if io::stdout().write_all(settings.render().as_bytes()).is_err() {
        return ExitCode::from(EXIT_FAILED_START);
    }
    match app::check_templates(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            eprintln!("The templates are refused:\n{faults}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run(command: Command, settings: &Settings) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve | Command::CheckConfig => serve(settings).await.map(|()| ExitCode::SUCCESS),
            Command::Doctor => examine(settings).await,
            #[cfg(feature = "sandbox")]
            Command::Sandbox(sandbox) => serve_sandbox(&sandbox, settings).await.map(|()| ExitCode::SUCCESS),
        }
    });
    // What is still under way is no reason to stay, and ends all at once with the process: were the fetches ended
    // first, the requests that wait for them would be answered with a 500 in their last moment.
    std::mem::forget(runtime);
    outcome
}

async fn serve(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let signals = Signals::listen()?;
    let cluster = app::find_cluster(settings).await?;
    let running = app::start(settings, cluster, None)?;
    signals.drain(running.stop()).await;
    Ok(())
}

async fn examine(settings: &Settings) -> Result<ExitCode, Box<dyn std::error::Error>> {
    Ok(match app::doctor::examine(settings, &mut io::stdout()).await? {
        Severity::Fine | Severity::Note => ExitCode::SUCCESS,
        Severity::Warning => ExitCode::from(EXIT_WARNINGS),
        Severity::Wrong => ExitCode::from(EXIT_WRONG),
    })
}

#[cfg(feature = "sandbox")]
async fn serve_sandbox(asked: &cli::Sandbox, settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let signals = Signals::listen()?;
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
    signals.drain(sandbox.stop()).await;
    Ok(())
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Waits for the first signal, then for `stop`; a second signal ends it at once.
    async fn drain(mut self, stop: impl Future<Output = ()>) {
        let first = self.next().await;
        log::info!("{first}: not ready any more, draining; a second signal ends at once");
        tokio::select! {
            () = stop => log::info!("drained"),
            second = self.next() => log::warn!("{second}: ending at once"),
        }
    }
}
