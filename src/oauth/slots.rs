//! What a [`super::TokenManager`] knows under each name: the tokens as they were last read from the
//! store or written to it, and what went wrong. A name under which there is nothing to know takes
//! no room.

use super::tokens::OAuthTokens;
use crate::base::backoff::BackOff;
use crate::base::process::{OwnLock, brief, generation};
use crate::base::secret::Secret;
use crate::error::Result;
use crate::transport::Io;
use arc_swap::ArcSwapOption;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// How many milliseconds pass between two looks whether another's change is over.
pub(super) const LOOK_EVERY: u64 = 10;

/// How many milliseconds an operation may be late that had that many: a server that rotates refresh
/// tokens may end the log-in if it was only slow.
fn grace(span: u64) -> u64 {
    span.max(1000)
}

/// Under one name there may be two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// What the program has put there, and what was refreshed since.
    Put,
    /// What the client has got for itself (RFC 6749 section 4.4).
    Own,
}

/// Kept tokens: the store's text, which shows whether they are still the ones, and what it says.
pub(super) struct Seen {
    pub(super) entry: Entry,
    pub(super) text: Secret,
    pub(super) tokens: Arc<OAuthTokens>,
}

impl Seen {
    /// Whether these are the same, to the last byte.
    pub(super) fn is(&self, text: &Secret) -> bool {
        self.text.expose() == text.expose()
    }
}

/// What is known under one name.
pub(super) struct Slot {
    pub(super) seen: ArcSwapOption<Seen>,
    /// Held by the caller that changes what is kept.
    flight: OwnLock<Turns>,
    /// The operation that changes it, if one does (see [`Claim`]).
    away: Mutex<Option<Away>>,
}

/// An operation that has the right to change what is kept.
struct Away {
    /// A fork does not copy the thread or loop that drives it.
    process: u64,
    io: Io,
    hold: Hold,
}

impl Slot {
    fn new() -> Self {
        Self { seen: ArcSwapOption::empty(), flight: OwnLock::new(), away: Mutex::new(None) }
    }

    /// Whether an operation has the right. One that is not driven any more loses it, and the
    /// store's lock.
    fn is_away(&self) -> bool {
        let over = {
            let mut away = brief(&self.away);
            match &*away {
                None => return false,
                Some(away) if away.process == generation() && !away.io.is_late(grace) => {
                    return true;
                }
                Some(_) => away.take(),
            }
        };
        if let Some(away) = over {
            away.hold.lose();
        }
        false
    }

    /// Changes what is kept, once no other operation does. `wait` lets some milliseconds pass, or
    /// says that this caller does not wait.
    pub(super) fn locked<R>(
        &self,
        wait: impl Fn(u64) -> Result<()>,
        work: impl FnOnce(&mut Turns) -> R,
    ) -> Result<R> {
        let mut work = Some(work);
        loop {
            let done = self.flight.locked(|turns| match work.take() {
                Some(work) if !self.is_away() => Some(work(turns)),
                later => {
                    work = later;
                    None
                }
            });
            match done {
                Some(done) => return Ok(done),
                None => wait(LOOK_EVERY)?,
            }
        }
    }
}

/// The right to change what is kept, for an operation: it holds no lock of threads while it waits
/// for an answer, and gives the right back when it is over or dropped.
pub(super) struct Claim {
    slot: Arc<Slot>,
    pub(super) turns: Turns,
    pub(super) hold: Hold,
}

impl Claim {
    /// The right for the operation of this side, unless another has it.
    pub(super) fn of(slot: &Arc<Slot>, io: &Io) -> Option<Self> {
        let claimed = slot.flight.try_locked(|turns| {
            (!slot.is_away()).then(|| {
                let hold = Hold::default();
                let away = Away { process: generation(), io: io.clone(), hold: hold.clone() };
                *brief(&slot.away) = Some(away);
                (std::mem::take(turns), hold)
            })
        });
        claimed.flatten().map(|(turns, hold)| Self { slot: Arc::clone(slot), turns, hold })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let turns = std::mem::take(&mut self.turns);
        self.slot.flight.locked(|own| {
            let mut away = brief(&self.slot.away);
            if away.as_ref().is_some_and(|away| away.hold.is(&self.hold)) {
                *own = turns;
                *away = None;
            }
        });
    }
}

/// The store's lock while a request is out. A caller that finds the operation not driven any more
/// takes it away.
#[derive(Clone, Default)]
pub(super) struct Hold(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    lock: Option<Box<dyn Send>>,
    is_lost: bool,
}

/// Lets go of the lock when it is dropped.
pub(super) struct Holding(Hold);

impl Hold {
    pub(super) fn keep(&self, lock: Box<dyn Send>) -> Holding {
        brief(&self.0).lock = Some(lock);
        Holding(self.clone())
    }

    /// Whether another has the right by now.
    pub(super) fn is_lost(&self) -> bool {
        brief(&self.0).is_lost
    }

    fn lose(&self) {
        brief(&self.0).is_lost = true;
        self.let_go();
    }

    fn let_go(&self) {
        let lock = brief(&self.0).lock.take();
        drop(lock); // with nothing held that others wait for
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// What the caller that changes what is kept has to know.
#[derive(Default)]
pub(super) struct Turns {
    /// The server gave them in exchange for what was kept then, and the store could not take them:
    /// not shown to any caller.
    pub(super) unsaved: Option<(OAuthTokens, Option<Arc<Seen>>)>,
    /// What the server said when it was last asked, and for which of the kept tokens.
    pub(super) trouble: BackOff,
    pub(super) of: Option<Arc<Seen>>,
    /// When an access token that an API refuses may be replaced again.
    pub(super) replaced: BackOff,
}

impl Turns {
    /// What went wrong with other tokens is nothing to these.
    pub(super) fn turn_to(&mut self, kept: Option<&Arc<Seen>>) {
        if !is_same(self.of.as_ref(), kept) {
            self.trouble.over();
            self.of = kept.cloned();
        }
    }

    fn is_idle(&self) -> bool {
        self.unsaved.is_none() && self.trouble.is_over()
    }
}

/// Whether both are the same kept tokens, or none.
pub(super) fn is_same(one: Option<&Arc<Seen>>, other: Option<&Arc<Seen>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is(&other.text),
        (None, None) => true,
        _ => false,
    }
}

/// The slots of all names.
#[derive(Default)]
pub(super) struct Slots(Mutex<HashMap<String, Arc<Slot>>>);

impl Slots {
    pub(super) fn len(&self) -> usize {
        brief(&self.0).len()
    }

    /// Works with the slot of a name, which is gone afterwards if there is nothing in it.
    pub(super) fn with<R>(&self, name: &str, work: impl FnOnce(&Arc<Slot>) -> R) -> R {
        let slot = self.of(name);
        let result = work(&slot);
        self.leave(name, &slot);
        result
    }

    /// The slot of a name, if there is one.
    pub(super) fn known(&self, name: &str) -> Option<Arc<Slot>> {
        brief(&self.0).get(name).cloned()
    }

    /// The slot of a name, for an operation: [`Self::leave`] it.
    pub(super) fn of(&self, name: &str) -> Arc<Slot> {
        let mut slots = brief(&self.0);
        if let Some(slot) = slots.get(name) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot::new());
        slots.insert(name.to_owned(), Arc::clone(&slot));
        slot
    }

    /// Forgets the slot of a name if there is nothing in it.
    pub(super) fn leave(&self, name: &str, slot: &Arc<Slot>) {
        if slot.seen.load().is_some() {
            return;
        }
        let mut slots = brief(&self.0);
        // The map's and ours: there is no other, and none is made while the map is locked.
        if Arc::strong_count(slot) == 2
            && slot.seen.load().is_none()
            && slot.flight.try_locked(|turns| turns.is_idle()) == Some(true)
        {
            slots.remove(name);
        }
    }
}
