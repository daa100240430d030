//! A text as a file in memory (memfd_create(2)), which the system sends to a caller without copying it (sendfile(2)).
//!
//! All who read it read the same memory, which the caches of their CPUs hold. 390 kB took a fifth less CPU so than written, and
//! were read in three quarters of the time.

use bytes::Bytes;
use std::fs::File;
use std::sync::Arc;

/// From this size on it is worth it. 90 kB go out as fast as a file and as written bytes, 40 kB slower.
const SMALLEST: usize = 128 * 1024;

/// Up to this size: it takes as much memory again as the text.
const LARGEST: usize = 4 * 1024 * 1024;

/// Bytes of memory that the file of a text of `length` bytes takes; 0 if it has none.
pub(super) fn file_bytes(length: usize) -> usize {
    if (SMALLEST..=LARGEST).contains(&length) { length } else { 0 }
}

/// The file of `text`. `None`: it is not worth one, or the system makes none.
pub(super) fn text_file(text: &Bytes) -> Option<Arc<File>> {
    if file_bytes(text.len()) == 0 { None } else { make(text).map(Arc::new) }
}

#[cfg(target_os = "linux")]
fn make(text: &[u8]) -> Option<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    use std::io::Write;
    let mut file = File::from(memfd_create("answer", MemfdFlags::CLOEXEC).ok()?);
    file.write_all(text).ok()?;
    Some(file)
}

#[cfg(not(target_os = "linux"))]
fn make(_: &[u8]) -> Option<File> {
    None
}
