//! The directives of a location, as nginx reads them.

use super::{Directive, LocationConf, Require};
use crate::nginx::conf::{argument, arguments, directive, place};
use crate::nginx::{log, module};
use crate::verify::Navigations;
use authgate_core::mode::Mode;
use authgate_core::rules::{Rule, Rules};
use ngx::ffi::{ngx_command_t, ngx_conf_t};
use std::ffi::{c_char, c_void};

/// Runs the handler of a directive that is kept with its location.
fn in_location(
    cf: *mut ngx_conf_t,
    conf: *mut c_void,
    handler: impl FnOnce(&mut ngx_conf_t, &mut LocationConf) -> Result<(), String>,
) -> *mut c_char {
    // SAFETY: the directive's conf is that of the location (NGX_HTTP_LOC_CONF_OFFSET).
    directive(cf, |cf| handler(cf, unsafe { &mut *conf.cast::<LocationConf>() }))
}

/// `authgate NAME [optional]` or `authgate off`
pub(in crate::nginx) unsafe extern "C" fn authgate(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    in_location(cf, conf, |cf, conf| {
        if conf.authgate.is_some() {
            return Err(duplicate("authgate"));
        }
        let arguments = arguments(cf)?;
        let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
        let (realm, mode) = match arguments.as_slice() {
            ["off"] => (None, Mode::Required),
            ["off", second] => return Err(invalid_parameter(second, "authgate")),
            [name] => (Some((*name).to_owned()), Mode::Required),
            [name, "optional"] => (Some((*name).to_owned()), Mode::Optional),
            [.., last] => return Err(invalid_parameter(last, "authgate")),
            [] => return Err("invalid number of arguments".into()),
        };
        conf.authgate = Some(Directive { realm, mode, place: place(cf) });
        Ok(())
    })
}

fn invalid_parameter(parameter: &str, directive: &str) -> String {
    format!("invalid parameter \"{parameter}\" in \"{directive}\" directive")
}

/// `authgate_endpoints NAME`
pub(in crate::nginx) unsafe extern "C" fn authgate_endpoints(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    in_location(cf, conf, |cf, conf| name_realm(cf, &mut conf.endpoints))
}

/// Takes a directive that names a realm and nothing else.
fn name_realm(cf: &ngx_conf_t, slot: &mut Option<Directive>) -> Result<(), String> {
    let (directive, realm) = (argument(cf, 0)?, argument(cf, 1)?);
    if slot.is_some() {
        return Err(duplicate(&directive));
    }
    *slot = Some(Directive { realm: Some(realm), mode: Mode::Required, place: place(cf) });
    Ok(())
}

/// `authgate_status NAME`
pub(in crate::nginx) unsafe extern "C" fn authgate_status(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    in_location(cf, conf, |cf, conf| name_realm(cf, &mut conf.status))
}

/// `authgate_metrics`
pub(in crate::nginx) unsafe extern "C" fn authgate_metrics(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    in_location(cf, conf, |cf, conf| {
        if conf.metrics.is_some() {
            return Err(duplicate("authgate_metrics"));
        }
        conf.metrics = Some(place(cf));
        module::main_conf(cf).metrics = true;
        Ok(())
    })
}

/// `authgate_verify NAME [redirect]`
pub(in crate::nginx) unsafe extern "C" fn authgate_verify(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    in_location(cf, conf, |cf, conf| {
        let mut named = None;
        if conf.verify.is_none() {
            name_realm(cf, &mut named)?;
        }
        let Some(named) = named else { return Err(duplicate("authgate_verify")) };
        let navigations = match arguments(cf)?.get(2).map(String::as_str) {
            None => Navigations::Refused,
            Some("redirect") => Navigations::Redirected,
            Some(other) => return Err(invalid_parameter(other, "authgate_verify")),
        };
        conf.verify = Some((named, navigations));
        Ok(())
    })
}

/// `authgate_require [user=NAMES] [group=NAMES]`
pub(in crate::nginx) unsafe extern "C" fn authgate_require(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    in_location(cf, conf, |cf, conf| {
        let arguments = arguments(cf)?;
        let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
        let rule = Rule::parse(&arguments).map_err(|error| error.to_string())?;
        let require = conf
            .require
            .get_or_insert_with(|| Require { rules: Rules::default(), place: place(cf) });
        require.rules.0.push(rule);
        Ok(())
    })
}

/// `authgate_dry_run on` or `off`
pub(in crate::nginx) unsafe extern "C" fn authgate_dry_run(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    in_location(cf, conf, |cf, conf| {
        let on = match argument(cf, 1)?.as_str() {
            "on" => true,
            "off" => false,
            other => return Err(invalid_parameter(other, "authgate_dry_run")),
        };
        if conf.dry_run.replace(on).is_some() {
            return Err(duplicate("authgate_dry_run"));
        }
        if on {
            let text = format!("\"authgate_dry_run\" is on, nobody is refused in {}", place(cf));
            log::conf_warn(cf.log, &text);
        }
        Ok(())
    })
}

fn duplicate(directive: &str) -> String {
    format!("\"{directive}\" directive is duplicate")
}
