//! Whether anybody is refused at a location, and what that makes of a request.

use crate::status::Status;

/// Whether anybody is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Who has no valid credential, or may not, is.
    Required,
    /// Nobody is; the variables tell (`authgate NAME optional`).
    Optional,
    /// Nobody is yet; the log tells who would be (`authgate_dry_run on`).
    DryRun,
}

/// What happens to a request.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is let in.
    Admit,
    /// It goes on as if there were no gate: others may still refuse it.
    GoOn,
    /// It is refused.
    Refuse,
    /// It is answered 500.
    Fail,
}

impl Mode {
    /// What happens to a request of this status. Where another module's word would do (`satisfy any`),
    /// whom the gate knows is let in without it.
    pub fn step(self, status: Status) -> Step {
        match (self, status) {
            (_, Status::Ok) => Step::Admit,
            (Self::Required, Status::Error) => Step::Fail,
            (Self::Required, _) => Step::Refuse,
            (Self::Optional | Self::DryRun, _) => Step::GoOn,
        }
    }

    /// Whether somebody who asks on behalf of an application (`authgate_verify`) hears yes.
    pub fn verifies(self, status: Status) -> bool {
        status == Status::Ok || self == Self::DryRun
    }

    /// Whether the log tells that the request would be refused.
    pub fn tells(self, status: Status) -> bool {
        self == Self::DryRun && status != Status::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_required_refuses_and_only_ok_is_let_in() {
        for status in Status::ALL {
            let (required, ok) = (Mode::Required.step(status), status == Status::Ok);
            assert_eq!(required == Step::Admit, ok, "{status:?}");
            assert_ne!(required, Step::GoOn, "{status:?}");
            assert_eq!(required == Step::Fail, status == Status::Error, "{status:?}");
            let others = if ok { Step::Admit } else { Step::GoOn };
            assert_eq!(Mode::Optional.step(status), others, "{status:?}");
            assert_eq!(Mode::DryRun.step(status), others, "{status:?}");
        }
    }

    #[test]
    fn a_dry_run_verifies_everyone_and_tells_of_all_others() {
        for status in Status::ALL {
            let ok = status == Status::Ok;
            assert_eq!(Mode::Required.verifies(status), ok, "{status:?}");
            assert!(Mode::DryRun.verifies(status), "{status:?}");
            assert_eq!(Mode::DryRun.tells(status), !ok, "{status:?}");
            assert!(!Mode::Required.tells(status) && !Mode::Optional.tells(status), "{status:?}");
        }
    }
}
