//! Cases C39 and C43–C45: what is a login form, and what is in it.

use authgate_core::form::{FormError, LoginForm, MAX_BODY};
use proptest::prelude::*;

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// User name, password and return path of a body that is a form.
fn read(body: impl AsRef<[u8]>) -> Result<(String, Vec<u8>, String), FormError> {
    LoginForm::parse(body.as_ref())
        .map(|form| (form.username, form.password.to_vec(), form.return_to))
}

fn fields(
    username: &str,
    password: &[u8],
    rd: &str,
) -> Result<(String, Vec<u8>, String), FormError> {
    Ok((username.into(), password.into(), rd.into()))
}

#[test]
fn c43_the_type_of_a_form() {
    for content_type in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-URLencoded",
        "application/x-www-form-urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded ;x",
        "application/x-www-form-urlencoded;",
    ] {
        assert_eq!(
            LoginForm::accepts(Some(content_type.as_bytes()), None),
            Ok(()),
            "{content_type}"
        );
    }
}

#[test]
fn c43_every_other_type_is_refused() {
    let refused = Err(FormError::UnsupportedMediaType);
    for content_type in [
        "",
        ";",
        "multipart/form-data; boundary=x",
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded2",
        "x, application/x-www-form-urlencoded",
        "text/plain; application/x-www-form-urlencoded",
    ] {
        assert_eq!(
            LoginForm::accepts(Some(content_type.as_bytes()), None),
            refused,
            "{content_type}"
        );
    }
    assert_eq!(LoginForm::accepts(None, None), refused);
    assert_eq!(LoginForm::accepts(Some(b"\xff"), None), refused);
}

#[test]
fn c43_a_coded_body_is_refused() {
    for coding in ["gzip", "br", "deflate", "identity, gzip", "gzip, identity", "x", ""] {
        let answer = LoginForm::accepts(Some(FORM), Some(coding.as_bytes()));
        assert_eq!(answer, Err(FormError::UnsupportedMediaType), "{coding}");
    }
    assert_eq!(LoginForm::accepts(Some(FORM), Some(b"Identity")), Ok(()));
}

#[test]
fn c39_the_fields_of_the_body() {
    assert_eq!(read("username=bob&password=x&rd=/a"), fields("bob", b"x", "/a"));
    assert_eq!(
        read("rd=%2Fa%3Fb%3D1&password=p%26q%3Dr&username=b%40c"),
        fields("b@c", b"p&q=r", "/a?b=1")
    );
    assert_eq!(
        read("username=J%C3%BCrgen&password=p%C3%A4ss"),
        fields("Jürgen", "päss".as_bytes(), "")
    );
    assert_eq!(read("username=bob&other=1&other=2&=&==&=x&&x"), fields("bob", b"", ""));
    assert_eq!(read("password=a=b=c"), fields("", b"a=b=c", ""));
    assert_eq!(read("user%6eame=bob&p%61ssword=x"), fields("bob", b"x", ""));
    assert_eq!(read(""), fields("", b"", ""));
    assert_eq!(read("Username=bob&PASSWORD=x&password"), fields("", b"", ""));
}

#[test]
fn c44_a_field_twice_is_malformed() {
    for body in [
        "username=a&username=a",
        "password=a&x=1&password=",
        "rd=/&rd=/",
        "password&password",
        "password=a&p%61ssword=b",
        "username=a&%75sername=b",
    ] {
        assert_eq!(read(body), Err(FormError::Malformed), "{body}");
    }
}

#[test]
fn c44_over_sixteen_fields_are_malformed() {
    let fifteen = "x=1&".repeat(15);
    assert_eq!(read(format!("{fifteen}username=a")), fields("a", b"", ""));
    assert_eq!(read(format!("{fifteen}username=a&y")), Err(FormError::Malformed));
    assert_eq!(read(format!("&&&{fifteen}&&username=a&")), fields("a", b"", ""));
}

#[test]
fn c45_a_broken_percent_code_is_malformed() {
    for code in ["%zz", "%", "%4", "%%", "%%41", "%4g", "a%", "%u0041", "% 41"] {
        for name in ["username", "password", "rd", "other"] {
            let body = format!("{name}={code}&a=b");
            assert_eq!(read(&body), Err(FormError::Malformed), "{body}");
        }
        assert_eq!(read(format!("{code}=x")), Err(FormError::Malformed), "{code}");
    }
}

#[test]
fn c45_percent_codes_are_decoded_once() {
    assert_eq!(read("username=%2541&password=%252525&rd=%252F"), fields("%41", b"%2525", "%2F"));
}

#[test]
fn c45_plus_is_a_space_and_a_semicolon_is_itself() {
    assert_eq!(read("username=a+b%2Bc&password=+%2b+"), fields("a b+c", b" + ", ""));
    assert_eq!(read("username=a;password=b"), fields("a;password=b", b"", ""));
    assert_eq!(read("password=a;b&rd=/;c"), fields("", b"a;b", "/;c"));
}

#[test]
fn c45_a_nul_is_malformed_outside_the_password() {
    for body in ["username=a%00b", "rd=%00", "x=%00", "%00=x", "password%00=x", "username=a\0"] {
        assert_eq!(read(body), Err(FormError::Malformed), "{body:?}");
    }
    assert_eq!(read("password=a%00b"), fields("", b"a\0b", ""));
    assert_eq!(read("password=a\0b"), fields("", b"a\0b", ""));
}

#[test]
fn c45_what_is_not_utf_8_is_malformed_outside_the_password() {
    for body in [&b"username=%FF"[..], b"username=\xff", b"rd=%C0%AF", b"x=\xc0\xaf", b"%80=x"] {
        assert_eq!(read(body), Err(FormError::Malformed), "{body:?}");
    }
    assert_eq!(read(b"password=%FF\xfe"), fields("", b"\xff\xfe", ""));
}

#[test]
fn c46_a_body_over_the_limit_is_never_read() {
    let body = format!("username=a&password={}", "x".repeat(MAX_BODY));
    assert_eq!(read(&body), Err(FormError::Malformed));
    assert!(read(body.get(..MAX_BODY).unwrap_or_default()).is_ok());
}

proptest! {
    #[test]
    fn c45_any_body_has_one_reading_or_none(body in "[a-z%&=+;0-9\u{e9}\0]{0,60}|(username|password|rd)=[ -~]{0,40}") {
        let Ok(form) = LoginForm::parse(body.as_bytes()) else { return Ok(()) };
        let only = |name: &str| {
            let mut values = form_urlencoded::parse(body.as_bytes()).filter(|(key, _)| key == name);
            let value = values.next().map(|(_, value)| value.into_owned());
            (value.unwrap_or_default(), values.next())
        };
        prop_assert_eq!(only("username"), (form.username, None));
        prop_assert_eq!(only("password"), (String::from_utf8_lossy(&form.password).into_owned(), None));
        prop_assert_eq!(only("rd"), (form.return_to, None));
    }

    #[test]
    fn c45_every_value_survives_a_browser(username in "[^\0]{0,40}", password in ".{0,40}", rd in "[^\0]{0,40}") {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("username", &username)
            .append_pair("password", &password)
            .append_pair("rd", &rd)
            .finish();
        prop_assert_eq!(read(body), fields(&username, password.as_bytes(), &rd));
    }

    #[test]
    fn c45_no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = LoginForm::parse(&body);
        let _ = LoginForm::accepts(Some(&body), Some(&body));
    }
}
