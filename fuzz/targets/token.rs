//! The token. The first byte says what the rest is: `e` edits of a token that holds, four bytes each;
//! `s`, `a`, `d` the payload of a session, an API token, a device, to be signed; else the token.
#![no_main]

use authgate_core::token::{PayloadBuffer, Purpose, TokenError, Verified, inspect};
use authgate_fuzz::realm::{NOW, Realm, SECRET};
use authgate_fuzz::token::{self as page, Fields, For};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static REALM: LazyLock<Realm> = LazyLock::new(|| Realm::new(&[]));
const PURPOSES: [Purpose; 3] = [Purpose::Session, Purpose::Api, Purpose::Device];

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((b'e', edits)) => edited(edits),
        Some((b's', payload)) => signed(For::Session, Purpose::Session, payload),
        Some((b'a', payload)) => signed(For::Api, Purpose::Api, payload),
        Some((b'd', payload)) => signed(For::Device, Purpose::Device, payload),
        _ => unsigned(data),
    }
});

fn verify<'b>(
    purpose: Purpose,
    token: &[u8],
    buffer: &'b mut PayloadBuffer,
) -> Result<Verified<'b>, TokenError> {
    REALM.ring.verify(purpose, token, NOW, buffer)
}

/// Nobody without the key makes one that holds; and what can be read of it, has one text.
fn unsigned(token: &[u8]) {
    for purpose in PURPOSES {
        assert!(verify(purpose, token, &mut PayloadBuffer::default()).is_err());
    }
    let (seen, expected) = (inspect(token), page::read(token));
    // A name of more than 16 bytes, or of other characters, is no key's.
    let is_name = |id: &str| {
        (1..=16).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let expected = expected.filter(|(id, _)| is_name(id));
    assert_eq!(seen.is_ok(), expected.is_some());
    if let (Ok(seen), Some((key_id, fields))) = (seen, expected) {
        assert_eq!(seen.key_id.as_str(), key_id);
        assert_eq!((seen.session.0, &seen.user), (fields.session, &fields.user));
        assert_eq!((seen.issued_at, seen.expires_at), (fields.issued_at, fields.expires_at));
        assert_eq!((seen.ends_at, seen.epoch), (fields.ends_at, fields.epoch));
        assert!(seen.scope.as_scope().methods().eq(&fields.methods));
        assert!(seen.scope.as_scope().paths().eq(&fields.paths));
    }
}

/// What differs from the token by a byte or more does not hold.
fn edited(edits: &[u8]) {
    for purpose in PURPOSES {
        let token = REALM.token(purpose, "alice", Default::default()).expect("a token");
        let mut other = token.clone().into_bytes();
        for edit in edits.as_chunks::<4>().0 {
            let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % (other.len() + 1);
            let end = (at + usize::from(edit[2] % 8)).min(other.len());
            let added = if edit[2] & 8 == 0 { &edit[3..] } else { &[] };
            other.splice(at..end, added.iter().copied());
        }
        let holds = verify(purpose, &other, &mut PayloadBuffer::default()).is_ok();
        assert_eq!(holds, other == token.as_bytes(), "{:?}", other.escape_ascii().to_string());
    }
}

/// The page's reading of a payload decides, whatever it is.
fn signed(purpose: For, as_purpose: Purpose, payload: &[u8]) {
    // The realm's tag is no secret, but no luck finds it.
    let tag = page::realm_tag(SECRET);
    for payload in [payload.to_vec(), [&tag[..], payload].concat()] {
        let token = page::sign(SECRET, "first", purpose, &payload);
        let mut buffer = PayloadBuffer::default();
        let seen = verify(as_purpose, token.as_bytes(), &mut buffer);
        let expected = expected(&token, tag, purpose);
        match (seen, expected) {
            (Ok(seen), Ok(fields)) => holds(as_purpose, &token, &seen, &fields),
            (Err(seen), Err(expected)) => assert_eq!(seen, expected),
            (seen, expected) => panic!("{seen:?} instead of {expected:?}: {token}"),
        }
        for other in PURPOSES.into_iter().filter(|other| *other != as_purpose) {
            assert!(verify(other, token.as_bytes(), &mut PayloadBuffer::default()).is_err());
        }
    }
}

/// docs/TOKEN.md, "Checking".
fn expected(token: &str, tag: [u8; 4], purpose: For) -> Result<Fields, TokenError> {
    let (_, fields) = page::read(token.as_bytes()).ok_or(TokenError::Malformed)?;
    if fields.has_limits() && purpose != For::Api {
        return Err(TokenError::Malformed);
    }
    if fields.realm_tag != tag {
        return Err(TokenError::BadSignature);
    }
    let life = fields.expires_at.saturating_sub(fields.issued_at);
    if fields.expires_at > fields.ends_at || life > 400 * 86400 {
        return Err(TokenError::Malformed);
    }
    let holds = fields.issued_at <= NOW + 60 && NOW < fields.expires_at && NOW < fields.ends_at;
    if holds { Ok(fields) } else { Err(TokenError::Expired) }
}

fn holds(purpose: Purpose, token: &str, seen: &Verified<'_>, fields: &Fields) {
    let claims = &seen.claims;
    let again = REALM.ring.sign(purpose, claims);
    assert_eq!(again.as_deref(), Some(token), "one text for what it says");
    assert_eq!((claims.user, claims.session.0), (&*fields.user, fields.session));
    assert_eq!((claims.issued_at, claims.expires_at), (fields.issued_at, fields.expires_at));
    assert_eq!((claims.ends_at, claims.epoch), (fields.ends_at, fields.epoch));
    assert!(claims.scope.methods().eq(&fields.methods) && claims.scope.paths().eq(&fields.paths));
    assert!(seen.is_signed_by_first());
}
