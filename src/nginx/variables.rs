//! The variables, computed on first use, and `$remote_user`: the verified user wherever a realm is on.

use super::entry::guard;
use super::module;
use super::request::Request;
use super::text::{bytes, string};
use crate::{access, own};
use authgate_core::gate::{Identity, Verdict};
use authgate_core::status::Status;
use ngx::ffi::{
    NGX_ERROR, NGX_HTTP_VAR_NOCACHEABLE, NGX_OK, ngx_conf_t, ngx_hash_key, ngx_hash_key_t,
    ngx_http_add_variable, ngx_http_core_main_conf_t, ngx_http_get_variable,
    ngx_http_get_variable_pt, ngx_http_request_t, ngx_http_variable_t, ngx_http_variable_value_t,
    ngx_int_t, ngx_str_t, ngx_uint_t,
};
use std::hint::black_box;

/// One of the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    User,
    Groups,
    Realm,
    Method,
    Session,
    Expires,
    Status,
}

const VARIABLES: [(&str, Variable); 7] = [
    ("authgate_user", Variable::User),
    ("authgate_groups", Variable::Groups),
    ("authgate_realm", Variable::Realm),
    ("authgate_method", Variable::Method),
    ("authgate_session", Variable::Session),
    ("authgate_expires", Variable::Expires),
    ("authgate_status", Variable::Status),
];

/// Adds the variables.
pub(super) fn add(cf: &mut ngx_conf_t) -> Option<()> {
    for (index, (name, _)) in VARIABLES.iter().enumerate() {
        // SAFETY: nginx copies the name; `get` is called with the data set here.
        unsafe {
            let mut name = string(name.as_bytes());
            let flags = NGX_HTTP_VAR_NOCACHEABLE as ngx_uint_t;
            let variable = ngx_http_add_variable(cf, &raw mut name, flags).as_mut()?;
            variable.get_handler = Some(get);
            variable.data = index;
        }
    }
    Some(())
}

/// Makes `$remote_user` the verified user wherever a gate is on. The core's variables cannot be
/// replaced by adding one of their name: the entry itself is changed. Gives the handler that it had.
pub(super) fn take_over_remote_user(
    core: &ngx_http_core_main_conf_t,
) -> Option<ngx_http_get_variable_pt> {
    // SAFETY: while configuration is read, the keys are an array of names with their variables.
    unsafe {
        let keys = core.variables_keys.as_ref()?.keys.as_slice::<ngx_hash_key_t>();
        let remote_user = string(b"remote_user");
        let key = keys.iter().find(|key| key.key.as_bytes() == remote_user.as_bytes())?;
        let variable = key.value.cast::<ngx_http_variable_t>().as_mut()?;
        variable.flags |= NGX_HTTP_VAR_NOCACHEABLE as ngx_uint_t;
        Some(variable.get_handler.replace(get_remote_user))
    }
}

unsafe extern "C" fn get(
    raw: *mut ngx_http_request_t,
    value: *mut ngx_http_variable_value_t,
    index: usize,
) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with a live request and a value to fill.
        let (request, value) = unsafe { (Request::new(raw), &mut *value) };
        let variable = VARIABLES.get(index).map(|(_, variable)| *variable);
        let text = request.zip(variable).and_then(|(request, variable)| text(request, variable));
        fill(request, value, text.as_deref())
    })
}

unsafe extern "C" fn get_remote_user(
    raw: *mut ngx_http_request_t,
    value: *mut ngx_http_variable_value_t,
    data: usize,
) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with a live request, of a configuration that knows us, and a value to
        // fill; the other handler takes the same.
        unsafe {
            match (Request::new(raw), (*module::main_conf_of(raw)).unverified) {
                (Some(request), _) if own::location(request).judge().is_some() => {
                    fill(Some(request), &mut *value, text(request, Variable::User).as_deref())
                }
                (_, Some(unverified)) => unverified(raw, value, data),
                _ => fill(None, &mut *value, None),
            }
        }
    })
}

/// The value of a variable of another module; `None` where it has none.
pub(crate) fn value<'r>(request: Request<'r>, name: &str) -> Option<&'r [u8]> {
    // SAFETY: a live request; the name is only read; the value lives as long as the request.
    unsafe {
        let mut name = string(name.as_bytes());
        let key = ngx_hash_key(name.data, name.len);
        let value = ngx_http_get_variable(request.raw(), &raw mut name, key).as_ref()?;
        // Of one that is not found nothing else is set. The compiler would look at both bits at once.
        if black_box(value.not_found()) != 0 || value.valid() == 0 {
            return None;
        }
        let length = usize::try_from(value.len()).ok()?;
        Some(bytes(ngx_str_t { len: length, data: value.data }))
    }
}

fn text(request: Request<'_>, variable: Variable) -> Option<String> {
    if variable == Variable::Status
        && let Some(outcome) = own::known_visit(request).and_then(|visit| visit.outcome.get())
    {
        return Some(outcome.as_str().into());
    }
    let Some(site) = own::location(request).judge() else {
        return (variable == Variable::Status).then(|| Status::Off.as_str().into());
    };
    let realm = site.realm;
    let visit = own::visit(request)?;
    let verdict = access::verdict(request, visit, realm);
    let status = site.status(verdict);
    match variable {
        Variable::Realm => return Some(realm.settings.name.clone()),
        Variable::Status => return Some(status.as_str().into()),
        _ => {}
    }
    // Who is not allowed is named where the gate has refused the request, for the log, and nowhere
    // that another let it in.
    let here = own::location(request);
    let refused = || visit.refused_in.get().is_some_and(|there| std::ptr::eq(there, here));
    let named = status == Status::Ok || refused();
    let identity = verdict.and_then(Verdict::identity).filter(|_| named)?;
    match variable {
        Variable::Groups => Some(realm.users.borrow().get(identity.user())?.groups.join(",")),
        variable => of_identity(identity, variable),
    }
}

fn of_identity(identity: &Identity, variable: Variable) -> Option<String> {
    match variable {
        Variable::User => Some(identity.user().into()),
        Variable::Method => Some(identity.credential.as_str().into()),
        Variable::Session => Some(identity.id()?.to_string()),
        Variable::Expires => Some(identity.expires_at()?.to_string()),
        Variable::Groups | Variable::Realm | Variable::Status => None,
    }
}

/// Sets a variable's value, or that it has none.
fn fill(
    request: Option<Request<'_>>,
    value: &mut ngx_http_variable_value_t,
    text: Option<&str>,
) -> ngx_int_t {
    let place = text.filter(|text| !text.is_empty()).zip(request);
    let Some((text, request)) = place else {
        value.set_not_found(1);
        return NGX_OK as ngx_int_t;
    };
    let Some(copy) = request.allocate(text.len()) else { return NGX_ERROR as ngx_int_t };
    copy.copy_from_slice(text.as_bytes());
    let ngx_str_t { len, data } = string(copy);
    value.data = data;
    value.set_len(u32::try_from(len).unwrap_or(0));
    value.set_valid(1);
    value.set_no_cacheable(0);
    value.set_not_found(0);
    NGX_OK as ngx_int_t
}
