//! Variables of nginx's: adding our own, and reading those of others.

use super::entry::guard;
use super::request::Request;
use super::text::{bytes, string};
use ngx::ffi::{
    NGX_ERROR, NGX_HTTP_VAR_NOCACHEABLE, NGX_OK, ngx_conf_t, ngx_hash_key, ngx_hash_key_t,
    ngx_http_add_variable, ngx_http_core_main_conf_t, ngx_http_get_variable,
    ngx_http_get_variable_pt, ngx_http_request_t, ngx_http_variable_t, ngx_http_variable_value_t,
    ngx_int_t, ngx_str_t, ngx_uint_t,
};
use std::hint::black_box;

/// What the value of a variable is, computed on each use; `None` or nothing where it has none.
pub(crate) type Value = fn(Request<'_>) -> Option<String>;

/// Adds a variable. `None` where memory is short.
pub(super) fn add(cf: &mut ngx_conf_t, name: &str, value: &'static Value) -> Option<()> {
    // SAFETY: nginx copies the name; `get` is called with the data set here.
    unsafe {
        let mut name = string(name.as_bytes());
        let flags = NGX_HTTP_VAR_NOCACHEABLE as ngx_uint_t;
        let variable = ngx_http_add_variable(cf, &raw mut name, flags).as_mut()?;
        variable.get_handler = Some(get);
        variable.data = std::ptr::from_ref(value).expose_provenance();
    }
    Some(())
}

unsafe extern "C" fn get(
    raw: *mut ngx_http_request_t,
    value: *mut ngx_http_variable_value_t,
    of: usize,
) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with a live request, a value to fill, and the data that `add` has set.
        let (request, value, of) = unsafe {
            (Request::new(raw), &mut *value, &*std::ptr::with_exposed_provenance::<Value>(of))
        };
        fill(request, value, request.and_then(of).as_deref())
    })
}

/// Gives a variable of nginx's core another handler: it cannot be replaced by adding one of its name. Gives
/// the handler that it had; `None` where there is no such variable.
pub(super) fn take_over(
    core: &ngx_http_core_main_conf_t,
    name: &str,
    handler: ngx_http_get_variable_pt,
) -> Option<ngx_http_get_variable_pt> {
    // SAFETY: while configuration is read, the keys are an array of names with their variables.
    unsafe {
        let keys = core.variables_keys.as_ref()?.keys.as_slice::<ngx_hash_key_t>();
        let key = keys.iter().find(|key| key.key.as_bytes() == name.as_bytes())?;
        let variable = key.value.cast::<ngx_http_variable_t>().as_mut()?;
        variable.flags |= NGX_HTTP_VAR_NOCACHEABLE as ngx_uint_t;
        Some(std::mem::replace(&mut variable.get_handler, handler))
    }
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

/// Sets a variable's value, or that it has none.
pub(super) fn fill(
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
