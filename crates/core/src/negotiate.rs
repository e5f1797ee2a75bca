//! What kind of answer a request wants: a page navigation or not, JSON, HTML or text.

use crate::request::RequestHead;

/// The body of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON type is named in `Accept`.
    Json,
    /// `text/html` is named there.
    Html,
    /// Anything else.
    Text,
}

impl Format {
    /// The format that `Accept` names.
    pub fn of(_head: &RequestHead<'_>) -> Self {
        todo!()
    }
}

/// Whether the request is a page navigation (reference, section 2).
pub fn is_navigation(_head: &RequestHead<'_>) -> bool {
    todo!()
}
