//! How what is in memory follows the store: the first use after 25 ms looks, or the store brings it
//! up to date.

use super::{Current, Inner};
use crate::base::follow::Look;
use crate::base::reach::beyond_memory;
use crate::error::Result;
use crate::store::{CLOSED, Fed, Follower, LATE};
use std::sync::atomic::Ordering;

/// The store closes: nothing is signed or verified any more.
impl Follower for Inner {
    fn end(&self) -> Result<()> {
        self.fresh.stop();
        Ok(())
    }

    fn looked_ago(&self) -> Option<u64> {
        self.fresh.heard_ago()
    }
}

impl Fed for Inner {
    fn be_fed(&self, stamp: u64, anew: bool) {
        if !self.fresh.is_over() && self.looks.is_made() {
            let look = |_: &mut ()| self.follow(self.clock.monotonic(), Some(Look::Fed(stamp)));
            self.looks.get().feed(&self.fresh, anew, look);
        }
    }
}

impl Inner {
    /// Looks at the store if it is time to; refuses if what is known is too old.
    #[inline]
    pub(super) fn be_fresh(&self) -> Result<()> {
        let clock = &*self.clock;
        let now = clock.monotonic();
        // A clock that was moved by hand may have moved past the end of a key.
        if self.fresh.is_recent(now)
            && (clock.is_system() || clock.now() == self.looked.load(Ordering::Relaxed))
        {
            return Ok(());
        }
        self.look_or_go_on(now)
    }

    #[cold]
    fn look_or_go_on(&self, now: u64) -> Result<()> {
        if self.fresh.is_over() {
            return Err(CLOSED);
        }
        let mut is_late = false;
        let hears = || {
            let heard = self.store.hears();
            is_late = heard == Err(LATE);
            heard.is_ok()
        };
        // Brought up to date by the store: memory is enough, unless a key's time is over.
        if self.looks.get().is_fed() && self.clock.is_system() {
            let (known, seconds) = (self.current.load(), self.pace.read(&*self.clock)?.now);
            let is_same = seconds >= known.lapsed && !known.has_lapsed(seconds);
            if is_same && self.fresh.go_on(now, hears) {
                self.looked.store(seconds, Ordering::Relaxed);
                return Ok(());
            }
        }
        beyond_memory()?;
        self.fresh.after(self.look(now, is_late || self.fresh.wants_look()))
    }

    /// Looks at the store. Unless `wait`, not while another thread does: then it is false.
    fn look(&self, now: u64, wait: bool) -> Result<bool> {
        let looks = self.looks.get();
        let look = |_: &mut ()| {
            let is_fed = looks.is_fed() && !self.fresh.is_strict();
            self.follow(now, (!is_fed).then_some(Look::Use))
        };
        looks.look(wait, look)
    }

    /// Looks at the store as it is at this moment.
    pub(super) fn look_now(&self) -> Result<()> {
        let now = self.clock.monotonic();
        self.looks.get().look_now(|()| self.follow(now, Some(Look::Now)))
    }

    /// Reads the ring if it has changed, and forgets keys whose last token has expired. Without a
    /// look, only whether the store is in touch is asked, and what is known is what there is.
    fn follow(&self, now: u64, look: Option<Look>) -> Result<()> {
        if self.fresh.is_over() {
            return Err(CLOSED);
        }
        let known = self.current.load();
        let dates = self.pace.read(&*self.clock)?;
        let seconds = dates.now;
        // What a clock left out that has stepped back since is good again.
        let is_back = seconds < known.lapsed;
        let name = &self.options.name;
        let stamp = match look {
            None => match self.store.hears() {
                Err(error) if error == LATE => self.store.key_ring_version_now(name)?,
                heard => heard.map(|()| known.stamp)?,
            },
            Some(Look::Use) if self.fresh.is_strict() => self.store.key_ring_version_now(name)?,
            Some(Look::Now) => self.store.key_ring_version_now(name)?,
            Some(Look::Use | Look::Fed(_)) => self.store.key_ring_version(name)?,
        };
        if is_back || stamp != known.stamp {
            self.show(Current { stamp, ..self.load()? }, dates);
        } else if known.has_lapsed(seconds) {
            self.show((**known).clone(), dates);
        }
        self.looked.store(seconds, Ordering::Relaxed);
        self.fresh.heard(now);
        Ok(())
    }
}
