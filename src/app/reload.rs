//! Reload of the settings of a running controller: reads them again when their file changes and on SIGHUP,
//! applies the live ones and logs the outcome.

use super::Running;
use super::assembly::announce_rate;
use crate::config::{Change, Reloaded, Reloader, environment};
use crate::reload::{Outcome, Watch};
use crate::telemetry::logger::Logger;
use log::Level;
use std::future::pending;
use tokio::signal::unix::Signal;

/// Tuner: reads the settings again and applies them, also to the logger.
pub struct Tuner {
    reloader: Reloader,
    logger: Logger,
}

impl Tuner {
    /// A tuner for whoever runs with the settings of `reloader`.
    pub fn new(reloader: Reloader, logger: Logger) -> Self {
        Self { reloader, logger }
    }

    /// Reads the settings again whenever their file may have changed, and on each of `hangups`; for ever.
    pub async fn run(&mut self, running: &Running, hangups: &mut Signal) -> ! {
        let mut watch = None;
        let mut warned = false;
        let mut asked = false;
        loop {
            // Before the settings are read, so that no change is missed; the first time too, since there may have been
            // one after they were read to start with. The watch before is given up only now.
            watch = match Watch::new(self.reloader.file()) {
                Ok(new) => Some(new),
                Err(_) if warned => watch,
                Err(error) => {
                    warned = true;
                    let file = self.reloader.file().display();
                    log::warn!("cannot watch {file}, changes of it are read on SIGHUP: {error}");
                    watch
                }
            };
            self.reload(running, asked);
            asked = tokio::select! {
                () = changed(watch.as_ref()) => false,
                _ = hangups.recv() => true,
            };
        }
    }

    /// Reads the settings again; `asked`: somebody wants to know of it, whatever comes of it.
    fn reload(&mut self, running: &Running, asked: bool) {
        let aside = if asked { Level::Info } else { Level::Debug };
        let outcome = match self.reloader.reload(environment()) {
            Reloaded::Unchanged => {
                log::log!(aside, "the settings are unchanged");
                Outcome::Unchanged
            }
            Reloaded::Changed { live, restart } => {
                if !restart.is_empty() {
                    let keys: Vec<_> = restart.iter().map(|change| change.key).collect();
                    log::warn!("changed and needs a restart: {}", keys.join(", "));
                }
                if live.is_empty() {
                    log::info!("the settings are in order, and nothing that can be changed now is different");
                    Outcome::Unchanged
                } else {
                    self.apply(running, &live);
                    Outcome::Applied
                }
            }
            Reloaded::Refused(faults) => {
                log::error!("the settings have changed, but are refused; the last good ones stay:\n{faults}");
                Outcome::Refused
            }
            Reloaded::StillRefused => {
                log::log!(aside, "the settings are still refused, for the same faults; the last good ones stay");
                Outcome::Refused
            }
        };
        running.reloads.settings.inc(outcome);
    }

    fn apply(&self, running: &Running, live: &[Change]) {
        let settings = self.reloader.running();
        running.retune(settings);
        let level_stays = !self.logger.set(&settings.log.level);
        let changes: Vec<_> = live.iter().map(Change::to_string).collect();
        log::info!("settings changed: {}", changes.join(", "));
        let changed = |keys: &[&str]| live.iter().any(|change| keys.contains(&change.key));
        if changed(&["throttle.qps", "throttle.burst", "throttle.unlimited"]) {
            announce_rate(&settings.throttle);
        }
        if level_stays && changed(&["log.level"]) {
            log::warn!("log.level has no effect while RUST_LOG is set");
        }
    }
}

async fn changed(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => pending().await,
    }
}
