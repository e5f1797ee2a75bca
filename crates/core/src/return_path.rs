//! Where a login returns to: a path on this host, or `/`.

/// A path and query that stay on this host whatever parses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// Takes `raw` as it stands, or `/` where the rule refuses it, where it is over 2 KiB, or where
    /// it is the login or logout page under `gate_path`.
    pub fn parse(_raw: &[u8], _gate_path: &str) -> Self {
        todo!()
    }

    /// The path and query, byte for byte as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The value of `rd` for a request target: percent-encoded, bytes from 0x80 included.
pub fn encode(_target: &[u8]) -> String {
    todo!()
}

/// The value of `rd` in a query, decoded once; `None` where it is absent, twice there or malformed.
pub fn from_query(_query: &[u8]) -> Option<Vec<u8>> {
    todo!()
}
