//! Header lists of nginx's: reading, and removing our cookies before an application sees them.

use super::request::{Request, bytes, string};
use authgate_core::cookie::CookieSettings;
use authgate_core::original::Line;
use ngx::ffi::{ngx_list_part_t, ngx_list_t, ngx_palloc, ngx_pool_t, ngx_table_elt_t};

/// The value of the first request header field of this lower-case name.
pub(super) fn find<'r>(request: Request<'r>, name: &str) -> Option<&'r [u8]> {
    // SAFETY: headers_in of a live request.
    let lines = unsafe { lines(&raw mut (*request.raw()).headers_in.headers) };
    // SAFETY: each is a line of the list.
    let mut lines = lines.map(|line| unsafe { *line });
    // SAFETY: what a line says lives as long as the request.
    unsafe {
        let line = lines.find(|line| bytes(line.key).eq_ignore_ascii_case(name.as_bytes()))?;
        Some(bytes(line.value))
    }
}

/// The only request header field of this lower-case name.
pub(super) fn only<'r>(request: Request<'r>, name: &str) -> Line<'r> {
    // SAFETY: headers_in of a live request.
    let lines = unsafe { lines(&raw mut (*request.raw()).headers_in.headers) };
    // SAFETY: each is a line of the list.
    let lines = lines.map(|line| unsafe { *line });
    // SAFETY: what a line says lives as long as the request.
    let lines = lines.map(|line| unsafe { (bytes(line.key), bytes(line.value)) });
    let mut named = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
    match (named.next(), named.next()) {
        (None, _) => Line::Absent,
        (Some((_, value)), None) => Line::One(value.trim_ascii()),
        (Some(_), Some(_)) => Line::Several,
    }
}

/// The lines of a header list.
///
/// # Safety
/// `list` is a list of header lines that stays unchanged while the iterator is used.
pub(super) unsafe fn lines(list: *mut ngx_list_t) -> impl Iterator<Item = *mut ngx_table_elt_t> {
    // SAFETY: by the caller's promise; the first part lies in the list itself.
    let mut part: *mut ngx_list_part_t = unsafe { &raw mut (*list).part };
    let mut index = 0;
    std::iter::from_fn(move || {
        // SAFETY: each part holds nelts lines and names the next part or none.
        unsafe {
            while index >= part.as_ref()?.nelts {
                part = (*part).next;
                index = 0;
            }
            index += 1;
            Some((*part).elts.cast::<ngx_table_elt_t>().add(index - 1))
        }
    })
}

fn cookie_line_with(
    request: Request<'_>,
    cookies: &CookieSettings,
) -> Option<*mut ngx_table_elt_t> {
    // SAFETY: a line of the live request's headers.
    let ours = |line: &*mut ngx_table_elt_t| cookies.occurs_in(unsafe { bytes((**line).value) });
    cookie_lines(request).find(ours)
}

/// Removes the gate's cookies from the request's `Cookie` lines, the others byte for byte; a line
/// left empty is removed wholly. The visit remembers them. `None` where memory is short.
pub(super) fn strip_cookies(request: Request<'_>, cookies: &CookieSettings) -> Option<()> {
    while let Some(line) = cookie_line_with(request, cookies) {
        request.visit()?;
        // SAFETY: the line stays where it is; its old value stays in the request's memory, where
        // the visit remembers it.
        let value = unsafe { &mut (*line).value };
        let rest = request.allocate(value.len)?;
        // SAFETY: as above.
        let length = cookies.strip(unsafe { bytes(*value) }, rest);
        *value = string(rest.get(..length)?);
        if length == 0 {
            remove_cookie_line(request, line)?;
        }
    }
    Some(())
}

/// Removes the request's `Authorization` line.
pub(super) fn strip_authorization(request: Request<'_>) -> Option<()> {
    let line = std::mem::replace(
        // SAFETY: headers_in of a live request.
        unsafe { &mut (*request.raw()).headers_in.authorization },
        std::ptr::null_mut(),
    );
    if line.is_null() { Some(()) } else { remove_line(request, line) }
}

fn remove_cookie_line(request: Request<'_>, line: *mut ngx_table_elt_t) -> Option<()> {
    unlink_cookie(request, line);
    remove_line(request, line)
}

/// The request's `Cookie` lines.
#[cfg(not(nginx1_23))]
pub(super) fn cookie_lines(request: Request<'_>) -> impl Iterator<Item = *mut ngx_table_elt_t> {
    // SAFETY: before 1.23 `cookies` is an array of pointers to header lines, all zero when empty.
    let (start, count) = unsafe {
        let cookies = &(*request.raw()).headers_in.cookies;
        (cookies.elts.cast::<*mut ngx_table_elt_t>(), cookies.nelts)
    };
    // SAFETY: `index` is below the array's length.
    (0..count).map(move |index| unsafe { *start.add(index) })
}

#[cfg(not(nginx1_23))]
fn unlink_cookie(request: Request<'_>, line: *mut ngx_table_elt_t) {
    // SAFETY: as in `cookie_lines`; later pointers move one place down.
    unsafe {
        let cookies = &mut (*request.raw()).headers_in.cookies;
        let lines = cookies.as_slice_mut::<*mut ngx_table_elt_t>();
        if let Some(index) = lines.iter().position(|known| *known == line) {
            lines.copy_within(index + 1.., index);
            cookies.nelts -= 1;
        }
    }
}

/// The request's `Cookie` lines.
#[cfg(nginx1_23)]
pub(super) fn cookie_lines(request: Request<'_>) -> impl Iterator<Item = *mut ngx_table_elt_t> {
    let mut line = request.get().headers_in.cookie;
    std::iter::from_fn(move || {
        let current = (!line.is_null()).then_some(line)?;
        // SAFETY: since 1.23 `cookie` heads a list linked by `next`.
        line = unsafe { (*current).next };
        Some(current)
    })
}

#[cfg(nginx1_23)]
fn unlink_cookie(request: Request<'_>, line: *mut ngx_table_elt_t) {
    // SAFETY: as in `cookie_lines`; the link that named `line` names its successor.
    unsafe {
        let mut link = &raw mut (*request.raw()).headers_in.cookie;
        while !(*link).is_null() && *link != line {
            link = &raw mut (**link).next;
        }
        if !(*link).is_null() {
            *link = (*line).next;
        }
    }
}

fn remove_line(request: Request<'_>, line: *mut ngx_table_elt_t) -> Option<()> {
    // SAFETY: headers_in of a live request and its own pool.
    unsafe { remove(&raw mut (*request.raw()).headers_in.headers, line, request.get().pool) }
}

/// Takes `line` out of `list` without moving any other, since nginx keeps pointers to them: the part
/// that holds it is split in two around it. `None` where memory is short.
///
/// # Safety
/// `list` is a list of header lines in `pool`.
unsafe fn remove(
    list: *mut ngx_list_t,
    line: *mut ngx_table_elt_t,
    pool: *mut ngx_pool_t,
) -> Option<()> {
    // SAFETY: parts hold nelts lines each; the new part covers lines of the old one alone.
    unsafe {
        let mut before: *mut ngx_list_part_t = std::ptr::null_mut();
        let mut part: *mut ngx_list_part_t = &raw mut (*list).part;
        while let Some(current) = part.as_mut() {
            let start = current.elts.cast::<ngx_table_elt_t>();
            if let Some(index) = (0..current.nelts).find(|index| start.add(*index) == line) {
                split(current, index, pool)?;
                settle(list, before, part);
                return Some(());
            }
            before = part;
            part = current.next;
        }
        Some(())
    }
}

/// Ends `part` before its line `index`; the lines behind it become a part of their own.
///
/// # Safety
/// `part` is part of a list of header lines in `pool`, with more than `index` lines.
unsafe fn split(part: &mut ngx_list_part_t, index: usize, pool: *mut ngx_pool_t) -> Option<()> {
    let behind = part.nelts - index - 1;
    if behind > 0 {
        // SAFETY: by the caller's promise.
        unsafe {
            let tail = ngx_palloc(pool, size_of::<ngx_list_part_t>()).cast::<ngx_list_part_t>();
            let elts = part.elts.cast::<ngx_table_elt_t>().add(index + 1).cast();
            *tail.as_mut()? = ngx_list_part_t { elts, nelts: behind, next: part.next };
            part.next = tail;
        }
    }
    part.nelts = index;
    Some(())
}

/// Puts a list in order whose `part` has been split: no part but the first may be empty (nginx's
/// loops take the first line of the next part unseen), and the last part counts as full, so that
/// ngx_list_push never writes over lines that another part covers.
///
/// # Safety
/// `part` is part of `list`, and `before` the one before it, or null.
unsafe fn settle(list: *mut ngx_list_t, before: *mut ngx_list_part_t, part: *mut ngx_list_part_t) {
    // SAFETY: by the caller's promise.
    unsafe {
        let mut last = part;
        if (*part).nelts == 0
            && let Some(before) = before.as_mut()
        {
            before.next = (*part).next;
            last = before;
        }
        while let Some(next) = (*last).next.as_mut() {
            last = next;
        }
        (*list).last = last;
        (*list).nalloc = (*last).nelts.max(1);
    }
}
