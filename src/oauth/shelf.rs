//! Where a [`super::TokenManager`] keeps tokens, and in what form. What is kept belongs to the
//! name, to the server (its issuer, or its token endpoint) and to the client; a token that the
//! client got for itself also to what was asked for. Each of these has an entry of its own in the
//! store, so that managers of several servers, clients or grants can share a store: none is handed
//! another's tokens, and none overwrites them.

use super::client::OAuthClient;
use super::slots::{Entry, Seen};
use super::token_grant::TokenGrant;
use super::tokens::OAuthTokens;
use crate::base::hex;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::crypto::aead;
use crate::crypto::hash::sha256;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::{Fields, Peppers};
use crate::store::TokenStore;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What sealed tokens begin with; others begin with the brace of a JSON object.
const SEALED: &[u8; 4] = b"gkt2";

#[derive(Clone)]
pub(super) struct Shelf {
    store: Arc<dyn TokenStore>,
    seal: Option<Peppers>,
    server: String,
    /// What follows the name for tokens that were put, and for those that the client gets for
    /// itself.
    put: String,
    own: Option<String>,
}

impl Shelf {
    pub(super) fn new(client: &OAuthClient, store: Arc<dyn TokenStore>) -> Self {
        let server = client.server().to_owned();
        let put = suffix(&server, client.client_id(), None);
        Self { store, seal: None, server, put, own: None }
    }

    pub(super) fn seal(&mut self, peppers: Peppers) {
        self.seal = Some(peppers);
    }

    /// Has an entry for what the client gets for itself by asking for this.
    pub(super) fn ask(&mut self, client: &OAuthClient, grant: &TokenGrant) {
        self.own = Some(suffix(&self.server, client.client_id(), Some(grant)));
    }

    fn place(&self, name: &str, entry: Entry) -> Option<String> {
        let suffix = match entry {
            Entry::Put => Some(&self.put),
            Entry::Own => self.own.as_ref(),
        };
        suffix.map(|suffix| format!("{name}-{suffix}"))
    }

    /// Keeps others from changing what is kept under a name.
    pub(super) fn lock(&self, name: &str) -> Result<Box<dyn Send>> {
        self.store.lock(&format!("{name}-{}", self.put))
    }

    /// The same, unless another holds it.
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<Box<dyn Send>>> {
        self.store.try_lock(&format!("{name}-{}", self.put))
    }

    /// What is kept now: what was put, or else what the client got for itself. `seen` is what was
    /// kept the last time, which is not read again if it still is.
    pub(super) fn load(&self, name: &str, seen: Option<Arc<Seen>>) -> Result<Option<Arc<Seen>>> {
        for entry in [Entry::Put, Entry::Own] {
            let Some(place) = self.place(name, entry) else { continue };
            let Some(text) = self.store.load(&place)? else { continue };
            if let Some(seen) = seen.as_ref().filter(|seen| seen.entry == entry && seen.is(&text)) {
                return Ok(Some(Arc::clone(seen)));
            }
            match self.open(&place, &text) {
                Ok(tokens) if tokens.issuer == self.server => {
                    return Ok(Some(Arc::new(Seen { entry, text, tokens: Arc::new(tokens) })));
                }
                Ok(_) => {}
                // The client can have another one.
                Err(_) if entry == Entry::Own => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    pub(super) fn save(&self, name: &str, entry: Entry, tokens: &OAuthTokens) -> Result<Arc<Seen>> {
        if tokens.issuer != self.server {
            return Err(ANOTHER_SERVER.about_claim("issuer"));
        }
        let place = self.place(name, entry).ok_or(ErrorKind::Internal)?;
        let mut text = tokens.to_secret_json();
        if let Some(peppers) = &self.seal {
            let number = peppers.active();
            let key = key(peppers, number).ok_or(ErrorKind::Internal)?;
            let check = check(peppers, number).ok_or(ErrorKind::Internal)?;
            let sealed = aead::seal(&key, &context(&place), text.expose(), &SystemRandom)?;
            text = Secret::new([&SEALED[..], &number.to_be_bytes(), &check, &sealed].concat());
        }
        self.store.save(&place, &text)?;
        Ok(Arc::new(Seen { entry, text, tokens: Arc::new(tokens.clone()) }))
    }

    pub(super) fn remove(&self, name: &str, entry: Entry) -> Result<()> {
        self.place(name, entry).map_or(Ok(()), |place| self.store.remove(&place))
    }

    /// What a text of the store says.
    fn open(&self, place: &str, text: &Secret) -> Result<OAuthTokens> {
        let text = text.expose();
        let peppers = match (&self.seal, text.strip_prefix(SEALED)) {
            (None, None) => return OAuthTokens::from_secret_json(text),
            (None, Some(_)) => return Err(NO_SEAL.about_claim("seal")),
            (Some(_), None) if text.first() == Some(&b'{') => {
                return Err(NOT_SEALED.about_claim("seal"));
            }
            (Some(_), None) => return Err(DAMAGED),
            (Some(peppers), Some(_)) => peppers,
        };
        let (number, rest) =
            text.get(4..).and_then(<[u8]>::split_first_chunk::<4>).ok_or(DAMAGED)?;
        let (checked, sealed) = rest.split_first_chunk::<CHECK>().ok_or(DAMAGED)?;
        let number = u32::from_be_bytes(*number);
        let key = key(peppers, number).filter(|_| check(peppers, number) == Some(*checked));
        let key = key.ok_or_else(|| OTHER_SEAL.about_secret("seal", number))?;
        let text = aead::open(&key, &context(place), sealed).ok_or(DAMAGED)?;
        OAuthTokens::from_secret_json(&text)
    }
}

/// What distinguishes entries of one name: 24 hexadecimal digits.
fn suffix(server: &str, client_id: &str, grant: Option<&TokenGrant>) -> String {
    let mut fields = Fields::new(b"gatekey/tokens/2");
    fields.bytes(server.as_bytes());
    fields.bytes(client_id.as_bytes());
    if let Some(grant) = grant {
        let mut scopes: Vec<&str> = grant.scopes.iter().map(String::as_str).collect();
        scopes.sort_unstable();
        scopes.dedup();
        fields.bytes(scopes.join(" ").as_bytes());
        let mut parameters: Vec<_> = grant.parameters.iter().collect();
        parameters.sort_unstable();
        for (name, value) in parameters {
            fields.bytes(name.as_bytes());
            fields.bytes(value.as_bytes());
        }
    }
    let mut digits = hex::encode(&sha256(&fields.into_bytes()));
    digits.truncate(24);
    digits
}

/// What sealed tokens belong to: those of another entry do not fit.
fn context(place: &str) -> Vec<u8> {
    let mut context = Fields::new(b"gatekey/tokens/2");
    context.bytes(place.as_bytes());
    context.into_bytes()
}

fn key(peppers: &Peppers, number: u32) -> Option<Zeroizing<[u8; 32]>> {
    peppers.mac(number, b"gkt1 key of tokens").map(Zeroizing::new)
}

/// How many bytes of a tag tell whether a secret is the one that was sealed with.
const CHECK: usize = 8;

fn check(peppers: &Peppers, number: u32) -> Option<[u8; CHECK]> {
    let tag = peppers.mac(number, b"gkt2 check of tokens")?;
    tag.first_chunk().copied()
}

const ANOTHER_SERVER: Error = argument(
    "The tokens are of another server (`issuer`) than the manager's client; keep them with a manager of a client of that one.",
);
const NO_SEAL: Error = Error::new(
    ErrorKind::WrongPepper,
    "The kept tokens are sealed, and this manager has no `seal`: give it the secret that they were sealed with, or sign in again.",
);
const NOT_SEALED: Error = Error::new(
    ErrorKind::WrongPepper,
    "The kept tokens are not sealed, and this manager has a `seal`: leave it out for this folder, or sign in again.",
);
const OTHER_SEAL: Error = Error::new(
    ErrorKind::WrongPepper,
    "The kept tokens were sealed with a secret that `seal` does not have: add that one, the oldest first, or sign in again.",
);
const DAMAGED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The kept tokens are damaged, or were put under another name from outside; restore them, or sign in again.",
);
