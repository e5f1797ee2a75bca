//! What becomes of a `Cookie` line, for the tests.

use authgate_core::cookie::{GateCookies, Stripped};

/// Whether a line names any of them.
pub(crate) fn occur_in(cookies: &GateCookies, line: &[u8]) -> bool {
    let mut room = vec![0; line.len()];
    cookies.strip(line, || Some(&mut room)).unwrap() != Stripped::Whole
}

/// Copies a line without them to `out`; how many bytes were written, 0 where it is too short.
pub(crate) fn strip(cookies: &GateCookies, line: &[u8], out: &mut [u8]) -> usize {
    let stripped = cookies.strip(line, || Some(&mut *out));
    match stripped {
        Some(Stripped::Rest(rest)) => rest.len(),
        Some(Stripped::Whole) => {
            out[..line.len()].copy_from_slice(line);
            line.len()
        }
        None => 0,
    }
}
