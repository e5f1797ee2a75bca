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
    let mut values = form_urlencoded::parse(query).filter(|(key, _)| key == name);
    match (values.next(), values.next()) {
        (None, _) => Field::Absent,
        (Some((_, value)), None) => Field::Once(value.into_owned()),
        (Some(_), Some(_)) => Field::Repeated,
    }
}
