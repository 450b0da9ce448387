//! What sessions are kept in: one row per family of refresh tokens, and what happened to it; the
//! trait [`SessionStore`].

use super::{Page, Revocation, RevocationStore};
use crate::error::{ErrorKind, Result};
use std::fmt;

/// A session: one log-in of one subject, and the family of its refresh tokens. Times are in seconds
/// since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionRecord {
    /// The public id, twelve letters and digits: part of each refresh token, `sid` of each access
    /// token.
    pub family: String,
    /// Whose session it is: `sub` of each access token.
    pub subject: String,
    /// What the subject logged in with, for people: a browser, a device.
    pub client: String,
    /// The program's own notes: one JSON object, at most 4 KiB; empty for none.
    pub meta: String,
    /// When it was started.
    pub created_at: u64,
    /// When it was started or last refreshed.
    pub last_seen_at: u64,
    /// When it ends unless it is refreshed before.
    pub expires_at: u64,
    /// When it ends however often it is refreshed.
    pub absolute_expires_at: u64,
    /// How often it was refreshed.
    pub refreshes: u64,
    /// When it was ended; `None` while it is live or has merely expired.
    pub ended_at: Option<u64>,
    /// Why it was ended.
    pub end: Option<SessionEnd>,
    /// The row was altered from outside: its refresh tokens are refused, and nothing else here is
    /// to be believed. Never kept.
    pub altered: bool,
}

impl SessionRecord {
    /// Whether it can be refreshed at this time.
    #[must_use]
    pub const fn is_live(&self, now: u64) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }
}

/// Why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionEnd {
    /// It was logged out.
    LogOut,
    /// All sessions of its subject were.
    LogOutEverywhere,
    /// A refresh token was used a second time: someone else may have it.
    Reuse,
    /// It was refreshed too late; noted so that a clock that steps back does not make it live
    /// again.
    Expired,
}

impl SessionEnd {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::LogOut, Self::LogOutEverywhere, Self::Reuse, Self::Expired];

    /// The lower-case name: `logout`, `logout_everywhere`, `reuse`, `expired`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LogOut => "logout",
            Self::LogOutEverywhere => "logout_everywhere",
            Self::Reuse => "reuse",
            Self::Expired => "expired",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}

/// A session as a store keeps it: nothing in it can be presented, and none of its tokens can be
/// computed without a pepper, which is not in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// What may be shown.
    pub record: SessionRecord,
    /// The number of the refresh token that is good now; grows by one with each rotation.
    pub counter: u32,
    /// Random bytes that go into each refresh token's MAC.
    pub seed: [u8; 16],
    /// The pepper of the refresh token that is good now.
    pub pepper: u32,
    /// The pepper of the refresh token before; `None` if this is the first one, or
    /// gatekey did not note it yet.
    pub previous_pepper: Option<u32>,
    /// The milliseconds of `last_seen_at`, which is in whole seconds: 0 to 999, [`Self::NO_MOMENT`]
    /// or [`Self::DATED_AHEAD`].
    pub last_seen_ms: u16,
    /// For how many seconds from the last refresh an access token of this session may live, at the
    /// longest.
    pub access_ttl: u64,
    /// What each access token says as well: one JSON object.
    pub claims: String,
    /// Grows by one with every change.
    pub version: u64,
    /// A MAC over the whole row, so that one altered from outside is found.
    pub seal: [u8; 16],
    /// The pepper of the seal.
    pub seal_pepper: u32,
}

impl StoredSession {
    /// What stands for a row that cannot be read: its id and, if that can be read, its subject.
    /// Nothing else of it is known, and no seal is good for it.
    #[must_use]
    pub fn unreadable(family: String, subject: String) -> Self {
        Self {
            record: SessionRecord { family, subject, ..SessionRecord::default() },
            counter: 0,
            seed: [0; 16],
            pepper: 0,
            previous_pepper: None,
            last_seen_ms: 0,
            access_ttl: 0,
            claims: "{}".to_owned(),
            version: 0,
            seal: [0; 16],
            seal_pepper: 0,
        }
    }

    /// In `last_seen_ms`: `last_seen_at` is what a clock said that did not fit to the dates before.
    pub const NO_MOMENT: u16 = 1000;
    /// In `last_seen_ms`: the clock that said `last_seen_at` ran ahead, so that this date is still
    /// to come.
    pub const DATED_AHEAD: u16 = 1001;

    /// The longest time for which a refresh token that was used is good again, in seconds.
    pub(crate) const LONGEST_GRACE: u64 = 60;

    /// Whether someone who has this pepper and the store can make a refresh token of the session
    /// that is good now: it is live, and its token, or the previous one, which is good for another
    /// minute at the most, is under the pepper.
    pub(crate) fn is_proven_by(&self, pepper: u32, now: u64) -> bool {
        let is_recent = now.abs_diff(self.record.last_seen_at) <= Self::LONGEST_GRACE;
        let gives = self.pepper == pepper || is_recent && self.previous_pepper == Some(pepper);
        gives && self.record.is_live(now)
    }

    /// Whether something is lost without this pepper.
    pub(crate) fn needs(&self, pepper: u32, now: u64) -> bool {
        self.seal_pepper == pepper || self.is_proven_by(pepper, now)
    }
}

impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}

/// Something that happened to a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEvent {
    /// Its number, given by the store; those of later events are higher.
    pub seq: u64,
    /// When, in seconds since the Unix epoch.
    pub at: u64,
    /// The session.
    pub family: String,
    /// Whose session it is.
    pub subject: String,
    /// `start`, or the name of a [`SessionEnd`].
    pub action: String,
    /// More about it, without any secret.
    pub detail: String,
}

impl SessionEvent {
    /// An event, for stores that read one.
    #[must_use]
    pub const fn new(
        seq: u64,
        at: u64,
        family: String,
        subject: String,
        action: String,
        detail: String,
    ) -> Self {
        Self { seq, at, family, subject, action, detail }
    }
}

/// Which sessions are wanted.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Only sessions of this subject.
    pub subject: Option<String>,
    /// Only sessions that can be refreshed at this time, in seconds since the Unix epoch, and those
    /// whose rows do not say so because their dates cannot be read.
    pub live_at: Option<u64>,
    /// Only sessions with ids above this one: [`Page::cursor`] of the page before.
    pub cursor: Option<String>,
    /// At most this many; 0 means 100, and more than 1000 are never handed out.
    pub limit: usize,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct SessionEventFilter {
    /// Only events of this subject's sessions.
    pub subject: Option<String>,
    /// Only events of this session.
    pub family: Option<String>,
    /// Only events after this one: [`Page::cursor`] of the page before.
    pub cursor: Option<String>,
    /// At most this many; 0 means 100, and more than 1000 are never handed out.
    pub limit: usize,
}

/// What is done together or not at all.
#[derive(Clone, Debug, Default)]
pub struct SessionWrite {
    /// Sessions that begin; their version is 1.
    pub insert: Vec<StoredSession>,
    /// Sessions as they are to be; their version is one more than the row must have now.
    pub update: Vec<StoredSession>,
    /// Sessions as they are to be whatever their rows say, because these are not believed or cannot
    /// be read. One that is not there is left so.
    pub end: Vec<StoredSession>,
    /// What is noted of it; the store gives the numbers.
    pub events: Vec<SessionEvent>,
    /// What is revoked with it.
    pub revocations: Vec<Revocation>,
}

/// Where sessions are kept, with what is revoked as they end. Every call is durable when it
/// returns.
///
/// # Errors
/// As of [`Backend`](super::Backend).
pub trait SessionStore: RevocationStore {
    /// One session.
    ///
    /// # Errors
    /// See [`Backend`](super::Backend).
    fn session(&self, family: &str) -> Result<Option<StoredSession>>;

    /// Sessions in ascending order of their ids, those after `filter.cursor` first.
    ///
    /// # Errors
    /// See [`Backend`](super::Backend); a damaged row is no error but a
    /// [`StoredSession::unreadable`].
    fn sessions(&self, filter: &SessionFilter) -> Result<Page<StoredSession>>;

    /// The ids of sessions whose rows cannot be read: of this subject, as far as that can be read,
    /// or of all.
    ///
    /// # Errors
    /// See [`Backend`](super::Backend).
    fn unreadable_sessions(&self, subject: Option<&str>) -> Result<Vec<String>>;

    /// Does all of it or nothing.
    ///
    /// # Errors
    /// See [`Backend`](super::Backend). `StoreConflict`: a session to insert exists, or one to
    /// update is gone or has another version.
    fn write_sessions(&self, write: &SessionWrite) -> Result<()>;

    /// Puts sessions, as another store has them, each in the place of the version that stands
    /// beside it, or where there is none (0); all or nothing.
    ///
    /// # Errors
    /// See [`Backend`](super::Backend). `StoreConflict`: there is another version, or one.
    /// `Unsupported`: this store takes none in.
    fn take_sessions(&self, sessions: &[(StoredSession, u64)]) -> Result<()> {
        let _ = sessions;
        Err(ErrorKind::Unsupported.into())
    }

    /// Events in ascending order of their numbers, those after `filter.cursor` first.
    ///
    /// # Errors
    /// See [`Backend`](super::Backend); damaged rows are left out.
    fn session_events(&self, filter: &SessionEventFilter) -> Result<Page<SessionEvent>>;

    /// Deletes sessions that were ended before the time `ended`, those that expired before the time
    /// `expired`, and events from before the latter; how many sessions.
    ///
    /// # Errors
    /// See [`Backend`](super::Backend).
    fn purge_sessions(&self, ended: u64, expired: u64) -> Result<u64>;
}
