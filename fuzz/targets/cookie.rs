//! `Cookie` and `Set-Cookie`. The first line has options: `t` TLS, `d` a domain, `n` never secure,
//! `a` always. The others are values of either header.
#![no_main]

use authgate_core::cookie::{
    CookieSettings, GateCookies, MAX_CANDIDATES, MAX_VALUE, SameSite, Secure, Stripped,
};
use authgate_fuzz::{BLANKS, cut, has, lines, trimmed};
use libfuzzer_sys::fuzz_target;

const OURS: [&[u8]; 4] =
    [b"authgate", b"__Host-authgate", b"authgate-device", b"__Host-authgate-device"];

fuzz_target!(|data: &[u8]| {
    let (options, rest) = cut(data);
    let secure = match (has(options, b'n'), has(options, b'a')) {
        (true, _) => Secure::Off,
        (_, true) => Secure::On,
        _ => Secure::Auto,
    };
    let (tls, domain) = (has(options, b't'), has(options, b'd').then_some("example.com"));
    let cookies = CookieSettings::new("authgate", domain, SameSite::Lax, secure).expect("settings");
    let lines = lines(rest);
    let prefixed = domain.is_none() && (secure == Secure::On || tls && secure == Secure::Auto);
    let [name, device] = if prefixed { [OURS[1], OURS[3]] } else { [OURS[0], OURS[2]] };
    assert_eq!(cookies.name(tls).as_bytes(), name);
    assert!(cookies.candidates(tls, &lines).eq(candidates(&lines, name)));
    assert!(cookies.device_candidates(tls, &lines).eq(candidates(&lines, device)));
    let mut ours = GateCookies::default();
    ours.add(&cookies);
    for line in lines {
        check_removal(&ours, line);
        let left = stripped(&ours, line).unwrap_or_else(|| line.to_vec());
        assert_eq!(cookies.candidates(tls, &[&left]).count(), 0);
        check_set_cookie(&ours, line);
    }
});

/// Byte for byte, without any helper: name, value, next.
fn pairs(line: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = Vec::new();
    for piece in line.split(|byte| *byte == b';') {
        let piece = trimmed(piece, BLANKS);
        let mut name = Vec::new();
        for (at, byte) in piece.iter().enumerate() {
            if *byte == b'=' {
                pairs.push((name, piece[at + 1..].to_vec()));
                break;
            }
            name.push(*byte);
        }
    }
    pairs
}

fn candidates(lines: &[&[u8]], wanted: &[u8]) -> Vec<Vec<u8>> {
    let pairs = lines.iter().flat_map(|line| pairs(line));
    let ours = pairs.filter(|(name, _)| name == wanted).map(|(_, value)| value);
    ours.take(MAX_CANDIDATES).filter(|value| value.len() <= MAX_VALUE).collect()
}

fn is_ours(pair: &(Vec<u8>, Vec<u8>)) -> bool {
    OURS.contains(&&*pair.0)
}

/// What is left of a line that has a cookie of ours.
fn stripped(ours: &GateCookies, line: &[u8]) -> Option<Vec<u8>> {
    let mut room = vec![0; line.len()];
    match ours.strip(line, || Some(&mut room)).expect("there is room") {
        Stripped::Whole => None,
        Stripped::Rest(rest) => Some(rest.to_vec()),
    }
}

fn check_removal(ours: &GateCookies, line: &[u8]) {
    let left = stripped(ours, line);
    assert_eq!(left.is_some(), pairs(line).iter().any(is_ours));
    let Some(left) = left.as_deref() else { return };
    assert_eq!(stripped(ours, left), None);
    let others: Vec<_> = pairs(line).into_iter().filter(|pair| !is_ours(pair)).collect();
    assert_eq!(pairs(left), others, "the others stay");
    // Byte for byte: what is left are whole pieces of the line, in their order.
    let kept = line.split(|byte| *byte == b';').filter(|piece| !pairs(piece).iter().any(is_ours));
    let kept = kept.skip_while(|piece| trimmed(piece, BLANKS).is_empty());
    let kept = kept.collect::<Vec<_>>().join(&b';');
    let start = kept.iter().position(|byte| !BLANKS.contains(byte)).unwrap_or(kept.len());
    assert_eq!(left, &kept[start..]);
    if let Some(short) = left.len().checked_sub(1) {
        let mut room = vec![0; short];
        assert_eq!(ours.strip(line, || Some(&mut room)), None, "no cookie rather than half of one");
    }
}

/// A browser that stores what a `Set-Cookie` says and sends it back (RFC 6265bis, 5.6 to 5.8).
fn check_set_cookie(ours: &GateCookies, value: &[u8]) {
    let is_control = |byte: &u8| matches!(byte, 0..=8 | 10..=31 | 127);
    if value.iter().any(is_control) {
        let _ = ours.are_set_by(value);
        return;
    }
    let pair = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let (name, value_) = match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (&[][..], pair),
    };
    let (name, text) = (trimmed(name, BLANKS), trimmed(value_, BLANKS));
    let sent = if name.is_empty() { text.to_vec() } else { [name, b"=", text].concat() };
    assert_eq!(ours.are_set_by(value), stripped(ours, &sent).is_some());
}
