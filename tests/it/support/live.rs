//! A real kube-apiserver with its etcd, on loopback, for as long as the tests run.
//!
//! `KUBEBUILDER_ASSETS` names the folder of the two binaries, as for envtest's users. All tests of the process
//! share one server ([`ApiServer::shared`]), each with a namespace and a controller account of its own, which may do
//! anything, or with a service account, which may do what a test grants it ([`ApiServer::cluster_as`]). A test that
//! freezes or kills the server starts one for itself ([`ApiServer::own`]). There is no controller manager,
//! so the admission plugins that wait for one are off, and nothing but a test changes an object. A test of what
//! Kubernetes' own controllers do has them, too ([`ApiServer::with_controllers`]).

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Namespace, ServiceAccount},
    rbac::v1::{Role, RoleBinding},
};
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep, timeout},
};

use super::{
    Cluster,
    audit::{self, AUDITED_GROUP, AuditLog},
    connect,
    process::{Lifeline, Process},
    write_kubeconfig,
};

/// Five seconds on an idle machine; the tests of two processes may start theirs together.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Accounts in the token file, which is read once at start. Each cluster uses one up.
const CONTROLLER_ACCOUNTS: usize = 1000;

/// One etcd, one kube-apiserver and the folder that both write to.
pub(crate) struct ApiServer {
    // Dropped first: it kills the group while its members' ids are still theirs.
    _lifeline: Lifeline,
    _controllers: Option<Process>,
    etcd: Process,
    kube_apiserver: Process,
    binary: PathBuf,
    folder: TempDir,
    etcd_port: u16,
    port: u16,
    clusters: AtomicUsize,
}

impl ApiServer {
    /// The server that all tests share.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Result<ApiServer, String>> = OnceCell::const_new();

        let server = SHARED.get_or_init(|| async { Self::start(&assets()).await }).await;
        server.as_ref().unwrap_or_else(|e| panic!("{e}"))
    }

    /// A server of the caller's own, for a test that others must not feel.
    pub(crate) async fn own() -> Self {
        Self::start(&assets()).await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// A server of the caller's own with the controllers that make a rollout. There are no nodes: a pod gets no
    /// further than a test says.
    pub(crate) async fn with_controllers() -> Self {
        let mut server = Self::own().await;
        let mut manager = Command::new(server.binary.with_file_name("kube-controller-manager"));
        manager.arg(format!("--kubeconfig={}", server.folder.path().join("admin.kubeconfig").display()));
        manager.args(["--leader-elect=false", "--port=0", "--secure-port=0"]);
        manager.arg("--controllers=deployment,replicaset,garbagecollector,pvc-protection");
        let log = server.folder.path().join("kube-controller-manager.log");
        server._controllers = Some(Process::spawn(&mut manager, Some(server.etcd.id()), &log));
        server
    }

    async fn start(assets: &Path) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("aenv-api-server-").tempdir().unwrap();
        let [etcd_port, peer_port, port] = free_ports();

        let client_url = format!("http://127.0.0.1:{etcd_port}");
        let peer_url = format!("http://127.0.0.1:{peer_port}");
        let mut etcd = Command::new(assets.join("etcd"));
        etcd.arg("--data-dir").arg(folder.path().join("etcd"));
        etcd.args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url]);
        etcd.args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url]);
        etcd.args(["--initial-cluster", &format!("default={peer_url}")]);
        let etcd = Process::spawn(&mut etcd, None, &folder.path().join("etcd.log"));
        let lifeline = Lifeline::new(&etcd, folder.path());

        write_inputs(folder.path(), port);
        let binary = assets.join("kube-apiserver");
        let kube_apiserver = spawn_kube_apiserver(&binary, folder.path(), etcd_port, port, etcd.id());
        let mut server = Self {
            _lifeline: lifeline,
            _controllers: None,
            etcd,
            kube_apiserver,
            binary,
            folder,
            etcd_port,
            port,
            clusters: AtomicUsize::new(0),
        };
        server.until_ready().await?;
        Ok(server)
    }

    async fn until_ready(&mut self) -> Result<(), String> {
        let client = self.admin().await;
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let readyz = http::Request::get("/readyz").body(Vec::new()).unwrap();
            if let Ok(Ok(_)) = timeout(Duration::from_secs(2), client.request_text(readyz)).await {
                return Ok(());
            }
            let why = if let Some(status) = self.etcd.exited() {
                format!("etcd ended: {status}")
            } else if let Some(status) = self.kube_apiserver.exited() {
                format!("kube-apiserver ended: {status}")
            } else if Instant::now() > deadline {
                format!("kube-apiserver is not ready after {READY_WITHIN:?}")
            } else {
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let logs = [self.etcd.log_tail(), self.kube_apiserver.log_tail()].concat();
            return Err(format!("{why}\n{logs}"));
        }
    }

    /// A namespace and a controller account that no other test uses.
    pub(crate) async fn cluster(&self) -> Cluster {
        let number = self.clusters.fetch_add(1, Ordering::Relaxed);
        assert!(number < CONTROLLER_ACCOUNTS, "more tests than accounts in the token file");
        let namespace = format!("aenv-{number}");
        self.create_namespace(&namespace).await;
        let user = format!("aenv-controller-{number}");
        self.share(namespace, &user, &format!("{user}-token")).await
    }

    /// The same, with an account that has no rights but those of `rules` (as in a Role) in its namespace.
    pub(crate) async fn cluster_with_rights(&self, rules: Value) -> Cluster {
        let Cluster { namespace, admin, .. } = self.cluster().await;
        let user = namespace.replace("aenv-", "aenv-guest-");
        let role = json!({"metadata": {"name": "guest"}, "rules": rules});
        let binding = json!({
            "metadata": {"name": "guest"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "guest"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        });
        let roles = Api::<Role>::namespaced(admin.clone(), &namespace);
        roles.create(&Default::default(), &serde_json::from_value(role).unwrap()).await.unwrap();
        let bindings = Api::<RoleBinding>::namespaced(admin.clone(), &namespace);
        bindings.create(&Default::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
        self.share(namespace, &user, &format!("{user}-token")).await
    }

    /// The existing `namespace`, for a controller that is the service account `account` of the namespace `home`.
    pub(crate) async fn cluster_as(&self, home: &str, account: &str, namespace: &str) -> Cluster {
        let accounts = Api::<ServiceAccount>::namespaced(self.admin().await, home);
        let asked = accounts.create_token_request(account, &PostParams::default(), &TokenRequest::default()).await;
        let token = asked.unwrap().status.unwrap().token.unwrap();
        self.share(namespace.to_owned(), &format!("system:serviceaccount:{home}:{account}"), &token).await
    }

    /// Creates a namespace that must not be there yet.
    pub(crate) async fn create_namespace(&self, name: &str) {
        let object = json!({"metadata": {"name": name}});
        let object = serde_json::from_value(object).unwrap();
        Api::<Namespace>::all(self.admin().await).create(&PostParams::default(), &object).await.unwrap();
    }

    /// Requests of the controllers in a namespace: paths and queries, as the API server wrote them down.
    pub(crate) fn asked(&self, namespace: &str) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("audit.log")).unwrap();
        let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let uris = events.map(|event| event["requestURI"].as_str().unwrap().to_owned());
        uris.filter(|uri| uri.contains(&format!("/namespaces/{namespace}/"))).collect()
    }

    /// A client with every right.
    pub(crate) async fn admin(&self) -> Client {
        connect(&self.folder.path().join("admin.kubeconfig")).await
    }

    async fn share(&self, namespace: String, user: &str, token: &str) -> Cluster {
        let path = self.folder.path().join(format!("{}.kubeconfig", user.replace(':', "-")));
        write_kubeconfig(&path, &url(self.port), token, &namespace);
        Cluster {
            namespace,
            kubeconfig: path,
            admin: self.admin().await,
            ledger: Box::new(AuditLog::new(&self.folder.path().join("audit.log"), user)),
        }
    }

    /// Stops the server where it stands: connections stay open, nothing is answered.
    pub(crate) async fn freeze(&mut self) {
        self.kube_apiserver.freeze().await;
    }

    /// Undoes [`Self::freeze`].
    pub(crate) fn thaw(&mut self) {
        self.kube_apiserver.thaw();
    }

    /// Kills the server: connections break, new ones are refused. etcd keeps what it knows.
    pub(crate) fn kill(&mut self) {
        self.kube_apiserver.kill();
    }

    /// Starts it again after [`Self::kill`], on the same port, and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        self.kube_apiserver =
            spawn_kube_apiserver(&self.binary, self.folder.path(), self.etcd_port, self.port, self.etcd.id());
        self.until_ready().await.unwrap_or_else(|e| panic!("{e}"));
    }
}

/// The folder of the two binaries.
fn assets() -> PathBuf {
    let folder = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty());
    folder.expect("KUBEBUILDER_ASSETS names the folder of etcd and kube-apiserver").into()
}

/// Ports that were free a moment ago; held together, so that they differ.
fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn url(port: u16) -> String {
    format!("https://127.0.0.1:{port}")
}

/// Files that kube-apiserver reads at start, and the way of its users to it.
fn write_inputs(folder: &Path, port: u16) {
    let mut tokens = String::from("admin-token,admin,admin,system:masters\n");
    for number in 0..CONTROLLER_ACCOUNTS {
        let user = format!("aenv-controller-{number}");
        tokens += &format!("{user}-token,{user},{user},\"system:masters,{AUDITED_GROUP}\"\n");
        let guest = format!("aenv-guest-{number}");
        tokens += &format!("{guest}-token,{guest},{guest},{AUDITED_GROUP}\n");
    }
    fs::write(folder.join("tokens.csv"), tokens).unwrap();
    fs::write(folder.join("audit-policy.json"), audit::policy().to_string()).unwrap();
    fs::write(folder.join("audit.log"), "").unwrap();
    write_kubeconfig(&folder.join("admin.kubeconfig"), &url(port), "admin-token", "default");
}

fn spawn_kube_apiserver(binary: &Path, folder: &Path, etcd_port: u16, port: u16, group: u32) -> Process {
    let flag = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
    let mut command = Command::new(binary);
    command.args([
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        // Endpoints refuse a loopback address, and nobody here looks for the `kubernetes` Service.
        "--endpoint-reconciler-type=none".into(),
        "--service-cluster-ip-range=10.0.0.0/16".into(),
        // The server makes a certificate and a key for itself; the key also signs service account tokens.
        flag("cert-dir", "certs"),
        flag("service-account-key-file", "certs/apiserver.key"),
        flag("service-account-signing-key-file", "certs/apiserver.key"),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        flag("token-auth-file", "tokens.csv"),
        "--authorization-mode=RBAC".into(),
        // Each of them waits for a controller manager: for the namespace's account, to let go of a claim.
        "--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection".into(),
        flag("audit-policy-file", "audit-policy.json"),
        flag("audit-log-path", "audit.log"),
        "--audit-log-mode=blocking-strict".into(),
    ]);
    Process::spawn(&mut command, Some(group), &folder.join("kube-apiserver.log"))
}
