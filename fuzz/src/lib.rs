//! What the fuzz targets share: cutting an input, and a second way to do what the product does, plainly
//! and not fast, to hold the two against each other.
//!
//! Inputs are texts wherever that is possible, so that a seed can be read and written by hand: a line of
//! options or fields, then the bytes in question.

pub mod base64url;
pub mod names;
pub mod realm;
pub mod token;

/// The first line, without its end, and what follows it.
pub fn cut(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}

/// Whether an option letter stands in a line of options.
pub fn has(options: &[u8], letter: u8) -> bool {
    options.contains(&letter)
}

/// The lines, without their ends.
pub fn lines(data: &[u8]) -> Vec<&[u8]> {
    data.split(|byte| *byte == b'\n').collect()
}

/// Percent codes decoded once; `None` where one is broken.
pub fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (mut decoded, mut rest) = (Vec::new(), text);
    while let [first, tail @ ..] = rest {
        rest = tail;
        decoded.push(*first);
        if *first == b'%' {
            let [high, low, tail @ ..] = rest else { return None };
            *decoded.last_mut()? = (digit(*high)? * 16 + digit(*low)?) as u8;
            rest = tail;
        }
    }
    Some(decoded)
}

/// Without spaces, tabs and the other white space of ASCII around it.
pub fn trimmed<'a>(text: &'a [u8], white: &[u8]) -> &'a [u8] {
    let is_text = |byte: &u8| !white.contains(byte);
    let Some(start) = text.iter().position(is_text) else { return &[] };
    let end = text.iter().rposition(is_text).unwrap_or(start);
    &text[start..=end]
}

/// Space and horizontal tab (RFC 9110, section 5.6.3).
pub const BLANKS: &[u8] = b" \t";
/// White space of ASCII, as `u8::is_ascii_whitespace` has it.
pub const WHITE: &[u8] = b" \t\n\x0c\r";
