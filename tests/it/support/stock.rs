//! Stock of a cluster, object by object, past the controller.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolumeClaim, Pod, Service},
};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::Value;

use super::Cluster;

/// Every object of the four kinds that the controller writes, whole, by `<plural>/<name>`. Those that are on their way
/// out count as gone: a claim is held by a finalizer, and here is nobody to take that off.
pub(crate) async fn taken(cluster: &Cluster) -> BTreeMap<String, Value> {
    let mut stock = BTreeMap::new();
    let kinds = [
        ApiResource::erase::<Deployment>(&()),
        ApiResource::erase::<PersistentVolumeClaim>(&()),
        ApiResource::erase::<Pod>(&()),
        ApiResource::erase::<Service>(&()),
    ];
    for kind in kinds {
        let api = Api::<DynamicObject>::namespaced_with(cluster.client(), cluster.namespace(), &kind);
        let listed = api.list(&ListParams::default()).await.unwrap();
        for object in listed.into_iter().filter(|object| object.metadata.deletion_timestamp.is_none()) {
            let key = format!("{}/{}", kind.plural, object.metadata.name.clone().unwrap());
            stock.insert(key, serde_json::to_value(object).unwrap());
        }
    }
    stock
}

/// The keys of [`taken`] that were not there `before`.
pub(crate) async fn added(cluster: &Cluster, before: &BTreeMap<String, Value>) -> Vec<String> {
    taken(cluster).await.into_keys().filter(|key| !before.contains_key(key)).collect()
}
