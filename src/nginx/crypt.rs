//! crypt(3) as nginx's auth_basic has it: whatever it verifies, we verify.

use super::log;
use ngx::ffi::{NGX_OK, ngx_create_pool, ngx_destroy_pool, ngx_int_t, ngx_pool_t, u_char};
use std::ffi::{CStr, CString};
use std::ptr;
use zeroize::{Zeroize, Zeroizing};

// ngx_crypt.h is not among nginx-sys's headers.
unsafe extern "C" {
    fn ngx_crypt(
        pool: *mut ngx_pool_t,
        key: *mut u_char,
        salt: *mut u_char,
        encrypted: *mut *mut u_char,
    ) -> ngx_int_t;
}

/// Hashes `password` under `setting`. Safe in any thread: it has a pool of its own, and the build
/// demands `crypt_r` (scripts/build).
pub(crate) fn crypt(password: &[u8], setting: &str) -> Option<String> {
    let key = Zeroizing::new(CString::new(password).ok()?.into_bytes_with_nul());
    let salt = CString::new(setting).ok()?;
    // SAFETY: the pool is ours alone; both strings end in NUL and outlive the call, which only
    // reads them; the result is a string in the pool, wiped and copied before the pool goes.
    unsafe {
        let pool = ngx_create_pool(1024, log::cycle_log());
        if pool.is_null() {
            return None;
        }
        let mut encrypted = ptr::null_mut();
        let (key, salt) = (key.as_ptr().cast_mut(), salt.as_ptr().cast_mut().cast());
        let done = ngx_crypt(pool, key, salt, &raw mut encrypted);
        let hash = (done == NGX_OK as ngx_int_t).then(|| take(encrypted));
        ngx_destroy_pool(pool);
        hash.flatten()
    }
}

/// Copies a hash and wipes it where it stood: that of {PLAIN} is the password.
///
/// # Safety
/// `text` is null or a writable string that ends in NUL.
unsafe fn take(text: *mut u_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise.
    unsafe {
        let length = CStr::from_ptr(text.cast()).count_bytes();
        let text = std::slice::from_raw_parts_mut(text, length);
        let copy = str::from_utf8(text).ok().map(str::to_owned);
        text.zeroize();
        copy
    }
}
