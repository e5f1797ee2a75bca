//! What `http` and each server say, and the realms among it.

pub(crate) mod directives;
pub(crate) mod location;
pub(crate) mod realm_block;
pub(crate) mod unix_sockets;

use crate::nginx::carried::Http;
use crate::nginx::config::{Config, Mistake};
use crate::own::Authgate;
use crate::realm::Realm;
use authgate_core::cookie::GateCookies;
use authgate_core::hosts::{HostPattern, Hosts};
use authgate_core::settings::{Accept, Settings};
use location::Directive;
use std::rc::Rc;

/// All realms, in the order of declaration.
#[derive(Default)]
pub(crate) struct HttpConf {
    realms: Vec<Rc<Realm>>,
    /// Whether any location shows the metrics.
    metrics: bool,
}

/// What a server says: the realms that any of its locations names.
#[derive(Default)]
pub(crate) struct ServerConf {
    realms: Vec<Rc<Realm>>,
    names: Hosts,
    cookies: GateCookies,
    accepts: Option<Accept>,
}

impl Http for HttpConf {
    fn is_used(&self) -> bool {
        self.metrics || !self.realms.is_empty()
    }
}

impl HttpConf {
    /// All realms.
    pub(crate) fn realms(&self) -> &[Rc<Realm>] {
        &self.realms
    }

    fn add(&mut self, realm: Rc<Realm>) {
        self.realms.push(realm);
    }

    fn find(&self, name: &str) -> Option<Rc<Realm>> {
        self.realms.iter().find(|realm| realm.settings.name == name).cloned()
    }
}

impl ServerConf {
    /// The realms of the server.
    pub(crate) fn realms(&self) -> &[Rc<Realm>] {
        &self.realms
    }

    /// The cookies of all its realms.
    pub(crate) fn cookies(&self) -> &GateCookies {
        &self.cookies
    }

    /// What any of its realms accepts.
    pub(crate) fn accepts(&self) -> Option<Accept> {
        self.accepts
    }

    fn add(&mut self, realm: &Rc<Realm>) {
        let accept = realm.settings.accept;
        self.accepts = Some(self.accepts.map_or(accept, |others| others.and(accept)));
        self.cookies.add(&realm.settings.cookie);
        self.realms.push(Rc::clone(realm));
    }

    /// The names of the server, regular expressions left out.
    pub(crate) fn names(&self) -> &Hosts {
        &self.names
    }
}

/// Finds the realm that a directive names; `None` where it says `off`.
fn find_realm(
    config: &mut Config<'_>,
    directive: &Directive,
) -> Result<Option<Rc<Realm>>, Mistake> {
    let Some(name) = &directive.realm else { return Ok(None) };
    let realm = config.http::<Authgate>().find(name);
    let unknown = || Mistake::at(&directive.place, format!("unknown realm \"{name}\""));
    realm.map(Some).ok_or_else(unknown)
}

/// Finds the realm that a directive names and makes the server answer for it.
fn use_realm(config: &mut Config<'_>, directive: &Directive) -> Result<Option<Rc<Realm>>, Mistake> {
    let Some(realm) = find_realm(config, directive)? else { return Ok(None) };
    let server = config.server::<Authgate>();
    if server.realms.iter().any(|other| Rc::ptr_eq(other, &realm)) {
        return Ok(Some(realm));
    }
    let other = server.realms.iter().find(|other| collide(&other.settings, &realm.settings));
    if let Some(other) = other {
        let (other, name) = (&other.settings.name, &realm.settings.name);
        let mistake = format!("realms \"{other}\" and \"{name}\" {COLLISION}");
        return Err(Mistake::at(&directive.place, mistake));
    }
    server.add(&realm);
    let names = config.server_names();
    let names = names.iter().filter_map(|name| HostPattern::of_server(name)).collect();
    config.server::<Authgate>().names = names;
    Ok(Some(realm))
}

const COLLISION: &str = "in one server have the same cookie name or overlapping paths";

fn collide(a: &Settings, b: &Settings) -> bool {
    let paths = a.path.starts_with(&b.path) || b.path.starts_with(&a.path);
    paths || a.cookie.collides_with(&b.cookie)
}
