//! What becomes of the lines of a response header where the gate adds its own.

/// Whether a field that the gate sets takes the place of a line that is there already, whatever
/// `expires`, `add_header` or an application said. Of some fields an answer may have several.
pub fn replaces((field, own): (&str, &str), name: &[u8], value: &[u8]) -> bool {
    let same = name.eq_ignore_ascii_case(field.as_bytes());
    match field {
        "Set-Cookie" => false,
        // auth_request has copied that of its subrequest.
        "WWW-Authenticate" => same && value == own.as_bytes(),
        "Cache-Control" => same || name.eq_ignore_ascii_case(b"expires") || is_for_caches(name),
        _ => same,
    }
}

/// Keeps a response with a cookie for one visitor from caches that serve others (RFC 9111, 5.2.2.7).
#[derive(Debug, Default)]
pub struct Private {
    /// Whether a line that stays says so.
    said: bool,
    /// Whether a line that goes said that nobody may store the response.
    unstored: bool,
}

impl Private {
    /// Hears a line of the header. False where it may not stay.
    #[must_use]
    pub fn keeps(&mut self, name: &[u8], value: &[u8]) -> bool {
        if is_for_caches(name) {
            return false;
        }
        if !name.eq_ignore_ascii_case(b"cache-control") {
            return true;
        }
        let says =
            |word: &str| directives(value).any(|it| it.eq_ignore_ascii_case(word.as_bytes()));
        let stays = !says("public");
        self.said |= stays && (says("private") || says("no-store"));
        self.unstored |= !stays && says("no-store");
        stays
    }

    /// The `Cache-Control` line that has to be added when all lines have been heard.
    pub fn missing(&self) -> Option<&'static str> {
        match (self.unstored, self.said) {
            (true, _) => Some("no-store"),
            (false, false) => Some("private"),
            (false, true) => None,
        }
    }
}

/// Whether a field is said to shared caches alone, who heed it before `Cache-Control`: RFC 9213, and
/// what was there before it. `X-Accel-Expires` is for another nginx in front.
fn is_for_caches(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(b"cdn-cache-control")
        || [&b"surrogate-control"[..], b"edge-control", b"x-accel-expires"].contains(&&*name)
}

/// The directives of a `Cache-Control` value. `private="Set-Cookie"` is another one than `private`: it
/// keeps back the fields that it names and lets the rest be stored.
fn directives(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let pieces = value.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    });
    pieces.map(<[u8]>::trim_ascii)
}
