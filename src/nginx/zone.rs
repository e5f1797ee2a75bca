//! A realm's shared memory: a secret, a random number as old as the memory, and the ended sessions.
//! Integers and offsets alone: nothing in it points into the module, which may be replaced.

use super::{log, module, process};
use crate::realm::Realm;
use authgate_core::ended::{Ended, Head, Slot};
use ngx::ffi::{
    NGX_ERROR, NGX_OK, ngx_conf_t, ngx_int_t, ngx_shared_memory_add, ngx_shm_zone_t,
    ngx_shmtx_lock, ngx_shmtx_unlock, ngx_slab_calloc, ngx_slab_pool_t, ngx_str_t,
};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::NonNull;

/// What lies at the start of the memory.
#[repr(C)]
struct Layout {
    secret: [u8; 32],
    age: [u8; 32],
    ended: Head,
    slots: usize,
    slots_offset: usize,
}

/// The shared memory of one realm, once nginx has mapped it.
#[derive(Default)]
pub(crate) struct Zone {
    mapped: Cell<Option<(NonNull<ngx_slab_pool_t>, NonNull<Layout>)>>,
}

impl Zone {
    /// Asks nginx for the memory of `realm`, which it maps when the configuration has been read.
    /// False where another realm of that name has it, or memory is short.
    pub(super) fn declare(cf: &mut ngx_conf_t, realm: &Realm) -> bool {
        process::remember(cf.cycle);
        let name = format!("authgate:{}", realm.settings.name);
        // SAFETY: the name is copied to the configuration's pool; the zone lives as long as the
        // cycle, as does the realm.
        unsafe {
            let Some(mut name) = ngx_str_t::from_bytes(cf.pool, name.as_bytes()) else {
                return false;
            };
            let size = realm.settings.zone_size;
            let zone = ngx_shared_memory_add(cf, &raw mut name, size, module::tag());
            let Some(zone) = zone.as_mut() else { return false };
            zone.init = Some(init);
            zone.data = std::ptr::from_ref(realm).cast_mut().cast();
        }
        true
    }

    /// Gives the memory's secret and its age to `with`; `None` before nginx has mapped it.
    pub(crate) fn with_secrets<R>(
        &self,
        with: impl FnOnce(&[u8; 32], &[u8; 32]) -> R,
    ) -> Option<R> {
        let (_, layout) = self.mapped.get()?;
        // SAFETY: mapped memory stays so for the cycle; both fields are written once, by `init`.
        let layout = unsafe { layout.as_ref() };
        Some(with(&layout.secret, &layout.age))
    }

    /// The table of ended sessions.
    pub(crate) fn ended(&self) -> Option<Ended<'_>> {
        let (_, layout) = self.mapped.get()?;
        // SAFETY: `init` has allocated `slots` zeroed slots at the offset; they are atomics, shared
        // among workers.
        unsafe {
            let Layout { ended, slots, slots_offset, .. } = layout.as_ref();
            let start = layout.cast::<u8>().as_ptr().cast_const().add(*slots_offset).cast::<Slot>();
            Some(Ended {
                head: ended,
                slots: std::slice::from_raw_parts(start, *slots),
                buckets: &[],
            })
        }
    }

    /// Runs `write` while no other worker writes.
    pub(crate) fn locked<R>(&self, write: impl FnOnce() -> R) -> Option<R> {
        let (pool, _) = self.mapped.get()?;
        // SAFETY: the slab's mutex, which nginx releases where a worker dies with it.
        unsafe {
            let mutex = &raw mut (*pool.as_ptr()).mutex;
            ngx_shmtx_lock(mutex);
            let result = super::entry::guard(None, || Some(write()));
            ngx_shmtx_unlock(mutex);
            result
        }
    }
}

unsafe extern "C" fn init(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    super::entry::guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with the zone that `declare` filled, its memory mapped and its
        // slab pool made; `old` is the data of the same zone of the running configuration.
        let ready = unsafe {
            let realm = &*(*zone).data.cast::<Realm>();
            let pool = NonNull::new((*zone).shm.addr.cast::<ngx_slab_pool_t>());
            let fresh = old.is_null() && (*zone).shm.exists == 0;
            pool.and_then(|pool| map(pool, fresh)).map(|mapped| {
                realm.zone.mapped.set(Some(mapped));
                realm.ready()
            })
        };
        match ready {
            Some(Ok(())) => NGX_OK as ngx_int_t,
            Some(Err(mistake)) => {
                log::emerg(log::cycle_log(), &mistake);
                NGX_ERROR as ngx_int_t
            }
            None => {
                log::emerg(log::cycle_log(), "authgate: no shared memory or no randomness");
                NGX_ERROR as ngx_int_t
            }
        }
    })
}

/// The layout in the memory: the running one, or a new one.
///
/// # Safety
/// `pool` is an initialized slab pool; unless `fresh`, its `data` is a Layout of ours or null.
unsafe fn map(
    pool: NonNull<ngx_slab_pool_t>,
    fresh: bool,
) -> Option<(NonNull<ngx_slab_pool_t>, NonNull<Layout>)> {
    // SAFETY: by the caller's promise; calloc gives zeroed room for a Layout and for the slots.
    unsafe {
        let slab = pool.as_ptr();
        if let (false, Some(layout)) = (fresh, NonNull::new((*slab).data.cast::<Layout>())) {
            return Some((pool, layout));
        }
        let mut layout = NonNull::new(ngx_slab_calloc(slab, size_of::<Layout>()).cast::<Layout>())?;
        let size = (*slab).end.offset_from_unsigned((*slab).start);
        let slots = size / SHARE / size_of::<Slot>();
        let start = ngx_slab_calloc(slab, slots * size_of::<Slot>()).cast::<u8>();
        if start.is_null() {
            return None;
        }
        let head = layout.as_mut();
        getrandom::fill(&mut head.secret).ok()?;
        getrandom::fill(&mut head.age).ok()?;
        head.slots = slots;
        head.slots_offset = start.offset_from_unsigned(layout.as_ptr().cast());
        (*slab).data = layout.as_ptr().cast();
        Some((pool, layout))
    }
}

/// Ended sessions take one part in so many of the memory.
const SHARE: usize = 2;
