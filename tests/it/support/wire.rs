//! The wire between the controller and the sandbox: a proxy that spoils the answers to chosen calls.
//!
//! The sandbox's own faults decide what an API server says; this decides what becomes of it on its way.

use super::Cluster;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// How late a slow answer is, and how long it pauses in the middle.
const SLOW: Duration = Duration::from_millis(300);

/// What happens to a call.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is not carried out, and this is the whole answer.
    Says(String),
    /// It is not carried out, and from then on nobody listens; one time alone, its connection is reset.
    Refuses,
    /// It is carried out, and this becomes of its answer.
    Spoils(Spoiled),
    /// Nothing happens any more, before it is carried out or after.
    Holds { carried_out: bool },
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spoiled {
    ResetBeforeItsHead,
    ResetInItsBody,
    Truncated,
    OfTheWrongType,
    SlowHead,
    SlowBody,
    Frozen,
    Endless,
}

/// The calls that a fault befalls: so many (`None`: all) of those that `matches` takes.
pub(crate) struct Trouble {
    pub(crate) matches: Box<dyn Fn(&Call) -> bool + Send>,
    pub(crate) fault: Fault,
    pub(crate) times: Option<usize>,
}

/// A call, as the path says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// `get`, `list`, `create`, `update`, `patch` or `delete`.
    pub(crate) verb: &'static str,
    pub(crate) resource: String,
}

impl Call {
    /// That of a request line; a path outside the resources is a call without one.
    fn of(line: &str) -> Self {
        let (method, rest) = line.split_once(' ').unwrap();
        let path = rest.split([' ', '?']).next().unwrap();
        let mut parts = path.split('/').skip_while(|part| *part != "namespaces").skip(2);
        let resource = parts.next().unwrap_or_default().to_owned();
        let verb = match (method, parts.next()) {
            ("GET", None) => "list",
            ("GET", Some(_)) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            _ => "delete",
        };
        Self { verb, resource }
    }
}

struct Shared {
    to: SocketAddr,
    trouble: Mutex<Option<Trouble>>,
    seen: Mutex<Vec<Call>>,
    /// False while nobody listens.
    listens: watch::Sender<bool>,
    held: Notify,
}

/// The proxy, and a kubeconfig that leads to it.
pub(crate) struct Wire {
    shared: Arc<Shared>,
    folder: TempDir,
}

impl Wire {
    /// To the sandbox at `url`, in the namespace of `cluster`.
    pub(crate) async fn to(url: &str, cluster: &Cluster) -> Self {
        let place = bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let shared = Arc::new(Shared {
            to: url.strip_prefix("http://").unwrap().parse().unwrap(),
            trouble: Mutex::default(),
            seen: Mutex::default(),
            listens: watch::Sender::new(true),
            held: Notify::new(),
        });
        let (folder, addr) = (tempfile::tempdir().unwrap(), place.local_addr().unwrap());
        super::write_kubeconfig(&folder.path().join("kubeconfig"), &format!("http://{addr}"), "t", cluster.namespace());
        tokio::spawn(listen(Arc::clone(&shared), place));
        Self { shared, folder }
    }

    pub(crate) fn kubeconfig(&self) -> std::path::PathBuf {
        Path::join(self.folder.path(), "kubeconfig")
    }

    /// From now on this happens; `None`: nothing.
    pub(crate) fn set(&self, trouble: Option<Trouble>) {
        self.shared.listens.send_replace(true);
        *self.shared.trouble.lock().unwrap() = trouble;
    }

    /// The calls so far, in their order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Waits until a call is held.
    pub(crate) async fn holds(&self) {
        self.shared.held.notified().await;
    }
}

/// Listens at `place`, which keeps the port while nobody does.
async fn listen(shared: Arc<Shared>, place: TcpSocket) {
    let listen = || bind(place.local_addr().unwrap()).listen(64).unwrap();
    let mut listens = shared.listens.subscribe();
    let mut listener = Some(listen());
    loop {
        tokio::select! {
            accepted = async { listener.as_ref().unwrap().accept().await }, if listener.is_some() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(connection(Arc::clone(&shared), stream));
                }
            }
            changed = listens.changed() => {
                if changed.is_err() {
                    return;
                }
                let wanted = *listens.borrow_and_update();
                listener = match listener {
                    Some(kept) if wanted => Some(kept),
                    None if wanted => Some(listen()),
                    _ => None,
                };
            }
        }
    }
}

fn bind(addr: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(addr).unwrap();
    socket
}

/// One request after the other, until either side has enough.
async fn connection(shared: Arc<Shared>, mut stream: TcpStream) {
    while let Some(request) = read_message(&mut stream).await {
        let call = Call::of(&String::from_utf8_lossy(&request));
        shared.seen.lock().unwrap().push(call.clone());
        let (fault, passes) = {
            let mut trouble = shared.trouble.lock().unwrap();
            let matching = trouble.as_mut().filter(|it| it.times != Some(0) && (it.matches)(&call));
            let fault = matching.map(|it| {
                it.times = it.times.map(|times| times - 1);
                (it.fault.clone(), it.times.is_some())
            });
            fault.unzip()
        };
        let passes = passes.unwrap_or(true);
        let answer = match &fault {
            Some(Fault::Says(answer)) => answer.clone().into_bytes(),
            Some(Fault::Refuses) => {
                shared.listens.send_replace(passes);
                return reset(stream);
            }
            Some(Fault::Holds { carried_out: false }) => return hold(&shared).await,
            _ => forward(shared.to, &request).await,
        };
        match fault {
            Some(Fault::Holds { .. }) => return hold(&shared).await,
            Some(Fault::Spoils(spoiled)) => return spoil(stream, &answer, spoiled).await,
            _ => {}
        }
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn hold(shared: &Shared) {
    shared.held.notify_one();
    std::future::pending().await
}

/// Ends a connection as a process does that is killed.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

async fn spoil(mut stream: TcpStream, answer: &[u8], spoiled: Spoiled) {
    let head = head_length(answer).unwrap_or(answer.len());
    let middle = head + (answer.len() - head) / 2;
    // The other side may have gone, which is what it should do.
    let _ = match spoiled {
        Spoiled::ResetBeforeItsHead => return reset(stream),
        Spoiled::ResetInItsBody => {
            let _ = stream.write_all(&answer[..middle]).await;
            // What has been written would be lost with the connection.
            sleep(SLOW).await;
            return reset(stream);
        }
        Spoiled::Truncated => stream.write_all(&answer[..middle]).await,
        Spoiled::OfTheWrongType => {
            let page = "<html>a proxy says hello</html>";
            let length = page.len();
            let page = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n{page}");
            stream.write_all(page.as_bytes()).await
        }
        Spoiled::SlowHead => {
            sleep(SLOW).await;
            stream.write_all(answer).await
        }
        Spoiled::SlowBody => {
            let _ = stream.write_all(&answer[..middle]).await;
            sleep(SLOW).await;
            stream.write_all(&answer[middle..]).await
        }
        Spoiled::Frozen => std::future::pending().await,
        Spoiled::Endless => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"metadata\":{\"name\":\"";
            let mut written = stream.write_all(head.as_bytes()).await;
            while written.is_ok() {
                written = stream.write_all(&[b'x'; 64 * 1024]).await;
            }
            written
        }
    };
}

/// Has the request answered by the real one: its whole answer.
async fn forward(to: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut upstream = TcpStream::connect(to).await.unwrap();
    upstream.write_all(request).await.unwrap();
    read_message(&mut upstream).await.unwrap_or_default()
}

fn head_length(message: &[u8]) -> Option<usize> {
    message.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// A head and the body that it announces. `None`: the connection has ended.
async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        if let Some(head) = head_length(&message) {
            let text = String::from_utf8_lossy(&message[..head]).to_ascii_lowercase();
            let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let is_whole = match header("content-length:") {
                Some(length) => message.len() >= head + length.parse::<usize>().unwrap(),
                None if header("transfer-encoding:").is_some() => message.ends_with(b"0\r\n\r\n"),
                None => true,
            };
            if is_whole {
                return Some(message);
            }
        }
        let mut some = vec![0; 16 * 1024];
        match stream.read(&mut some).await {
            Ok(read @ 1..) => message.extend_from_slice(&some[..read]),
            _ => return None,
        }
    }
}
