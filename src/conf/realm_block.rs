//! `authgate_realm NAME { … }`: nginx reads the block, the core makes settings of it.

use crate::files;
use crate::live::Watched;
use crate::nginx::config::{Config, Mistake, Place};
use crate::nginx::zone::Zone;
use crate::own::Authgate;
use crate::realm::Realm;
use crate::state::State;
use crate::users::{Both, Loaded, UsersFiles};
use authgate_core::keyring::Keys;
use authgate_core::settings::{Builder, Settings};
use std::collections::HashMap;
use std::rc::Rc;

/// `authgate_realm NAME { … }`
pub(crate) fn realm_block(config: &mut Config<'_>) -> Result<(), Mistake> {
    let name = config.word(1)?;
    if config.http::<Authgate>().find(&name).is_some() {
        return Err(format!("duplicate realm \"{name}\"").into());
    }
    // Before the first hash table asks for them, which would panic.
    getrandom::fill(&mut [0]).map_err(|error| format!("no random bytes: {error}"))?;
    let builder = Builder::new(&name).map_err(|error| error.to_string())?;
    let mut block = Block { builder, places: HashMap::new() };
    config.read_block(&mut |config, words| match words {
        [name, arguments @ ..] => block.take(config, name, arguments),
        [] => Ok(()),
    })?;
    add_realm(config, block)
}

/// A realm's block while it is read.
struct Block {
    builder: Builder,
    places: Directives,
}

/// The directives of a block that are there, and where.
type Directives = HashMap<&'static str, Place>;

/// Where a directive stands, or the line being read where it is not there.
fn place_of(directives: &Directives, directive: &str, config: &Config<'_>) -> Place {
    directives.get(directive).cloned().unwrap_or_else(|| config.place())
}

impl Block {
    fn take(
        &mut self,
        config: &mut Config<'_>,
        name: &str,
        arguments: &[&str],
    ) -> Result<(), Mistake> {
        let directive = self.builder.directive(name, arguments).map_err(|it| it.to_string())?;
        self.places.insert(directive, config.place());
        if directive == "checks"
            && let Some(pool) = arguments.iter().find_map(|it| it.strip_prefix("pool="))
        {
            // Here, so that nginx names this line where no such pool is declared.
            return config.add_thread_pool(pool);
        }
        Ok(())
    }
}

fn add_realm(config: &mut Config<'_>, block: Block) -> Result<(), Mistake> {
    let Block { builder, places: directives } = block;
    let at = |directive| place_of(&directives, directive, config);
    let users = Both { users: at("users"), groups: Some(at("groups")) };
    let places = Places { users, keys: at("keys"), state: at("state") };
    // Also where checks have a pool of their own: files are read in it.
    config.add_thread_pool("default")?;
    let settings = finish(config, builder, &directives)?;
    let realm = load(config, settings, places)?;
    let name = format!("authgate:{}", realm.settings.name);
    Zone::declare::<Authgate>(config, &name, realm.settings.zone_size, &realm)?;
    config.http::<Authgate>().add(realm);
    Ok(())
}

/// What shows only when the block ends is told with the line of the directive that it is about.
fn finish(
    config: &Config<'_>,
    builder: Builder,
    directives: &Directives,
) -> Result<Settings, Mistake> {
    let settings = builder.finish().map_err(|mistake| match mistake.directive() {
        None => Mistake::Here(mistake.to_string()),
        Some(at) => Mistake::At(place_of(directives, at, config), mistake.to_string()),
    })?;
    for warning in settings.warnings() {
        let place = place_of(directives, warning.directive(), config);
        config.warn(&format!("{warning} in {place}"));
    }
    Ok(settings)
}

/// Where the directives stand that name files.
struct Places {
    users: Both<Place>,
    keys: Place,
    state: Place,
}

/// Reads the files of a realm; their mistakes are told with the directive that names them.
fn load(config: &mut Config<'_>, settings: Settings, places: Places) -> Result<Rc<Realm>, Mistake> {
    let files = users_files(config, &settings)?;
    let Loaded { users, marks, fingerprint } = files
        .load()
        .map_err(|mistake| Mistake::at(places.users.get(mistake.which), mistake.text))?;
    let keys = match &settings.keys_file {
        None => None,
        Some(file) => Some(load_keys(config, file, &places.keys)?),
    };
    let state = match &settings.state_dir {
        None => None,
        Some(dir) => Some(State::new(config.full_path(dir)?, places.state.to_string())),
    };
    let watched = Watched::new(files.clone(), marks, fingerprint);
    let readable = Box::new(move || {
        files
            .readable_by_workers()
            .map_err(|mistake| format!("{} in {}", mistake.text, places.users.get(mistake.which)))
    });
    Ok(Realm::new(settings, (users, watched), keys, state, readable))
}

fn users_files(config: &mut Config<'_>, settings: &Settings) -> Result<UsersFiles, Mistake> {
    let users = config.full_path(&settings.users_file)?;
    let groups = settings.groups_file.as_ref().map(|file| config.full_path(file)).transpose()?;
    Ok(UsersFiles { paths: Both { users, groups }, allow_weak: settings.allow_weak })
}

fn load_keys(config: &mut Config<'_>, file: &str, place: &Place) -> Result<Keys, Mistake> {
    let keys = files::keys(&config.full_path(file)?);
    let (keys, warning) = keys.map_err(|mistake| Mistake::at(place, mistake))?;
    if let Some(warning) = warning {
        config.warn(&format!("{warning} in {place}"));
    }
    Ok(keys)
}
