//! Live setting, which may change while the process runs: one writer, and many readers who read it each time they need it.

use std::sync::{Arc, PoisonError, RwLock};

/// A value that can be replaced as a whole. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Live<T>(Arc<RwLock<T>>);

impl<T: Copy> Live<T> {
    /// A value that is `value` at first.
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(value)))
    }

    /// The value now.
    pub fn get(&self) -> T {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces it for all who read it from now on.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_see_what_one_of_them_sets() {
        let ttl = Live::new(2);
        let read = ttl.clone();
        ttl.set(5);
        assert_eq!(read.get(), 5);
    }
}
