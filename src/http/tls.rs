//! The beginning of a connection: a TLS handshake where there is a certificate, nothing where there is none.
//!
//! A handshake has the same time as the head of a request, and its connection counts as one from its first moment, so
//! that who does not finish it holds nothing for long. Each begins with the certificates that are mounted then.

use crate::credentials::{CertificateFiles, Mounted};
use crate::telemetry::log_limiter::LogLimiter;
use std::io;
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// Anybody can make handshakes fail, and health checks that only connect do so by the second.
const FAILURES_LOGGED: Duration = Duration::from_secs(10);

/// A connection, encrypted or not.
pub(super) type Wire = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Abilities of a connection besides reading and writing.
pub(super) trait Transport {
    /// Has the connection reset when it is closed: what is unsent, which the system would keep for minutes, is dropped.
    fn abort(&self);

    /// The connection itself, if its bytes reach the caller as they are.
    fn plain(&self) -> Option<&TcpStream>;
}

impl Transport for Wire {
    fn abort(&self) {
        let stream = match self {
            Either::Left(plain) => plain,
            Either::Right(encrypted) => encrypted.get_ref().0,
        };
        // A connection that is gone already needs no end.
        let _ = stream.set_zero_linger();
    }

    fn plain(&self) -> Option<&TcpStream> {
        match self {
            Either::Left(plain) => Some(plain),
            Either::Right(_) => None,
        }
    }
}

/// A connection of tests.
#[cfg(test)]
impl Transport for tokio::io::DuplexStream {
    fn abort(&self) {}

    fn plain(&self) -> Option<&TcpStream> {
        None
    }
}

/// Entrance of a new connection, before its first request.
pub(super) struct Entrance {
    certificates: Option<Mounted<CertificateFiles>>,
    patience: Duration,
    failures: LogLimiter,
}

impl Entrance {
    /// With `certificates`, if connections are to be encrypted; `patience` is how long a handshake may take.
    pub(super) fn new(certificates: Option<Mounted<CertificateFiles>>, patience: Duration) -> Self {
        Self { certificates, patience, failures: LogLimiter::every(FAILURES_LOGGED) }
    }

    /// Makes of `stream` what requests are read from.
    ///
    /// # Errors
    /// If the handshake fails or takes too long.
    pub(super) async fn pass(&self, stream: TcpStream) -> io::Result<Wire> {
        let Some(certificates) = &self.certificates else { return Ok(Either::Left(stream)) };
        let peer = stream.peer_addr();
        let handshake = TlsAcceptor::from(certificates.current().await.server()).accept(stream);
        let outcome = timeout(self.patience, handshake).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = &outcome {
            let peer = peer.map_or_else(|_| "a caller".to_owned(), |peer| peer.to_string());
            self.failures.log(|more| log::info!("the TLS handshake of {peer} failed: {error}{more}"));
        }
        outcome.map(|stream| Either::Right(Box::new(stream)))
    }
}
