//! The kube-apiserver's audit log, read as an account of one user's calls.
//!
//! The log is written in `blocking-strict` mode, before an answer is complete, so a call is on file by the time
//! its caller has read the answer to the end. Users who are neither in [`AUDITED_GROUP`] nor service accounts leave no
//! trace.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Calls, Ledger};

/// The group whose calls are written down.
pub(super) const AUDITED_GROUP: &str = "aenv-controllers";

/// The group that Kubernetes puts every service account in.
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";

/// One entry for each answered call of the two groups.
pub(super) fn policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "userGroups": [AUDITED_GROUP, SERVICE_ACCOUNTS]}, {"level": "None"}],
    })
}

/// Requests of `user` since the mark.
pub(super) struct AuditLog {
    path: PathBuf,
    user: String,
    mark: AtomicU64,
}

impl AuditLog {
    pub(super) fn new(path: &Path, user: &str) -> Self {
        let log = Self { path: path.to_owned(), user: user.to_owned(), mark: AtomicU64::new(0) };
        log.reset();
        log
    }
}

impl Ledger for AuditLog {
    fn calls(&self) -> Calls {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.mark.load(Ordering::Relaxed))).unwrap();

        let mut calls = Calls::default();
        for line in BufReader::new(file).lines() {
            let event: Event = serde_json::from_str(&line.unwrap()).unwrap();
            if event.user.username == self.user {
                let resource = event.object_ref.map(|object| object.resource).unwrap_or_default();
                calls.record(event.verb, resource, event.response_status.code);
            }
        }
        calls
    }

    fn reset(&self) {
        let end = self.path.metadata().unwrap().len();
        self.mark.store(end, Ordering::Relaxed);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    user: User,
    object_ref: Option<ObjectRef>,
    response_status: ResponseStatus,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct ObjectRef {
    resource: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    code: u16,
}
