//! `authgate token inspect`

use super::{argument_or_input, read_ring, split_prefix};
use crate::failure::Failure;
use crate::{clock, realm};
use authgate_core::token::{Inspected, PayloadBuffer, Purpose, TokenError, inspect};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Inspection {
    /// The token; from standard input where it is left out
    token: Option<String>,
    /// Verify with this keys file
    #[arg(long, requires = "realm")]
    keys: Option<PathBuf>,
    /// The realm that the token is for
    #[arg(long, requires = "keys", value_parser = realm::name)]
    realm: Option<String>,
    /// What the token is for, where that is not what its prefix says: agt_ an API, none a session
    #[arg(long, value_enum, requires = "keys")]
    purpose: Option<PurposeName>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PurposeName {
    Session,
    Api,
    Device,
}

impl From<PurposeName> for Purpose {
    fn from(name: PurposeName) -> Self {
        match name {
            PurposeName::Session => Self::Session,
            PurposeName::Api => Self::Api,
            PurposeName::Device => Self::Device,
        }
    }
}

impl Inspection {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let input = argument_or_input(self.token.as_deref())?;
        let (purpose, token) = split_prefix(input.trim());
        let token = token.as_bytes();
        let claims = inspect(token).map_err(|error| Failure::No(format!("token: {error}")))?;
        let (Some(keys), Some(realm)) = (&self.keys, &self.realm) else {
            return Ok(self.describe(&claims, None));
        };
        let purpose = self.purpose.map_or(purpose, Purpose::from);
        let ring = read_ring(keys, realm)?;
        let mut buffer = PayloadBuffer::default();
        let verdict = ring.verify(purpose, token, clock::now(), &mut buffer).map(|_| ());
        let description = self.describe(&claims, Some(verdict));
        verdict.map(|()| description.clone()).map_err(|error| {
            crate::print(&description);
            Failure::No(format!("token: {error}"))
        })
    }

    fn describe(&self, claims: &Inspected, verdict: Option<Result<(), TokenError>>) -> String {
        let status = match verdict {
            None => "not verified".to_owned(),
            Some(Ok(())) => "verified".to_owned(),
            Some(Err(error)) => format!("refused: {error}"),
        };
        if self.json { as_json(claims, verdict, &status) } else { as_text(claims, &status) }
    }
}

fn as_json(claims: &Inspected, verdict: Option<Result<(), TokenError>>, status: &str) -> String {
    let scope = claims.scope.as_scope();
    let json = json!({
        "verified": verdict == Some(Ok(())),
        "status": status,
        "user": claims.user,
        "session": claims.session.to_string(),
        "issued_at": claims.issued_at,
        "expires_at": claims.expires_at,
        "ends_at": claims.ends_at,
        "key": claims.key_id.as_str(),
        "methods": scope.methods().collect::<Vec<_>>(),
        "paths": scope.paths().collect::<Vec<_>>(),
    });
    format!("{json}\n")
}

fn as_text(claims: &Inspected, status: &str) -> String {
    let scope = claims.scope.as_scope();
    let methods = scope.methods().map(|method| format!("method      {method}\n"));
    let paths = scope.paths().map(|path| format!("path        {path}\n"));
    let limits: String = methods.chain(paths).collect();
    format!(
        "status      {status}\nuser        {}\nsession     {}\nissued at   {}\nexpires at  {}\nends at     {}\nkey         {}\n{limits}",
        claims.user,
        claims.session,
        claims.issued_at,
        claims.expires_at,
        claims.ends_at,
        claims.key_id
    )
}
