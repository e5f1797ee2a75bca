//! Servers that listen on unix sockets: their clients have no address to be told apart by.

use crate::nginx::config::Config;
use crate::own::Authgate;

/// Warns of each such server with a limit.
pub(crate) fn warn(config: &Config<'_>) {
    for found in config.on_unix_sockets::<Authgate>() {
        let mut limited =
            found.server.realms().iter().filter(|realm| realm.settings.limits.is_some());
        if let Some(realm) = limited.next() {
            let (socket, realm, place) = (found.socket, &realm.settings.name, found.place);
            config.warn(&format!(
                "clients of \"{socket}\" have no address: realm \"{realm}\" limits their failed logins \
                 by user name only, unless \"set_real_ip_from unix:\" tells who they are in {place}"
            ));
        }
    }
}
