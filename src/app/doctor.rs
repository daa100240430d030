//! `controller doctor`: the cluster as the settings mean it, examined instead of served.

use super::client::{client, connect};
use super::error::StartError;
use super::namespace::Namespace;
use super::tuning::{Tuning, throttle_limits};
use super::{check_credentials, find_cluster};
use crate::aenv::templates::Templates;
use crate::cluster::Paging;
use crate::config::Settings;
pub use crate::doctor::report::Severity;
use crate::doctor::report::{Finding, Report};
use crate::doctor::{self, Patient};
use crate::telemetry::metrics::Registry;
use crate::{cluster, throttle};
use std::io::{self, Write};

/// Examines what `settings` mean and writes a line for each step to `out`. Tells how bad the worst of it is.
///
/// # Errors
/// Templates, tokens or certificates that are refused, and a report that cannot be written. All else that is wrong is told in the report.
pub async fn examine(settings: &Settings, out: &mut dyn Write) -> Result<Severity, StartError> {
    let templates =
        Templates::load(Some(&settings.templates.dir)).and_then(Templates::if_sound).map_err(StartError::Templates)?;
    check_credentials(settings).map_err(StartError::Credentials)?;
    let mut report = Report::new(out);
    examine_with(settings, &templates, &mut report).await.map_err(StartError::Report)?;
    report.close().map_err(StartError::Report)
}

async fn examine_with(settings: &Settings, templates: &Templates, report: &mut Report<'_>) -> io::Result<()> {
    let Namespace { name: namespace, named_by, warning } = Namespace::choose(settings, templates);
    let namespace = &*namespace;
    let warnings =
        warning.map(|warning| Finding::warning(warning, "Give both the same name, or leave --namespace out."));
    let text = format!("accepted; namespace {namespace} ({named_by})");
    report.step("settings", &text, warnings.into_iter().collect())?;
    let located = match find_cluster(settings).await {
        Ok(located) => located,
        Err(error) => {
            let finding = Finding::wrong(error.to_string(), "Name one with --kubeconfig or kubernetes.kubeconfig.");
            return report.step("cluster", "none that can be used", vec![finding]);
        }
    };
    let (address, source) = (located.config.cluster_url.to_string(), located.source.clone());
    let registry = Registry::new();
    let tuning = Tuning::new(settings, throttle::Metrics::new(&registry));
    let wire = match connect(settings, located) {
        Ok(wire) => wire,
        Err(error) => {
            let finding = Finding::wrong(error.to_string(), "Mend the credentials or certificates that it names.");
            return report.step("cluster", &format!("{address} from {source}"), vec![finding]);
        }
    };
    let cluster = client(settings, wire, namespace, &tuning, cluster::Metrics::new(&registry));
    report.line(Severity::Fine, "cluster", &format!("{address} from {source}"))?;
    doctor::examine(&patient(settings, namespace, address, &tuning), &cluster, report).await
}

fn patient(settings: &Settings, namespace: &str, address: String, tuning: &Tuning) -> Patient {
    let Paging { page_size, plan, .. } = tuning.paging.get();
    Patient {
        address,
        page_size: page_size.get(),
        list_plan: plan,
        request_deadline: settings.server.request_deadline,
        connect_timeout: settings.kubernetes.connect_timeout,
        read_timeout: settings.kubernetes.read_timeout,
        list_ttl: settings.memo.list_ttl,
        rate: throttle_limits(&settings.throttle).rate,
        namespace: namespace.to_owned(),
    }
}
