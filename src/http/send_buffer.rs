//! Send buffers: bytes of its answers that the system keeps for a caller until they are read.
//!
//! The less fits, the more often a large answer is stopped and gone on with: 390 kB in a small one take an eighth to a quarter
//! more CPU. But callers who do not read keep theirs full, and there may be thousands of them. So a few connections have large
//! ones.

use rustix::net::sockopt::set_socket_send_buffer_size;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a large one; Linux doubles it, and takes no more than `net.core.wmem_max`.
pub(super) const LARGE: u32 = 256 * 1024;

/// Bytes of a small one. Without it the system would keep up to 4 MB.
const SMALL: usize = 64 * 1024;

/// Most connections at the same time that have a large one: 32 MB at the most.
const LARGE_ONES: usize = 64;

/// The large ones. Cheap to clone; clones share them.
#[derive(Clone)]
pub(super) struct SendBuffers(Arc<Semaphore>);

impl SendBuffers {
    /// All of them unused.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_ONES)))
    }

    /// Leaves `stream` the large one that it was made with, until the permit is dropped, or makes it small.
    pub(super) fn fit(&self, stream: impl AsFd) -> Option<OwnedSemaphorePermit> {
        let large = Arc::clone(&self.0).try_acquire_owned().ok();
        if large.is_none() {
            // A connection without it takes more memory, and is as good.
            let _ = set_socket_send_buffer_size(stream, SMALL);
        }
        large
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::sockopt::socket_send_buffer_size;
    use tokio::net::TcpSocket;

    #[tokio::test]
    async fn a_crowd_has_small_buffers_and_a_few_have_large_ones() {
        let buffers = SendBuffers::new();
        let socket = || {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_send_buffer_size(LARGE).unwrap();
            let permit = buffers.fit(&socket);
            (socket_send_buffer_size(&socket).unwrap(), permit)
        };
        let mut few = (0..LARGE_ONES).map(|_| socket()).collect::<Vec<_>>();
        let (small, none) = socket();
        assert!(none.is_none() && few.iter().all(|(large, _)| *large > small));
        assert!(small >= SMALL, "{small}");
        few.pop();
        assert!(socket().1.is_some(), "the next one after one has closed");
    }
}
