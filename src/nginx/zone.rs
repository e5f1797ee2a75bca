//! A realm's shared memory, as nginx maps it and workers use it.

use super::carried::Carried;
use super::config::{Config, Mistake};
use super::entry::{caught, guard};
use super::memory::{self, JournalMarks, Locked, Memory, Secrets, Topic};
use super::{log, pool, process};
use authgate_core::ended::Ended;
use authgate_core::limit::{self, PlaceSlot};
use authgate_core::metrics::Metrics;
use authgate_core::watch::Fingerprint;
use ngx::ffi::{
    NGX_ERROR, NGX_OK, ngx_cycle, ngx_cycle_t, ngx_int_t, ngx_shared_memory_add, ngx_shm_zone_t,
    ngx_slab_pool_t, ngx_str_t,
};
use std::cell::{Cell, OnceCell};
use std::ffi::c_void;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::ptr::NonNull;
use std::rc::Rc;

/// The shared memory of one realm, once nginx has mapped it.
#[derive(Default)]
pub(crate) struct Zone {
    memory: OnceCell<Memory>,
    /// The cycle that it is of.
    cycle: Cell<Option<NonNull<ngx_cycle_t>>>,
}

/// Who has a zone.
pub(crate) trait Owner {
    /// Its zone.
    fn zone(&self) -> &Zone;

    /// Gets ready: the memory is there, and was `old`'s where that is there. Writes nothing to it: workers may
    /// use it, and the configuration may still fail.
    ///
    /// # Errors
    /// The mistake, as nginx says it.
    fn prepare(&self, old: Option<&Self>) -> Result<(), String>;

    /// What to say where the memory of the running configuration cannot be taken over.
    fn lost(&self) -> String;
}

impl Zone {
    /// Asks nginx for memory of this name and size, which it maps when the configuration has been read.
    ///
    /// # Errors
    /// Another owner has that name, as nginx has said, or memory is short.
    pub(crate) fn declare<C: Carried>(
        config: &mut Config<'_>,
        name: &str,
        size: usize,
        owner: &Rc<C::Owner>,
    ) -> Result<(), Mistake> {
        process::remember(config.raw.cycle);
        owner.zone().cycle.set(NonNull::new(config.raw.cycle));
        let mut name = config.copy(name.as_bytes())?;
        // SAFETY: the zone lives as long as the configuration and its pool, and with it the owner. The tag
        // marks the memory as the module's, whose owners are all of one type.
        unsafe {
            let kept = pool::own(config.raw.pool, Rc::clone(owner)).ok_or("no memory")?;
            let tag = C::module().cast_mut().cast();
            let zone = ngx_shared_memory_add(config.raw, &raw mut name, size, tag);
            let zone = zone.as_mut().ok_or(Mistake::Told)?;
            zone.init = Some(init::<C::Owner>);
            zone.data = Rc::as_ptr(kept.as_ref()).cast_mut().cast();
        }
        Ok(())
    }

    /// Whether the memory is that of the running configuration. A process without a master that has taken another
    /// one keeps what is its own of the old one for a while, and has given its memory back.
    pub(crate) fn is_of_running_configuration(&self) -> bool {
        // SAFETY: on the event loop ngx_cycle is the running cycle.
        unsafe { self.cycle.get() == NonNull::new(ngx_cycle) }
    }

    /// The random numbers; `None` before nginx has mapped the memory.
    pub(crate) fn secrets(&self) -> Option<&Secrets> {
        Some(self.memory.get()?.secrets())
    }

    /// What workers tell each other of the journal.
    pub(crate) fn journal(&self) -> Option<&JournalMarks> {
        Some(self.memory.get()?.journal())
    }

    /// The table of ended sessions, to read. Who writes holds the lock: see [`Locked::ended`].
    pub(crate) fn ended(&self) -> Option<Ended<'_>> {
        Some(self.memory.get()?.ended())
    }

    /// Where Basic credentials held. Who writes holds the lock.
    pub(crate) fn places(&self) -> Option<&[PlaceSlot]> {
        Some(self.memory.get()?.places())
    }

    /// Gives the limiter's counters to `count`, while no other worker has them.
    pub(crate) fn with_counters<R>(
        &self,
        count: impl FnOnce(&mut [limit::Slot]) -> R,
    ) -> Option<R> {
        self.locked(|locked| count(locked.counters()))
    }

    /// What the workers count.
    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        self.memory.get()?.metrics()
    }

    /// Says what users are in force from now on.
    pub(crate) fn set_users(&self, taken: Fingerprint) {
        self.locked(|locked| *locked.users() = taken);
    }

    /// Whether these users are in force: those that a worker took last, or nginx at its (re)load.
    pub(crate) fn has_users(&self, taken: Fingerprint) -> bool {
        self.locked(|locked| *locked.users() == taken).unwrap_or(false)
    }

    /// Whether a worker is to complain of this: once for all of them.
    pub(crate) fn complain(&self, topic: Topic, what: &impl Hash, lasts: bool, now: u64) -> bool {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let what = hasher.finish();
        self.locked(|locked| locked.complaint(topic).is_due(what, lasts, now)).unwrap_or(true)
    }

    /// There is nothing to complain of any more.
    pub(crate) fn is_well(&self, topic: Topic) {
        self.locked(|locked| locked.complaint(topic).clear());
    }

    /// Whether there is something to complain of.
    pub(crate) fn complains(&self, topic: Topic) -> bool {
        self.locked(|locked| locked.complaint(topic).stands()).unwrap_or(false)
    }

    /// Runs `write` while no other worker writes. `None` where it panics, or nginx has not mapped the memory,
    /// or `write` is run while this worker holds the lock.
    pub(crate) fn locked<R>(&self, write: impl FnOnce(&mut Locked<'_>) -> R) -> Option<R> {
        let mut locked = self.memory.get()?.lock()?;
        let written = caught(|| write(&mut locked));
        // Before anything is logged.
        drop(locked);
        written.map_err(|panicked| log::alert(&panicked.to_string())).ok()
    }
}

unsafe extern "C" fn init<O: Owner>(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with the zone that `declare` filled, its memory mapped and its
        // slab pool made; `old` is the data of the same zone of the running configuration.
        let ready = unsafe {
            let owner = &*(*zone).data.cast::<O>();
            let pool = NonNull::new((*zone).shm.addr.cast::<ngx_slab_pool_t>());
            let fresh = old.is_null() && (*zone).shm.exists == 0;
            if fresh && is_remade(&(*zone).shm.name) {
                log::conf_warn(log::cycle_log(), &owner.lost());
            }
            pool.and_then(|pool| memory::map(pool, fresh)).map(|memory| {
                // Once for each configuration.
                let _ = owner.zone().memory.set(memory);
                owner.prepare(old.cast::<O>().as_ref())
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

/// Whether the running configuration has a zone of this name.
fn is_remade(name: &ngx_str_t) -> bool {
    // SAFETY: ngx_cycle is the running cycle, or at the first start one without zones; its list
    // of zones is read by the one thread that reads configuration.
    unsafe {
        let mut part = &raw const (*ngx_cycle).shared_memory.part;
        while let Some(current) = part.as_ref() {
            let zones = current.elts.cast::<ngx_shm_zone_t>();
            if (0..current.nelts).any(|n| (*zones.add(n)).shm.name.as_bytes() == name.as_bytes()) {
                return true;
            }
            part = current.next;
        }
    }
    false
}
