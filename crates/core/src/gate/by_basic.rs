//! Basic credentials (RFC 7617): the same passwords as the login form's, with each request.

use super::{Cause, Credential, Decision, Gate, Identity, Verdict};
use crate::basic::Credentials;
use crate::check::{Asked, Check, MAX_PASSWORD, Subject};
use crate::event::{Event, LoginMethod, Reason};
use crate::limit::Limited;
use zeroize::Zeroizing;

/// What has become of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The password matches the hash, or does not.
    Checked(bool),
    /// The same, as the check of an equal credential has told.
    Shared(bool),
    /// Too many have failed: it was not checked.
    Limited(Limited),
    /// Too many wait: it was not checked.
    Busy,
}

impl Gate<'_> {
    pub(super) fn by_basic(&self, authorization: &[u8], now: u64) -> Decision {
        let refused = |cause| Decision::Verdict(Verdict::Challenge(cause));
        let Some(Ok(credentials)) = Credentials::read(authorization) else {
            return refused(Cause::Malformed);
        };
        let (username, password) = (credentials.username(), credentials.password());
        let (subject, hash) = self.hash_for(username);
        if password.len() > MAX_PASSWORD {
            return refused(subject.cause());
        }
        let digest = self.basic_key.digest(username, password, hash.as_str());
        if subject == Subject::User && self.basic.holds(digest, now) {
            return Decision::Verdict(admitted(username));
        }
        Decision::Check(Check {
            username: username.into(),
            password: Zeroizing::new(password.to_vec()),
            hash: hash.clone(),
            device: None,
            asked: Asked::Basic(digest),
            subject,
        })
    }

    /// The verdict, now that a check has ended or could not be made, and the line for the log.
    pub fn of_check(&self, check: &Check, outcome: Outcome) -> (Verdict, Option<Event>) {
        let (user, realm) = (check.username.clone(), self.settings.name.clone());
        let method = LoginMethod::Basic;
        let checked = |matches| match check.succeeds(matches) {
            true => (
                admitted(&user),
                Event::LoginOk { user: user.clone(), method, realm: realm.clone() },
            ),
            false => {
                let (cause, reason) = (check.subject.cause(), check.subject.reason());
                let (user, realm) = (user.clone(), realm.clone());
                (Verdict::Challenge(cause), Event::LoginFailed { user, method, reason, realm })
            }
        };
        match outcome {
            Outcome::Checked(matches) => {
                let (verdict, event) = checked(matches);
                (verdict, Some(event))
            }
            // Said once, by the check that it was.
            Outcome::Shared(matches) => (checked(matches).0, None),
            Outcome::Limited(limited) => {
                let reason = limited.reason;
                (
                    Verdict::Limited(limited),
                    Some(Event::LoginLimited { user, method, reason, realm }),
                )
            }
            Outcome::Busy => (Verdict::Busy, Some(Event::LoginBusy { user, method, realm })),
        }
    }
}

fn admitted(username: &str) -> Verdict {
    match Identity::new(username, Credential::Basic) {
        Some(identity) => Verdict::Admit(identity),
        None => Verdict::Challenge(Cause::Malformed),
    }
}

impl Subject {
    fn cause(self) -> Cause {
        match self {
            Self::User => Cause::BadPassword,
            Self::Nobody => Cause::UnknownUser,
        }
    }

    /// Why a sign-in fails.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::User => Reason::BadPassword,
            Self::Nobody => Reason::UnknownUser,
        }
    }
}
