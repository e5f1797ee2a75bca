//! What a location says of gates, and what it takes over from above.

use super::{find_realm, use_realm};
use crate::access::Site;
use crate::nginx::carried::Inherits;
use crate::nginx::config::{Config, Mistake, Place};
use crate::realm::Realm;
use crate::verify::{Navigations, Verify};
use authgate_core::mode::Mode;
use authgate_core::rules::Rules;
use std::rc::Rc;

/// What a location says.
#[derive(Default)]
pub(crate) struct LocationConf {
    pub(super) authgate: Option<Directive>,
    pub(super) require: Option<Require>,
    pub(super) dry_run: Option<bool>,
    pub(super) endpoints: Option<Directive>,
    pub(super) status: Option<Directive>,
    pub(super) verify: Option<(Directive, Navigations)>,
    /// The realm of `authgate_status`, found.
    insight: Option<Rc<Realm>>,
    /// Where `authgate_metrics` stands.
    pub(super) metrics: Option<Place>,
    gate: Option<Gate>,
    verifier: Option<(Gate, Navigations)>,
}

/// The directives `authgate_require` of one level, and where the first of them stands.
#[derive(Clone)]
pub(super) struct Require {
    pub(super) rules: Rules,
    pub(super) place: Place,
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
    pub(super) mode: Mode,
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
impl Inherits for LocationConf {
    fn inherit(&mut self, above: &Self, config: &mut Config<'_>) -> Result<(), Mistake> {
        self.check_neighbours()?;
        if let Some(status) = &self.status {
            self.insight = find_realm(config, status)?;
        }
        let own = self.require.is_some();
        self.take_over(above);
        self.find_gates(config)?;
        match (&self.require, self.holds()) {
            // What is inherited ends with `off`; what stands here would say nothing.
            (Some(require), false) if own => Err(Mistake::at(&require.place, NOTHING_TO_REQUIRE)),
            _ => Ok(()),
        }
    }
}

const NOTHING_TO_REQUIRE: &str =
    "\"authgate_require\" needs \"authgate\" with a realm in the same place or above";
const OPTIONAL: &str = "\"authgate_require\" cannot hold where \"authgate\" is \"optional\"";

impl LocationConf {
    /// A location answers for one thing, and where that is a gate's it has no other gate.
    fn check_neighbours(&self) -> Result<(), Mistake> {
        let verify = self.verify.as_ref().map(|(verify, _)| &verify.place);
        let [endpoints, status] =
            [&self.endpoints, &self.status].map(|it| it.as_ref().map(|it| &it.place));
        let gate = self.authgate.as_ref().filter(|it| it.realm.is_some());
        let gate = gate.filter(|_| endpoints.or(verify).is_some()).map(|it| &it.place);
        let neighbours = [
            ("authgate", gate),
            ("authgate_endpoints", endpoints),
            ("authgate_status", status),
            ("authgate_verify", verify),
            ("authgate_metrics", self.metrics.as_ref()),
        ];
        let mut present = neighbours.iter().filter_map(|(name, place)| Some((name, (*place)?)));
        match (present.next(), present.next()) {
            (Some((first, _)), Some((second, place))) => {
                let mistake =
                    format!("\"{second}\" cannot stand beside \"{first}\" in one location");
                Err(Mistake::at(place, mistake))
            }
            _ => Ok(()),
        }
    }

    /// What `http` says itself, which nginx merges with nothing.
    pub(crate) fn check_outermost(&self) -> Result<(), Mistake> {
        let gated = matches!(&self.authgate, Some(Directive { realm: Some(_), .. }));
        match &self.require {
            Some(require) if !gated => Err(Mistake::at(&require.place, NOTHING_TO_REQUIRE)),
            _ => Ok(()),
        }
    }

    /// Also for locations nested in one that is there for itself.
    fn take_over(&mut self, parent: &Self) {
        if self.authgate.is_none() {
            self.authgate.clone_from(&parent.authgate);
        }
        if self.require.is_none() {
            self.require.clone_from(&parent.require);
        }
        self.dry_run = self.dry_run.or(parent.dry_run);
    }

    fn find_gates(&mut self, config: &mut Config<'_>) -> Result<(), Mistake> {
        let alone = self.endpoints.as_ref().or(self.verify.as_ref().map(|(verify, _)| verify));
        if let Some(directive) = alone {
            let gate = self.gate_of(config, directive)?;
            self.verifier = self.verify.as_ref().zip(gate).map(|((_, to), gate)| (gate, *to));
        } else if let Some(authgate) = &self.authgate {
            self.gate = self.gate_of(config, authgate)?;
        }
        Ok(())
    }

    /// What holds here by a directive that names a realm; `None` where it says `off`.
    fn gate_of(
        &self,
        config: &mut Config<'_>,
        directive: &Directive,
    ) -> Result<Option<Gate>, Mistake> {
        let Some(realm) = use_realm(config, directive)? else { return Ok(None) };
        let mode = match (directive.mode, self.dry_run) {
            (Mode::Optional, _) => Mode::Optional,
            (_, Some(true)) => Mode::DryRun,
            (mode, _) => mode,
        };
        if let Some(require) = self.require.as_ref().filter(|_| mode == Mode::Optional) {
            return Err(Mistake::at(&require.place, OPTIONAL));
        }
        let rules = self.require.as_ref().map_or_else(Rules::default, |it| it.rules.clone());
        Ok(Some(Gate { realm, mode, rules }))
    }

    /// Whether somebody is asked here who he is.
    fn holds(&self) -> bool {
        self.gate.is_some() || self.verifier.is_some()
    }
}
