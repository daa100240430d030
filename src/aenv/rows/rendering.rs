//! A rendering: the JSON text of an answer, compressed at most once for each coding, with an entity tag for each.

use super::once::{Effort, Once};
use super::text_file::{TextFile, file_bytes};
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
pub struct Rendering(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    text: Bytes,
    /// Entity tag of the text as it is, quotes included (RFC 9110, section 8.8.3).
    etag: String,
    /// The text as it is, once more.
    file: Once<Option<Arc<TextFile>>>,
    /// `None`: it may be compressed for each caller only, which is not worth it.
    compressed: Option<Compressed>,
}

#[derive(Debug)]
struct Compressed {
    gzip: Encoded,
    zstd: Encoded,
}

/// The body of an answer. Clones share it.
#[derive(Debug, Clone)]
pub struct Body {
    /// Its bytes.
    pub bytes: Bytes,
    /// The same bytes in a file. `None`: they are better written.
    pub file: Option<Arc<TextFile>>,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, file: None }
    }
}

/// A text in another coding.
#[derive(Debug)]
struct Encoded {
    text: Once<Bytes>,
    etag: String,
}

impl Rendering {
    /// A document that stays as it is, with strong tags.
    pub fn document(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        Self::document_of(&text.clone(), text)
    }

    /// The same with tags made of `content`, where the text is not all that belongs to it.
    pub fn document_of(content: &impl Hash, text: impl Into<Bytes>) -> Self {
        Self::kept(text.into(), Tags::strong(content))
    }

    /// Rows rendered as `json`, to be kept together with what they are compressed to. Their tags are made of `content`, which
    /// leaves out when they were read; so they are weak.
    pub(super) fn of_rows(content: &impl Hash, json: Vec<u8>) -> Self {
        Self::kept(json.into_boxed_slice().into(), Tags::weak(content))
    }

    /// The same for one row, and one caller.
    pub(super) fn of_row(content: &impl Hash, json: Vec<u8>) -> Self {
        let (text, etag) = (json.into_boxed_slice().into(), Tags::weak(content).of(""));
        Self(Arc::new(Inner { text, etag, file: Once::default(), compressed: None }))
    }

    fn kept(text: Bytes, tags: Tags) -> Self {
        let encoded = |suffix| Encoded { text: Once::default(), etag: tags.of(suffix) };
        let compressed = || Compressed { gzip: encoded("-gzip"), zstd: encoded("-zstd") };
        let compressed = (text.len() >= WORTH_COMPRESSING).then(compressed);
        Self(Arc::new(Inner { etag: tags.of(""), text, file: Once::default(), compressed }))
    }

    /// True if it is given in codings other than identity.
    pub fn is_compressible(&self) -> bool {
        self.0.compressed.is_some()
    }

    /// The entity tag in this coding.
    pub fn etag(&self, coding: Coding) -> &str {
        self.encoding(coding).map_or(&self.0.etag, |encoded| &encoded.etag)
    }

    /// The text as it is.
    pub fn body(&self) -> &Bytes {
        &self.0.text
    }

    /// The text in this coding, unless it has to be compressed first.
    pub fn at_hand(&self, coding: Coding) -> Option<Body> {
        match self.encoding(coding) {
            None => Some(Body { bytes: self.body().clone(), file: self.0.file.made().flatten() }),
            Some(encoded) => encoded.text.made().map(Body::from),
        }
    }

    /// The text in this coding, compressed when it is first asked for; the first callers wait for that, which takes less
    /// time than sending what it saves. `None`: compressing failed.
    pub async fn encoded(&self, coding: Coding) -> Option<Body> {
        let text = self.body().clone();
        let Some(encoded) = self.encoding(coding) else { return Some(Body { file: self.file().await, bytes: text }) };
        let effort = if text.len() < LARGE { Effort::Small } else { Effort::Large };
        let made = encoded.text.get(effort, move || compress(coding, text).expect("memory has the room")).await;
        made.map(Body::from)
    }

    async fn file(&self) -> Option<Arc<TextFile>> {
        let text = self.body().clone();
        if file_bytes(text.len()) == 0 {
            return None;
        }
        self.0.file.get(Effort::Large, move || TextFile::of(&text).map(Arc::new)).await.flatten()
    }

    /// Makes the forms that `before` has been asked for in.
    pub(super) async fn prepare_like(&self, before: &Self) {
        if before.0.file.made().is_some() {
            self.file().await;
        }
        for coding in [Coding::Gzip, Coding::Zstd] {
            if before.encoding(coding).is_some_and(|encoded| encoded.text.made().is_some()) {
                self.encoded(coding).await;
            }
        }
    }

    /// `None`: it is given as it is.
    fn encoding(&self, coding: Coding) -> Option<&Encoded> {
        let compressed = self.0.compressed.as_ref()?;
        match coding {
            Coding::Identity => None,
            Coding::Gzip => Some(&compressed.gzip),
            Coding::Zstd => Some(&compressed.zstd),
        }
    }
}

/// The entity tags of one text, which are alike but for their coding.
struct Tags {
    weakness: &'static str,
    hash: u64,
}

impl Tags {
    fn strong(content: &impl Hash) -> Self {
        // Its keys are fixed, so that replicas of one build agree.
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Self { weakness: "", hash: hasher.finish() }
    }

    fn weak(content: &impl Hash) -> Self {
        Self { weakness: "W/", ..Self::strong(content) }
    }

    fn of(&self, coding: &str) -> String {
        format!("{}\"{:016x}{coding}\"", self.weakness, self.hash)
    }
}

fn compress(coding: Coding, text: Bytes) -> io::Result<Bytes> {
    match coding {
        Coding::Identity => Ok(text),
        Coding::Gzip => gzip(&text),
        Coding::Zstd => zstd(&text),
    }
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
    use std::io::{Read, Seek};

    #[tokio::test]
    async fn a_text_is_compressed_once_for_each_coding() {
        for size in [WORTH_COMPRESSING, LARGE] {
            let rendering = Rendering::document("x".repeat(size));
            let encoded = async |coding| rendering.clone().encoded(coding).await.unwrap().bytes;
            let (gzip, zstd) = (encoded(Coding::Gzip).await, encoded(Coding::Zstd).await);
            let mut text = String::new();
            flate2::read::GzDecoder::new(&*gzip).read_to_string(&mut text).unwrap();
            assert_eq!(text.as_bytes(), rendering.body());
            assert_eq!(zstd::bulk::decompress(&zstd, size).unwrap(), **rendering.body());
            assert_eq!(encoded(Coding::Gzip).await.as_ptr(), gzip.as_ptr());
            assert_eq!(encoded(Coding::Identity).await.as_ptr(), rendering.body().as_ptr());
        }
    }

    #[test]
    fn each_coding_has_a_tag_of_its_own() {
        let rendering = Rendering::document("x".repeat(WORTH_COMPRESSING));
        let [plain, gzip, zstd] = [Coding::Identity, Coding::Gzip, Coding::Zstd].map(|coding| rendering.etag(coding));
        assert!(plain != gzip && plain != zstd && gzip != zstd);
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
        assert!(after.at_hand(Coding::Gzip).is_none() && after.at_hand(Coding::Zstd).is_some());
    }

    #[tokio::test]
    async fn a_large_text_has_a_file_once_somebody_has_asked_for_it_as_it_is() {
        let [before, after] = [0, 1].map(|_| Rendering::document("x".repeat(200_000)));
        before.encoded(Coding::Gzip).await.unwrap();
        assert!(before.at_hand(Coding::Identity).unwrap().file.is_none());
        let Body { bytes, file } = before.encoded(Coding::Identity).await.unwrap();
        assert_eq!(file.is_some(), cfg!(target_os = "linux"));
        if let Some(mut file) = file.as_ref().map(|file| file.file()) {
            let mut text = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut text).unwrap();
            assert_eq!(text, bytes);
        }
        after.prepare_like(&before).await;
        for coding in [Coding::Identity, Coding::Gzip] {
            let [before, after] = [&before, &after].map(|rendering| rendering.at_hand(coding).unwrap());
            assert_eq!((after.bytes.len(), after.file.is_some()), (before.bytes.len(), before.file.is_some()));
        }
        assert!(Rendering::document("x".repeat(LARGE)).encoded(Coding::Identity).await.unwrap().file.is_none());
    }
}
