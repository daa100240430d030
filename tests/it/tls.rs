//! The API's port by TLS: certificates that are renewed, callers that need one, handshakes that do not come.

use crate::support::controller::Controller;
use crate::support::pki::{Authority, Https, Pair};
use crate::support::replica::{PATIENCE, run, set, until};
use crate::support::secret::Secret;
use crate::support::{Cluster, sandboxed};
use aenv_controller::sandbox::ApiServer;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::fs;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A Secret with a certificate of the authority and the authority itself.
fn secret_of(authority: &Authority, pair: &Pair) -> Secret {
    Secret::of(&[("tls.crt", &pair.certificate()), ("tls.key", &pair.key()), ("ca.crt", &authority.pem())])
}

struct Scene {
    authority: Authority,
    pair: Pair,
    secret: Secret,
    controller: Controller,
    _server: ApiServer,
    _cluster: Cluster,
}

impl Scene {
    async fn start(keys: &[(&str, &str)]) -> Self {
        Self::with(|_| Vec::new(), keys).await
    }

    async fn with(more: impl FnOnce(&Secret) -> Vec<(&'static str, String)>, keys: &[(&str, &str)]) -> Self {
        let (server, cluster) = sandboxed::start().await;
        let authority = Authority::new();
        let pair = authority.issue();
        let secret = secret_of(&authority, &pair);
        let mut files = vec![("tls.cert_file", secret.path("tls.crt")), ("tls.key_file", secret.path("tls.key"))];
        files.extend(more(&secret));
        let files: Vec<_> = files.iter().map(|(key, path)| (*key, &**path)).collect();
        let controller = Controller::with(&cluster, &[&files, keys].concat()).await;
        Self { authority, pair, secret, controller, _server: server, _cluster: cluster }
    }

    async fn connect(&self) -> Https {
        Https::connect(self.controller.api_addr(), &self.authority, None).await.unwrap()
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.controller.api_addr()).await.unwrap()
    }
}

/// Waits until the other side closes the connection.
async fn closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // It may end with a reset, where something was not read.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection is closed");
    rest
}

#[tokio::test]
async fn the_api_answers_by_tls_and_the_other_listeners_stay_plain() {
    let scene = Scene::start(&[]).await;
    let mut https = scene.connect().await;
    assert_eq!((https.peer(), https.protocol()), (scene.pair.der(), Some(&b"http/1.1"[..])));
    for _ in 0..2 {
        assert!(https.get("/services").await.unwrap().starts_with("HTTP/1.1 200"));
    }
    assert_eq!(scene.controller.health("/readyz").await.0, 200);
    assert!(scene.controller.metrics_page().await.0.starts_with("text/plain"));
}

#[tokio::test]
async fn plain_http_to_the_tls_port_is_closed_unanswered() {
    let scene = Scene::start(&[]).await;
    let mut plain = scene.tcp().await;
    plain.write_all(b"GET /services HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let rest = closed(&mut plain).await;
    assert!(!rest.starts_with(b"HTTP"), "{}", rest.escape_ascii());
    assert!(scene.connect().await.get("/services").await.is_ok());
}

#[tokio::test]
async fn a_handshake_that_stops_is_closed_after_the_time_of_a_head() {
    let scene = Scene::start(&[("server.header_timeout_ms", "800")]).await;
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut slow = scene.tcp().await;
        slow.write_all(begun).await.unwrap();
        assert_eq!(closed(&mut slow).await, b"");
    }
    let mut silent = scene.connect().await;
    assert!(silent.get("/services").await.is_ok(), "others are not disturbed");
}

#[tokio::test]
async fn a_handshake_under_way_is_one_of_the_connections() {
    let scene = Scene::start(&[("server.max_connections", "1"), ("server.header_timeout_ms", "60000")]).await;
    let handshake = scene.tcp().await;
    let connecting = Https::connect(scene.controller.api_addr(), &scene.authority, None);
    tokio::pin!(connecting);
    assert!(timeout(Duration::from_millis(300), &mut connecting).await.is_err(), "it waits its turn");
    drop(handshake);
    assert!(connecting.await.unwrap().get("/services").await.is_ok());
}

#[tokio::test]
async fn a_handshake_under_way_does_not_hold_up_the_end() {
    let scene = Scene::start(&[("server.drain_ms", "600000"), ("server.header_timeout_ms", "600000")]).await;
    let mut handshake = scene.tcp().await;
    let _other = scene.connect().await;
    timeout(PATIENCE, scene.controller.stop()).await.expect("it ends");
    closed(&mut handshake).await;
}

#[tokio::test]
async fn client_certificates_must_be_of_the_configured_authority() {
    let scene = Scene::with(|secret| vec![("tls.client_ca_file", secret.path("ca.crt"))], &[]).await;
    let addr = scene.controller.api_addr();
    let stranger = Authority::new().issue();
    let friend = scene.authority.issue();
    for (own, welcome) in [(None, false), (Some(&stranger), false), (Some(&friend), true)] {
        // With TLS 1.3 a client hears of its refusal only after its own side of the handshake.
        let answer = match Https::connect(addr, &scene.authority, own).await {
            Ok(mut https) => https.get("/services").await,
            Err(error) => Err(error),
        };
        assert_eq!(answer.is_ok(), welcome, "{answer:?}");
    }
}

#[tokio::test]
async fn a_certificate_and_a_token_can_both_be_needed() {
    let tokens = tempfile::NamedTempFile::new().unwrap();
    fs::write(tokens.path(), "0123456789abcdef read").unwrap();
    let scene = Scene::start(&[("auth.tokens_file", tokens.path().to_str().unwrap())]).await;
    let answer = scene.connect().await.get("/services").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
}

#[tokio::test]
async fn new_connections_get_the_renewed_certificate_and_never_a_broken_one() {
    let mut scene = Scene::start(&[]).await;
    let mut old = scene.connect().await;
    let (first, renewed) = (scene.pair.der().clone(), scene.authority.issue());
    let publish = |secret: &mut Secret, pair: &Pair, key: &str| {
        secret.publish(&[("tls.crt", &pair.certificate()), ("tls.key", key)]);
    };
    publish(&mut scene.secret, &renewed, &scene.pair.key());
    until("the broken one is seen", async || {
        assert_eq!(*scene.connect().await.peer(), first);
        scene.controller.metric("aenv_controller_credential_reloads_total").await == 1.0
    })
    .await;
    publish(&mut scene.secret, &renewed, &renewed.key());
    until("new connections have the new certificate", async || scene.connect().await.peer() == renewed.der()).await;
    assert!(old.get("/services").await.unwrap().starts_with("HTTP/1.1 200"), "an old connection goes on");
    assert_eq!(scene.controller.metric("aenv_controller_credential_reloads_total").await, 2.0);
}

#[tokio::test]
async fn an_expired_certificate_is_accepted_with_a_warning() {
    let (code, _, stderr) = run(|command, home| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        fs::write(home.join("tls.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(home.join("tls.key"), key.serialize_pem()).unwrap();
        command.arg("check-config");
        set(command, ("tls.cert_file", "tls.crt"));
        set(command, ("tls.key_file", "tls.key"));
    })
    .await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("tls.crt has expired on 2002-01-01"), "{stderr}");
}
