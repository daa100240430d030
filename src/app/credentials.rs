//! Credentials of the API's port, opened as the settings say.

use crate::config::Settings;
use crate::credentials::{CertificateFiles, Credential, Files, Mounted, Source, TokensFile};
use crate::reload::Metrics;
use crate::syntax::{Fault, Faults};
use crate::telemetry::metrics::Registry;
use std::path::PathBuf;

/// Tokens and certificates, each `None` if nobody asks for it.
pub(super) struct Credentials {
    pub(super) tokens: Option<Mounted<TokensFile>>,
    pub(super) certificates: Option<Mounted<CertificateFiles>>,
}

impl Credentials {
    /// Reads what `settings` name.
    pub(super) fn open(settings: &Settings, metrics: &Metrics) -> Result<Self, Faults> {
        let mut faults = disagreements(settings);
        let tokens = settings.auth.tokens_file.clone().map(TokensFile::new);
        let opened = Self {
            tokens: tokens.and_then(|source| open(source, metrics, &mut faults)),
            certificates: certificate_files(settings).and_then(|source| open(source, metrics, &mut faults)),
        };
        faults.none_or(opened)
    }

    /// Says what is in force.
    pub(super) fn announce(&self) {
        if let Some(tokens) = &self.tokens {
            log::info!("🔑 Callers need a token: {}", tokens.last());
        }
        if let Some(certificates) = &self.certificates {
            log::info!("🔒 TLS with a certificate, {}", certificates.last());
        }
        for warning in self.warnings() {
            log::warn!("{warning}");
        }
    }

    fn warnings(&self) -> Vec<String> {
        let warning = |credential: &dyn Credential| credential.warning().map(str::to_owned);
        let tokens = self.tokens.as_ref().and_then(|tokens| warning(&*tokens.last()));
        let certificates = self.certificates.as_ref().and_then(|certificates| warning(&*certificates.last()));
        tokens.into_iter().chain(certificates).collect()
    }
}

/// Reads the tokens and certificates that `settings` name, to see whether they can be used. What somebody should know
/// though they can is given back.
pub fn check_credentials(settings: &Settings) -> Result<Vec<String>, Faults> {
    Credentials::open(settings, &Metrics::new(&Registry::new())).map(|opened| opened.warnings())
}

fn open<S: Source>(source: S, metrics: &Metrics, faults: &mut Faults) -> Option<Mounted<S>> {
    match Mounted::open(Files::new(source, metrics.clone())) {
        Ok(mounted) => Some(mounted),
        Err(wrong) => {
            faults.append(wrong);
            None
        }
    }
}

fn certificate_files(settings: &Settings) -> Option<CertificateFiles> {
    let tls = &settings.tls;
    let (certificate, key) = tls.cert_file.clone().zip(tls.key_file.clone())?;
    Some(CertificateFiles { certificate, key, client_authorities: tls.client_ca_file.clone() })
}

/// Settings that mean nothing without others. Taken as if they were not there, they would leave open what somebody
/// wanted shut.
fn disagreements(Settings { auth, tls, .. }: &Settings) -> Faults {
    let given = |file: &Option<PathBuf>| file.is_some();
    [
        (auth.metrics && !given(&auth.tokens_file), "auth.metrics", "is true, so auth.tokens_file is needed"),
        (given(&tls.cert_file) && !given(&tls.key_file), "tls.cert_file", "is given, so tls.key_file is needed"),
        (given(&tls.key_file) && !given(&tls.cert_file), "tls.key_file", "is given, so tls.cert_file is needed"),
        (
            given(&tls.client_ca_file) && !(given(&tls.cert_file) || given(&tls.key_file)),
            "tls.client_ca_file",
            "is given, so tls.cert_file and tls.key_file are needed",
        ),
    ]
    .into_iter()
    .filter(|(fault, ..)| *fault)
    .map(|(_, key, problem)| Fault::at(key, problem))
    .collect()
}
