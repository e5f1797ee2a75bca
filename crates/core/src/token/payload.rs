//! The payload: a fixed binary layout, all numbers big-endian.

use super::{Claims, MAC_TEXT_LENGTH, MAX_LENGTH, MAX_USER, Scope, SessionId, TokenError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Realm tag, session, three times, epoch, length of the user name.
pub(super) const FIXED_LENGTH: usize = 4 + 16 + 3 * 8 + 8 + 1;
/// What is left of the longest token by `v1.`, a key's name of one character, and two dots, decoded.
pub(super) const MAX_PAYLOAD: usize = (MAX_LENGTH - 3 - 1 - 2 - MAC_TEXT_LENGTH) * 3 / 4;

const _: () = assert!(MAX_PAYLOAD >= FIXED_LENGTH + MAX_USER);

/// Room for a decoded payload, on the caller's stack.
#[derive(Debug)]
pub struct PayloadBuffer(pub(super) [u8; MAX_PAYLOAD]);

impl Default for PayloadBuffer {
    fn default() -> Self {
        Self([0; MAX_PAYLOAD])
    }
}

impl PayloadBuffer {
    pub(super) fn parse(&mut self, payload: &[u8]) -> Result<([u8; 4], Claims<'_>), TokenError> {
        let length = URL_SAFE_NO_PAD
            .decode_slice(payload, &mut self.0)
            .map_err(|_| TokenError::Malformed)?;
        self.0.get(..length).and_then(decode).ok_or(TokenError::Malformed)
    }
}

pub(super) fn encode(realm_tag: [u8; 4], claims: &Claims<'_>) -> Option<Vec<u8>> {
    let user = checked_user(claims.user.as_bytes())?;
    let scope = claims.scope.as_bytes();
    let mut payload = Vec::with_capacity(FIXED_LENGTH + user.len() + scope.len());
    payload.extend_from_slice(&realm_tag);
    payload.extend_from_slice(&claims.session.0);
    for number in [claims.issued_at, claims.expires_at, claims.ends_at, claims.epoch] {
        payload.extend_from_slice(&number.to_be_bytes());
    }
    payload.push(u8::try_from(user.len()).ok()?);
    payload.extend_from_slice(user.as_bytes());
    payload.extend_from_slice(scope);
    Some(payload)
}

fn decode(payload: &[u8]) -> Option<([u8; 4], Claims<'_>)> {
    let (&realm_tag, rest) = payload.split_first_chunk()?;
    let (&session, rest) = rest.split_first_chunk()?;
    let (issued_at, rest) = split_number(rest)?;
    let (expires_at, rest) = split_number(rest)?;
    let (ends_at, rest) = split_number(rest)?;
    let (epoch, rest) = split_number(rest)?;
    let (&length, rest) = rest.split_first()?;
    let (user, scope) = rest.split_at_checked(usize::from(length))?;
    let (user, scope) = (checked_user(user)?, Scope::parse(scope)?);
    let session = SessionId(session);
    Some((realm_tag, Claims { session, user, issued_at, expires_at, ends_at, epoch, scope }))
}

fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(number), rest))
}

/// A user name that may stand in headers, log lines and pages: what signs and what reads agree.
fn checked_user(user: &[u8]) -> Option<&str> {
    let user = core::str::from_utf8(user).ok()?;
    let well_formed = (1..=MAX_USER).contains(&user.len()) && !user.chars().any(char::is_control);
    well_formed.then_some(user)
}
