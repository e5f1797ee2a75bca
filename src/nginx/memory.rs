//! What lies in a realm's shared memory: secrets, the ended sessions, the limiter's counters, the places
//! where Basic credentials held, and the metrics. Integers and offsets alone: nothing in it points into the module, which may
//! be replaced. References are made to one field at a time, since others of them change meanwhile: to what
//! is made of atomics or never changes, and to all else through [`Locked`].

use super::lock::{Held, Lock};
use authgate_core::ended::{Bucket, Ended, Head, Slot};
use authgate_core::limit::{self, PlaceSlot};
use authgate_core::metrics::Metrics;
use authgate_core::watch::{Complaint, Fingerprint};
use ngx::ffi::{ngx_slab_calloc, ngx_slab_pool_t};
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
    parts: Parts,
}

/// Changes with everything that lies in the memory.
const LAYOUT: u64 = u64::from_be_bytes(*b"authgat6");

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

/// Where the tables lie.
#[repr(C)]
#[derive(Clone, Copy)]
struct Parts {
    slots: Part,
    buckets: Part,
    counters: Part,
    places: Part,
    metrics: Part,
}

/// A slice in the memory.
#[repr(C)]
#[derive(Clone, Copy)]
struct Part {
    length: usize,
    offset: usize,
}

/// What a complaint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// The users file and the groups file.
    Users,
    /// The files under `state`.
    Journal,
}

/// The memory: mapped as long as its cycle runs.
pub(super) struct Memory {
    lock: Lock,
    layout: NonNull<Layout>,
    tables: Tables,
}

/// The tables, found once: each request looks into some of them.
struct Tables {
    slots: *mut [Slot],
    buckets: *mut [Bucket],
    counters: *mut [limit::Slot],
    places: *mut [PlaceSlot],
    metrics: *mut [Metrics],
}

/// The memory while no other worker writes to it: what is not made of atomics is reached in no other way.
pub(crate) struct Locked<'z> {
    memory: &'z Memory,
    _held: Held<'z>,
}

impl Locked<'_> {
    /// The table of ended sessions, to write to.
    pub(crate) fn ended(&self) -> Ended<'_> {
        self.memory.ended()
    }

    /// The limiter's counters.
    pub(crate) fn counters(&mut self) -> &mut [limit::Slot] {
        // SAFETY: `lay_out` has allocated the counters, zeroed; they are touched here alone, which takes
        // the lock, and one borrow of it at a time.
        unsafe { &mut *self.memory.tables.counters }
    }

    pub(super) fn users(&mut self) -> &mut Fingerprint {
        // SAFETY: as above; `lay_out` has allocated the layout.
        unsafe { &mut (*self.memory.layout.as_ptr()).users }
    }

    pub(super) fn complaint(&mut self, topic: Topic) -> &mut Complaint {
        let layout = self.memory.layout.as_ptr();
        // SAFETY: as above.
        unsafe {
            match topic {
                Topic::Users => &mut (*layout).about_users,
                Topic::Journal => &mut (*layout).about_journal,
            }
        }
    }
}

/// What is read without the lock. References are made to one field at a time: others of the layout change
/// while they live.
impl Memory {
    /// Waits until no other worker writes. `None` where this one does already.
    pub(super) fn lock(&self) -> Option<Locked<'_>> {
        Some(Locked { memory: self, _held: self.lock.hold()? })
    }

    pub(super) fn secrets(&self) -> &Secrets {
        // SAFETY: `lay_out` has written them before it showed the layout to anyone, and nothing changes them.
        unsafe { &(*self.layout.as_ptr()).secrets }
    }

    pub(super) fn journal(&self) -> &JournalMarks {
        // SAFETY: allocated by `lay_out`, and made of atomics.
        unsafe { &(*self.layout.as_ptr()).journal }
    }

    pub(super) fn ended(&self) -> Ended<'_> {
        // SAFETY: as above, with both tables.
        unsafe {
            let head = &(*self.layout.as_ptr()).ended;
            Ended { head, slots: &*self.tables.slots, buckets: &*self.tables.buckets }
        }
    }

    pub(super) fn places(&self) -> &[PlaceSlot] {
        // SAFETY: as above.
        unsafe { &*self.tables.places }
    }

    pub(super) fn metrics(&self) -> Option<&Metrics> {
        // SAFETY: as above.
        unsafe { (*self.tables.metrics).first() }
    }
}

impl Tables {
    /// # Safety
    /// `lay_out` has made the layout.
    unsafe fn of(layout: NonNull<Layout>) -> Self {
        // SAFETY: by the caller's promise; the parts lie in the same memory, and nothing moves them.
        unsafe {
            let Parts { slots, buckets, counters, places, metrics } = (*layout.as_ptr()).parts;
            Self {
                slots: slots.of(layout),
                buckets: buckets.of(layout),
                counters: counters.of(layout),
                places: places.of(layout),
                metrics: metrics.of(layout),
            }
        }
    }
}

impl Part {
    /// # Safety
    /// The part is one of this layout's, made for this type.
    unsafe fn of<T>(self, layout: NonNull<Layout>) -> *mut [T] {
        // SAFETY: by the caller's promise.
        let start = unsafe { layout.as_ptr().byte_add(self.offset).cast::<T>() };
        ptr::slice_from_raw_parts_mut(start, self.length)
    }
}

/// The layout in the memory: the running one, or a new one.
///
/// # Safety
/// `pool` is an initialized slab pool; unless `fresh`, its `data` is a Layout of ours or null.
pub(super) unsafe fn map(pool: NonNull<ngx_slab_pool_t>, fresh: bool) -> Option<Memory> {
    // SAFETY: by the caller's promise; every layout begins with its number. The memory stays mapped as long
    // as the cycle runs, and who comes back later asks for that (Zone::is_of_running_configuration).
    unsafe {
        let data = NonNull::new((*pool.as_ptr()).data.cast::<Layout>());
        let known = data.filter(|data| !fresh && (*data.as_ptr()).layout == LAYOUT);
        let layout = match known {
            Some(layout) => layout,
            None => lay_out(pool)?,
        };
        Some(Memory { lock: Lock::of(pool), layout, tables: Tables::of(layout) })
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
        let [metrics, slots, buckets, counters, places] = parts.map(from_layout);
        head.parts = Parts { slots, buckets, counters, places, metrics };
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
