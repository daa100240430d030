//! An EnvHub that answers what a test tells it to, byte by byte, and counts who asks.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Behaviour on a request.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Answers with this status and body.
    Answer(u16, String),
    /// Says nothing until it is told another manner.
    Silence,
    /// Hangs up.
    HangUp,
}

impl Manner {
    /// The envelope around an environment with these deploy settings.
    pub(crate) fn describe(deploy: &Value) -> Self {
        let image = json!([{"type": "Image", "content": "registry.example.com/hub/tides:9"}]);
        let data = json!({"name": "tides", "version": "9", "status": 6, "artifacts": image, "deploy_config": deploy});
        Self::Answer(200, json!({"success": true, "code": 0, "message": "", "data": data}).to_string())
    }
}

/// A running EnvHub; it ends when it is dropped.
pub(crate) struct EnvHub {
    url: String,
    manner: watch::Sender<Manner>,
    asked: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl EnvHub {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (manner, asked) = (watch::Sender::new(manner), Arc::new(AtomicUsize::new(0)));
        let (told, count) = (manner.clone(), Arc::clone(&asked));
        let serving = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(serve(caller, told.subscribe(), Arc::clone(&count)));
            }
        });
        Self { url, manner, asked, serving }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn set(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// Number of requests that have arrived.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for EnvHub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One request to a connection.
async fn serve(mut caller: TcpStream, mut manner: watch::Receiver<Manner>, asked: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match caller.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    asked.fetch_add(1, Ordering::SeqCst);
    let told = manner.wait_for(|manner| !matches!(manner, Manner::Silence)).await.map(|manner| manner.clone());
    if let Ok(Manner::Answer(status, body)) = told {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} Told\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        let _ = caller.write_all(answer.as_bytes()).await;
    }
}
