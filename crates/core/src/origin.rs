//! Whether a post comes from this site's own pages (Fetch Metadata, and `Origin` of RFC 6454).

use crate::request::RequestHead;

/// Whether a post may act: from this origin, or from a client that is no browser.
pub fn may_post(_head: &RequestHead<'_>) -> bool {
    todo!()
}
