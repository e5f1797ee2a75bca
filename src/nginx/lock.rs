//! nginx's lock on a piece of shared memory, held as a value. It knows nothing of what lies there.

use super::log;
use ngx::ffi::{ngx_shmtx_lock, ngx_shmtx_t, ngx_shmtx_unlock, ngx_slab_pool_t};
use std::cell::Cell;
use std::ptr::NonNull;

/// The lock of a piece of shared memory, as this process has it.
pub(super) struct Lock {
    mutex: NonNull<ngx_shmtx_t>,
    held: Cell<bool>,
}

/// The lock, held until this is dropped, by a panic as well. nginx releases the locks of a worker that dies.
#[must_use]
pub(super) struct Held<'l>(&'l Lock);

impl Lock {
    /// # Safety
    /// `pool` is the slab pool of shared memory that stays mapped as long as this lives.
    pub(super) unsafe fn of(pool: NonNull<ngx_slab_pool_t>) -> Self {
        // SAFETY: by the caller's promise.
        let mutex = unsafe { NonNull::new_unchecked(&raw mut (*pool.as_ptr()).mutex) };
        Self { mutex, held: Cell::new(false) }
    }

    /// Waits until no other worker holds it. `None` where this one does: it would wait for itself.
    pub(super) fn hold(&self) -> Option<Held<'_>> {
        if self.held.replace(true) {
            log::alert("shared memory is locked twice");
            return None;
        }
        // SAFETY: the mutex is there (see `of`).
        unsafe { ngx_shmtx_lock(self.mutex.as_ptr()) }
        Some(Held(self))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: `hold` has locked the mutex.
        unsafe { ngx_shmtx_unlock(self.0.mutex.as_ptr()) }
        self.0.held.set(false);
    }
}
