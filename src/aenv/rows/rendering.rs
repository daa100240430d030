//! A rendering: the JSON text of an answer, compressed at most once for each coding, with an entity tag for each.

use super::once::{Effort, Once};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::sync::Arc;

/// From this size on a text is compressed; a smaller one fits into one packet as it is, and compressing costs more time
/// (20 µs) than sending.
const WORTH_COMPRESSING: usize = 1024;

/// From this size on a text is compressed on a thread of its own: 32 KiB take a quarter of a millisecond.
const LARGE: usize = 32 * 1024;

/// gzip's level. Measured with a list of 2,000 pods, 323 kB: level 1 makes 78 kB in 0.9 ms, 4 makes 48 kB in 2.2 ms, 6
/// makes 44 kB in 8.3 ms.
const GZIP_LEVEL: u32 = 4;

/// zstd's level. Measured as above: level 3 makes 53 kB in 0.8 ms, 5 makes 47 kB in 2.4 ms, 7 makes 42 kB in 4.4 ms.
const ZSTD_LEVEL: i32 = 3;

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// `gzip`.
    Gzip,
    /// `zstd` (RFC 8878).
    Zstd,
}

impl Coding {
    /// As it stands in headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// A rendered answer. Clones share it.
#[derive(Debug, Clone)]
pub struct Rendering {
    body: Bytes,
    /// Entity tags by [`Coding`], quotes included (RFC 9110, section 8.8.3).
    etags: [Bytes; 3],
    /// `None`: it may be compressed for each caller only, which is not worth it.
    compressed: Option<Arc<Compressed>>,
}

#[derive(Debug, Default)]
struct Compressed {
    gzip: Once<Bytes>,
    zstd: Once<Bytes>,
}

impl Rendering {
    /// A document that stays as it is, with strong tags.
    pub fn document(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        Self::document_of(&text.clone(), text)
    }

    /// The same with tags made of `content`, where the text is not all that belongs to it.
    pub fn document_of(content: &impl Hash, text: impl Into<Bytes>) -> Self {
        Self { etags: tags("", content), body: text.into(), compressed: None }.compressible()
    }

    /// Rows rendered as `json`. Their tags are made of `content`, which leaves out when they were read; so they are weak.
    pub(super) fn of_rows(content: &impl Hash, json: Vec<u8>) -> Self {
        Self { etags: tags("W/", content), body: json.into_boxed_slice().into(), compressed: None }
    }

    /// The same, to be kept together with what it is compressed to.
    pub(super) fn compressible(self) -> Self {
        let compressed = (self.body.len() >= WORTH_COMPRESSING).then(Arc::default);
        Self { compressed, ..self }
    }

    /// True if it is given in codings other than identity.
    pub fn is_compressible(&self) -> bool {
        self.compressed.is_some()
    }

    /// The entity tag in this coding.
    pub fn etag(&self, coding: Coding) -> &Bytes {
        &self.etags[coding as usize]
    }

    /// The text as it is.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The text in this coding, unless it has to be compressed first.
    pub fn at_hand(&self, coding: Coding) -> Option<Bytes> {
        match (&self.compressed, coding) {
            (None, _) | (_, Coding::Identity) => Some(self.body.clone()),
            (Some(compressed), Coding::Gzip) => compressed.gzip.made(),
            (Some(compressed), Coding::Zstd) => compressed.zstd.made(),
        }
    }

    /// The text in this coding, compressed when it is first asked for; the first callers wait for that, which takes less
    /// time than sending what it saves. `None`: compressing failed.
    pub async fn encoded(&self, coding: Coding) -> Option<Bytes> {
        let Some(compressed) = &self.compressed else { return Some(self.body.clone()) };
        let effort = if self.body.len() < LARGE { Effort::Small } else { Effort::Large };
        let body = self.body.clone();
        match coding {
            Coding::Identity => Some(body),
            Coding::Gzip => compressed.gzip.get(effort, move || gzip(&body).expect("memory takes all writes")).await,
            Coding::Zstd => compressed.zstd.get(effort, move || zstd(&body).expect("the room is large enough")).await,
        }
    }

    /// Compresses it in the codings that `before` has been asked for in.
    pub(super) async fn prepare_like(&self, before: &Self) {
        let Some(before) = &before.compressed else { return };
        for (made, coding) in [(before.gzip.made(), Coding::Gzip), (before.zstd.made(), Coding::Zstd)] {
            if made.is_some() {
                self.encoded(coding).await;
            }
        }
    }
}

fn tags(weakness: &str, content: &impl Hash) -> [Bytes; 3] {
    // Its keys are fixed, so that replicas of one build agree.
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let hash = hasher.finish();
    ["", "-gzip", "-zstd"].map(|coding| format!("{weakness}\"{hash:016x}{coding}\"").into())
}

fn gzip(text: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::new(GZIP_LEVEL));
    encoder.write_all(text)?;
    Ok(encoder.finish()?.into_boxed_slice().into())
}

fn zstd(text: &[u8]) -> io::Result<Bytes> {
    Ok(zstd::bulk::compress(text, ZSTD_LEVEL)?.into_boxed_slice().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[tokio::test]
    async fn a_text_is_compressed_once_for_each_coding() {
        for size in [WORTH_COMPRESSING, LARGE] {
            let rendering = Rendering::document("x".repeat(size));
            let gzip = rendering.encoded(Coding::Gzip).await.unwrap();
            let zstd = rendering.clone().encoded(Coding::Zstd).await.unwrap();
            let mut text = String::new();
            flate2::read::GzDecoder::new(&*gzip).read_to_string(&mut text).unwrap();
            assert_eq!(text.as_bytes(), rendering.body());
            assert_eq!(zstd::bulk::decompress(&zstd, size).unwrap(), **rendering.body());
            assert_eq!(rendering.encoded(Coding::Gzip).await.unwrap().as_ptr(), gzip.as_ptr());
            assert_eq!(rendering.encoded(Coding::Identity).await.unwrap().as_ptr(), rendering.body().as_ptr());
        }
    }

    #[test]
    fn each_coding_has_a_tag_of_its_own() {
        let tag = |coding| Rendering::document("x").etag(coding).clone();
        assert_ne!(tag(Coding::Gzip), tag(Coding::Identity));
        assert_ne!(tag(Coding::Gzip), tag(Coding::Zstd));
    }

    #[test]
    fn a_short_text_is_given_as_it_is() {
        assert!(!Rendering::document("x".repeat(WORTH_COMPRESSING - 1)).is_compressible());
    }

    #[tokio::test]
    async fn a_successor_is_compressed_as_its_predecessor_has_been() {
        let [before, after] = [0, 1].map(|_| Rendering::document("x".repeat(LARGE)));
        before.encoded(Coding::Zstd).await.unwrap();
        after.prepare_like(&before).await;
        let Compressed { gzip, zstd } = &**after.compressed.as_ref().unwrap();
        assert_eq!((gzip.made(), zstd.made().is_some()), (None, true));
    }
}
