//! Credentials of the API's port: bearer tokens ([`Tokens`]) and TLS certificates ([`Certificates`]).
//!
//! Both come from files that somebody else mounts and renews, usually Secrets. [`Mounted`] reads them again when they
//! change and keeps the last good ones. Nothing that is secret leaves this module: faults name files and lines, but
//! never their contents.

mod certificates;
mod mounted;
mod tokens;

pub use certificates::{CertificateFiles, Certificates};
pub use mounted::{Contents, Credential, Files, Mounted, Source};
pub use tokens::{Caller, Scope, Tokens, TokensFile};

/// A SHA-256, by which secrets are compared and kept.
type Hash = [u8; 32];

fn hash(bytes: &[u8]) -> Hash {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
