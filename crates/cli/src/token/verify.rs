//! `authgate token verify`

use super::ended::Table;
use super::{argument_or_input, read_ring, split_prefix};
use crate::clock::now;
use crate::failure::Failure;
use crate::{realm, user};
use authgate_core::keyring::KeyRing;
use authgate_core::token::{Claims, PayloadBuffer, Purpose, Verified};
use authgate_core::users::Users;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Verification {
    /// The token; from standard input where it is left out
    token: Option<String>,
    /// The keys file
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The realm that the token is for
    #[arg(long, value_name = "NAME", value_parser = realm::name)]
    realm: String,
    /// The users file: also ask whether the user is there, and a session's password the same
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// The folder that "state" names: also ask whether the token was ended
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The method of a request: also ask whether the token's limits allow it
    #[arg(long, value_name = "METHOD", requires = "path")]
    method: Option<String>,
    /// The path of that request, as the client sends it: what it has in a query does not matter
    #[arg(long, value_name = "PATH", requires = "method")]
    path: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// All that a token is judged by. Whatever of it cannot be read is no answer.
struct Judge<'a> {
    ring: KeyRing,
    users: Option<Users>,
    ended: Option<Table>,
    request: Option<(&'a str, &'a str)>,
    now: u64,
}

impl Verification {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let input = argument_or_input(self.token.as_deref())?;
        let (purpose, token) = split_prefix(input.trim());
        let (judge, mut buffer) = (self.judge()?, PayloadBuffer::default());
        match judge.claims(purpose, token, &mut buffer) {
            Ok(claims) => Ok(self.accept(purpose, &claims)),
            Err(reason) => Err(self.refuse(&reason)),
        }
    }

    fn judge(&self) -> Result<Judge<'_>, Failure> {
        let now = now();
        let ended = self.state.as_ref().map(|folder| Table::read(folder, &self.realm, now));
        Ok(Judge {
            ring: read_ring(&self.keys, &self.realm)?,
            users: self.users.as_ref().map(|path| user::read_users(path)).transpose()?,
            ended: ended.transpose()?,
            request: self.method.as_deref().zip(self.path.as_deref()),
            now,
        })
    }

    fn accept(&self, purpose: Purpose, claims: &Claims<'_>) -> String {
        let Claims { session: id, user, issued_at, expires_at, ends_at, scope, .. } = claims;
        let (kind, name) = match purpose {
            Purpose::Api => ("API token", "api"),
            Purpose::Session | Purpose::Device => ("session", "session"),
        };
        if !self.json {
            return format!(
                "token: holds, {kind} {id}, user \"{user}\", expires at {expires_at}\n"
            );
        }
        let json = json!({
            "holds": true,
            "purpose": name,
            "id": id.to_string(),
            "user": user,
            "issued_at": issued_at,
            "expires_at": expires_at,
            "ends_at": ends_at,
            "methods": scope.methods().collect::<Vec<_>>(),
            "paths": scope.paths().collect::<Vec<_>>(),
        });
        format!("{json}\n")
    }

    /// What it says is left out: nobody has vouched for it.
    fn refuse(&self, reason: &str) -> Failure {
        if self.json {
            let json: Value = json!({"holds": false, "reason": reason.replace(' ', "_")});
            crate::print(&format!("{json}\n"));
        }
        Failure::No(format!("token: {reason}"))
    }
}

impl Judge<'_> {
    /// What the token says, or why it does not hold: as in `$authgate_status`, but for the spaces.
    fn claims<'b>(
        &self,
        purpose: Purpose,
        token: &str,
        buffer: &'b mut PayloadBuffer,
    ) -> Result<Claims<'b>, String> {
        let verified = self.ring.verify(purpose, token.as_bytes(), self.now, buffer);
        let verified = verified.map_err(|error| error.to_string())?;
        self.check_user(purpose, &verified)?;
        if self.ended.as_ref().is_some_and(|ended| ended.ends(purpose, &verified.claims)) {
            return Err("revoked".into());
        }
        let scope = verified.claims.scope;
        match self.request {
            Some((method, path)) if !scope.allows(method.as_bytes(), path.as_bytes()) => {
                Err("forbidden".into())
            }
            _ => Ok(verified.claims),
        }
    }

    fn check_user(&self, purpose: Purpose, token: &Verified<'_>) -> Result<(), String> {
        let Some(users) = &self.users else { return Ok(()) };
        match users.get(token.claims.user).filter(|user| !user.disabled) {
            None => Err("unknown user".into()),
            Some(user)
                if purpose != Purpose::Api
                    && !token.has_epoch_of(&self.ring, user.hash.as_str()) =>
            {
                Err("password changed".into())
            }
            Some(_) => Ok(()),
        }
    }
}
