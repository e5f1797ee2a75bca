//! `authgate token`

use crate::failure::Failure;
use crate::{clock, file};
use authgate_core::keyring::{KeyRing, Keys};
use authgate_core::token::{Inspected, PayloadBuffer, Purpose, TokenError, inspect};
use clap::ValueEnum;
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

/// More than any token and the white space around it.
const MAX_INPUT: u64 = 4096;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Show what a token says, and with --keys whether it holds
    ///
    /// The token is the cookie's value. Without --keys nothing is verified: anyone can write such a
    /// token. With --keys the signature and the times are verified, not whether the user still has
    /// the same password or the session was ended; exit status 1 where the token does not hold.
    /// Sessions can be verified only where the realm has "keys" and "state".
    #[command(after_help = "Examples:
  authgate token inspect < cookie
  authgate token inspect --json v1.key.payload.mac
  authgate token inspect --keys /etc/nginx/authgate/keys --realm ops < cookie")]
    Inspect(Inspection),
}

#[derive(clap::Args)]
pub(crate) struct Inspection {
    /// The token; from standard input where it is left out
    token: Option<String>,
    /// Verify with this keys file
    #[arg(long, requires = "realm")]
    keys: Option<PathBuf>,
    /// The realm that the token is for
    #[arg(long, requires = "keys")]
    realm: Option<String>,
    /// What the token is for
    #[arg(long, value_enum, default_value = "session", requires = "keys")]
    purpose: PurposeName,
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

pub(crate) fn run(command: &Command) -> Result<String, Failure> {
    let Command::Inspect(inspection) = command;
    let token = match &inspection.token {
        Some(token) => token.clone(),
        None => read_standard_input()?,
    };
    let token = token.trim().as_bytes();
    let claims = inspect(token).map_err(|error| Failure::No(format!("token: {error}")))?;
    let (Some(keys), Some(realm)) = (&inspection.keys, &inspection.realm) else {
        return Ok(inspection.describe(&claims, None));
    };
    let verdict = verify(token, keys, realm, inspection.purpose.into())?;
    let description = inspection.describe(&claims, Some(verdict));
    match verdict {
        Ok(()) => Ok(description),
        Err(error) => {
            crate::print(&description);
            Err(Failure::No(format!("token: {error}")))
        }
    }
}

pub(crate) fn read_standard_input() -> Result<String, Failure> {
    let mut token = String::new();
    let read = std::io::stdin().lock().take(MAX_INPUT).read_to_string(&mut token);
    read.map_err(|error| Failure::Error(format!("cannot read standard input: {error}")))?;
    Ok(token)
}

fn verify(
    token: &[u8],
    keys: &Path,
    realm: &str,
    purpose: Purpose,
) -> Result<Result<(), TokenError>, Failure> {
    let text = zeroize::Zeroizing::new(file::read(keys)?);
    let keys = Keys::parse(&text)
        .map_err(|mistake| Failure::Error(format!("{}:{mistake}", keys.display())))?;
    // as a realm with `state`: without it, session keys depend on what lives in nginx's memory
    let ring = KeyRing::derive(&keys, realm, b"");
    Ok(ring.verify(purpose, token, clock::now(), &mut PayloadBuffer::default()).map(|_| ()))
}

impl Inspection {
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
    let json = json!({
        "verified": verdict == Some(Ok(())),
        "status": status,
        "user": claims.user,
        "session": claims.session.to_string(),
        "issued_at": claims.issued_at,
        "expires_at": claims.expires_at,
        "ends_at": claims.ends_at,
        "key": claims.key_id.as_str(),
    });
    format!("{json}\n")
}

fn as_text(claims: &Inspected, status: &str) -> String {
    format!(
        "status      {status}\nuser        {}\nsession     {}\nissued at   {}\nexpires at  {}\nends at     {}\nkey         {}\n",
        claims.user,
        claims.session,
        claims.issued_at,
        claims.expires_at,
        claims.ends_at,
        claims.key_id
    )
}
