//! nginx's strings: a length and an address.

use ngx::ffi::ngx_str_t;

/// nginx's string as bytes.
///
/// # Safety
/// `text` names bytes that live, unchanged, for all of `'r`; it may be empty and name none.
pub(super) unsafe fn bytes<'r>(text: ngx_str_t) -> &'r [u8] {
    // nginx leaves the address of an empty string unset: `args` after a redirect of try_files.
    if text.len == 0 || text.data.is_null() {
        return &[];
    }
    // SAFETY: by the caller's promise.
    unsafe { std::slice::from_raw_parts(text.data, text.len) }
}

/// Bytes that outlive what they are given to, as nginx's string.
pub(super) fn string(text: &[u8]) -> ngx_str_t {
    ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() }
}
