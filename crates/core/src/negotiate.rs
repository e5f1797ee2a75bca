//! What kind of answer a request wants: a page navigation or not, JSON, HTML or text.

use crate::request::{Method, RequestHead};

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
    pub fn of(head: &RequestHead<'_>) -> Self {
        match Accepted::by(head) {
            Accepted { json: true, .. } => Self::Json,
            Accepted { html: true, .. } => Self::Html,
            _ => Self::Text,
        }
    }
}

/// The request header fields of Fetch Metadata (W3C) that a browser sends with every request to a
/// secure origin.
const FETCH_METADATA: [&str; 4] =
    ["sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest", "sec-fetch-user"];

/// Whether the request is a page navigation (reference, section 2): only then does a redirect to
/// the login page lead a person there.
pub fn is_navigation(head: &RequestHead<'_>) -> bool {
    let reads = matches!(head.method, Method::Get | Method::Head);
    reads && !is_websocket(head) && browser_navigates(head)
}

/// Whether anything says that a browser sent the request: to it, a `Basic` challenge would open a
/// native password box over the page.
pub fn says_browser(head: &RequestHead<'_>) -> bool {
    let has = |name: &&str| (head.fields)(name).is_some();
    FETCH_METADATA.iter().any(has)
        || ["origin", "x-requested-with"].iter().any(has)
        || !head.cookies.is_empty()
        || Accepted::by(head).html
}

fn browser_navigates(head: &RequestHead<'_>) -> bool {
    match (head.fields)("sec-fetch-mode") {
        Some(mode) => mode == b"navigate",
        None => {
            let tells_nothing = FETCH_METADATA.iter().all(|name| (head.fields)(name).is_none());
            tells_nothing && Accepted::by(head).html
        }
    }
}

/// A handshake cannot follow a redirect (RFC 6455, section 4.1).
fn is_websocket(head: &RequestHead<'_>) -> bool {
    (head.fields)("upgrade").is_some_and(|value| {
        value
            .split(|&byte| byte == b',')
            .any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    })
}

/// Which types `Accept` names, and not with weight 0 (RFC 9110, section 12.5.1). A wildcard names none.
#[derive(Default)]
struct Accepted {
    json: bool,
    html: bool,
}

impl Accepted {
    fn by(head: &RequestHead<'_>) -> Self {
        let mut accepted = Self::default();
        let accept = (head.fields)("accept").unwrap_or_default();
        for range in accept.split(|&byte| byte == b',') {
            if range.len() < JSON_SUFFIX.len() {
                continue;
            }
            let mut parts = range.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let essence = parts.next().unwrap_or_default();
            let (json, html) = (is_json(essence), is_html(essence));
            if (json || html) && !parts.any(is_weight_zero) {
                accepted.json |= json;
                accepted.html |= html;
            }
        }
        accepted
    }
}

fn is_html(essence: &[u8]) -> bool {
    essence.eq_ignore_ascii_case(b"text/html")
}

/// A JSON type (WHATWG MIME Sniffing, section 4.6).
fn is_json(essence: &[u8]) -> bool {
    let end = essence.len().checked_sub(JSON_SUFFIX.len()).and_then(|at| essence.get(at..));
    essence.eq_ignore_ascii_case(b"application/json")
        || essence.eq_ignore_ascii_case(b"text/json")
        || end.is_some_and(|end| end.eq_ignore_ascii_case(JSON_SUFFIX))
}

/// No type that is looked for is shorter.
const JSON_SUFFIX: &[u8] = b"+json";

/// `q=0`, `q=0.000` (RFC 9110, section 12.4.2).
fn is_weight_zero(parameter: &[u8]) -> bool {
    match parameter {
        [b'q' | b'Q', b'=', weight @ ..] => weight.iter().all(|byte| b"0.".contains(byte)),
        _ => false,
    }
}
