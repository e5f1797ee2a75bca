//! Header lists of nginx's: reading, and removing our cookies before an application sees them.

use super::request::Request;
use super::text::{bytes, string};
use authgate_core::cookie::{GateCookies, Stripped};
use authgate_core::original::Line;
use ngx::ffi::{ngx_list_part_t, ngx_list_t, ngx_palloc, ngx_str_t, ngx_table_elt_t};

/// The value of the first request header field of this lower-case name.
pub(crate) fn find<'r>(request: Request<'r>, name: &str) -> Option<&'r [u8]> {
    named(request, name).next()
}

/// The only request header field of this lower-case name.
pub(crate) fn only<'r>(request: Request<'r>, name: &str) -> Line<'r> {
    let mut named = named(request, name);
    match (named.next(), named.next()) {
        (None, _) => Line::Absent,
        (Some(value), None) => Line::One(value.trim_ascii()),
        (Some(_), Some(_)) => Line::Several,
    }
}

/// The values of the request header fields of this lower-case name. Some twenty names are looked for
/// among all that a client sends: most lines are told by the length of theirs.
fn named<'r>(request: Request<'r>, name: &str) -> impl Iterator<Item = &'r [u8]> {
    // SAFETY: headers_in of a live request.
    let lines = unsafe { lines(&raw mut (*request.raw()).headers_in.headers) };
    // SAFETY: each is a line of the list.
    let lines = lines.map(|line| unsafe { &*line });
    let named = lines.filter(|line| is_named(line, name));
    // SAFETY: what a line says lives as long as the request.
    named.map(|line| unsafe { bytes(line.value) })
}

fn is_named(line: &ngx_table_elt_t, name: &str) -> bool {
    if line.key.len != name.len() {
        return false;
    }
    let in_lower_case = ngx_str_t { len: line.key.len, data: line.lowcase_key };
    // SAFETY: the name lives as long as the line, in lower case too where nginx has it: who else adds a line
    // may leave that out.
    unsafe {
        match line.lowcase_key.is_null() {
            true => bytes(line.key).eq_ignore_ascii_case(name.as_bytes()),
            false => bytes(in_lower_case) == name.as_bytes(),
        }
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

/// Takes the gate's cookies out of the request's `Cookie` lines, the others byte for byte; how many
/// lines are left empty, for [`remove_emptied`]. They are remembered. Each line is read on its
/// own, once or twice, so that it costs as much as the client sends. `None` where memory is short.
pub(crate) fn strip_cookies(request: Request<'_>, cookies: &GateCookies) -> Option<usize> {
    let mut emptied = 0;
    for line in cookie_lines(request) {
        // SAFETY: the line stays where it is; its old value stays in the request's memory, where
        // it is remembered.
        let line = unsafe { &mut *line };
        // SAFETY: as above.
        let value = unsafe { bytes(line.value) };
        if let Stripped::Rest(rest) = cookies.strip(value, || request.allocate(value.len()))? {
            request.exchange()?;
            line.value = if rest.is_empty() { emptied_value() } else { string(rest) };
        }
        emptied += usize::from(is_emptied(line));
    }
    Some(emptied)
}

/// Takes the value of the `Authorization` line where `is_ours`, as [`strip_cookies`] does.
pub(crate) fn strip_authorization(
    request: Request<'_>,
    is_ours: impl FnOnce(&[u8]) -> bool,
) -> Option<usize> {
    let line = request.get().headers_in.authorization;
    if line.is_null() {
        return Some(0);
    }
    // SAFETY: a line of the live request's headers, to which nobody has a reference while others are called; what
    // it says lives as long as the request.
    unsafe {
        if is_ours(bytes((*line).value)) {
            request.exchange()?;
            (*line).value = emptied_value();
        }
        Some(usize::from(is_emptied(&*line)))
    }
}

/// The value of a line that is to be removed, known by its address: a client may send an empty one.
fn emptied_value() -> ngx_str_t {
    ngx_str_t { len: 0, data: (&raw const EMPTIED).cast_mut() }
}

static EMPTIED: u8 = 0;

fn is_emptied(line: &ngx_table_elt_t) -> bool {
    std::ptr::eq(line.value.data, &raw const EMPTIED)
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

/// Has nginx forget the emptied `Cookie` lines.
#[cfg(not(nginx1_23))]
fn unlink_emptied_cookies(request: Request<'_>) {
    // SAFETY: as in `cookie_lines`; later pointers move down.
    unsafe {
        let cookies = &mut (*request.raw()).headers_in.cookies;
        let known = cookies.elts.cast::<*mut ngx_table_elt_t>();
        let mut kept = 0;
        for index in 0..cookies.nelts {
            let line = *known.add(index);
            if !is_emptied(&*line) {
                known.add(kept).write(line);
                kept += 1;
            }
        }
        cookies.nelts = kept;
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

/// Has nginx forget the emptied `Cookie` lines.
#[cfg(nginx1_23)]
fn unlink_emptied_cookies(request: Request<'_>) {
    // SAFETY: as in `cookie_lines`; the link that named an emptied line names its successor.
    unsafe {
        let mut link = &raw mut (*request.raw()).headers_in.cookie;
        while let Some(line) = (*link).as_mut() {
            match is_emptied(line) {
                true => *link = line.next,
                false => link = &raw mut line.next,
            }
        }
    }
}

fn unlink_emptied_authorization(request: Request<'_>) {
    // SAFETY: headers_in of a live request: null, or one of its lines.
    unsafe {
        let known = &mut (*request.raw()).headers_in.authorization;
        if known.as_ref().is_some_and(is_emptied) {
            *known = std::ptr::null_mut();
        }
    }
}

/// Removes the emptied lines, `count` of them. `None` where memory is short: they stay then, empty.
pub(crate) fn remove_emptied(request: Request<'_>, count: usize) -> Option<()> {
    let size = count.checked_mul(size_of::<ngx_list_part_t>())?;
    // SAFETY: the request's own pool, which aligns to words and gives room for `count` parts; headers_in
    // of a live request.
    unsafe {
        let room = ngx_palloc(request.get().pool, size).cast::<ngx_list_part_t>();
        if room.is_null() {
            return None;
        }
        unlink_emptied_cookies(request);
        unlink_emptied_authorization(request);
        let list = &raw mut (*request.raw()).headers_in.headers;
        close_gaps(list, (0..count).map(|index| room.add(index)));
    }
    Some(())
}

/// Takes the emptied lines out of `list` in one pass, without moving any other, since nginx keeps
/// pointers to them: each run of lines between them becomes a part, in the old part's place or in one
/// of `more`, of which there is one for each emptied line.
///
/// No part but the first may be empty (nginx's loops take the first line of the next part unseen), and
/// the last counts as full, so that ngx_list_push never writes over lines that another part covers.
///
/// # Safety
/// `list` is a list of header lines; `more` are places for parts that live as long as it.
unsafe fn close_gaps(list: *mut ngx_list_t, mut more: impl Iterator<Item = *mut ngx_list_part_t>) {
    // SAFETY: by the caller's promise; a part holds nelts lines, and what is put in its place is read
    // from it before. Runs of lines lie within those of the old part.
    unsafe {
        let first = &raw mut (*list).part;
        let (mut last, mut part) = (first, first);
        while !part.is_null() {
            let ngx_list_part_t { elts, nelts, next } = *part;
            (*part).nelts = 0;
            let lines = std::slice::from_raw_parts_mut(elts.cast::<ngx_table_elt_t>(), nelts);
            let mut places = std::iter::once(part).chain(&mut more);
            for run in lines.split_mut(is_emptied).filter(|run| !run.is_empty()) {
                let Some(place) = places.next() else { break };
                let (elts, nelts) = (run.as_mut_ptr().cast(), run.len());
                place.write(ngx_list_part_t { elts, nelts, next: std::ptr::null_mut() });
                if place != first {
                    (*last).next = place;
                }
                last = place;
            }
            part = next;
        }
        (*last).next = std::ptr::null_mut();
        (*list).last = last;
        (*list).nalloc = (*last).nelts.max(1);
    }
}
