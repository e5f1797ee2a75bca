//! The login form. The first line is the type, the second the coding, the rest the body.
#![no_main]

use authgate_core::form::{FormError, LoginForm, MAX_BODY};
use authgate_fuzz::{WHITE, cut, trimmed, unquote};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (content_type, rest) = cut(data);
    let (coding, body) = cut(rest);
    media_type(content_type, coding);
    let (seen, expected) = (LoginForm::parse(body), expected(body));
    let Some([username, password, return_to]) = expected else {
        return assert!(matches!(seen, Err(FormError::Malformed)));
    };
    let seen = seen.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(*seen.password, password.unwrap_or_default());
    assert_eq!(seen.username.as_bytes(), username.unwrap_or_default());
    assert_eq!(seen.return_to.as_bytes(), return_to.unwrap_or_default());
    by_the_standard(body, &seen);
});

/// User name, password, `rd`, each at most once.
fn expected(body: &[u8]) -> Option<[Option<Vec<u8>>; 3]> {
    unquote(body).filter(|_| body.len() <= MAX_BODY)?;
    let mut fields = [None, None, None];
    let pairs: Vec<_> = body.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).collect();
    for pair in pairs.iter().filter(|_| pairs.len() <= 16) {
        let equals = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        let [name, value] =
            [&pair[..equals], pair.get(equals + 1..).unwrap_or_default()].map(decode);
        let at = match &name[..] {
            b"username" => 0,
            b"password" => 1,
            b"rd" => 2,
            _ => 3,
        };
        let is_text = |bytes: &[u8]| core::str::from_utf8(bytes).is_ok() && !bytes.contains(&0);
        if at != 1 && !(is_text(&name) && is_text(&value)) {
            return None;
        }
        if let Some(field) = fields.get_mut(at)
            && field.replace(value).is_some()
        {
            return None;
        }
    }
    (pairs.len() <= 16).then_some(fields)
}

fn decode(text: &[u8]) -> Vec<u8> {
    let spaces: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    unquote(&spaces).expect("whole codes")
}

/// WHATWG URL, section 5.1, by its own implementation.
fn by_the_standard(body: &[u8], form: &LoginForm) {
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "username" => assert_eq!(value, form.username),
            "rd" => assert_eq!(value, form.return_to),
            "password" => assert_eq!(value, String::from_utf8_lossy(&form.password)),
            _ => {}
        }
    }
}

fn media_type(content_type: &[u8], coding: &[u8]) {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let is = |text: &[u8], wanted: &str| {
        String::from_utf8_lossy(trimmed(text, WHITE)).eq_ignore_ascii_case(wanted)
    };
    let is_form = is(essence, "application/x-www-form-urlencoded");
    assert_eq!(LoginForm::accepts(Some(content_type), None).is_ok(), is_form);
    let is_plain = is_form && is(coding, "identity");
    assert_eq!(LoginForm::accepts(Some(content_type), Some(coding)).is_ok(), is_plain);
    assert!(LoginForm::accepts(None, Some(coding)).is_err());
}
