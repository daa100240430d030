//! Bounded reads: the contents of a mounted file, which may be anything.

use rustix::fs::OFlags;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// A regular file and its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountedFile {
    /// The contents.
    pub bytes: Vec<u8>,
    /// Every user of the machine may write it.
    pub world_writable: bool,
}

/// Reads a regular file of at most `max_bytes`. Never waits for somebody to write: a FIFO, a device or a folder is
/// refused.
///
/// # Errors
/// If the file cannot be read, is larger, or is no regular file.
pub(crate) fn read_file(path: &Path, max_bytes: usize) -> io::Result<MountedFile> {
    // Opening a FIFO would wait for its writer.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(max_bytes as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max_bytes {
        return Err(io::Error::other(format!("it is larger than {max_bytes} bytes")));
    }
    Ok(MountedFile { bytes, world_writable: metadata.permissions().mode() & 0o002 != 0 })
}

/// Reads a regular file of at most `max_bytes` that holds text. See [`read_file`].
///
/// # Errors
/// Those of [`read_file`], and text that is not UTF-8.
pub(crate) fn read_text(path: &Path, max_bytes: usize) -> io::Result<String> {
    String::from_utf8(read_file(path, max_bytes)?.bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read_text(&file, 5).unwrap(), "12345");
        assert!(read_file(&file, 4).unwrap_err().to_string().contains("larger than 4 bytes"));
        fs::write(&file, [0xff]).unwrap();
        assert!(read_text(&file, 5).is_err());
    }

    #[test]
    fn devices_and_pipes_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for path in [&*fifo, folder.path(), Path::new("/dev/zero")] {
            assert!(read_file(path, 5).unwrap_err().to_string().contains("not a regular file"), "{}", path.display());
        }
    }

    #[test]
    fn a_file_that_everybody_may_write_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for (mode, expected) in [(0o644, false), (0o664, false), (0o666, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_file(&file, 5).unwrap().world_writable, expected, "{mode:o}");
        }
    }
}
