//! Basic credentials (RFC 7617): the same passwords as the login form's, with each request.

use super::{Cause, Credential, Decision, Gate, Identity, Verdict};
use crate::basic::Credentials;
use crate::check::{Asked, Check, MAX_PASSWORD, Subject};
use crate::event::{Event, LoginMethod, Reason};
use crate::limit::Limited;
use crate::network::Network;
use zeroize::Zeroizing;

/// What has become of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The password matches the hash, or does not.
    Checked(bool),
    /// The same, as an earlier check of this credential from the same network has told.
    Known(bool),
    /// Too many have failed: it was not checked.
    Limited(Limited),
    /// Too many wait: it was not checked.
    Busy,
}

impl Gate<'_> {
    pub(super) fn by_basic(&self, token68: &[u8], network: Network) -> Decision {
        let refused = |cause| Decision::Verdict(Verdict::Challenge(cause));
        let Ok(credentials) = Credentials::decode(token68) else {
            return refused(Cause::Malformed);
        };
        let (username, password) = (credentials.username(), credentials.password());
        let (subject, hash) = self.hash_for(username);
        if password.len() > MAX_PASSWORD {
            return refused(subject.cause());
        }
        let digest = subject.digest(self.digest_key, username, password, hash);
        let holds = || self.places.holds(self.places.place(network, username), digest);
        if subject == Subject::User && holds() {
            return Decision::Verdict(admitted(username));
        }
        Decision::Check(Box::new(Check {
            username: username.into(),
            password: Zeroizing::new(password.to_vec()),
            hash: hash.clone(),
            network,
            digest,
            asked: Asked::Basic,
            subject,
        }))
    }

    /// The verdict, now that a check has ended or could not be made, and the line for the log.
    pub fn of_check(&self, check: &Check, outcome: Outcome) -> (Verdict, Option<Event>) {
        let (user, realm) = (check.username.clone(), self.settings.name.clone());
        let method = LoginMethod::Basic;
        match outcome {
            Outcome::Checked(matches) => {
                let verdict = self.of_password(check, matches);
                let event = self.line_of(check, matches, &verdict);
                (verdict, event)
            }
            // Said once, by the check that it was.
            Outcome::Known(matches) => (self.of_password(check, matches), None),
            Outcome::Limited(limited) => {
                let Limited { reason, is_first, .. } = limited;
                let event = Event::LoginLimited { user, method, reason, realm, is_first };
                (Verdict::Limited(limited), Some(event))
            }
            Outcome::Busy => (Verdict::Busy, Some(Event::LoginBusy { user, method, realm })),
        }
    }

    fn of_password(&self, check: &Check, matches: bool) -> Verdict {
        match (check.succeeds(matches), self.has_changed(check)) {
            (true, None) => admitted(&check.username),
            (true, Some(cause)) => Verdict::Challenge(cause),
            (false, _) => Verdict::Challenge(check.subject.cause()),
        }
    }

    fn line_of(&self, check: &Check, matches: bool, verdict: &Verdict) -> Option<Event> {
        let (user, realm) = (check.username.clone(), self.settings.name.clone());
        let method = LoginMethod::Basic;
        match verdict {
            Verdict::Admit(_) => Some(Event::LoginOk { user, method, realm }),
            // A right password of a user who is no more is nobody's failure.
            _ if check.succeeds(matches) => None,
            _ => {
                let reason = check.subject.reason();
                Some(Event::LoginFailed { user, method, reason, realm })
            }
        }
    }

    /// What has become of the user since the check was asked for, where that lets nobody in.
    pub(crate) fn has_changed(&self, check: &Check) -> Option<Cause> {
        match self.active_user(&check.username) {
            None => Some(Cause::UnknownUser),
            Some(user) if user.hash.as_str() != check.hash.as_str() => Some(Cause::PasswordChanged),
            Some(_) => None,
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
