//! nginx's pools: memory that is given back all at once.

use super::entry::guard;
use ngx::ffi::{ngx_palloc, ngx_pool_cleanup_add, ngx_pool_t};
use std::ffi::c_void;
use std::ptr::NonNull;

/// Whether nginx's pools align their memory for this type: to words. Cleanup records have theirs from there.
pub(super) const fn fits_pool<T>() -> bool {
    align_of::<T>() <= align_of::<usize>()
}

/// Moves a value with nothing to drop into a pool. `None` where memory is short.
///
/// # Safety
/// The pool is live, for all of `'p`.
pub(super) unsafe fn keep<'p, T>(pool: *mut ngx_pool_t, value: T) -> Option<&'p T> {
    const { assert!(!std::mem::needs_drop::<T>() && fits_pool::<T>()) }
    // SAFETY: by the caller's promise; what the pool gives out is ours alone.
    unsafe {
        let place = NonNull::new(ngx_palloc(pool, size_of::<T>()).cast::<T>())?;
        place.write(value);
        Some(place.as_ref())
    }
}

/// Moves a value into a pool, which drops it when it is given back. `None` where memory is short.
///
/// # Safety
/// The pool is live. Nobody uses the value when the pool has been given back.
pub(super) unsafe fn own<T>(pool: *mut ngx_pool_t, value: T) -> Option<NonNull<T>> {
    // nginx gives a record no room for nothing.
    const { assert!(fits_pool::<T>() && size_of::<T>() > 0) }
    // SAFETY: by the caller's promise; the record has room for a T, aligned as all of the pool's memory,
    // which `drop_owned` drops once.
    unsafe {
        // ngx's Pool::allocate writes to its memory even where it has got none.
        let record = ngx_pool_cleanup_add(pool, size_of::<T>()).as_mut()?;
        let place = NonNull::new(record.data.cast::<T>())?;
        place.write(value);
        record.handler = Some(drop_owned::<T>);
        Some(place)
    }
}

unsafe extern "C" fn drop_owned<T>(place: *mut c_void) {
    // SAFETY: nginx calls this once, with the data of a record that `own` has filled.
    guard((), || unsafe { place.cast::<T>().drop_in_place() });
}
