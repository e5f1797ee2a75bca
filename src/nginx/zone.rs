//! A realm's shared memory: secrets, the ended sessions, the limiter's counters and those of the
//! metrics. Integers and offsets alone: nothing in it points into the module, which may be replaced.

use super::{log, module, process};
use crate::realm::Realm;
use authgate_core::ended::{Bucket, Ended, Head, Slot};
use authgate_core::limit::{self, PlaceSlot};
use authgate_core::metrics::Metrics;
use authgate_core::watch::{Complaint, Fingerprint};
use ngx::ffi::{
    NGX_ERROR, NGX_OK, ngx_conf_t, ngx_cycle, ngx_int_t, ngx_shared_memory_add, ngx_shm_zone_t,
    ngx_shmtx_lock, ngx_shmtx_unlock, ngx_slab_calloc, ngx_slab_pool_t, ngx_str_t,
};
use std::cell::Cell;
use std::ffi::c_void;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

/// What lies at the start of the memory.
#[repr(C)]
struct Layout {
    /// [`LAYOUT`]: what follows is what this module knows.
    layout: u64,
    secrets: Secrets,
    ended: Head,
    /// What workers tell each other of the files under `state`.
    journal: JournalMarks,
    /// What the users in force were read from. Under the lock, as the complaints are.
    users: Fingerprint,
    /// What has been complained of.
    about_users: Complaint,
    about_journal: Complaint,
    slots: Part,
    buckets: Part,
    counters: Part,
    places: Part,
    metrics: Part,
}

/// Changes with everything that lies in the memory.
const LAYOUT: u64 = u64::from_be_bytes(*b"authgat5");

/// Random numbers, as old as the memory.
#[repr(C)]
pub(crate) struct Secrets {
    /// The signing key of a realm that has no other.
    pub key: [u8; 32],
    /// The salt of the session keys of a realm without `state`.
    pub age: [u8; 32],
    /// The key of the limiter's hashes.
    pub limiter: [u8; 16],
    /// The key of the digests of credentials.
    pub credentials: [u8; 32],
}

/// What workers tell each other of the files under `state`.
#[repr(C)]
#[derive(Default)]
pub(crate) struct JournalMarks {
    /// When a worker has last read to the end, in milliseconds of the monotonic clock.
    pub read_at: AtomicU64,
    /// How many ended sessions could not be written down since the memory was made.
    pub failures: AtomicU64,
    /// How many of these a later rewriting has saved.
    pub saved: AtomicU64,
    /// Its length, in bytes.
    pub length: AtomicU64,
}

/// What a complaint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// The users file and the groups file.
    Users,
    /// The files under `state`.
    Journal,
}

/// A slice in the memory.
#[repr(C)]
#[derive(Clone, Copy)]
struct Part {
    length: usize,
    offset: usize,
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
            zone.data = ptr::from_ref(realm).cast_mut().cast();
        }
        true
    }

    /// The random numbers; `None` before nginx has mapped the memory.
    pub(crate) fn secrets(&self) -> Option<&Secrets> {
        Some(&self.layout()?.secrets)
    }

    /// What workers tell each other of the journal.
    pub(crate) fn journal(&self) -> Option<&JournalMarks> {
        Some(&self.layout()?.journal)
    }

    /// The table of ended sessions. Who writes holds the lock: see [`Self::locked`].
    pub(crate) fn ended(&self) -> Option<Ended<'_>> {
        let layout = self.layout()?;
        // SAFETY: `lay_out` has allocated both parts, of these types, zeroed; they are atomics,
        // shared among workers.
        let (slots, buckets) =
            unsafe { (&*self.part::<Slot>(layout.slots)?, &*self.part::<Bucket>(layout.buckets)?) };
        Some(Ended { head: &layout.ended, slots, buckets })
    }

    /// Where Basic credentials held. Who writes holds the lock.
    pub(crate) fn places(&self) -> Option<&[PlaceSlot]> {
        let part = self.part::<PlaceSlot>(self.layout()?.places)?;
        // SAFETY: as for the ended sessions.
        Some(unsafe { &*part })
    }

    /// Gives the limiter's counters to `count`, while no other worker has them.
    pub(crate) fn with_counters<R>(
        &self,
        count: impl FnOnce(&mut [limit::Slot]) -> R,
    ) -> Option<R> {
        let part = self.part::<limit::Slot>(self.layout()?.counters)?;
        // SAFETY: `lay_out` has allocated the counters, zeroed; they are touched here alone, under
        // the lock, which is not taken twice.
        self.locked(|| count(unsafe { &mut *part }))
    }

    /// What the workers count.
    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        let part = self.part::<Metrics>(self.layout()?.metrics)?;
        // SAFETY: `lay_out` has allocated one, zeroed; it is made of atomics, shared among workers.
        unsafe { part.as_ref()?.first() }
    }

    /// Says what users are in force from now on.
    pub(crate) fn set_users(&self, taken: Fingerprint) {
        self.with_users(|users| *users = taken);
    }

    /// Whether these users are in force: those that a worker took last, or nginx at its (re)load.
    pub(crate) fn has_users(&self, taken: Fingerprint) -> bool {
        self.with_users(|users| *users == taken).unwrap_or(false)
    }

    fn with_users<R>(&self, with: impl FnOnce(&mut Fingerprint) -> R) -> Option<R> {
        let (_, layout) = self.mapped.get()?;
        // SAFETY: mapped memory stays so for the cycle; this is touched here alone, under the lock,
        // which is not taken twice.
        self.locked(|| with(unsafe { &mut (*layout.as_ptr()).users }))
    }

    /// Whether a worker is to complain of this: once for all of them.
    pub(crate) fn complain(&self, topic: Topic, what: &impl Hash, lasts: bool, now: u64) -> bool {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let what = hasher.finish();
        self.with_complaint(topic, |complaint| complaint.is_due(what, lasts, now)).unwrap_or(true)
    }

    /// There is nothing to complain of any more.
    pub(crate) fn is_well(&self, topic: Topic) {
        self.with_complaint(topic, Complaint::clear);
    }

    /// Whether there is something to complain of.
    pub(crate) fn complains(&self, topic: Topic) -> bool {
        self.with_complaint(topic, |complaint| complaint.stands()).unwrap_or(false)
    }

    fn with_complaint<R>(&self, topic: Topic, with: impl FnOnce(&mut Complaint) -> R) -> Option<R> {
        let (_, layout) = self.mapped.get()?;
        // SAFETY: mapped memory stays so for the cycle; complaints are touched here alone, under
        // the lock, which is not taken twice.
        self.locked(|| unsafe {
            let layout = layout.as_ptr();
            with(match topic {
                Topic::Users => &mut (*layout).about_users,
                Topic::Journal => &mut (*layout).about_journal,
            })
        })
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

    fn layout(&self) -> Option<&Layout> {
        let (_, layout) = self.mapped.get()?;
        // SAFETY: mapped memory stays so for the cycle. What changes in it are atomics, or is
        // touched by its raw place alone.
        Some(unsafe { layout.as_ref() })
    }

    fn part<T>(&self, Part { length, offset }: Part) -> Option<*mut [T]> {
        let (_, layout) = self.mapped.get()?;
        // SAFETY: the part lies in the same memory (`lay_out`).
        let start = unsafe { layout.as_ptr().cast::<u8>().add(offset).cast::<T>() };
        Some(ptr::slice_from_raw_parts_mut(start, length))
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
            if fresh && is_remade(&(*zone).shm.name) {
                log::conf_warn(log::cycle_log(), &remade(realm));
            }
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

fn remade(realm: &Realm) -> String {
    let name = &realm.settings.name;
    let sessions = match realm.settings.state_dir {
        Some(_) => "ended sessions are read again from its state",
        None => "everyone has to sign in again",
    };
    format!(
        "authgate: the zone of realm \"{name}\" is made anew, its size or the module has changed: {sessions}"
    )
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

/// The layout in the memory: the running one, or a new one.
///
/// # Safety
/// `pool` is an initialized slab pool; unless `fresh`, its `data` is a Layout of ours or null.
unsafe fn map(
    pool: NonNull<ngx_slab_pool_t>,
    fresh: bool,
) -> Option<(NonNull<ngx_slab_pool_t>, NonNull<Layout>)> {
    // SAFETY: by the caller's promise; every layout begins with its number.
    unsafe {
        let data = NonNull::new((*pool.as_ptr()).data.cast::<Layout>());
        match data.filter(|data| !fresh && (*data.as_ptr()).layout == LAYOUT) {
            Some(layout) => Some((pool, layout)),
            None => Some((pool, lay_out(pool)?)),
        }
    }
}

/// # Safety
/// `pool` is an initialized slab pool.
unsafe fn lay_out(pool: NonNull<ngx_slab_pool_t>) -> Option<NonNull<Layout>> {
    // SAFETY: calloc gives zeroed room for a Layout, of which all bytes zero are valid.
    unsafe {
        let slab = pool.as_ptr();
        let mut layout = NonNull::new(ngx_slab_calloc(slab, size_of::<Layout>()).cast::<Layout>())?;
        let size = (*slab).end.offset_from_unsigned((*slab).start);
        let mut plan = Plan::default();
        let parts = [
            plan.part::<Metrics>(size_of::<Metrics>()),
            plan.part::<Slot>(size / 2),
            plan.part::<Bucket>(size / 32),
            plan.part::<limit::Slot>(size / 4),
            plan.part::<PlaceSlot>(size / 16),
        ];
        let start = NonNull::new(ngx_slab_calloc(slab, plan.bytes).cast::<u8>())?;
        let start = start.as_ptr().offset_from_unsigned(layout.as_ptr().cast());
        let from_layout = |part: Part| Part { offset: start + part.offset, ..part };
        let head = layout.as_mut();
        [head.metrics, head.slots, head.buckets, head.counters, head.places] =
            parts.map(from_layout);
        getrandom::fill(&mut head.secrets.key).ok()?;
        getrandom::fill(&mut head.secrets.age).ok()?;
        getrandom::fill(&mut head.secrets.limiter).ok()?;
        getrandom::fill(&mut head.secrets.credentials).ok()?;
        head.layout = LAYOUT;
        (*slab).data = layout.as_ptr().cast();
        Some(layout)
    }
}

/// Parts of one piece of memory: the slab rounds each piece up to whole pages, and the smallest zone
/// has no page to spare. A piece that long begins with a page, aligned for anything.
#[derive(Default)]
struct Plan {
    bytes: usize,
}

impl Plan {
    /// As many T as that many bytes hold.
    fn part<T>(&mut self, bytes: usize) -> Part {
        let length = bytes / size_of::<T>();
        let offset = self.bytes.next_multiple_of(align_of::<T>());
        self.bytes = offset + length * size_of::<T>();
        Part { length, offset }
    }
}
