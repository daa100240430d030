//! `controller sweep`: one clean-up of what has expired, is finished, or was left half made; for a CronJob.

use super::client::{client, connect};
use super::error::StartError;
use super::find_cluster;
use super::namespace::Namespace;
use super::tuning::Tuning;
use crate::aenv::instances::{Sweep, Take, sweep_instances};
use crate::aenv::services::sweep_incomplete_services;
use crate::aenv::sweep::{Swept, announce_to_nobody};
use crate::aenv::templates::Templates;
use crate::call::Call;
use crate::cluster;
use crate::config::Settings;
use crate::syntax::ListFilter;
use crate::telemetry::metrics::Registry;
use crate::throttle;
use std::io::{self, Write};
use std::sync::Arc;
use tokio::time::{Duration, Instant};

/// The longest that a sweep takes: some thousand deletes at the default rate. A CronJob goes on with its next run.
const LONGEST: Duration = Duration::from_secs(600);

/// The things that a sweep removes, besides instances whose time to live has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweeping {
    /// Instances without a time to live, once they have been finished for so long. `None`: they stay.
    pub finished_after: Option<Duration>,
    /// Services whose create has not been completed for so long. `None`: they stay.
    pub incomplete_after: Option<Duration>,
    /// Tell what would be removed, and remove nothing.
    pub dry_run: bool,
}

/// Sweeps once, and writes a line for each object to `out`. True if nothing is left that should be gone.
///
/// # Errors
/// [`StartError`] if there is no cluster to sweep, if a list could not be had in full, and if `out` cannot be written.
pub async fn sweep(settings: &Settings, sweeping: Sweeping, out: &mut dyn Write) -> Result<bool, StartError> {
    let templates = Templates::load(Some(&settings.templates.dir)).map_err(StartError::Templates)?;
    let located = find_cluster(settings).await?;
    let registry = Registry::new();
    let tuning = Tuning::new(settings, throttle::Metrics::new(&registry));
    let Namespace { name: namespace, warning, .. } = Namespace::choose(settings, &templates);
    warning.into_iter().for_each(|warning| log::warn!("{warning}"));
    let wire = connect(settings, located)?;
    let cluster = Arc::new(client(settings, wire, &namespace, &tuning, cluster::Metrics::new(&registry)));
    let call = Call::until(Instant::now() + LONGEST);
    let Sweeping { finished_after, incomplete_after, dry_run } = sweeping;

    let instances = Sweep { filter: ListFilter::default(), take: Take::Expired { finished_after }, dry_run };
    let mut outcomes = vec![("instance", sweep_instances(&cluster, instances, &announce_to_nobody(), &call).await)];
    if let Some(older_than) = incomplete_after {
        outcomes.push(("service", sweep_incomplete_services(&cluster, older_than, dry_run, &call).await));
    }
    let mut clean = true;
    let (mut removed, mut kept) = (0, 0);
    for (kind, outcome) in outcomes {
        match outcome {
            Ok(swept) => {
                (removed, kept) = (removed + swept.removed.len(), kept + swept.failed.len());
                print(kind, &swept, out).map_err(StartError::Report)?;
            }
            Err(failed) => {
                clean = false;
                writeln!(out, "{kind}s: {failed}").map_err(StartError::Report)?;
            }
        }
    }
    let done = if dry_run { "to be removed (dry run)" } else { "removed" };
    writeln!(out, "{removed} {done}, {kept} failed").map_err(StartError::Report)?;
    Ok(clean && kept == 0)
}

fn print(kind: &str, swept: &Swept, out: &mut dyn Write) -> io::Result<()> {
    for removed in &swept.removed {
        writeln!(out, "{kind} {} {}", removed.id, removed.reason)?;
    }
    for kept in &swept.failed {
        writeln!(out, "{kind} {} failed: {}", kept.id, kept.message)?;
    }
    Ok(())
}
