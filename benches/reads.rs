//! Cost of a read apart from the API server: decoding a page, rendering rows, answering from memory.
//!
//! `cargo bench` prints the figures; compare those of one run with each other.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use aenv_controller::bench::{
    Call, CallerKey, Error, Failed, InstanceRow, Interner, Limits, ListFilter, ListShape, Listed, Listing, Live, Memo,
    Metrics, ObjectName, Origin, ReadOptions, Reader, Registry, Rows, Size, Way, slim,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde_json::{Value, json};
use std::hint::black_box;
use tokio::runtime::Runtime;
use tokio::time::{Duration, Instant};

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
}

/// A pod of some 9 kB, as an API server that manages many fields of it sends it.
fn pod(number: usize) -> Value {
    let variables: Vec<_> =
        (0..80).map(|n| json!({"name": format!("VARIABLE_{n}"), "value": "x".repeat(80)})).collect();
    json!({
        "metadata": {
            "name": format!("weather-{number:06}"), "namespace": "aenv-sandbox", "uid": "8f6f9c1e", "resourceVersion": "1",
            "creationTimestamp": "2026-11-23T07:45:42Z",
            "labels": {"business/aenv-name": "weather", "business/aenv-version": "1.0.2", "business/aenv-ttl": "30m"}
        },
        "spec": {"containers": [{"name": "main", "image": "registry.example.com/aenv/weather:1.0.2", "env": variables}]},
        "status": {"phase": "Running", "podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]}
    })
}

fn decode(criterion: &mut Criterion) {
    let page = json!({"items": (0..500).map(pod).collect::<Vec<_>>()}).to_string();
    let mut group = criterion.benchmark_group("decode a page of 500 pods");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("the fields of use", |bencher| {
        bencher.iter(|| serde_json::from_str::<Page<slim::Pod>>(black_box(&page)).expect("it is a page").items.len());
    });
    group.bench_function("the full type", |bencher| {
        bencher.iter(|| serde_json::from_str::<Page<Pod>>(black_box(&page)).expect("it is a page").items.len());
    });
    group.finish();
}

fn instances(number: usize) -> Rows<InstanceRow> {
    let (read, mut texts) = (Timestamp::UNIX_EPOCH, Interner::default());
    let pods = (0..number).map(|number| serde_json::from_value::<slim::Pod>(pod(number)).expect("it is a pod"));
    Rows::new(pods.map(|pod| InstanceRow::new(pod, read, &mut texts)))
}

fn render(criterion: &mut Criterion) {
    let (rows, runtime) = (instances(2000), Runtime::new().expect("threads can be started"));
    criterion.bench_function("render 2000 instances", |bencher| {
        bencher.iter(|| {
            let rows = rows.narrowed(&ListFilter::default());
            runtime.block_on(rows.rendering(ListShape::Items)).expect("rendering does not panic").body().len()
        });
    });
}

/// Fifty thousand instances, at no cost.
struct Instances;

impl Origin for Instances {
    type Value = Listing<InstanceRow>;
    type Error = Failed;

    async fn get(&self, name: &ObjectName, _: &Call) -> Result<Self::Value, Failed> {
        Err(self.not_found(name))
    }

    async fn list(&self, _: &ListFilter, _: bool, _: &Call) -> Result<Listed<Self::Value>, Failed> {
        let value = Listing::Many(instances(50_000));
        Ok(Listed { value, objects: 50_000, calls: 100, proves_absence: true })
    }

    async fn size(&self, _: &Call) -> Result<Option<Size>, Failed> {
        Ok(Some(Size { objects: 50_000, calls: 100 }))
    }

    fn not_found(&self, name: &ObjectName) -> Failed {
        Failed { action: "failed to get pod", source: Error::Internal(name.to_string()) }
    }
}

fn remember(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("threads can be started");
    let hour = Duration::from_secs(3600);
    let limits = Live::new(Limits { list_ttl: hour, get_ttl: hour, fetch_deadline: hour, ..Limits::default() });
    let metrics = Metrics::new(&Registry::new());
    let memo = Memo::new("bench", 1 << 26, limits, Box::new(|| Way::Free), runtime.handle().clone(), metrics);
    let reader = Reader::new(memo, Instances);
    let options = ReadOptions {
        deadline: Instant::now() + hour,
        no_cache: false,
        max_age: None,
        memory_only: false,
        stale_if_error: None,
        caller: CallerKey::default(),
    };
    let list = || reader.list(ListFilter::default(), options);
    runtime.block_on(list()).expect("the fetch does not fail");
    let mut group = criterion.benchmark_group("answer from memory");
    group.bench_function("the whole list", |bencher| {
        bencher.iter(|| runtime.block_on(list()).expect("it is kept").source);
    });
    let last = ObjectName::new("weather-049999").expect("it is a name");
    group.bench_function("the last of 50,000 by its name", |bencher| {
        bencher.iter(|| runtime.block_on(reader.get(&last, options)).expect("it is kept").source);
    });
    group.finish();
}

criterion_group!(benches, decode, render, remember);
criterion_main!(benches);
