//! Percent codes (RFC 3986, section 2.1) as this crate demands them: whole, or the text is refused.
//! The decoders of `percent-encoding` and `form_urlencoded` pass a broken code through as it stands.

/// Whether every `%` is followed by two hexadecimal digits.
pub(crate) fn codes_are_whole(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'%')
        .skip(1)
        .all(|after| matches!(after, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::codes_are_whole;

    #[test]
    fn c45_a_code_is_a_percent_sign_and_two_digits() {
        for whole in ["", "a", "%41", "%4aZ", "%25%32%35", "%00"] {
            assert!(codes_are_whole(whole.as_bytes()), "{whole}");
        }
        for broken in ["%", "%4", "%zz", "%4g", "a%", "%%41", "%41%", "%-1", "%+1", "% 1"] {
            assert!(!codes_are_whole(broken.as_bytes()), "{broken}");
        }
    }
}
