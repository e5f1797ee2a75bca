//! The fields of a query (`application/x-www-form-urlencoded`, WHATWG URL, section 5.1).

use crate::percent;
use percent_encoding::percent_decode;

/// How often a name stands in a query, and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    /// Not at all, or the query is malformed: a broken percent code anywhere, or not UTF-8.
    Absent,
    /// Once; decoded.
    Once(String),
    /// More than once.
    Repeated,
}

impl Field {
    /// The value, where there is one and no other.
    pub(crate) fn only(self) -> Option<String> {
        match self {
            Self::Once(value) => Some(value),
            Self::Absent | Self::Repeated => None,
        }
    }
}

/// Looks `name` up in `query`.
pub(crate) fn field(query: &[u8], name: &str) -> Field {
    // form_urlencoded passes over both mistakes.
    if !percent::codes_are_whole(query) || percent_decode(query).decode_utf8().is_err() {
        return Field::Absent;
    }
    let pairs = query.split(|&byte| byte == b'&').filter(|pair| may_be(name, pair));
    let mut values = pairs.flat_map(form_urlencoded::parse).filter(|(key, _)| key == name);
    match (values.next(), values.next()) {
        (None, _) => Field::Absent,
        (Some((_, value)), None) => Field::Once(value.into_owned()),
        (Some(_), Some(_)) => Field::Repeated,
    }
}

/// Whether a pair may have that name, as it stands or in percent codes. To decode them all costs many
/// times more, and a query may be of nothing but ampersands.
fn may_be(name: &str, pair: &[u8]) -> bool {
    let key = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
    key == name.as_bytes() || key.contains(&b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j119_a_name_is_found_as_it_stands_and_in_percent_codes() {
        let once = |value: &str| Field::Once(value.into());
        for (query, found) in [
            ("rd=/a", once("/a")),
            ("x&rd=/a&&y=rd", once("/a")),
            ("%72d=/a", once("/a")),
            ("r%64=%2Fa", once("/a")),
            ("%72%64", once("")),
            ("rd", once("")),
            ("rd=a+b=c", once("a b=c")),
            ("rd=1&r%64=2", Field::Repeated),
            ("rd=1&rd", Field::Repeated),
            ("Rd=1&+rd=2&rd+=3&=rd&r=d&%2572d=4&a;rd=5&a%26rd=6", Field::Absent),
            ("", Field::Absent),
            ("rd=1&%zz", Field::Absent),
            ("rd=1&%ff", Field::Absent),
        ] {
            assert_eq!(field(query.as_bytes(), "rd"), found, "{query}");
        }
    }
}
