//! TLS certificates: the controller's own, and the authorities of its callers' if they need one too.
//!
//! TLS 1.2 and 1.3, by rustls with ring. HTTP/1.1 is all that is spoken behind it: what times a connection knows no
//! other. Sessions end with the certificates that they began under: a renewed set resumes none of the one before.

use super::{Contents, Credential, Source};
use crate::syntax::{Fault, Faults};
use jiff::Timestamp;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::Duration;

/// A time after the end of every certificate.
const AT_LAST: UnixTime = UnixTime::since_unix_epoch(Duration::MAX);

/// Certificates of the listener.
pub(crate) struct Certificates {
    server: Arc<ServerConfig>,
    /// `None`: never.
    ends: Option<Timestamp>,
    of_clients: bool,
    warning: Option<String>,
}

impl Certificates {
    /// Configuration for a handshake of rustls.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}

impl Credential for Certificates {
    fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

impl fmt::Display for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ends {
            Some(ends) => write!(f, "valid until {ends}")?,
            None => f.write_str("valid without end")?,
        }
        f.write_str(if self.of_clients { ", callers need one too" } else { "" })
    }
}

/// Files of certificates.
pub(crate) struct CertificateFiles {
    /// The certificate and those that lead to its authority, as PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// The authorities that sign callers' certificates, as PEM. `None`: callers need none.
    pub client_authorities: Option<PathBuf>,
}

impl Source for CertificateFiles {
    type Credential = Certificates;

    const NAME: &'static str = "certificates";

    fn files(&self) -> Vec<&Path> {
        [Some(&self.certificate), Some(&self.key), self.client_authorities.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }

    fn make(&self, contents: &Contents) -> Result<Certificates, Faults> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(contents, &self.certificate);
        let key = private_key(contents, &self.key);
        let verifier = match &self.client_authorities {
            Some(file) => certificates(contents, file).and_then(|found| verifier(file, found, &provider)),
            None => Ok(WebPkiClientVerifier::no_client_auth()),
        };
        let (chain, key, verifier) = match (chain, key, verifier) {
            (Ok(chain), Ok(key), Ok(verifier)) => (chain, key, verifier),
            (chain, key, verifier) => {
                return Err([chain.err(), key.err(), verifier.err()].into_iter().flatten().collect());
            }
        };
        let leaf = chain[0].clone();
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| self.refused(&error))?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let warning = untimely(&leaf, UnixTime::now(), &provider).map(|why| {
            format!("the certificate in {} {why}, so that callers will refuse it", self.certificate.display())
        });
        let warning = warning.or_else(|| contents.loose_permissions());
        Ok(Certificates {
            server: Arc::new(server),
            ends: end(&leaf, &provider),
            of_clients: self.client_authorities.is_some(),
            warning,
        })
    }
}

impl CertificateFiles {
    /// Why certificate and key cannot be used together.
    fn refused(&self, error: &Error) -> Fault {
        match error {
            Error::InconsistentKeys(_) => {
                let problem = format!("is not the key of the certificate in {}", self.certificate.display());
                Fault::of_file(&self.key, problem)
            }
            Error::InvalidCertificate(why) => {
                Fault::of_file(&self.certificate, format!("its first certificate cannot be used: {why}"))
            }
            // What rustls says of a key is left out, whatever it may be.
            _ => Fault::of_file(&self.key, "the key cannot be used: give one for RSA, ECDSA or Ed25519"),
        }
    }
}

/// The certificates in a PEM file, at least one.
fn certificates(contents: &Contents, file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(contents.of(file)?).collect();
    match found {
        Ok(found) if found.is_empty() => Err(Fault::of_file(file, "holds no certificate (PEM)")),
        Ok(found) => Ok(found),
        // Not which line: somebody may have put the key there.
        Err(_) => Err(Fault::of_file(file, "is not sound PEM")),
    }
}

/// The first private key in a PEM file.
fn private_key(contents: &Contents, file: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    PrivateKeyDer::from_pem_slice(contents.of(file)?).map_err(|error| {
        let problem = match error {
            PemError::NoItemsFound => "holds no private key (PEM, not encrypted)",
            _ => "is not sound PEM",
        };
        Fault::of_file(file, problem)
    })
}

/// Lets in who has a certificate of one of these authorities.
fn verifier(
    file: &Path,
    authorities: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Fault> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots
            .add(authority)
            .map_err(|why| Fault::of_file(file, format!("one of its certificates cannot be used: {why}")))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|why| Fault::of_file(file, why))
}

/// Why a certificate is not valid at a time, as far as that depends on the time.
fn untimely(leaf: &CertificateDer<'_>, at: UnixTime, provider: &CryptoProvider) -> Option<String> {
    match verified(leaf, at, provider) {
        Some(CertificateError::ExpiredContext { not_after, .. }) => {
            Some(timestamp(not_after).map_or("has expired".to_owned(), |ended| format!("has expired on {ended}")))
        }
        Some(CertificateError::NotValidYetContext { .. }) => Some("is not valid yet".to_owned()),
        _ => None,
    }
}

/// Until when a certificate is valid, as far as anybody can say.
fn end(leaf: &CertificateDer<'_>, provider: &CryptoProvider) -> Option<Timestamp> {
    match verified(leaf, AT_LAST, provider) {
        Some(CertificateError::ExpiredContext { not_after, .. }) => timestamp(not_after),
        _ => None,
    }
}

/// Verdict of rustls on a certificate at a time. It checks the time first, so that it need know no authority.
fn verified(leaf: &CertificateDer<'_>, at: UnixTime, provider: &CryptoProvider) -> Option<CertificateError> {
    let algorithms = provider.signature_verification_algorithms.all;
    let leaf = ParsedCertificate::try_from(leaf).ok()?;
    match verify_server_cert_signed_by_trust_anchor(&leaf, &RootCertStore::empty(), &[], at, algorithms) {
        Err(Error::InvalidCertificate(why)) => Some(why),
        _ => None,
    }
}

/// `None` for the time that means "never" (RFC 5280, section 4.1.2.5).
fn timestamp(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{Files, Mounted};
    use crate::reload::Metrics;
    use crate::telemetry::metrics::Registry;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use std::fs;
    use tempfile::TempDir;

    /// A folder with a certificate that is valid from one year to another, and its key.
    struct Folder(TempDir);

    impl Folder {
        fn of(years: [i32; 2]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
            folder.write("tls.crt", &params.self_signed(&key).unwrap().pem());
            folder.write("tls.key", &key.serialize_pem());
            folder
        }

        fn write(&self, file: &str, text: &str) {
            fs::write(self.0.path().join(file), text).unwrap();
        }

        fn open(&self, client_authorities: Option<&str>) -> Result<Arc<Certificates>, String> {
            let path = |file| self.0.path().join(file);
            let source = CertificateFiles {
                certificate: path("tls.crt"),
                key: path("tls.key"),
                client_authorities: client_authorities.map(path),
            };
            let folder = format!("{}/", self.0.path().display());
            let mounted = Mounted::open(Files::new(source, Metrics::new(&Registry::new())));
            mounted.map(|mounted| mounted.last()).map_err(|faults| faults.to_string().replace(&folder, ""))
        }

        #[track_caller]
        fn certificates(&self, client_authorities: Option<&str>) -> Arc<Certificates> {
            self.open(client_authorities).unwrap_or_else(|faults| panic!("{faults}"))
        }

        #[track_caller]
        fn faults(&self, client_authorities: Option<&str>) -> String {
            self.open(client_authorities).err().expect("there should be a fault")
        }
    }

    #[test]
    fn certificates_in_force_are_displayed_with_their_end() {
        let folder = Folder::of([2020, 2999]);
        let certificates = folder.certificates(None);
        assert_eq!(certificates.to_string(), "valid until 2999-01-01T00:00:00Z");
        assert_eq!(certificates.warning(), None);
        let with_clients = folder.certificates(Some("tls.crt"));
        assert_eq!(with_clients.to_string(), "valid until 2999-01-01T00:00:00Z, callers need one too");
    }

    #[test]
    fn a_certificate_out_of_its_time_is_used_with_a_warning() {
        for (years, why) in [([2001, 2002], "has expired on 2002-01-01T00:00:00Z"), ([2998, 2999], "is not valid yet")]
        {
            let certificates = Folder::of(years).certificates(None);
            let warning = certificates.warning().expect("a warning");
            assert!(warning.contains("tls.crt") && warning.contains(why), "{warning}");
        }
    }

    #[test]
    fn all_faults_are_said_at_once_and_a_key_is_never_repeated() {
        let folder = Folder::of([2020, 2999]);
        let key = fs::read_to_string(folder.0.path().join("tls.key")).unwrap();
        folder.write("tls.crt", &key);
        folder.write("tls.key", &key.replace("-----END", "-----AND"));
        let faults = folder.faults(Some("none.crt"));
        let lines: Vec<_> = faults.lines().collect();
        assert_eq!(lines[..2], ["tls.crt: holds no certificate (PEM)", "tls.key: is not sound PEM"]);
        assert!(lines[2].starts_with("none.crt: cannot be read: ") && lines.len() == 3, "{faults}");
        assert!(!key.lines().filter(|line| !line.starts_with("--")).any(|line| faults.contains(line)), "{faults}");
    }

    #[test]
    fn a_key_of_another_certificate_or_of_no_use_is_named() {
        let folder = Folder::of([2020, 2999]);
        folder.write("tls.key", &KeyPair::generate().unwrap().serialize_pem());
        assert_eq!(folder.faults(None), "tls.key: is not the key of the certificate in tls.crt");
        folder.write("tls.key", "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n");
        assert_eq!(folder.faults(None), "tls.key: the key cannot be used: give one for RSA, ECDSA or Ed25519");
        folder.write("tls.key", "");
        assert_eq!(folder.faults(None), "tls.key: holds no private key (PEM, not encrypted)");
        let folder = Folder::of([2020, 2999]);
        folder.write("tls.crt", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
        assert!(folder.faults(None).starts_with("tls.crt: its first certificate cannot be used: "));
        let authorities = folder.faults(Some("tls.crt"));
        assert!(authorities.starts_with("tls.crt: one of its certificates cannot be used: "), "{authorities}");
    }
}
