//! Paths that every server reads as the same: what the limits of an API token are about.
//!
//! nginx, what it hands a request on to, and what stands behind that each have a way of their own
//! to read a target: decoded before it is split into segments or after, once or twice, with `..`
//! resolved, `//` merged or `\` taken for `/`, without parameters (`;x`), in another form of
//! Unicode. Where they could come to different places, the path is not plain.

use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The path of a request target as the client sent it, decoded. `None` where it is not plain.
///
/// Plain is UTF-8 that has the same segments as it stands and decoded, and is plain decoded (see
/// [`is_plain`]). So there are no percent codes of a slash, and none is left to be decoded again.
pub fn plain_path(target: &[u8]) -> Option<Cow<'_, str>> {
    let raw = target.split(|&byte| byte == b'?').next()?;
    let path = percent_decode(raw).decode_utf8().ok()?;
    let has_same_segments = slashes(raw) == slashes(path.as_bytes());
    (has_same_segments && is_plain(&path)).then_some(path)
}

/// Whether a path, decoded, is what all take it for: it begins with `/`, has no character that
/// structures a path but `/` and `;`, or that stands for one, and a name in each segment but the
/// last, which may be empty.
pub(crate) fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let segments = rest.strip_suffix('/').unwrap_or(rest);
    (rest.is_empty() || segments.split('/').all(has_name)) && !path.contains(is_ambiguous)
}

fn slashes(path: &[u8]) -> usize {
    path.iter().filter(|&&byte| byte == b'/').count()
}

/// Whether something is left of a segment without its parameters (RFC 3986, section 3.3; Java drops
/// them), dots and blanks (Windows drops them at the end; `+` is a blank to who reads a form), and
/// what is no letter or digit (some of it is invisible). So it is no dot segment to anybody, and is
/// never empty. Beside a dot it takes more than letters beyond ASCII: some of those are marks on the
/// character before them, which others drop.
fn has_name(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    let has_ascii = name.contains(|c: char| c.is_ascii() && !matches!(c, '.' | ' ' | '+'));
    has_ascii || !name.contains('.') && name.contains(char::is_alphanumeric)
}

/// Characters that begin something else than a path, and those that become one of `/ \ . % ? # ;` in a
/// normal form of Unicode, or are replaced by one where Windows knows no better.
fn is_ambiguous(c: char) -> bool {
    c.is_control()
        || match c {
            '\\' | '?' | '#' | '%' => true,
            '\u{a5}' | '\u{20a9}' | '\u{37e}' | '\u{66a}' => true,
            '\u{2024}'..='\u{2026}' | '\u{2044}' | '\u{2047}'..='\u{2049}' => true,
            // Fractions and squared units with a slash in them.
            '\u{bc}'..='\u{be}' | '\u{2150}'..='\u{215f}' | '\u{2189}' => true,
            '\u{33a7}' | '\u{33a8}' | '\u{33ae}' | '\u{33af}' | '\u{33c6}' => true,
            '\u{33de}' | '\u{33df}' => true,
            '\u{2100}' | '\u{2101}' | '\u{2105}' | '\u{2106}' | '\u{2215}' | '\u{2216}' => true,
            '\u{29f5}' | '\u{29f8}' | '\u{29f9}' | '\u{3002}' => true,
            '\u{fe10}'..='\u{fe1f}' | '\u{fe30}' | '\u{fe50}'..='\u{fe6f}' => true,
            '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' => true,
            '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}' => true,
            // Letters by their category, but invisible.
            '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => true,
            _ => false,
        }
}
