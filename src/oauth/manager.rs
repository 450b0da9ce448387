//! `TokenManager`: the tokens of other servers, kept, refreshed in time and once: one request for
//! all threads of a process and, with a store that locks, for all processes. A server that rotates
//! refresh tokens ends the whole log-in when two of them use the same one.
//!
//! What another process puts or removes is noticed at each use, by the store's text.
//!
//! A new refresh token is kept before any caller gets the access token that came with it. Only the
//! server's own `invalid_grant` ends a refresh token; whatever else goes wrong, it is tried again
//! later.

use super::client::OAuthClient;
use super::renewal::{NO_TRANSPORT, Still, UNDER_WAY, Wanted, Way};
use super::shelf::Shelf;
use super::slots::{Entry, Hold, Seen, Slot, Slots, Turns, is_same};
use super::token_grant::TokenGrant;
use super::tokens::OAuthTokens;
use crate::base::process::brief;
use crate::base::reach::beyond_memory;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::Peppers;
use crate::store::TokenStore;
use crate::transport::{Operation, Transport};
use std::fmt;
use std::sync::{Arc, Mutex};

/// The longest wait after failures, and between two tokens that an API refuses, in seconds.
const LONGEST_PAUSE: u64 = 60;

/// The tokens of other servers under names of the program's own: safe to share between threads,
/// cheap to clone, usable after a fork.
///
/// ```no_run
/// # use gatekey::OAuthClient;
/// # use gatekey::oauth::{OAuthConfig, TokenGrant, TokenManager};
/// # use gatekey::store::MemoryTokenStore;
/// # use gatekey::transport::{HttpOptions, HttpTransport};
/// # use std::sync::Arc;
/// # fn main() -> gatekey::Result<()> {
/// # let client = OAuthClient::new(OAuthConfig::new("service").issuer("https://auth.example"))?;
/// let http = Arc::new(HttpTransport::new(HttpOptions::new())?);
/// let tokens = TokenManager::new(client, Arc::new(MemoryTokenStore::new()), http)
///     .client_credentials(TokenGrant::new().scopes(&["orders:read"]));
/// let access_token = tokens.access_token("orders", 60)?;
/// # let _ = access_token;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenManager(pub(super) Arc<Inner>);

pub(super) struct Inner {
    client: OAuthClient,
    pub(super) shelf: Shelf,
    /// What carries the requests of the calls that wait; without one no call does.
    transport: Option<Arc<dyn Transport>>,
    grant: Option<TokenGrant>,
    refreshing: TokenGrant,
    pub(super) slots: Slots,
}

impl TokenManager {
    /// Tokens of this client's, kept in `store`, refreshed over `transport`. Managers of several
    /// clients and servers may share a store: each has entries of its own, and knows nothing of the
    /// others'.
    #[must_use]
    pub fn new(
        client: OAuthClient,
        store: Arc<dyn TokenStore>,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self::with_transport(client, store, Some(transport))
    }

    /// As [`Self::new`] for an event loop, which drives [`Self::renewal`] and
    /// [`Self::replacement`]: no call waits or asks a server. One that would have to is refused, as
    /// `InvalidArgument` if it needs other tokens, and as `StoreUnavailable` while an operation of
    /// the same name, or another process, is at it.
    #[must_use]
    pub fn driven(client: OAuthClient, store: Arc<dyn TokenStore>) -> Self {
        Self::with_transport(client, store, None)
    }

    fn with_transport(
        client: OAuthClient,
        store: Arc<dyn TokenStore>,
        transport: Option<Arc<dyn Transport>>,
    ) -> Self {
        let (shelf, slots, refreshing) =
            (Shelf::new(&client, store), Slots::default(), TokenGrant::new());
        Self(Arc::new(Inner { client, shelf, transport, grant: None, refreshing, slots }))
    }

    /// A name under which there is no token gets one for the client itself (RFC 6749 section 4.4).
    /// A manager that asks for something else gets another one.
    #[must_use]
    pub fn client_credentials(self, grant: TokenGrant) -> Self {
        self.with(|inner| {
            inner.shelf.ask(&inner.client, &grant);
            inner.grant = Some(grant);
        })
    }

    /// What each refresh says apart from the refresh token, as [`OAuthClient::refresh_with`] takes
    /// it: parameters of the server's own, scopes instead of all that were granted, resources
    /// instead of those of the tokens. The first refresh reports what is not acceptable in it:
    /// `InvalidArgument`.
    #[must_use]
    pub fn refresh_with(self, grant: TokenGrant) -> Self {
        self.with(|inner| inner.refreshing = grant)
    }

    /// Seals what is kept (AES-256-GCM) under the last of these; the earlier ones still open. What
    /// was put and was not sealed with one of these is `WrongPepper`; of what the client can ask
    /// for itself, another one is asked for.
    #[must_use]
    pub fn sealed(self, peppers: Peppers) -> Self {
        self.with(|inner| inner.shelf.seal(peppers))
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner {
            client: self.0.client.clone(),
            shelf: self.0.shelf.clone(),
            transport: self.0.transport.clone(),
            grant: self.0.grant.clone(),
            refreshing: self.0.refreshing.clone(),
            slots: Slots::default(),
        };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Keeps tokens, for example of a log-in that was just finished.
    ///
    /// # Errors
    /// `InvalidArgument`: the name is empty or has more than 120 bytes, or the tokens are of
    /// another server than the client's. Those of the store.
    pub fn put(&self, name: &str, tokens: &OAuthTokens) -> Result<()> {
        self.change(name, || self.0.shelf.save(name, Entry::Put, tokens).map(Some))
    }

    /// Forgets the tokens of a name. Revoke them first: [`OAuthClient::revoke`].
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn remove(&self, name: &str) -> Result<()> {
        let shelf = &self.0.shelf;
        self.change(name, || {
            shelf.remove(name, Entry::Own)?;
            shelf.remove(name, Entry::Put).map(|()| None)
        })
    }

    fn change(&self, name: &str, change: impl FnOnce() -> Result<Option<Arc<Seen>>>) -> Result<()> {
        check_name(name)?;
        beyond_memory()?;
        self.0.slots.with(name, |slot| {
            slot.locked(self.0.wait(), |turns| {
                let held = self.0.lock_now(name)?;
                let seen = change()?;
                drop(held);
                *turns = Turns::default();
                slot.seen.store(seen);
                Ok(())
            })?
        })
    }

    /// The access token of a name, good for at least `min_ttl` more seconds, or for half of its
    /// life where the server gives none that are; refreshed if need be. If refreshing fails for the
    /// moment, one that is still good is given.
    ///
    /// # Errors
    /// `OauthNoToken`: there is no token; a log-in is needed. `OauthInvalidGrant`: it has ended for
    /// good. Otherwise those of [`OAuthClient::refresh`] and the store; `retry_after` says when it
    /// is worth another try.
    pub fn access_token(&self, name: &str, min_ttl: u64) -> Result<Secret> {
        Ok(self.tokens(name, min_ttl)?.access_token.clone())
    }

    /// As [`Self::access_token`], with all that came with it.
    ///
    /// # Errors
    /// As [`Self::access_token`].
    pub fn tokens(&self, name: &str, min_ttl: u64) -> Result<Arc<OAuthTokens>> {
        check_name(name)?;
        let inner = &self.0;
        inner.slots.with(name, |slot| {
            let now = inner.now()?;
            if let Some(kept) = inner.look(name, slot)?
                && kept.tokens.is_fresh_for(min_ttl, now)
            {
                return Ok(Arc::clone(&kept.tokens));
            }
            beyond_memory()?;
            let wanted = Wanted { min_ttl, not: None };
            slot.locked(inner.wait(), |turns| inner.renew_now(name, slot, turns, wanted))?
        })
    }

    /// What is known under a name without asking anything but the store, if it is as good as
    /// [`Self::access_token`] says.
    #[must_use]
    pub fn known(&self, name: &str, min_ttl: u64) -> Option<Arc<OAuthTokens>> {
        let (slot, now) = (self.0.slots.known(name)?, self.0.now().ok()?);
        let kept = self.0.look(name, &slot).ok()??;
        kept.tokens.is_fresh_for(min_ttl, now).then(|| Arc::clone(&kept.tokens))
    }

    /// An API has refused this access token with 401: another one, unless there is one by now. If
    /// an API refuses new ones as well, the next is asked for after a second, then after two, at
    /// most once a minute: until then the refused one is given once more, and it is of no use to
    /// send it.
    ///
    /// # Errors
    /// As [`Self::access_token`].
    pub fn replace(&self, name: &str, refused: &Secret) -> Result<Arc<OAuthTokens>> {
        check_name(name)?;
        beyond_memory()?;
        let inner = &self.0;
        let wanted = Wanted { min_ttl: 0, not: Some(refused.clone()) };
        inner.slots.with(name, |slot| {
            slot.locked(inner.wait(), |turns| inner.renew_now(name, slot, turns, wanted))?
        })
    }
}

pub(super) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > 120 {
        return Err(argument("A name that tokens are kept under has 1 to 120 bytes."));
    }
    Ok(())
}

impl Inner {
    pub(super) fn now(&self) -> Result<u64> {
        self.client.0.config.now()
    }

    /// What is kept now; read again only if it is another text than the last time.
    pub(super) fn look(&self, name: &str, slot: &Slot) -> Result<Option<Arc<Seen>>> {
        let seen = self.shelf.load(name, slot.seen.load_full())?;
        slot.seen.store(seen.clone());
        Ok(seen)
    }

    /// Lets milliseconds pass as the transport does.
    fn wait(&self) -> impl Fn(u64) -> Result<()> + '_ {
        |milliseconds| {
            self.transport.as_ref().ok_or(UNDER_WAY)?.wait(milliseconds);
            Ok(())
        }
    }

    /// Keeps other processes from changing it; waits for them if any call may.
    fn lock_now(&self, name: &str) -> Result<Box<dyn Send>> {
        match &self.transport {
            Some(_) => self.shelf.lock(name),
            None => self.shelf.try_lock(name)?.ok_or(UNDER_WAY),
        }
    }

    /// [`Self::get`], waiting for the answers.
    #[cold]
    fn renew_now(
        self: &Arc<Self>,
        name: &str,
        slot: &Arc<Slot>,
        turns: &mut Turns,
        wanted: Wanted,
    ) -> Result<Arc<OAuthTokens>> {
        let transport = self.transport.as_deref().ok_or(NO_TRANSPORT)?;
        let mut own = Own { turns: std::mem::take(turns), back: Arc::default() };
        let back = Arc::clone(&own.back);
        let (inner, name, slot) = (Arc::clone(self), name.to_owned(), Arc::clone(slot));
        let operation = Operation::new(|io| async move {
            let way = Way { io: &io, hold: Hold::default() };
            inner.get(&way, &name, &slot, &mut own.turns, wanted).await
        });
        let renewed = operation.run(transport);
        *turns = std::mem::take(&mut *brief(&back));
        renewed
    }

    /// Gets the wanted tokens; a refused one is replaced only if it is time.
    pub(super) async fn get(
        self: &Arc<Self>,
        way: &Way<'_>,
        name: &str,
        slot: &Arc<Slot>,
        turns: &mut Turns,
        wanted: Wanted,
    ) -> Result<Arc<OAuthTokens>> {
        if wanted.not.is_none() {
            return self.renew(way, name, slot, turns, &wanted).await;
        }
        let before = slot.seen.load_full();
        let now = self.client.0.config.clock.monotonic();
        let kept = self.look(name, slot)?.filter(|kept| wanted.is_refused(&kept.tokens));
        if let Some(kept) = kept.filter(|_| turns.replaced.pause(now).is_some()) {
            return Ok(Arc::clone(&kept.tokens));
        }
        let other = self.renew(way, name, slot, turns, &wanted).await?;
        // Not if another thread has done it before, and has counted it.
        if !is_same(before.as_ref(), slot.seen.load_full().as_ref()) {
            turns.replaced.failed(&REFUSED, now, LONGEST_PAUSE);
        }
        Ok(other)
    }

    /// Gets the wanted tokens. One at a time comes here.
    async fn renew(
        self: &Arc<Self>,
        way: &Way<'_>,
        name: &str,
        slot: &Arc<Slot>,
        turns: &mut Turns,
        wanted: &Wanted,
    ) -> Result<Arc<OAuthTokens>> {
        let now = self.now()?;
        let fits = |kept: &Arc<Seen>| wanted.is(&kept.tokens, now);
        // Another thread, or another process, may have done it.
        if let Some(kept) = self.look(name, slot)?.filter(fits) {
            return Ok(Arc::clone(&kept.tokens));
        }
        let _held = way.lock(&self.shelf, name).await?;
        let mut kept = self.look(name, slot)?;
        if let Some(saved) = self.settle(name, turns, kept.as_ref())? {
            slot.seen.store(Some(Arc::clone(&saved)));
            kept = Some(saved);
        }
        if let Some(kept) = kept.as_ref().filter(|kept| fits(kept)) {
            return Ok(Arc::clone(&kept.tokens));
        }
        turns.turn_to(kept.as_ref());
        let monotonic = self.client.0.config.clock.monotonic();
        if let Some(error) = turns.trouble.pause(monotonic) {
            return or_still_good(kept, error, wanted, now);
        }
        let saved = Arc::new(Mutex::new(None));
        let still = Still::new(self, name, slot, &way.hold);
        let asked = match self.question(name, kept.as_ref(), &still, &saved) {
            Ok(question) => question.within_while(way.io, || way.is_ours()).await,
            Err(error) => Err(error),
        };
        let error = match asked {
            Ok(tokens) => {
                let of = brief(&saved).clone().or_else(|| kept.clone());
                still.check(of.as_ref())?;
                turns.trouble.over();
                let new = self.save_or_remember(name, turns, tokens, kept)?;
                slot.seen.store(Some(Arc::clone(&new)));
                return Ok(Arc::clone(&new.tokens));
            }
            Err(error) => error,
        };
        // What the server still gave takes the place of what was kept.
        let rescued = OAuthTokens::kept_in(&error);
        let error = error.keeping(None);
        if let Some(rescued) = rescued {
            let Some(saved) = brief(&saved).take() else {
                turns.unsaved = Some((rescued, kept));
                return Err(error);
            };
            slot.seen.store(Some(Arc::clone(&saved)));
            kept = Some(saved);
        }
        match error.kind() {
            ErrorKind::OauthInvalidGrant => {
                // Not what someone has put there in the meantime.
                let latest = self.look(name, slot)?;
                if let Some(kept) = kept.filter(|kept| is_same(latest.as_ref(), Some(kept))) {
                    self.shelf.remove(name, kept.entry)?;
                    slot.seen.store(None);
                }
                *turns = Turns::default();
                return Err(error);
            }
            ErrorKind::OauthNoToken => return Err(error),
            _ => {}
        }
        turns.turn_to(kept.as_ref());
        turns.trouble.failed(&error, monotonic, LONGEST_PAUSE);
        let told = turns.trouble.pause(monotonic).unwrap_or(error);
        or_still_good(kept, told, wanted, now)
    }

    /// Saves what could not be saved before, unless it was given in exchange for other tokens than
    /// those that are kept by now: someone has signed out, or is another.
    fn settle(
        &self,
        name: &str,
        turns: &mut Turns,
        kept: Option<&Arc<Seen>>,
    ) -> Result<Option<Arc<Seen>>> {
        match turns.unsaved.take() {
            Some((unsaved, of)) if is_same(of.as_ref(), kept) => {
                self.save_or_remember(name, turns, unsaved, of).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Saves new tokens; if that fails, they are remembered with those that they were given for.
    fn save_or_remember(
        &self,
        name: &str,
        turns: &mut Turns,
        tokens: OAuthTokens,
        of: Option<Arc<Seen>>,
    ) -> Result<Arc<Seen>> {
        let saved = self.save(name, &tokens, of.as_deref());
        if saved.is_err() {
            turns.unsaved = Some((tokens, of));
        }
        saved
    }

    /// What asks for new tokens; `saved` is what was kept, with a new refresh token, before they
    /// were looked at.
    fn question(
        self: &Arc<Self>,
        name: &str,
        kept: Option<&Arc<Seen>>,
        still: &Arc<Still>,
        saved: &Arc<Mutex<Option<Arc<Seen>>>>,
    ) -> Result<Operation<OAuthTokens>> {
        match (kept, &self.grant) {
            (Some(kept), _) if kept.tokens.refresh_token.is_some() => {
                let (still, of) = (Arc::clone(still), Arc::clone(kept));
                let (inner, name, saved) = (Arc::clone(self), name.to_owned(), Arc::clone(saved));
                let keep = move |tokens: &OAuthTokens| {
                    still.check(Some(&of))?;
                    let seen = inner.shelf.save(&name, of.entry, tokens)?;
                    *brief(&saved) = Some(seen);
                    Ok(())
                };
                self.refreshing.check()?;
                let more = self.refreshing.clone();
                self.client.refresh_keeping(&kept.tokens, more, Box::new(keep))
            }
            (_, Some(grant)) => self.client.client_credentials(grant),
            _ => Err(ErrorKind::OauthNoToken.into()),
        }
    }

    /// Saves tokens that the server gave for those that were kept: in their place, if these had a
    /// refresh token; else the client has asked for itself.
    fn save(&self, name: &str, tokens: &OAuthTokens, of: Option<&Seen>) -> Result<Arc<Seen>> {
        let entry = match of {
            Some(of) if of.tokens.refresh_token.is_some() => of.entry,
            _ => Entry::Own,
        };
        let saved = self.shelf.save(name, entry, tokens)?;
        if let Some(over) = of.filter(|of| of.entry != entry) {
            self.shelf.remove(name, over.entry)?;
        }
        Ok(saved)
    }
}

/// The turns of a thread that waits for the answers: they come back however that ends.
struct Own {
    turns: Turns,
    back: Arc<Mutex<Turns>>,
}

impl Drop for Own {
    fn drop(&mut self) {
        *brief(&self.back) = std::mem::take(&mut self.turns);
    }
}

/// The kept tokens if they are good although others were wanted, and waiting may help; else the
/// error.
fn or_still_good(
    kept: Option<Arc<Seen>>,
    error: Error,
    wanted: &Wanted,
    now: u64,
) -> Result<Arc<OAuthTokens>> {
    let is_good =
        |kept: &Arc<Seen>| kept.tokens.is_good_for(0, now) && !wanted.is_refused(&kept.tokens);
    match kept.filter(is_good) {
        Some(kept) if error.is_retryable() => Ok(Arc::clone(&kept.tokens)),
        _ => Err(error),
    }
}

/// Only a pause comes of it.
const REFUSED: Error = Error::new(
    ErrorKind::OauthServerFailed,
    "An API has refused the access token; another one was asked for a moment ago.",
);

impl TokenManager {
    /// Whose tokens they are.
    #[must_use]
    pub fn client(&self) -> &OAuthClient {
        &self.0.client
    }
}

impl TokenManager {
    /// How many names this manager keeps something about in memory: those that have tokens, and are
    /// used.
    #[must_use]
    pub fn names_in_use(&self) -> usize {
        self.0.slots.len()
    }
}

impl fmt::Debug for TokenManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenManager({} names of {:?})", self.0.slots.len(), self.0.client)
    }
}
