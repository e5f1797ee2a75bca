//! nginx's times and sizes, as its documentation writes them ("Configuration file measurement units").

/// The units of time, longest first: months have 30 days, years 365.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86400),
    ("M", 30 * 86400),
    ("w", 7 * 86400),
    ("d", 86400),
    ("h", 3600),
    ("m", 60),
    ("s", 1),
];

/// A time in seconds: `90`, `90s`, `1h30m`; units descend, each at most once.
pub fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit = tail.get(..1.min(tail.len()))?;
        let unit = if unit.is_empty() { "s" } else { unit };
        let position = units.iter().position(|(name, _)| *name == unit)?;
        let (_, scale) = units.get(position)?;
        total = number.parse::<u64>().ok()?.checked_mul(*scale)?.checked_add(total)?;
        units = units.get(position + 1..)?;
        rest = tail.get(1..).unwrap_or_default();
    }
    (!text.is_empty() && total <= MAX_SECONDS).then_some(total)
}

/// A hundred years: sums of times and `now` stay far from the end of u64.
const MAX_SECONDS: u64 = 100 * 365 * 86400;

/// A size in bytes: `4096`, `64k`, `1m`.
pub fn bytes(text: &str) -> Option<usize> {
    let (number, scale) = match text.as_bytes().last()? {
        b'k' | b'K' => (text.get(..text.len() - 1)?, 1024),
        b'm' | b'M' => (text.get(..text.len() - 1)?, 1024 * 1024),
        _ => (text, 1),
    };
    let plain = number.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| number.parse::<usize>().ok()?.checked_mul(scale)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_nginx_reads_them() {
        for (text, value) in [
            ("90", 90),
            ("90s", 90),
            ("1h30m", 5400),
            ("1d", 86400),
            ("1y2M", 36_720_000),
            ("0", 0),
        ] {
            assert_eq!(seconds(text), Some(value), "{text}");
        }
        for bad in
            ["", "h", "1x", "-1", "1m1h", "1s1s", "1ms", "99999999999999999999", "200y", "1é"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_as_nginx_reads_them() {
        assert_eq!(bytes("64k"), Some(65536));
        assert_eq!(bytes("1M"), Some(1_048_576));
        assert_eq!(bytes("10"), Some(10));
        for bad in ["", "k", "1g", "-1", "+1", "1.5m", "99999999999999999999m"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }
}
