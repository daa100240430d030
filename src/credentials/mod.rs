//! Credentials of the API's port: bearer tokens ([`Tokens`]) and TLS certificates ([`CertificateFiles`]).
//!
//! Both come from files that somebody else mounts and renews, usually Secrets. [`Mounted`] reads them again when they
//! change and keeps the last good ones. Nothing that is secret leaves this module: faults name files and lines, but
//! never their contents.

mod certificates;
mod mounted;
mod tokens;

pub(crate) use certificates::CertificateFiles;
pub(crate) use mounted::{Contents, Credential, Files, Mounted, Source};
pub(crate) use tokens::{Caller, Scope, Tokens, TokensFile};

/// A SHA-256, by which secrets are compared and kept.
type Hash = [u8; 32];

fn hash(bytes: &[u8]) -> Hash {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
