//! The process and its forks. A fork copies locks that another thread holds, connections,
//! generators and threads that are not there; this is the one mechanism that deals with it:
//!
//! - [`generation`] is another number in a child. What belongs to one process ([`Own`],
//!   [`OwnLock`]) is made again when the number has changed. The number lives in memory that the
//!   kernel wipes in a child, so that a bare system call that goes round `pthread_atfork` is
//!   noticed as well.
//! - [`enter`] says that this thread is somewhere that a fork must not copy half done: inside
//!   SQLite, AWS-LC or a change to memory that others read. A fork waits until no thread is, at
//!   most [`PATIENCE`]; a thread that comes while one is under way waits for it. No thread may wait
//!   inside for a lock that is taken outside, nor call code of the program's own.
//! - [`AcrossFork::before_fork`] is called then, with all threads outside: for what must not live
//!   across a fork at all.
//!
//! - What `descriptors` holds is closed in a child.
//!
//! The other system calls of `base` are made here as well: the clock of `steady`, and closing for
//! `descriptors`.
//!
//! Nothing here compares process ids: they come again, in a new PID namespace at once.

#![expect(
    unsafe_code,
    reason = "what the system calls around a fork, memory that it wipes in a child, its clock and its descriptors"
)]

use arc_swap::ArcSwapOption;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};
use std::{cell::Cell, marker::PhantomData};

/// How long a fork waits for threads that are inside.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lock, who died holding it: only for what cannot be left half done, or is put right by the
/// next load.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`]; `None` if another thread holds it, unless this one may `wait`.
pub(crate) fn lock_if<T>(mutex: &Mutex<T>, wait: bool) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => wait.then(|| lock(mutex)),
    }
}

/// As [`lock`], [`enter`]ed as long as it is held: for locks that are held for a moment only, so
/// that no fork copies one that another thread holds.
pub(crate) fn brief<T>(mutex: &Mutex<T>) -> Brief<'_, T> {
    let inside = enter();
    Brief { guard: lock(mutex), _inside: inside }
}

/// What [`brief`] gives.
pub(crate) struct Brief<'a, T> {
    guard: MutexGuard<'a, T>, // goes first
    _inside: Inside,
}

impl<T> std::ops::Deref for Brief<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> std::ops::DerefMut for Brief<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

// ---- which process this is ----

/// A number for the names of files and for spreading tries, which others on this machine do not
/// have at this moment. It says nothing of forks: see [`generation`].
pub(crate) fn id() -> u32 {
    std::process::id()
}

/// Where the number of this process stands, once it was asked for: 0 in a child until it is asked
/// again.
static WORD: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());
/// The largest number that this process or one it was forked from has had.
static LAST: AtomicU64 = AtomicU64::new(0);
/// Whether this process or one it was forked from has had a number.
static NUMBERED: AtomicBool = AtomicBool::new(false);

/// A number that is another one after a fork. Two children of one process have the same, but never
/// meet.
#[inline]
pub(crate) fn generation() -> u64 {
    match word().map(|word| word.load(Relaxed)) {
        Some(number) if number != 0 => number,
        _ => renew(),
    }
}

#[inline]
fn word() -> Option<&'static AtomicU64> {
    // SAFETY: null, or memory for a word that is never given back.
    unsafe { WORD.load(Acquire).as_ref() }
}

/// Gives this process its number: the first time, and in a child that `pthread_atfork` does not
/// know of.
#[cold]
fn renew() -> u64 {
    let word = word().unwrap_or_else(|| {
        forks::watch();
        let new = forks::wiped_word();
        let set = WORD.compare_exchange(
            std::ptr::null_mut(),
            std::ptr::from_ref(new).cast_mut(),
            AcqRel,
            Acquire,
        );
        if set.is_err() { word().unwrap_or(new) } else { new }
    });
    // In this order: in the process that has set it, the word is not 0 any more.
    if NUMBERED.load(Acquire) && word.load(Acquire) == 0 && !HANDLED.swap(false, Relaxed) {
        // A fork that went round us: the others may have been anywhere.
        TORN.store(true, Relaxed);
        forget_the_others();
    }
    let new = LAST.fetch_add(1, Relaxed) + 1;
    let number =
        word.compare_exchange(0, new, AcqRel, Acquire).map_or_else(|faster| faster, |_| new);
    NUMBERED.store(true, Release);
    number
}

// ---- what must not be copied half done ----

/// How many threads are inside, spread so that they do not slow each other down.
static INSIDE: [Shard; 16] = [const { Shard(AtomicU32::new(0)) }; 16];
/// Whether a fork is under way.
static FORKING: AtomicBool = AtomicBool::new(false);
/// Whether this process was forked while a thread was inside for too long, or behind our back: what
/// other threads were at is of no use here.
static TORN: AtomicBool = AtomicBool::new(false);

#[repr(align(128))]
struct Shard(AtomicU32);

thread_local! {
    /// How many times this thread is inside.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// That this thread is inside, until it is dropped; see [`enter`].
pub(crate) struct Inside(PhantomData<*const ()>);

/// Goes inside: no fork begins before the value is dropped. A thread that is inside already does
/// not wait.
#[inline]
pub(crate) fn enter() -> Inside {
    let _ = generation(); // from the first time on, forks are known of
    let depth = DEPTH.get();
    if depth == 0 {
        step_in();
    }
    DEPTH.set(depth + 1);
    Inside(PhantomData)
}

#[inline]
fn step_in() {
    let own = shard();
    loop {
        own.0.fetch_add(1, SeqCst);
        if !FORKING.load(SeqCst) {
            return;
        }
        own.0.fetch_sub(1, SeqCst);
        wait_for_fork();
    }
}

/// Waits until no fork is under way. For a thread that has given way to one.
#[cold]
pub(crate) fn wait_for_fork() {
    while FORKING.load(Acquire) && DEPTH.get() == 0 {
        a_moment();
    }
}

/// Whether a fork waits for this thread, which may take long: then it had better come out.
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "SQLite needs it"))]
pub(crate) fn is_awaited() -> bool {
    FORKING.load(Relaxed)
}

/// Whether this process is the child of a fork that could not wait any longer for what other
/// threads were at, or that went round `pthread_atfork`. What it knows of a store it cannot bring
/// up to date.
pub(crate) fn is_torn() -> bool {
    TORN.load(Relaxed)
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        let depth = DEPTH.get();
        DEPTH.set(depth - 1);
        if depth == 1 {
            shard().0.fetch_sub(1, Release);
        }
    }
}

/// The shard of this thread: by the place of what is the thread's own.
#[inline]
fn shard() -> &'static Shard {
    let place = DEPTH.with(|depth| std::ptr::from_ref(depth).addr());
    let spread = (place >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as usize);
    let [first, ..] = &INSIDE;
    INSIDE.get(spread >> (usize::BITS - 4)).unwrap_or(first)
}

/// In a child: the threads that were inside are not there.
fn forget_the_others() {
    INSIDE.iter().for_each(|shard| shard.0.store(0, Relaxed));
    if DEPTH.get() > 0 {
        shard().0.store(1, Relaxed);
    }
    FORKING.store(false, Release);
}

fn a_moment() {
    std::thread::sleep(Duration::from_micros(50));
}

// ---- what must not live across a fork ----

/// What gives up something before a fork; both sides get it again when they need it.
pub(crate) trait AcrossFork: Send + Sync {
    /// Called in the thread that forks, while no thread is inside. Must not wait.
    fn before_fork(&self);
}

static PARTIES: Mutex<Vec<Weak<dyn AcrossFork>>> = Mutex::new(Vec::new());

/// Has it called before each fork, as long as it lives.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "http")),
    expect(dead_code, reason = "SQLite and connections need it")
)]
pub(crate) fn across_forks(party: Weak<dyn AcrossFork>) {
    let _inside = enter();
    let mut parties = lock(&PARTIES);
    parties.retain(|party| party.strong_count() > 0);
    parties.push(party);
}

/// Waits for the others and has them give up what must not be copied.
fn before_fork() {
    while FORKING.compare_exchange(false, true, SeqCst, SeqCst).is_err() {
        a_moment(); // another thread forks
    }
    let own = DEPTH.get();
    DEPTH.set(own + 1);
    let begun = Instant::now();
    let outside =
        || INSIDE.iter().map(|shard| shard.0.load(SeqCst)).sum::<u32>() == u32::from(own > 0);
    let mut quiet = outside();
    while !quiet && begun.elapsed() < PATIENCE {
        a_moment();
        quiet = outside();
    }
    // Inside ourselves: called by what we have called.
    quiet &= own == 0;
    WAS_QUIET.store(quiet, Relaxed);
    if quiet && let Ok(parties) = PARTIES.try_lock() {
        parties.iter().filter_map(Weak::upgrade).for_each(|party| party.before_fork());
    }
}

static WAS_QUIET: AtomicBool = AtomicBool::new(true);
/// Whether the handlers were called for the fork that has just made this process.
static HANDLED: AtomicBool = AtomicBool::new(false);

fn after_fork_in_parent() {
    DEPTH.set(DEPTH.get() - 1);
    FORKING.store(false, SeqCst);
}

fn after_fork_in_child() {
    #[cfg(unix)]
    super::descriptors::close_in_child();
    DEPTH.set(DEPTH.get() - 1);
    if !WAS_QUIET.load(Relaxed) {
        TORN.store(true, Relaxed);
    }
    if let Some(word) = word() {
        word.store(0, Relaxed);
        HANDLED.store(true, Relaxed);
        renew();
    }
    forget_the_others();
}

#[cfg(unix)]
mod forks {
    use super::{
        AtomicBool, AtomicU64, Relaxed, after_fork_in_child, after_fork_in_parent, before_fork,
    };

    extern "C" fn before() {
        before_fork();
    }

    extern "C" fn parent() {
        after_fork_in_parent();
    }

    extern "C" fn child() {
        after_fork_in_child();
    }

    /// Has the three called around every fork of this process.
    pub(super) fn watch() {
        static WATCHED: AtomicBool = AtomicBool::new(false);
        if !WATCHED.swap(true, Relaxed) {
            // SAFETY: functions that stay where they are: the library is not unloaded, or takes
            // them out then. Where there is no memory for three pointers, forks are treated as bare
            // system calls.
            let _ = unsafe { libc::pthread_atfork(Some(before), Some(parent), Some(child)) };
        }
    }

    /// A word that is 0, and 0 again in every child where the kernel can do that.
    #[cfg(target_os = "linux")]
    pub(super) fn wiped_word() -> &'static AtomicU64 {
        let (rights, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let size = size_of::<AtomicU64>();
        // SAFETY: new memory, all zeros, of a page at least; it is never given back.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), size, rights, kind, -1, 0) };
        if page == libc::MAP_FAILED {
            return copied_word();
        }
        // SAFETY: the page that was just made. An old kernel says no, and the word is copied like
        // any other.
        let _ = unsafe { libc::madvise(page, size, libc::MADV_WIPEONFORK) };
        // SAFETY: aligned to a page, zeroed, never given back, and only ever used as this.
        unsafe { &*page.cast::<AtomicU64>() }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) use copied_word as wiped_word;

    pub(super) fn copied_word() -> &'static AtomicU64 {
        static WORD: AtomicU64 = AtomicU64::new(0);
        &WORD
    }
}

#[cfg(not(unix))]
mod forks {
    use super::{AtomicU64, after_fork_in_child, after_fork_in_parent, before_fork};

    /// Nothing forks here.
    pub(super) fn watch() {
        let _ = (before_fork as fn(), after_fork_in_parent as fn(), after_fork_in_child as fn());
    }

    pub(super) fn wiped_word() -> &'static AtomicU64 {
        static WORD: AtomicU64 = AtomicU64::new(0);
        &WORD
    }
}

// ---- the system's calls that have no safe name ----

/// `CLOCK_BOOTTIME` on Linux; elsewhere `CLOCK_MONOTONIC`, which also runs in suspend on Apple's
/// systems.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const STEADY: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// With this a pipe is opened at once, also if nothing is at its other end
/// (`OpenOptionsExt::custom_flags`).
#[cfg(unix)]
pub(crate) const WITHOUT_WAITING: i32 = libc::O_NONBLOCK;

/// Nanoseconds of the system's clock that also runs in suspend; none if it cannot be read. No
/// system call where the kernel maps its clocks into the process.
#[cfg(unix)]
#[inline]
pub(super) fn steady_nanos() -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is there to be written for the length of the call.
    let read = unsafe { libc::clock_gettime(STEADY, &raw mut time) };
    match (read, u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec)) {
        (0, Ok(seconds), Ok(nanos)) => {
            Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
        }
        _ => None,
    }
}

/// Closes what a child has copied. Of the table of `descriptors` only, whose owners look there
/// before they use one.
#[cfg(unix)]
pub(super) fn close_copied(descriptor: i32) {
    // SAFETY: opened by the process that this one is a copy of, and used by no thread that is
    // there: who holds it finds its place in the table empty, and leaves the number alone.
    let _ = unsafe { libc::close(descriptor) };
}

// ---- what belongs to one process ----

/// Something of this process: a child has a new one.
pub(crate) struct Own<T>(ArcSwapOption<Held<T>>);

/// What is held, with the number of the process that it belongs to.
pub(crate) struct Held<T> {
    generation: u64,
    value: T,
}

impl<T> std::ops::Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Own<T> {
    pub(crate) const fn new() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// What this process has; made now if it has none, or only one of before a fork, which is left
    /// as it is.
    pub(crate) fn get_or(&self, make: impl FnOnce() -> T) -> Arc<Held<T>> {
        let generation = generation();
        let known = self.0.load_full();
        if let Some(held) = known.as_ref().filter(|held| held.generation == generation) {
            return Arc::clone(held);
        }
        let new = Arc::new(Held { generation, value: make() });
        let before = self.0.compare_and_swap(&known, Some(Arc::clone(&new)));
        let before = arc_swap::Guard::into_inner(before);
        match before {
            // Another thread of this process was faster.
            Some(faster) if faster.generation == generation => faster,
            _ => {
                // What a fork has copied may be in the middle of anything: it is not even dropped.
                std::mem::forget(known);
                std::mem::forget(before);
                new
            }
        }
    }

    /// Lets go of what this process has: the next who needs it makes another.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "connections need it"))]
    pub(crate) fn give_up(&self) {
        if self.is_made() {
            self.0.store(None);
        }
    }

    /// Whether this process has one.
    pub(crate) fn is_made(&self) -> bool {
        let held = self.0.load();
        held.as_ref().is_some_and(|held| held.generation == generation())
    }
}

impl<T: Default> Own<T> {
    pub(crate) fn get(&self) -> Arc<Held<T>> {
        self.get_or(T::default)
    }
}

/// A lock within this process: one that was held during a fork is never let go of in the child,
/// which gets another, with nothing of what the first one guarded. For locks that are held for
/// long, outside of [`enter`].
pub(crate) struct OwnLock<T>(Own<Mutex<T>>);

impl<T: Default> OwnLock<T> {
    pub(crate) const fn new() -> Self {
        Self(Own::new())
    }

    /// Works while no other thread of this process does.
    pub(crate) fn locked<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut lock(&self.0.get()))
    }

    /// As [`Self::locked`]; `None` if another is at it.
    pub(crate) fn try_locked<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        lock_if(&self.0.get(), false).map(|mut held| work(&mut held))
    }
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn the_steady_clock_is_the_one_that_goes_on_in_suspend() {
        let read = || {
            let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            #[cfg(target_os = "linux")]
            let clock = libc::CLOCK_BOOTTIME;
            #[cfg(not(target_os = "linux"))]
            let clock = libc::CLOCK_MONOTONIC;
            // SAFETY: `time` is there to be written for the length of the call.
            assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
            u64::try_from(time.tv_sec).unwrap() * 1_000_000_000
                + u64::try_from(time.tv_nsec).unwrap()
        };
        let before = read();
        let now = super::steady_nanos().unwrap();
        assert!(before <= now && now <= read(), "{before} {now}");
    }
}
