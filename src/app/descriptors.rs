//! Limit of open files: raised as far as the process may, and respected by the number of connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::num::NonZeroUsize;

/// Open files besides the connections of callers: listeners, the connections to the API server, the runtime's own, the files
/// that are read again, and those that large answers are sent from.
const OTHERS: u64 = 128;

/// Raises the soft limit of open files to the hard one, and gives back the limit that holds then. `None`: there is no
/// limit.
///
/// Shells and container runtimes often set a soft limit of 1,024, for the sake of old programs that use `select`.
fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            log::warn!("the limit of open files stays as it is: {error}");
            current
        }
    }
}

/// The number of connections that the API's port may hold: `wanted`, or fewer if the limit of open files is too low,
/// with a warning. Raises that limit first.
pub(super) fn connections(wanted: NonZeroUsize) -> NonZeroUsize {
    let Some(limit) = raise_limit() else { return wanted };
    let possible = clamp(wanted, limit);
    if possible < wanted {
        log::warn!(
            "server.max_connections is {possible} instead of {wanted}: only {limit} files may be open; raise the limit \
             (ulimit -n), or lower server.max_connections"
        );
    }
    possible
}

/// The connections that a limit of open files leaves room for, at least one.
fn clamp(wanted: NonZeroUsize, limit: u64) -> NonZeroUsize {
    let room = usize::try_from(limit.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
    wanted.min(NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        for (wanted, limit, expected) in [(10_000, 1_048_576, 10_000), (10_000, 1_024, 896), (10, 64, 1)] {
            assert_eq!(clamp(NonZeroUsize::new(wanted).unwrap(), limit).get(), expected, "{wanted} of {limit}");
        }
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = raise_limit();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!((limit, current), (maximum, maximum));
    }
}
