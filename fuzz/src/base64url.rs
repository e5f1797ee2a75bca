//! Base64 (RFC 4648), bit by bit: the strict reading, one text for one value.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64url without padding (section 5).
pub fn decode_url(text: &[u8]) -> Option<Vec<u8>> {
    let standard = |byte: &u8| match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' => None,
        other => Some(*other),
    };
    bits(&text.iter().map(standard).collect::<Option<Vec<u8>>>()?)
}

/// Base64 with its padding (section 4).
pub fn decode_padded(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    (text.len().is_multiple_of(4) && text.len() - end <= 2).then(|| bits(&text[..end])).flatten()
}

/// Base64 with its padding, or less of it.
pub fn decode_either(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    (text.len() <= end.next_multiple_of(4)).then(|| bits(&text[..end])).flatten()
}

fn bits(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text {
        held = held << 6 | STANDARD.iter().position(|it| it == byte)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((held >> count) as u8);
            held &= (1 << count) - 1;
        }
    }
    // Six bits left are a character for nothing, other bits that are set a second text.
    (count < 6 && held == 0).then_some(bytes)
}

/// Base64 with its padding.
pub fn encode(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}
