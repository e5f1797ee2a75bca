//! A whole request. Lines: options (`t` TLS, `l` a login page elsewhere); method and target, separated by a
//! blank; header lines, in which `$s`, `$b`, `$d`, `$a` stand for tokens that hold (sessions of alice and
//! bob, alice's device, bob's API token), until an empty one; the rest is the body.
#![no_main]

use authgate_core::gate::{Decision, Identity, Verdict};
use authgate_core::limit::{LimitReason, Limited};
use authgate_core::pages::{Action, Fresh, Page};
use authgate_core::reply::Reply;
use authgate_core::request::{Method, RequestHead};
use authgate_core::token::{Purpose, SessionId};
use authgate_fuzz::realm::{NOW, Realm};
use authgate_fuzz::{cut, has};
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// A realm and the tokens that hold there.
struct Gated {
    realm: Realm,
    tokens: [(u8, String); 4],
}

const ACCEPT: (&str, &[&str]) = ("accept", &["cookie", "bearer", "basic"]);

static HERE: LazyLock<Gated> = LazyLock::new(|| Gated::new(&[ACCEPT]));
static ELSEWHERE: LazyLock<Gated> = LazyLock::new(|| {
    Gated::new(&[
        ACCEPT,
        ("keys", &["keys"]),
        ("cookie", &["authgate", "domain=example.com"]),
        ("login_url", &["https://login.example.com/authgate/login"]),
        ("return_hosts", &[".example.com"]),
    ])
});

impl Gated {
    fn new(directives: &[(&str, &[&str])]) -> Self {
        let realm = Realm::new(directives);
        let token = |purpose, user| {
            let token = realm.token(purpose, user, Default::default()).expect("a token");
            if purpose == Purpose::Api { format!("agt_{token}") } else { token }
        };
        let tokens = [
            (b's', token(Purpose::Session, "alice")),
            (b'b', token(Purpose::Session, "bob")),
            (b'd', token(Purpose::Device, "alice")),
            (b'a', token(Purpose::Api, "bob")),
        ];
        Self { realm, tokens }
    }

    fn fill(&self, text: &[u8]) -> Vec<u8> {
        let mut filled = text.to_vec();
        for (letter, token) in &self.tokens {
            while let Some(at) = filled.windows(2).position(|pair| pair == [b'$', *letter]) {
                filled.splice(at..at + 2, token.bytes());
            }
        }
        filled
    }
}

fuzz_target!(|data: &[u8]| {
    let (options, rest) = cut(data);
    let (first, mut rest) = cut(rest);
    let gated = if has(options, b'l') { &*ELSEWHERE } else { &*HERE };
    let mut fields = Fields::new();
    while let (line, after) = cut(rest)
        && !line.is_empty()
    {
        let line = gated.fill(line);
        if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            fields.push((line[..colon].to_vec(), line[colon + 1..].trim_ascii().to_vec()));
        }
        rest = after;
    }
    let lookup = |name: &str| values(&fields, name).first().copied();
    let (method, target) =
        first.split_at(first.iter().position(|byte| *byte == b' ').unwrap_or(first.len()));
    let target = target.trim_ascii_start();
    let query = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let cookies = values(&fields, "cookie");
    let head = RequestHead {
        method: Method::named(method),
        method_name: method,
        target: Some(target),
        query: target.get(query + 1..).unwrap_or_default(),
        host: lookup("host"),
        tls: has(options, b't'),
        cookies: &cookies,
        authorization: lookup("authorization"),
        ..gated.realm.head(&lookup)
    };
    gate(gated, &head);
    pages(gated, &head, rest);
});

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn values<'a>(fields: &'a Fields, name: &str) -> Vec<&'a [u8]> {
    let named = fields.iter().filter(|(it, _)| it == name.as_bytes());
    named.map(|(_, value)| &**value).collect()
}

/// Nobody is let in, with a check or without, who does not present what is right.
fn gate(gated: &Gated, head: &RequestHead<'_>) {
    let gate = gated.realm.gate();
    let verdict = match gate.decide(head, NOW) {
        Decision::Verdict(verdict) => verdict,
        Decision::Check(check) => {
            assert!(head.authorization.is_some());
            assert!(check.network == head.network);
            return;
        }
    };
    if let Verdict::Admit(identity) = &verdict {
        presents(gated, head, identity);
        assert!(gate.renewal(identity, head, NOW).is_none(), "not due yet");
        let renewed = gate.renewal(identity, head, NOW + 1800);
        assert_eq!(renewed.is_some(), identity.session().is_some());
        is_sendable(&gate.verified(Some(&verdict)));
    }
    is_sendable(&gate.refusal(head, &verdict, NOW));
    is_sendable(&gate.refusal_without_redirect(head, &verdict, NOW));
}

fn presents(gated: &Gated, head: &RequestHead<'_>, identity: &Identity) {
    let holds = |texts: &[&[u8]], letter: u8| {
        let (_, token) = gated.tokens.iter().find(|(it, _)| *it == letter).expect("a token");
        texts.iter().any(|text| text.windows(token.len()).any(|part| part == token.as_bytes()))
    };
    let authorization = head.authorization.unwrap_or_default();
    let (alice, bob) = (holds(head.cookies, b's'), holds(head.cookies, b'b'));
    match (identity.user(), identity.session().is_some()) {
        ("alice", true) => assert!(alice),
        ("bob", true) => assert!(bob),
        ("bob", false) => assert!(holds(&[authorization], b'a')),
        (user, _) => panic!("{user}"),
    }
}

/// As nginx has it, where nothing is to be decoded or normalized.
fn path_of<'a>(head: &RequestHead<'a>) -> Option<&'a [u8]> {
    head.target?.split(|byte| *byte == b'?').next()
}

fn pages(gated: &Gated, head: &RequestHead<'_>, body: &[u8]) {
    let gate = gated.realm.gate();
    let Some(page) = path_of(head).and_then(|path| Page::at(gate.settings, path)) else { return };
    let action = match gate.page(page, head, NOW) {
        Action::ReadBody => gate.posted(head, body, NOW),
        action => action,
    };
    match action {
        Action::Reply(reply) => is_sendable(&reply),
        Action::ReadBody => panic!("the body twice"),
        Action::Identify => {
            if let Decision::Verdict(verdict) = gate.decide(head, NOW) {
                is_sendable(&gate.session(head, &verdict, NOW));
            }
        }
        Action::Check(check) => {
            assert_eq!(head.method, Method::Post);
            let fresh = Fresh { session: SessionId([1; 16]), device: SessionId([2; 16]) };
            let reply = gate.checked(head, &check, false, fresh, NOW).expect("a reply");
            assert!(reply.status == 403 && !sets_cookie(&reply));
            is_sendable(&reply);
            if let Some(reply) = gate.checked(head, &check, true, fresh, NOW) {
                let is_user = matches!(&*check.username, "alice" | "bob");
                assert_eq!(sets_cookie(&reply), is_user, "{:?}", check.username);
                is_sendable(&reply);
            }
            is_sendable(&gate.busy(head, &check));
            let limited = Limited { seconds: 7, reason: LimitReason::User, is_first: true };
            is_sendable(&gate.limited(head, &check, limited));
        }
    }
}

fn sets_cookie(reply: &Reply) -> bool {
    reply.headers.iter().any(|(name, _)| *name == "Set-Cookie")
}

/// Every field can be sent as it is; a page has nothing but the templates' own tags.
fn is_sendable(reply: &Reply) {
    for (name, value) in &reply.headers {
        let value = HeaderValue::from_str(value).unwrap_or_else(|_| panic!("{name}: {value:?}"));
        if *name == "Location" {
            let value = value.to_str().expect("ASCII");
            let is_path = value.starts_with('/') && !value.starts_with("//");
            let is_host = |host: &str| host == "example.com" || host.ends_with(".example.com");
            let host = value.split_once("://").and_then(|(_, rest)| rest.split(['/', ':']).next());
            let is_known = host.is_some_and(|host| is_host(&host.to_ascii_lowercase()));
            assert!(is_path || is_known, "{value:?}");
        }
    }
    if let Some(event) = &reply.event {
        let line = event.to_string();
        assert!(!line.contains(|c: char| c.is_ascii_control()), "{line:?}");
    }
    if reply.content_type.is_some_and(|it| it.starts_with("text/html")) {
        let tags =
            reply.body.split('<').skip(1).filter_map(|tag| tag.split(['>', ' ', '\n']).next());
        for tag in tags {
            assert!(TAGS.contains(&tag.trim_start_matches('/')), "{tag:?}: {}", reply.body);
        }
    }
}

const TAGS: [&str; 20] = [
    "!doctype", "html", "head", "meta", "title", "link", "style", "body", "main", "h1", "bdi", "b",
    "p", "form", "input", "label", "button", "a", "svg", "path",
];
