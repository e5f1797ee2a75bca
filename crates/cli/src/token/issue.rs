//! `authgate token issue`

use super::{API_PREFIX, read_ring};
use crate::clock::now;
use crate::failure::Failure;
use crate::{note, realm, user};
use authgate_core::keyring::KeyRing;
use authgate_core::token::{Claims, Purpose, Scope, ScopeBuf, ScopeError, SessionId};
use authgate_core::units;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Shorter than what is revoked is remembered (`KEPT_BEYOND_ISSUE`).
const LONGEST: u64 = 365 * 24 * 3600;

#[derive(clap::Args)]
pub(crate) struct Issue {
    /// The keys file: its first key signs
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The realm that the token is for
    #[arg(long, value_name = "NAME", value_parser = realm::name)]
    realm: String,
    /// The user whose token it is
    #[arg(long, value_name = "NAME")]
    user: String,
    /// How long it holds: at most 365d, as nginx writes times
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: u64,
    /// A path that it opens, with what is below; decoded, without a query. Any number of times
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// The methods that it may be used with
    #[arg(long = "method", value_name = "METHOD,...", value_delimiter = ',')]
    methods: Vec<String>,
    /// Refuse where the user is not in this users file, or disabled
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

fn lifetime(text: &str) -> Result<u64, &'static str> {
    let seconds = units::seconds(text).filter(|seconds| (1..=LONGEST).contains(seconds));
    seconds.ok_or("it is a time from 1s to 365d, such as 90d or 12h")
}

impl Issue {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let scope = self.scope()?;
        let ring = read_ring(&self.keys, &self.realm)?;
        if let Some(users) = &self.users {
            check_user(users, &self.user)?;
        }
        let issued_at = now();
        let expires_at = issued_at.saturating_add(self.expires);
        let claims = Claims {
            session: random_id()?,
            user: &self.user,
            issued_at,
            expires_at,
            ends_at: expires_at,
            epoch: 0,
            scope: scope.as_scope(),
        };
        let token = format!("{API_PREFIX}{}", sign(&ring, &claims)?);
        Ok(self.answer(&token, &claims))
    }

    fn scope(&self) -> Result<ScopeBuf, Failure> {
        let mut scope = ScopeBuf::default();
        let mistake = |option, text: &str, error: ScopeError| {
            Failure::Error(format!("--{option} \"{}\": {error}", text.escape_debug()))
        };
        for text in &self.methods {
            scope.add_method(text).map_err(|error| mistake("method", text, error))?;
        }
        for text in &self.paths {
            scope.add_path(text).map_err(|error| mistake("path", text, error))?;
        }
        Ok(scope)
    }

    fn answer(&self, token: &str, claims: &Claims<'_>) -> String {
        let Claims { session: id, user, issued_at, expires_at, scope, .. } = claims;
        if !self.json {
            note(&format!("API token {id}, user \"{user}\", expires at {expires_at}"));
            return format!("{token}\n");
        }
        let json = json!({
            "token": token,
            "id": id.to_string(),
            "realm": self.realm,
            "user": user,
            "issued_at": issued_at,
            "expires_at": expires_at,
            "methods": scope.methods().collect::<Vec<_>>(),
            "paths": scope.paths().collect::<Vec<_>>(),
        });
        format!("{json}\n")
    }
}

fn sign(ring: &KeyRing, claims: &Claims<'_>) -> Result<String, Failure> {
    ring.sign(Purpose::Api, claims).ok_or_else(|| {
        let unlimited = Claims { scope: Scope::default(), ..claims.clone() };
        let mistake = match ring.sign(Purpose::Api, &unlimited) {
            Some(_) => "the token would be longer than 512 bytes, give it fewer or shorter limits",
            None => "a user name has 1 to 128 bytes, and no control characters",
        };
        Failure::Error(mistake.into())
    })
}

fn check_user(path: &Path, name: &str) -> Result<(), Failure> {
    match user::read_users(path)?.get(name) {
        None => Err(user::no_user(path, name)),
        Some(user) if user.disabled => {
            Err(Failure::no(path, format!("user \"{name}\" is disabled")))
        }
        Some(_) => Ok(()),
    }
}

fn random_id() -> Result<SessionId, Failure> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)
        .map_err(|error| Failure::Error(format!("no random bytes: {error}")))?;
    Ok(SessionId(id))
}
