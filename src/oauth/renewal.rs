//! What a [`TokenManager`] does as operations, for event loops: [`TokenManager::renewal`] and
//! [`TokenManager::replacement`]. One operation of a name asks; the others wait in short pauses of
//! their own, so that nothing has to wake them, and one that is freed, or is not driven any more,
//! holds up no other.

use super::manager::{Inner, TokenManager, check_name};
use super::shelf::Shelf;
use super::slots::{Claim, Hold, Holding, LOOK_EVERY, Seen, Slot, is_same};
use super::tokens::OAuthTokens;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use crate::store::LOCK_HELD;
use crate::transport::{Io, Operation};
use std::sync::Arc;

/// How many milliseconds another process is waited for: longer than any request may take.
const LONGEST_LOCK: u64 = 30_000;

impl TokenManager {
    /// [`Self::tokens`] as an operation, for an event loop: it is done at its first step if what is
    /// known is good, and else asks, or waits for the operation, thread or process that does. It
    /// holds the store's lock while a request is out, and lets go of it when it is dropped. Its
    /// steps look into the store: where that is a folder, they read and write small files.
    ///
    /// # Errors
    /// `InvalidArgument`: as [`Self::put`]. The operation's are those of [`Self::access_token`].
    pub fn renewal(&self, name: &str, min_ttl: u64) -> Result<Operation<Arc<OAuthTokens>>> {
        self.operation(name, Wanted { min_ttl, not: None })
    }

    /// [`Self::replace`] as an operation, as [`Self::renewal`].
    ///
    /// # Errors
    /// As [`Self::renewal`].
    pub fn replacement(&self, name: &str, refused: &Secret) -> Result<Operation<Arc<OAuthTokens>>> {
        self.operation(name, Wanted { min_ttl: 0, not: Some(refused.clone()) })
    }

    fn operation(&self, name: &str, wanted: Wanted) -> Result<Operation<Arc<OAuthTokens>>> {
        check_name(name)?;
        let (inner, name) = (Arc::clone(&self.0), name.to_owned());
        Ok(Operation::new(|io| async move {
            let slot = inner.slots.of(&name);
            let renewed = inner.renewed(&io, &name, &slot, wanted).await;
            inner.slots.leave(&name, &slot);
            renewed
        }))
    }
}

impl Inner {
    async fn renewed(
        self: &Arc<Self>,
        io: &Io,
        name: &str,
        slot: &Arc<Slot>,
        wanted: Wanted,
    ) -> Result<Arc<OAuthTokens>> {
        // What is good for this caller is given at once, also while another wants a newer one.
        if wanted.not.is_none()
            && let Some(kept) = self.look(name, slot)?
            && wanted.is(&kept.tokens, self.now()?)
        {
            return Ok(Arc::clone(&kept.tokens));
        }
        let mut claim = loop {
            match Claim::of(slot, io) {
                Some(claim) => break claim,
                None => io.pause(LOOK_EVERY).await,
            }
        };
        let way = Way { io, hold: claim.hold.clone() };
        self.get(&way, name, slot, &mut claim.turns, wanted).await
    }
}

/// How an operation asks, and the store's lock that it holds.
pub(super) struct Way<'a> {
    pub(super) io: &'a Io,
    pub(super) hold: Hold,
}

impl Way<'_> {
    pub(super) fn is_ours(&self) -> Result<()> {
        if self.hold.is_lost() { Err(TAKEN_OVER) } else { Ok(()) }
    }

    /// Keeps other processes from changing what is kept; while another one does, this one pauses.
    pub(super) async fn lock(&self, shelf: &Shelf, name: &str) -> Result<Holding> {
        let mut waited = 0;
        loop {
            self.is_ours()?;
            if let Some(lock) = shelf.try_lock(name)? {
                return Ok(self.hold.keep(lock));
            }
            if waited >= LONGEST_LOCK {
                return Err(LOCK_HELD);
            }
            self.io.pause(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }
}

/// Whether an answer may take the place of what it was asked for with: always, unless another
/// caller has taken the refresh over and changed that by now.
pub(super) struct Still {
    inner: Arc<Inner>,
    name: String,
    slot: Arc<Slot>,
    hold: Hold,
}

impl Still {
    pub(super) fn new(inner: &Arc<Inner>, name: &str, slot: &Arc<Slot>, hold: &Hold) -> Arc<Self> {
        let (inner, slot) = (Arc::clone(inner), Arc::clone(slot));
        Arc::new(Self { inner, name: name.to_owned(), slot, hold: hold.clone() })
    }

    pub(super) fn check(&self, of: Option<&Arc<Seen>>) -> Result<()> {
        if self.hold.is_lost() && !is_same(self.inner.look(&self.name, &self.slot)?.as_ref(), of) {
            return Err(TAKEN_OVER);
        }
        Ok(())
    }
}

/// The tokens that are wanted: good for this many seconds, and not the refused one.
pub(super) struct Wanted {
    pub(super) min_ttl: u64,
    pub(super) not: Option<Secret>,
}

impl Wanted {
    pub(super) fn is_refused(&self, tokens: &OAuthTokens) -> bool {
        self.not.as_ref().is_some_and(|refused| refused.expose() == tokens.access_token.expose())
    }

    pub(super) fn is(&self, tokens: &OAuthTokens, now: u64) -> bool {
        tokens.is_fresh_for(self.min_ttl, now) && !self.is_refused(tokens)
    }
}

pub(super) const TAKEN_OVER: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The refresh was not driven for longer than its deadline, and another caller has taken it over; try again.",
);
pub(super) const UNDER_WAY: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "An operation or another process is renewing these tokens, and a manager without a transport waits for none; try again when it is over.",
);
pub(super) const NO_TRANSPORT: Error = argument(
    "Other tokens are needed, and this manager has no transport: make an operation (`renewal` or `replacement`) and drive it.",
);
