//! Both encodings read the same, wherever the chunks of a body end, and nothing that arrives breaks them.

use super::*;
use crate::cluster::slim::Pod;
use proptest::prelude::*;
use prost::Message;
use prost::encoding::encode_varint;
use serde_json::{Value, from_value, json};

const MAX_ITEM: usize = 4096;

fn pod(number: usize) -> Value {
    json!({
        "metadata": {"name": format!("p-{number}"), "labels": {"business/aenv-name": "we\"ath]er", "x": "\\"}},
        "spec": {"nodeName": "n", "containers": [{"name": "main", "env": [{"name": "A", "value": "}]"}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.7", "containerStatuses": [{"name": "main", "restartCount": 2}]}
    })
}

fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    encode_varint(value.len() as u64, &mut field);
    field.extend_from_slice(value);
    field
}

fn envelope(raw: &[u8]) -> Vec<u8> {
    [MAGIC, &field(1, b"\x0a\x02v1"), &field(2, raw), &field(3, b""), &field(4, b"")].concat()
}

/// A page of `count` pods in both encodings.
fn pages(count: usize) -> [(Format, Vec<u8>); 2] {
    let items: Vec<_> = (0..count).map(pod).collect();
    let metadata = json!({"resourceVersion": "7", "continue": "t", "remainingItemCount": 1234});
    let json = json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items});
    let meta: ListMeta = from_value(metadata).unwrap();
    let pods = items.into_iter().map(|item| from_value::<Pod>(item).unwrap().encode_to_vec());
    let raw = field(1, &meta.encode_to_vec()).into_iter().chain(pods.flat_map(|pod| field(2, &pod)));
    let protobuf = envelope(&raw.collect::<Vec<_>>());
    [(Format::Json, serde_json::to_vec(&json).unwrap()), (Format::Protobuf, protobuf)]
}

fn read<'a>(format: Format, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<Pod>, ListMeta), Error> {
    let (mut reader, mut pods) = (format.list(MAX_ITEM), Vec::new());
    for chunk in chunks {
        reader.feed(chunk, |pod| {
            pods.push(pod);
            Ok(())
        })?;
    }
    Ok((pods, reader.finish()?))
}

#[test]
fn both_encodings_hold_the_same_objects_however_they_are_cut() {
    for (format, body) in pages(5) {
        for size in [1, 2, 3, 7, 100, body.len()] {
            let (pods, meta) = read(format, body.chunks(size)).unwrap();
            let expected: Vec<Pod> = (0..5).map(|number| from_value(pod(number)).unwrap()).collect();
            assert_eq!(pods, expected, "{format:?} in chunks of {size}");
            assert_eq!((&*meta.r#continue, meta.remaining_item_count), ("t", Some(1234)));
        }
    }
}

#[test]
fn a_list_that_ends_too_early_is_an_error_wherever_it_ends() {
    for (format, body) in pages(2) {
        for end in 0..body.len() {
            // The envelope's last two fields are empty; without them it is a whole list all the same.
            if format == Format::Protobuf && (end == body.len() - 2 || end == body.len() - 4) {
                continue;
            }
            assert!(read(format, [&body[..end]]).is_err(), "{format:?} cut at {end} of {}", body.len());
        }
    }
}

#[test]
fn an_answer_that_is_no_list_is_not_an_empty_list() {
    let of = |body: &str| read(Format::Json, [body.as_bytes()]);
    for body in [
        "",
        "{}",
        r#"{"metadata":{}}"#,
        "<html>",
        "[]",
        r#"{"items":{}}"#,
        r#"{"items":[],"items":[]}"#,
        r#"{"items":[1]}"#,
    ] {
        assert!(of(body).is_err(), "{body}");
    }
    assert!(of(r#"{"items":[]} x"#).is_err());
    assert_eq!(of(" { \"items\" : null , \"metadata\" : { } }\n").unwrap().0, []);
    assert_eq!(of(r#"{"items":[],"metadata":{"continue":null}}"#).unwrap().0, []);
    assert!(read(Format::Protobuf, [&b"k8s\0"[..]]).is_err());
    assert!(read(Format::Protobuf, [&b"{\"items\":[]}"[..]]).is_err());
    assert_eq!(read(Format::Protobuf, [&envelope(b"")[..]]).unwrap().0, []);
}

#[test]
fn an_item_of_absurd_size_is_an_error_before_it_has_come() {
    let told = |format, body: &[u8]| read(format, [body]).unwrap_err().to_string();
    let json = format!(r#"{{"items":[{{"metadata":{{"name":"{}"#, "x".repeat(MAX_ITEM));
    assert!(told(Format::Json, json.as_bytes()).contains("more than 4096 bytes"));
    let mut protobuf = [MAGIC, &[0x12, 0xff, 0xff, 0xff, 0x7f][..], &[0x12][..]].concat();
    encode_varint(MAX_ITEM as u64 + 1, &mut protobuf);
    assert!(told(Format::Protobuf, &protobuf).contains("more than 4096 bytes"));
}

#[test]
fn objects_without_a_name_are_no_objects() {
    assert!(read(Format::Json, [&br#"{"items":[{"metadata":{"name":""}}]}"#[..]]).is_err());
    assert!(Format::Protobuf.object::<Pod>(envelope(b"").into()).is_err());
}

#[test]
fn a_status_is_read_in_both_encodings() {
    let status = Status { message: "pods \"x\" not found".into(), reason: "NotFound".into() };
    let json = json!({"kind": "Status", "message": status.message, "reason": status.reason}).to_string();
    assert_eq!(Format::Json.status(json.as_bytes()), Some(status.clone()));
    assert_eq!(Format::Protobuf.status(&envelope(&status.encode_to_vec())), Some(status));
    assert_eq!(Format::Json.status(b"Too many requests, please try again later.\n"), None);
    assert_eq!(Format::Protobuf.status(b"k8s\0\xff"), None);
}

proptest! {
    #[test]
    fn random_bytes_are_an_error_and_never_a_panic(body: Vec<u8>, size in 1_usize..64) {
        for format in [Format::Json, Format::Protobuf] {
            prop_assert!(read(format, body.chunks(size)).is_err());
            let behind_magic = [MAGIC, &body].concat();
            let _ = read(format, behind_magic.chunks(size));
            let _ = format.object::<Pod>(behind_magic.into());
        }
    }

    #[test]
    fn a_changed_byte_is_read_the_same_in_any_chunks(at: prop::sample::Index, byte: u8, size in 1_usize..64) {
        for (format, mut body) in pages(3) {
            let at = at.index(body.len());
            body[at] = byte;
            let whole = read(format, [&body[..]]).ok();
            prop_assert_eq!(read(format, body.chunks(size)).ok(), whole);
        }
    }
}
