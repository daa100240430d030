//! Subject of an examination: the settings that its findings speak of.

use crate::cluster::ListPlan;
use crate::throttle::Rate;
use tokio::time::Duration;

/// Subject of the examination, in plain values.
#[derive(Debug, Clone)]
pub(crate) struct Patient {
    /// The namespace of all objects.
    pub namespace: String,
    /// Address of the API server, as the kubeconfig has it.
    pub address: String,
    /// Objects a page.
    pub page_size: u32,
    /// Plan of lists (`list.plan`).
    pub list_plan: ListPlan,
    /// Deadline of a request, and of each call of the examination.
    pub request_deadline: Duration,
    /// Time-out for connecting.
    pub connect_timeout: Duration,
    /// Time that the API server may be silent.
    pub read_timeout: Duration,
    /// Time that lists are answered from memory.
    pub list_ttl: Duration,
    /// Rate of calls. `None`: without a limit.
    pub rate: Option<Rate>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One with the default settings.
    pub(in crate::doctor) fn patient() -> Patient {
        Patient {
            namespace: "aenv-sandbox".to_owned(),
            address: "https://10.0.0.1:6443/".to_owned(),
            page_size: 500,
            list_plan: ListPlan::Paged,
            request_deadline: Duration::from_secs(25),
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(20),
            list_ttl: Duration::from_secs(2),
            rate: Some(Rate { qps: 50.0, burst: 100 }),
        }
    }
}
