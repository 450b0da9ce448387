//! What is kept of tokens that are not good any more; the trait [`RevocationStore`].

use super::Backend;
use crate::error::{ErrorKind, Result};

/// What a [`Revocation`] is about; numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum RevocationKind {
    /// One token: `iss` and `jti`.
    Token = 1,
    /// The tokens of one session: `sid`.
    Session = 2,
    /// The tokens of one key: the `kid` of the key that verified them.
    Key = 3,
    /// The tokens of one subject (`sub`) that were issued before a time.
    Subject = 4,
    /// The tokens of one tenant that were issued before a time.
    Tenant = 5,
    /// All tokens that were issued before a time.
    All = 6,
    /// What a subject had when it was revoked: see [`Revocation::before`].
    SubjectSoFar = 7,
    /// What a tenant had when it was revoked.
    TenantSoFar = 8,
    /// All that there was.
    AllSoFar = 9,
}

impl Revocation {
    /// All tokens that it can mean were issued before this time, in seconds since the Unix epoch.
    #[must_use]
    pub fn issued_before(&self) -> u64 {
        // Of an older version, which did not say so.
        if self.before > 0 { self.before } else { self.at.saturating_add(1) }
    }
}

impl RevocationKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Token,
        Self::Session,
        Self::Key,
        Self::Subject,
        Self::Tenant,
        Self::All,
        Self::SubjectSoFar,
        Self::TenantSoFar,
        Self::AllSoFar,
    ];

    /// The kind of this number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// The lower-case name: `token`, `session`, `key`, `subject`, `tenant`, `all`, and the last
    /// three with `_so_far`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Key => "key",
            Self::Subject => "subject",
            Self::Tenant => "tenant",
            Self::All => "all",
            Self::SubjectSoFar => "subject_so_far",
            Self::TenantSoFar => "tenant_so_far",
            Self::AllSoFar => "all_so_far",
        }
    }
}

/// Tokens that are not good any more. One that is revoked again keeps the later of both times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What it is about.
    pub kind: RevocationKind,
    /// `iss`, for one token, or empty for a token of any issuer; `number` for a subject that is a
    /// number; else empty.
    pub issuer: String,
    /// `jti`, `sid`, `kid`, `sub` or the tenant; empty for all.
    pub value: String,
    /// Tokens issued before this time are meant, in seconds since the Unix epoch. Of one token or
    /// session: no later one can be meant; 0 if it is not known. Tokens that say how far the feed
    /// was when they were issued (see [`RevocationChanges::feed`]) do not go by it where the kind
    /// ends in `SoFar`.
    pub before: u64,
    /// When the last token that is meant has expired, in seconds since the Unix epoch.
    pub until: u64,
    /// When it was revoked, in seconds since the Unix epoch.
    pub at: u64,
}

/// The answer of [`RevocationStore::revocations`].
#[derive(Clone, Debug, Default)]
pub struct RevocationChanges {
    /// The sequence number to continue from.
    pub seq: u64,
    /// What was revoked, as it is now.
    pub entries: Vec<Revocation>,
    /// Whether more is waiting after `seq`.
    pub more: bool,
    /// The number of each entry, which grows with everything that is revoked; of a store that has
    /// none, empty.
    pub numbers: Vec<u64>,
    /// The number of what was revoked last: every token that says this number or a higher one was
    /// issued later.
    pub number: u64,
    /// Which feed the numbers are of, so that they are not taken for those of another store, or of
    /// this store from a backup; 0 if that cannot be told, and then tokens do not go by numbers.
    pub feed: u64,
    /// Whether the feed ends before `after`, so that it is not the one that was followed so far:
    /// begin again at `seq`, from nothing, and forget nothing.
    pub reload: bool,
}

/// A token that is remembered, so that it is used once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenToken {
    /// `iss`.
    pub issuer: String,
    /// `jti`.
    pub token_id: String,
    /// Until when it is remembered, in seconds since the Unix epoch.
    pub until: u64,
}

/// Where revocations are kept. Every call is durable when it returns.
///
/// # Errors
/// As of [`Backend`].
pub trait RevocationStore: Backend {
    /// Revokes all of it or nothing.
    ///
    /// # Errors
    /// See [`Backend`].
    fn write_revocations(&self, revocations: &[Revocation]) -> Result<()>;

    /// What was revoked after the sequence number `after`, in the order in which it was.
    ///
    /// # Errors
    /// See [`Backend`].
    fn revocations(&self, after: u64, limit: usize) -> Result<RevocationChanges>;

    /// Forgets revocations whose `until` is not after `now`, and remembers as the horizon the
    /// latest of [`Revocation::issued_before`] of them and `issued_before`, which is what the
    /// caller knows of them; how many. Neither is later than `now`.
    ///
    /// # Errors
    /// See [`Backend`].
    fn purge_revocations(&self, now: u64, issued_before: u64) -> Result<u64>;

    /// When the tokens of all revocations that were ever forgotten were issued, at the latest; 0 if
    /// none was.
    ///
    /// # Errors
    /// See [`Backend`].
    fn revocation_horizon(&self) -> Result<u64>;

    /// Remembers a token until `until`; whether it was not remembered before. Forgets some of those
    /// whose time has passed at `now`, and then knows nothing of any token whose `until` is not
    /// later: it answers false for these.
    ///
    /// # Errors
    /// See [`Backend`].
    fn remember_token(&self, issuer: &str, token_id: &str, until: u64, now: u64) -> Result<bool>;

    /// Tokens that are remembered, in ascending order of issuer and id, those after `after` first.
    ///
    /// # Errors
    /// See [`Backend`]; a damaged row is left out. `Unsupported`: this store does not list them.
    fn seen_tokens(&self, after: Option<&SeenToken>, limit: usize) -> Result<Vec<SeenToken>> {
        let _ = (after, limit);
        Err(ErrorKind::Unsupported.into())
    }
}
