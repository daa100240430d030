//! Resource quantities (`500m`, `1.5Gi`), and the canonical form in which the API server hands them out.
//!
//! A leaf. The grammar and its bounds are those of
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>. One thing is stricter: what
//! exceeds 2^63-1 is no quantity here, where the API server would silently make it 2^63-1.

use std::fmt;

/// An amount in thousandths, and the family of suffixes in which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantity {
    milli: i128,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Decimal,
    Binary,
    Exponent,
}

/// From the smallest (10^-3) upwards, in steps of 1,000.
const DECIMAL: [&str; 8] = ["m", "", "k", "M", "G", "T", "P", "E"];
/// In steps of 1,024.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// 2^63-1 in thousandths: no quantity may be greater, with either sign.
const MILLI_MAX: i128 = i64::MAX as i128 * 1_000;

impl Quantity {
    /// `None` if `text` is no quantity. Fractions of a thousandth are rounded up, as the API server does.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let digits = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(digits);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let numerator = format!("{whole}{fraction}");
        if numerator.is_empty() || fraction.contains('.') {
            return None;
        }
        let numerator: i128 = numerator.parse().ok()?;
        let (format, scale, divisor) = scale_of(suffix)?;
        let denominator = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?.checked_mul(divisor)?;
        let scaled = numerator.checked_mul(scale)?.checked_mul(1_000)?;
        let magnitude = scaled.checked_add(denominator - 1)? / denominator;
        let milli = if text.starts_with('-') { -magnitude } else { magnitude };
        (magnitude <= MILLI_MAX).then_some(Self { milli, format })
    }

    /// The amount in thousandths.
    pub(crate) fn milli(self) -> i128 {
        self.milli
    }

    /// The shortest spelling without a fraction; the one that the API server stores.
    pub(crate) fn canonical(self) -> String {
        if self.format == Format::Binary && self.milli % 1_000 == 0 && self.milli.abs() >= 1_024_000 {
            let (amount, step) = reduce(self.milli / 1_000, 1_024, BINARY.len() - 1);
            return format!("{amount}{}", BINARY[step]);
        }
        let (amount, step) = reduce(self.milli, 1_000, DECIMAL.len() - 1);
        match (self.format, step) {
            _ if amount == 0 => "0".to_owned(),
            (Format::Exponent, 1) | (Format::Decimal | Format::Binary, _) => format!("{amount}{}", DECIMAL[step]),
            (Format::Exponent, 0) => format!("{amount}e-3"),
            (Format::Exponent, step) => format!("{amount}e{}", (step - 1) * 3),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical())
    }
}

/// A suffix as (family, multiplier, divisor).
fn scale_of(suffix: &str) -> Option<(Format, i128, i128)> {
    if let Some(step) = BINARY.iter().skip(1).position(|known| *known == suffix) {
        return Some((Format::Binary, 1_024_i128.pow(u32::try_from(step + 1).ok()?), 1));
    }
    if let Some(step) = DECIMAL.iter().skip(1).position(|known| *known == suffix) {
        return Some((Format::Decimal, 1_000_i128.pow(u32::try_from(step).ok()?), 1));
    }
    match suffix {
        "m" => return Some((Format::Decimal, 1, 1_000)),
        "u" => return Some((Format::Decimal, 1, 1_000_000)),
        "n" => return Some((Format::Decimal, 1, 1_000_000_000)),
        _ => {}
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (Format::Exponent, 1, power) } else { (Format::Exponent, power, 1) })
}

fn reduce(mut amount: i128, base: i128, steps: usize) -> (i128, usize) {
    let mut step = 0;
    while amount != 0 && amount % base == 0 && step < steps {
        amount /= base;
        step += 1;
    }
    (amount, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_text_is_no_quantity_or_one_whose_spelling_is_the_same_quantity() {
        let number = "[+-]?[0-9]{0,24}(\\.[0-9]{0,24})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{0,3})?";
        proptest!(|(text in prop_oneof![3 => number, 1 => "\\PC{0,12}"])| {
            if let Some(quantity) = Quantity::parse(&text) {
                let again = Quantity::parse(&quantity.canonical());
                prop_assert_eq!(again.map(Quantity::milli), Some(quantity.milli()), "{} as {}", text, quantity);
            }
        });
    }

    #[test]
    fn quantities_are_spelled_as_the_api_server_spells_them() {
        for (given, canonical) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("1024Mi", "1Gi"),
            ("0.1Gi", "107374182400m"),
            ("0.5Ki", "512"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1e3"),
            ("12e-1", "1200e-3"),
            ("1500m", "1500m"),
            ("0.0001", "1m"),
            ("5n", "1m"),
            ("1000", "1k"),
            ("1048576", "1048576"),
            ("1E", "1E"),
            ("0", "0"),
            ("-1", "-1"),
            ("+1.", "1"),
            ("1e+3", "1e3"),
            ("9223372036854775807", "9223372036854775807"),
            ("7Ei", "7Ei"),
        ] {
            assert_eq!(Quantity::parse(given).unwrap().canonical(), canonical, "{given}");
        }
    }

    #[test]
    fn malformed_quantities_are_refused() {
        for given in [
            "",
            "abc",
            "1.2.3",
            "1Zi",
            "m",
            ".",
            "-",
            "+-1",
            "1e",
            "1e1.5",
            "1e999",
            "1e-999",
            "1 Gi",
            " 1",
            "1C",
            "1ki",
            "1K",
            "inf",
            "NaN",
            "0x10",
            "1_000",
            "٣",
            "8Ei",
            "9223372036854775808",
            "99999999999999999999",
        ] {
            assert_eq!(Quantity::parse(given), None, "{given}");
        }
        assert_eq!(Quantity::parse(&"9".repeat(100_000)), None);
    }
}
