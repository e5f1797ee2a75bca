//! What a location says of gates, and what it takes over from above.

pub(super) mod directives;

use super::conf::{Place, directive, find_realm, say_at, use_realm};
use crate::access::{Mode, Site};
use crate::realm::Realm;
use crate::verify::{Navigations, Verify};
use authgate_core::rules::Rules;
use ngx::ffi::ngx_conf_t;
use std::ffi::{c_char, c_void};
use std::rc::Rc;

/// What a location says.
#[derive(Default)]
pub(crate) struct LocationConf {
    authgate: Option<Directive>,
    require: Option<Require>,
    dry_run: Option<bool>,
    endpoints: Option<Directive>,
    status: Option<Directive>,
    verify: Option<(Directive, Navigations)>,
    /// The realm of `authgate_status`, found.
    insight: Option<Rc<Realm>>,
    /// Where `authgate_metrics` stands.
    metrics: Option<Place>,
    gate: Option<Gate>,
    verifier: Option<(Gate, Navigations)>,
}

/// The directives `authgate_require` of one level, and where the first of them stands.
#[derive(Clone)]
struct Require {
    rules: Rules,
    place: Place,
}

/// What holds at a location, inherited or not.
struct Gate {
    realm: Rc<Realm>,
    mode: Mode,
    rules: Rules,
}

/// `authgate NAME [optional]` or `off`, and where it stands.
#[derive(Clone)]
pub(super) struct Directive {
    /// `None`: off.
    pub(super) realm: Option<String>,
    mode: Mode,
    pub(super) place: Place,
}

impl Gate {
    fn site(&self) -> Site<'_> {
        Site { realm: &self.realm, mode: self.mode, rules: &self.rules }
    }
}

impl LocationConf {
    /// The gate of the location, where it has one.
    pub(crate) fn site(&self) -> Option<Site<'_>> {
        self.gate.as_ref().map(Gate::site)
    }

    /// What the location verifies for others.
    pub(crate) fn verify(&self) -> Option<Verify<'_>> {
        let (gate, navigations) = self.verifier.as_ref()?;
        Some(Verify { site: gate.site(), navigations: *navigations })
    }

    /// Whose verdict the variables tell here: the gate's, or that of what is verified for others.
    pub(crate) fn judge(&self) -> Option<Site<'_>> {
        self.site().or_else(|| Some(self.verify()?.site))
    }

    /// The realm that the location shows.
    pub(crate) fn insight(&self) -> Option<&Realm> {
        self.insight.as_deref()
    }

    /// Whether the location shows the metrics.
    pub(crate) fn shows_metrics(&self) -> bool {
        self.metrics.is_some()
    }

    /// Whether the location has a gate.
    pub(crate) fn is_gated(&self) -> bool {
        self.gate.is_some()
    }
}

/// A location takes over what it does not say itself, and the server learns of its realm.
pub(super) unsafe extern "C" fn merge_location(
    cf: *mut ngx_conf_t,
    parent: *mut c_void,
    child: *mut c_void,
) -> *mut c_char {
    directive(cf, |cf| {
        // SAFETY: nginx calls this with two configurations that `create` made.
        let (parent, child) =
            unsafe { (&*parent.cast::<LocationConf>(), &mut *child.cast::<LocationConf>()) };
        child.check_neighbours(cf)?;
        if let Some(status) = &child.status {
            child.insight = find_realm(cf, status)?;
        }
        let own = child.require.is_some();
        child.inherit(parent);
        let alone = child.endpoints.as_ref().or(child.verify.as_ref().map(|(verify, _)| verify));
        match alone {
            Some(directive) => {
                let gate = child.gate_of(cf, directive)?;
                child.verifier = child.verify.as_ref().zip(gate).map(|((_, to), gate)| (gate, *to));
            }
            None => {
                let authgate = child.authgate.clone();
                child.gate = match &authgate {
                    Some(authgate) => child.gate_of(cf, authgate)?,
                    None => None,
                };
            }
        }
        match (&child.require, child.holds()) {
            // What is inherited ends with `off`; what stands here would say nothing.
            (Some(require), false) if own => {
                Err(say_at(cf.log, NOTHING_TO_REQUIRE, &require.place))
            }
            _ => Ok(()),
        }
    })
}

const NOTHING_TO_REQUIRE: &str =
    "\"authgate_require\" needs \"authgate\" with a realm in the same place or above";
const OPTIONAL: &str = "\"authgate_require\" cannot hold where \"authgate\" is \"optional\"";

impl LocationConf {
    /// A location answers for one thing, and where that is a gate's it has no other gate.
    fn check_neighbours(&self, cf: &ngx_conf_t) -> Result<(), String> {
        let verify = self.verify.as_ref().map(|(verify, _)| &verify.place);
        let [endpoints, status] =
            [&self.endpoints, &self.status].map(|it| it.as_ref().map(|it| &it.place));
        let gate = self.authgate.as_ref().filter(|it| it.realm.is_some());
        let gate = gate.filter(|_| endpoints.or(verify).is_some()).map(|it| &it.place);
        let neighbours = [
            ("authgate", gate),
            ("authgate_endpoints", endpoints),
            ("authgate_verify", verify),
            ("authgate_status", status),
            ("authgate_metrics", self.metrics.as_ref()),
        ];
        let mut present = neighbours.iter().filter_map(|(name, place)| Some((name, (*place)?)));
        match (present.next(), present.next()) {
            (Some((first, _)), Some((second, place))) => {
                let mistake =
                    format!("\"{second}\" cannot stand beside \"{first}\" in one location");
                Err(say_at(cf.log, &mistake, place))
            }
            _ => Ok(()),
        }
    }

    /// Also for locations nested in one that is there for itself.
    fn inherit(&mut self, parent: &Self) {
        if self.authgate.is_none() {
            self.authgate.clone_from(&parent.authgate);
        }
        if self.require.is_none() {
            self.require.clone_from(&parent.require);
        }
        self.dry_run = self.dry_run.or(parent.dry_run);
    }

    /// What holds here by a directive that names a realm; `None` where it says `off`.
    fn gate_of(&self, cf: &mut ngx_conf_t, directive: &Directive) -> Result<Option<Gate>, String> {
        let Some(realm) = use_realm(cf, directive)? else { return Ok(None) };
        let mode = match (directive.mode, self.dry_run) {
            (Mode::Optional, _) => Mode::Optional,
            (_, Some(true)) => Mode::DryRun,
            (mode, _) => mode,
        };
        if let Some(require) = self.require.as_ref().filter(|_| mode == Mode::Optional) {
            return Err(say_at(cf.log, OPTIONAL, &require.place));
        }
        let rules = self.require.as_ref().map_or_else(Rules::default, |it| it.rules.clone());
        Ok(Some(Gate { realm, mode, rules }))
    }

    /// Whether somebody is asked here who he is.
    fn holds(&self) -> bool {
        self.gate.is_some() || self.verifier.is_some()
    }
}
