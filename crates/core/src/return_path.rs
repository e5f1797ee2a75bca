//! Where a login returns to: a path on this host, or `/`.

use crate::query;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// The longest path and query, in bytes.
pub const MAX_LENGTH: usize = 2048;

/// The pages of the gate that lead nowhere after a login: back to the form, or out again.
const DEAD_ENDS: [&[u8]; 2] = [b"login", b"logout"];

/// Everything but the unreserved characters (RFC 3986, section 2.3) and `/`, which stands in a
/// query as it is (section 3.4) and keeps the address readable.
const QUERY_VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A path and query that stay on this host whatever parses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// Takes `raw` as it stands, or `/` where the rule refuses it, where it is over 2 KiB, or where
    /// it is the login or logout page under `gate_path`.
    ///
    /// The rule. `raw` begins with `/` and is of visible ASCII without `\ " < >` and backtick, and
    /// without `{ } | ^ [ ]` before the query. The path, as it stands and decoded once and twice,
    /// has no `//`, no `\`, no dot segment and no control character: a proxy in front or behind may
    /// decode before a browser sees it. The query may hold anything that `raw` may.
    pub fn parse(raw: &[u8], gate_path: &str) -> Self {
        Self::accept(raw, gate_path).unwrap_or_else(Self::root)
    }

    /// `/`
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// The path and query, byte for byte as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same; `None` where `/` would stand for it.
    pub(crate) fn accept(raw: &[u8], gate_path: &str) -> Option<Self> {
        if raw.len() > MAX_LENGTH || !raw.starts_with(b"/") || !raw.iter().all(|&b| is_sendable(b))
        {
            return None;
        }
        let path = raw.split(|&byte| byte == b'?').next()?;
        if path.iter().any(|byte| b"{}|^[]".contains(byte)) {
            return None;
        }
        let once: Vec<u8> = percent_decode(path).collect();
        let twice: Vec<u8> = percent_decode(&once).collect();
        let mut readings = [path, once.as_slice(), twice.as_slice()].into_iter();
        let stays = readings.all(|path| is_plain(path) && !is_dead_end(path, gate_path.as_bytes()));
        stays.then(|| String::from_utf8(raw.to_vec()).ok().map(Self)).flatten()
    }
}

/// Visible ASCII without what browsers rewrite or what could leave an attribute or a header.
fn is_sendable(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\\\"<>`".contains(&byte)
}

/// Whether no parser takes the path, in this reading, for an authority or for another path.
fn is_plain(path: &[u8]) -> bool {
    !path.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\')
        && !path.windows(2).any(|pair| pair == b"//")
        && !path.split(|&byte| byte == b'/').any(is_dot_segment)
}

/// A query or a fragment ends the path, and with it the segment.
fn is_dot_segment(segment: &[u8]) -> bool {
    let name = segment.split(|byte| b"?#".contains(byte)).next();
    matches!(name, Some(b"." | b".."))
}

/// Whether the path, in this reading, is the gate's login or logout page.
fn is_dead_end(path: &[u8], gate_path: &[u8]) -> bool {
    path.strip_prefix(gate_path).is_some_and(|page| {
        let name = page.split(|byte| b"/?#".contains(byte)).next();
        name.is_some_and(|name| DEAD_ENDS.contains(&name))
    })
}

/// The value of `rd` for a request target: percent-encoded, bytes from 0x80 included. It stands as
/// it is in a `Location` field, in HTML and in a log.
pub fn encode(target: &[u8]) -> String {
    percent_encode(target, QUERY_VALUE).to_string()
}

/// The value of `rd` in a query, decoded once as a form's field is (`+` is a space); `None` where
/// it is absent, twice there or malformed: a broken percent code anywhere, or not UTF-8.
pub fn from_query(query: &[u8]) -> Option<Vec<u8>> {
    query::field(query, "rd").only().map(String::into_bytes)
}
