//! `TokenManager`: the tokens of other servers, kept, refreshed in time and once: one request for all threads of a
//! process and, with a store that locks, for all processes. A server that rotates refresh tokens ends the whole
//! log-in when two of them use the same one.
//!
//! A new refresh token is kept before anybody sees the access token that came with it. Only the server's own
//! `invalid_grant` ends a refresh token; whatever else goes wrong, it is tried again later.

use super::client::OAuthClient;
use super::grants::TokenGrant;
use super::tokens::OAuthTokens;
use crate::base::clock::NANOS;
use crate::base::process::OwnLock;
use crate::base::reach::beyond_memory;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::crypto::aead;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::{Fields, Peppers};
use crate::store::TokenStore;
use crate::transport::Transport;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// The longest wait after failures, in seconds.
const LONGEST_BACKOFF: u64 = 60;

/// The tokens of other servers under names of the program's own: safe to share between threads, cheap to clone,
/// usable after a fork.
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
pub struct TokenManager(Arc<Inner>);

struct Inner {
    client: OAuthClient,
    store: Arc<dyn TokenStore>,
    transport: Arc<dyn Transport>,
    seal: Option<Peppers>,
    grant: Option<TokenGrant>,
    slots: ArcSwap<HashMap<String, Arc<Slot>>>,
    /// Held while a name is added.
    adding: OwnLock<()>,
}

/// What is known under one name.
struct Slot {
    tokens: ArcSwapOption<OAuthTokens>,
    flight: OwnLock<Trouble>,
}

/// What went wrong the last time.
#[derive(Default)]
struct Trouble {
    /// The server gave them and the store could not take them: kept, but shown to nobody.
    unsaved: Option<OAuthTokens>,
    failures: u32,
    /// Not before this moment, in nanoseconds, and why.
    until: u64,
    error: Option<Error>,
}

impl Trouble {
    /// Keeps others from asking the same at once. What waiting does not mend is worth another look soon: someone may
    /// have mended it.
    fn remember(&mut self, error: &Error, now: u64) {
        let mut seconds = 1;
        if error.is_retryable() {
            self.failures = self.failures.saturating_add(1);
            let own = 1_u64 << self.failures.min(6);
            let theirs = u64::from(error.retry_after().unwrap_or(0)).div_ceil(1000);
            seconds = own.min(LONGEST_BACKOFF).max(theirs);
        }
        self.until = now.saturating_add(seconds.saturating_mul(NANOS));
        let told = error.clone();
        self.error =
            Some(if error.is_retryable() { told.retry_after_ms(seconds * 1000) } else { told });
    }
}

impl TokenManager {
    /// Tokens of this client's, kept in `store`, refreshed over `transport`.
    #[must_use]
    pub fn new(
        client: OAuthClient,
        store: Arc<dyn TokenStore>,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self(Arc::new(Inner {
            client,
            store,
            transport,
            seal: None,
            grant: None,
            slots: ArcSwap::default(),
            adding: OwnLock::new(),
        }))
    }

    /// A name under which there is no token gets one for the client itself (RFC 6749 section 4.4).
    #[must_use]
    pub fn client_credentials(self, grant: TokenGrant) -> Self {
        self.with(|inner| inner.grant = Some(grant))
    }

    /// Seals what is kept (AES-256-GCM) under the last of these; the earlier ones still open.
    #[must_use]
    pub fn sealed(self, peppers: Peppers) -> Self {
        self.with(|inner| inner.seal = Some(peppers))
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner {
            client: self.0.client.clone(),
            store: Arc::clone(&self.0.store),
            transport: Arc::clone(&self.0.transport),
            seal: self.0.seal.clone(),
            grant: self.0.grant.clone(),
            slots: ArcSwap::default(),
            adding: OwnLock::new(),
        };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Keeps tokens, for example of a log-in that was just finished.
    ///
    /// # Errors
    /// `InvalidArgument`: the name is empty or has more than 120 bytes. Those of the store.
    pub fn put(&self, name: &str, tokens: &OAuthTokens) -> Result<()> {
        let slot = self.0.slot(name)?;
        beyond_memory()?;
        slot.flight.locked(|trouble| {
            let held = self.0.store.lock(name)?;
            self.0.save(name, tokens)?;
            drop(held);
            *trouble = Trouble::default();
            slot.tokens.store(Some(Arc::new(tokens.clone())));
            Ok(())
        })
    }

    /// Forgets the tokens of a name. Revoke them first: [`OAuthClient::revoke`].
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn remove(&self, name: &str) -> Result<()> {
        let slot = self.0.slot(name)?;
        beyond_memory()?;
        slot.flight.locked(|trouble| {
            let held = self.0.store.lock(name)?;
            self.0.store.remove(name)?;
            drop(held);
            *trouble = Trouble::default();
            slot.tokens.store(None);
            Ok(())
        })
    }

    /// The access token of a name, good for at least `min_ttl` more seconds if the server gives such; refreshed if
    /// need be. If refreshing fails for the moment, one that is still good is given.
    ///
    /// # Errors
    /// `OauthNoToken`: there is none; a log-in is needed. `OauthInvalidGrant`: there is none any more. Otherwise those
    /// of [`OAuthClient::refresh`] and the store; `retry_after` says when it is worth another try.
    pub fn access_token(&self, name: &str, min_ttl: u64) -> Result<Secret> {
        Ok(self.tokens(name, min_ttl)?.access_token.clone())
    }

    /// As [`Self::access_token`], with all that came with it.
    ///
    /// # Errors
    /// As [`Self::access_token`].
    pub fn tokens(&self, name: &str, min_ttl: u64) -> Result<Arc<OAuthTokens>> {
        let slot = self.0.slot(name)?;
        if let Some(known) = slot.tokens.load_full()
            && known.is_good_for(min_ttl, self.0.now()?)
        {
            return Ok(known);
        }
        beyond_memory()?;
        slot.flight.locked(|trouble| self.0.renew(name, &slot, trouble, min_ttl, None))
    }

    /// What is known under a name without asking anybody, if it is good for so many more seconds.
    #[must_use]
    pub fn known(&self, name: &str, min_ttl: u64) -> Option<Arc<OAuthTokens>> {
        let (slots, now) = (self.0.slots.load(), self.0.now().ok()?);
        slots.get(name)?.tokens.load_full().filter(|known| known.is_good_for(min_ttl, now))
    }

    /// An API has refused this access token with 401: another one, unless there is one by now.
    ///
    /// # Errors
    /// As [`Self::access_token`].
    pub fn replace(&self, name: &str, refused: &Secret) -> Result<Arc<OAuthTokens>> {
        let slot = self.0.slot(name)?;
        beyond_memory()?;
        slot.flight.locked(|trouble| self.0.renew(name, &slot, trouble, 0, Some(refused)))
    }
}

impl Inner {
    fn now(&self) -> Result<u64> {
        self.client.0.config.now()
    }

    fn slot(&self, name: &str) -> Result<Arc<Slot>> {
        if name.is_empty() || name.len() > 120 {
            return Err(argument("A name that tokens are kept under has 1 to 120 bytes."));
        }
        if let Some(slot) = self.slots.load().get(name) {
            return Ok(Arc::clone(slot));
        }
        Ok(self.adding.locked(|()| {
            let mut slots = HashMap::clone(&self.slots.load());
            let new = || Arc::new(Slot { tokens: ArcSwapOption::empty(), flight: OwnLock::new() });
            let slot = Arc::clone(slots.entry(name.to_owned()).or_insert_with(new));
            self.slots.store(Arc::new(slots));
            slot
        }))
    }

    /// Gets tokens that are good for so long, and are not the refused one. One thread at a time comes here.
    #[cold]
    fn renew(
        self: &Arc<Self>,
        name: &str,
        slot: &Slot,
        trouble: &mut Trouble,
        min_ttl: u64,
        refused: Option<&Secret>,
    ) -> Result<Arc<OAuthTokens>> {
        let now = self.now()?;
        let is_refused = |tokens: &OAuthTokens| {
            refused.is_some_and(|refused| refused.expose() == tokens.access_token.expose())
        };
        let fits = |tokens: &OAuthTokens| tokens.is_good_for(min_ttl, now) && !is_refused(tokens);
        if let Some(known) = slot.tokens.load_full().filter(|known| fits(known)) {
            return Ok(known);
        }
        let held = self.store.lock(name)?;
        if let Some(unsaved) = &trouble.unsaved {
            self.save(name, unsaved)?;
            let saved = trouble.unsaved.take().map(Arc::new);
            slot.tokens.store(saved);
        }
        // Another process may have done it.
        let kept = self.load(name)?;
        if let Some(kept) = &kept
            && fits(kept)
        {
            let kept = Arc::new(kept.clone());
            slot.tokens.store(Some(Arc::clone(&kept)));
            return Ok(kept);
        }
        let monotonic = self.client.0.config.clock.monotonic();
        let saved = Arc::new(AtomicBool::new(false));
        let asked = if monotonic < trouble.until {
            Err(trouble.error.clone().unwrap_or_else(|| ErrorKind::OauthServerFailed.into()))
        } else {
            self.ask(name, kept.as_ref(), &saved)
        };
        let error = match asked {
            Ok(tokens) => {
                *trouble = Trouble::default();
                if let Err(error) = self.save(name, &tokens) {
                    trouble.unsaved = Some(tokens);
                    return Err(error);
                }
                drop(held);
                let tokens = Arc::new(tokens);
                slot.tokens.store(Some(Arc::clone(&tokens)));
                return Ok(tokens);
            }
            Err(error) => error,
        };
        // What the server gave all the same takes the place of what was kept.
        let rescued = OAuthTokens::kept_in(&error);
        let error = error.keeping(None);
        if let Some(rescued) = &rescued {
            if !saved.load(Ordering::Acquire) {
                trouble.unsaved = Some(rescued.clone());
                return Err(error);
            }
            slot.tokens.store(Some(Arc::new(rescued.clone())));
        }
        let kept = rescued.or(kept);
        if error.kind() == ErrorKind::OauthInvalidGrant {
            self.store.remove(name)?;
            slot.tokens.store(None);
            *trouble = Trouble::default();
            return Err(error);
        }
        if monotonic >= trouble.until && error.kind() != ErrorKind::OauthNoToken {
            trouble.remember(&error, monotonic);
        }
        let still_good = kept.filter(|kept| kept.is_good_for(0, now) && !is_refused(kept));
        match still_good {
            Some(kept) if error.is_retryable() => {
                let kept = Arc::new(kept);
                slot.tokens.store(Some(Arc::clone(&kept)));
                Ok(kept)
            }
            _ => Err(trouble.error.clone().unwrap_or(error)),
        }
    }

    /// Asks for new tokens; `saved` tells whether a new refresh token was kept before they were looked at.
    fn ask(
        self: &Arc<Self>,
        name: &str,
        kept: Option<&OAuthTokens>,
        saved: &Arc<AtomicBool>,
    ) -> Result<OAuthTokens> {
        let operation = match (kept, &self.grant) {
            (Some(kept), _) if kept.refresh_token.is_some() => {
                let (inner, name, saved) = (Arc::clone(self), name.to_owned(), Arc::clone(saved));
                let keep = move |tokens: &OAuthTokens| {
                    inner.save(&name, tokens)?;
                    saved.store(true, Ordering::Release);
                    Ok(())
                };
                self.client.refresh_keeping(kept, Box::new(keep))?
            }
            (_, Some(grant)) => self.client.client_credentials(grant)?,
            _ => return Err(ErrorKind::OauthNoToken.into()),
        };
        operation.run(&*self.transport)
    }

    fn load(&self, name: &str) -> Result<Option<OAuthTokens>> {
        let Some(text) = self.store.load(name)? else { return Ok(None) };
        let Some(peppers) = &self.seal else {
            return OAuthTokens::from_secret_json(text.expose()).map(Some);
        };
        let (number, sealed) = text.expose().split_first_chunk::<4>().ok_or(DAMAGED)?;
        let number = u32::from_be_bytes(*number);
        let key = key(peppers, number)
            .ok_or_else(|| Error::from(ErrorKind::WrongPepper).about_secret("seal", number))?;
        let text = aead::open(&key, &self.context(name), sealed).ok_or(DAMAGED)?;
        OAuthTokens::from_secret_json(&text).map(Some)
    }

    fn save(&self, name: &str, tokens: &OAuthTokens) -> Result<()> {
        let text = tokens.to_secret_json();
        let Some(peppers) = &self.seal else { return self.store.save(name, &text) };
        let number = peppers.active();
        let key = key(peppers, number).ok_or(ErrorKind::Internal)?;
        let sealed = aead::seal(&key, &self.context(name), text.expose(), &SystemRandom)?;
        self.store.save(name, &Secret::new([&number.to_be_bytes()[..], &sealed].concat()))
    }

    /// What sealed tokens belong to: another name's, or another client's, do not fit.
    fn context(&self, name: &str) -> Vec<u8> {
        let mut context = Fields::new(b"gatekey/tokens/1");
        context.bytes(name.as_bytes());
        context.bytes(self.client.client_id().as_bytes());
        context.into_bytes()
    }
}

fn key(peppers: &Peppers, number: u32) -> Option<Zeroizing<[u8; 32]>> {
    peppers.mac(number, b"gkt1 key of tokens").map(Zeroizing::new)
}

const DAMAGED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The kept tokens are damaged, or were sealed for another name or client; sign in again.",
);

impl fmt::Debug for TokenManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenManager({} names of {:?})", self.0.slots.load().len(), self.0.client)
    }
}
