//! The directives of a location, as nginx reads them.

use super::location::{Directive, LocationConf, Require};
use crate::nginx::config::{Config, Mistake};
use crate::own::Authgate;
use crate::verify::Navigations;
use authgate_core::mode::Mode;
use authgate_core::rules::{Rule, Rules};

/// `authgate NAME [optional]` or `authgate off`
pub(crate) fn authgate(config: &mut Config<'_>, conf: &mut LocationConf) -> Result<(), Mistake> {
    if conf.authgate.is_some() {
        return Err(duplicate("authgate"));
    }
    let arguments = config.words()?;
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let (realm, mode) = match arguments.as_slice() {
        ["off"] => (None, Mode::Required),
        ["off", second] => return Err(invalid_parameter(second, "authgate")),
        [name] => (Some((*name).to_owned()), Mode::Required),
        [name, "optional"] => (Some((*name).to_owned()), Mode::Optional),
        [.., last] => return Err(invalid_parameter(last, "authgate")),
        [] => return Err("invalid number of arguments".into()),
    };
    conf.authgate = Some(Directive { realm, mode, place: config.place() });
    Ok(())
}

fn invalid_parameter(parameter: &str, directive: &str) -> Mistake {
    format!("invalid parameter \"{parameter}\" in \"{directive}\" directive").into()
}

/// `authgate_endpoints NAME`
pub(crate) fn authgate_endpoints(
    config: &mut Config<'_>,
    conf: &mut LocationConf,
) -> Result<(), Mistake> {
    name_realm(config, &mut conf.endpoints)
}

/// Takes a directive that names a realm and nothing else.
fn name_realm(config: &Config<'_>, slot: &mut Option<Directive>) -> Result<(), Mistake> {
    let (directive, realm) = (config.word(0)?, config.word(1)?);
    if slot.is_some() {
        return Err(duplicate(&directive));
    }
    *slot = Some(Directive { realm: Some(realm), mode: Mode::Required, place: config.place() });
    Ok(())
}

/// `authgate_status NAME`
pub(crate) fn authgate_status(
    config: &mut Config<'_>,
    conf: &mut LocationConf,
) -> Result<(), Mistake> {
    name_realm(config, &mut conf.status)
}

/// `authgate_metrics`
pub(crate) fn authgate_metrics(
    config: &mut Config<'_>,
    conf: &mut LocationConf,
) -> Result<(), Mistake> {
    if conf.metrics.is_some() {
        return Err(duplicate("authgate_metrics"));
    }
    conf.metrics = Some(config.place());
    config.http::<Authgate>().metrics = true;
    Ok(())
}

/// `authgate_verify NAME [redirect]`
pub(crate) fn authgate_verify(
    config: &mut Config<'_>,
    conf: &mut LocationConf,
) -> Result<(), Mistake> {
    let mut named = None;
    if conf.verify.is_none() {
        name_realm(config, &mut named)?;
    }
    let Some(named) = named else { return Err(duplicate("authgate_verify")) };
    let navigations = match config.words()?.get(2).map(String::as_str) {
        None => Navigations::Refused,
        Some("redirect") => Navigations::Redirected,
        Some(other) => return Err(invalid_parameter(other, "authgate_verify")),
    };
    conf.verify = Some((named, navigations));
    Ok(())
}

/// `authgate_require [user=NAMES] [group=NAMES]`
pub(crate) fn authgate_require(
    config: &mut Config<'_>,
    conf: &mut LocationConf,
) -> Result<(), Mistake> {
    let arguments = config.words()?;
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let rule = Rule::parse(&arguments).map_err(|error| error.to_string())?;
    let require = conf
        .require
        .get_or_insert_with(|| Require { rules: Rules::default(), place: config.place() });
    require.rules.0.push(rule);
    Ok(())
}

/// `authgate_dry_run on` or `off`
pub(crate) fn authgate_dry_run(
    config: &mut Config<'_>,
    conf: &mut LocationConf,
) -> Result<(), Mistake> {
    let on = match config.word(1)?.as_str() {
        "on" => true,
        "off" => false,
        other => return Err(invalid_parameter(other, "authgate_dry_run")),
    };
    if conf.dry_run.replace(on).is_some() {
        return Err(duplicate("authgate_dry_run"));
    }
    if on {
        let text = format!("\"authgate_dry_run\" is on, nobody is refused in {}", config.place());
        config.warn(&text);
    }
    Ok(())
}

fn duplicate(directive: &str) -> Mistake {
    format!("\"{directive}\" directive is duplicate").into()
}
