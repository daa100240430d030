//! Way to the API server, as far as reads depend on it.

/// State of the way to the API server, for a read that would be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It would leave at once.
    Free,
    /// It would wait for a token.
    Queueing,
    /// It would wait until the API server wants to be asked again, or can be reached.
    Closed,
}

/// Tells the state of the way.
pub(crate) type LookAtWay = Box<dyn Fn() -> Way + Send + Sync>;
