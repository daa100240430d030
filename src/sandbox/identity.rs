//! Identity of new objects, made up by the API server and its cluster: uids, name suffixes, addresses, times.

use std::fmt::Write as _;

use jiff::Timestamp;

/// The only node.
pub(super) const NODE_NAME: &str = "sandbox-node-1";
/// Its address.
pub(super) const NODE_IP: &str = "10.10.0.1";

/// Without vowels and look-alikes, as the API server's own suffixes.
const SUFFIX_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A well-mixed number from a counter (SplitMix64's output function).
pub(super) fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A uid in the form of a random UUID.
pub(super) fn uid(number: u64) -> String {
    let high = scramble(number).to_be_bytes();
    let low = scramble(!number).to_be_bytes();
    let mut uid = String::with_capacity(36);
    for (at, byte) in high.iter().chain(&low).enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            uid.push('-');
        }
        let byte = match at {
            6 => byte & 0x0f | 0x40,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        let _ = write!(uid, "{byte:02x}");
    }
    uid
}

/// The five letters that follow a `generateName`.
pub(super) fn name_suffix(number: u64) -> String {
    letters(number, SUFFIX_LETTERS, 5)
}

/// `count` letters of `alphabet`, chosen by `number`.
pub(super) fn letters(number: u64, alphabet: &[u8], count: usize) -> String {
    let mut rest = scramble(number);
    let base = alphabet.len() as u64;
    (0..count)
        .map(|_| {
            let letter = usize::try_from(rest % base).map_or('x', |at| char::from(alphabet[at]));
            rest /= base;
            letter
        })
        .collect()
}

/// The `number`th address of the range for Services, 10.96.0.0/12.
pub(super) fn cluster_ip(number: u64) -> String {
    let [.., second, third, fourth] = number.to_be_bytes();
    format!("10.{}.{third}.{fourth}", 96 + second % 16)
}

/// An address out of 10.128.0.0/9 that belongs to a uid for good.
pub(super) fn pod_ip(uid: &str) -> String {
    let number = uid.bytes().fold(0, |number: u64, byte| scramble(number ^ u64::from(byte)));
    let [.., second, third, fourth] = number.to_be_bytes();
    format!("10.{}.{third}.{}", second | 0x80, fourth % 254 + 1)
}

/// A time as the API server writes it: RFC 3339, whole seconds, UTC.
pub(super) fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_parts_have_their_form_and_differ() {
        assert_eq!(uid(1).len(), 36);
        assert_ne!(uid(1), uid(2));
        assert_eq!(&uid(7)[14..15], "4");
        assert_eq!(name_suffix(1).len(), 5);
        assert_eq!(cluster_ip(257), "10.96.1.1");
        assert_eq!(pod_ip("a"), pod_ip("a"));
        assert_eq!(whole_seconds(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00Z");
    }
}
