//! Rule: whether one list is cheaper than a read of each object. Pure.
//!
//! Both ways are priced in milliseconds of the API server's CPU, as measured on kube-apiserver 1.20 and 1.36 with pods of
//! 15 kB: a GET takes about 2 ms; a list takes about as much for each call, and 0.05 to 0.14 ms for each object. A call has a
//! price of its own, since calls are limited too: a low one while there are tokens, and a high one when callers would wait
//! for them.
//!
//! | objects | calls of the list | names within `list_ttl` from which on it pays | while calls queue |
//! | --- | --- | --- | --- |
//! | 100 | 1 | 3 | 2 |
//! | 500 | 1 | 10 | 3 |
//! | 1,500 | 3 | 28 | 7 |
//! | 5,000 | 10 | 94 | 22 |
//! | 10,000 | 20 | 187 | 44 |

/// CPU of the API server for one call, in milliseconds.
const CALL_WORK: f64 = 2.0;

/// CPU of the API server for each object of a list, in milliseconds.
const OBJECT_WORK: f64 = 0.1;

/// The price of a call while there are tokens, in milliseconds of CPU.
const CALL_PRICE: f64 = 4.0;

/// The same while callers wait for tokens.
const SCARCE_CALL_PRICE: f64 = 40.0;

/// Names from which on the size of a list is asked for, if nobody knows it: more than people and a few pollers ask for, and
/// about as many as make a list of 1,500 objects pay.
pub(super) const NAMES_FOR_SIZE: usize = 32;

/// Names from which on a list is tried whose size cannot be had: most of a burst, so that a few pollers in a large namespace
/// never cause one.
const NAMES_FOR_UNKNOWN: usize = 64;

/// The same while callers wait for tokens.
const SCARCE_NAMES_FOR_UNKNOWN: usize = 8;

/// Size of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Objects that the API server has to go through.
    pub objects: usize,
    /// Calls that it took.
    pub calls: usize,
}

/// True if one list costs less than a read of each of `names` objects. `size` is that of the list, if it is known; `scarce`,
/// whether a call would wait for a token; `share`, the part of its price that counts, less than 1 for one that only comes
/// earlier than it would have come anyway.
pub(super) fn list_pays(names: usize, size: Option<Size>, scarce: bool, share: f64) -> bool {
    let Some(Size { objects, calls }) = size else {
        return names >= if scarce { SCARCE_NAMES_FOR_UNKNOWN } else { NAMES_FOR_UNKNOWN };
    };
    let call = CALL_WORK + if scarce { SCARCE_CALL_PRICE } else { CALL_PRICE };
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let list = count(calls.max(1)) * call + count(objects) * OBJECT_WORK;
    names > 1 && count(names) * call >= list * share
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fewest names for which a list pays.
    fn threshold(objects: usize, scarce: bool) -> usize {
        let size = Size { objects, calls: objects.div_ceil(500) };
        (1..).find(|names| list_pays(*names, Some(size), scarce, 1.0)).unwrap()
    }

    #[test]
    fn the_table_of_thresholds() {
        for (objects, plenty, scarce) in [(100, 3, 2), (500, 10, 3), (1500, 28, 7), (5000, 94, 22), (10_000, 187, 44)] {
            assert_eq!((threshold(objects, false), threshold(objects, true)), (plenty, scarce), "{objects} objects");
        }
    }

    #[test]
    fn a_single_object_is_read_without_a_list() {
        assert!(!list_pays(1, Some(Size { objects: 0, calls: 1 }), true, 0.0));
        assert!(!list_pays(1, None, true, 1.0));
    }

    #[test]
    fn an_unknown_namespace_is_listed_for_a_crowd_only() {
        assert!(!list_pays(30, None, false, 1.0));
        assert!(list_pays(64, None, false, 1.0));
        assert!(list_pays(8, None, true, 1.0));
    }
}
