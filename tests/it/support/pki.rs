//! Certificates for tests, and a client that speaks HTTP by TLS.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::replica::PATIENCE;

/// Certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Pair {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of `localhost`, for servers and for callers.
    pub(crate) fn issue(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        Pair { certificate: params.signed_by(&key, &self.0).unwrap(), key }
    }
}

impl Pair {
    pub(crate) fn certificate(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn key(&self) -> String {
        self.key.serialize_pem()
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }
}

/// A connection by TLS.
pub(crate) struct Https(TlsStream<TcpStream>);

impl Https {
    /// Connects as somebody who trusts `authority`, with a certificate of its own if there is one.
    pub(crate) async fn connect(addr: SocketAddr, authority: &Authority, own: Option<&Pair>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            Some(Pair { certificate, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                config.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(addr).await?;
        let name = ServerName::try_from("localhost").unwrap();
        timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap().map(Self)
    }

    /// The certificate of the other side.
    pub(crate) fn peer(&self) -> &CertificateDer<'static> {
        &self.0.get_ref().1.peer_certificates().unwrap()[0]
    }

    /// Protocol behind it.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.0.get_ref().1.alpn_protocol()
    }

    /// Asks, and reads the whole answer, which ends with its envelope.
    pub(crate) async fn get(&mut self, path: &str) -> io::Result<String> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.0.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        while !answer.ends_with('}') {
            let mut some = [0; 4096];
            let read = timeout(PATIENCE, self.0.read(&mut some)).await.expect("an answer")?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.push_str(std::str::from_utf8(&some[..read]).unwrap());
        }
        Ok(answer)
    }
}
