//! `RingKey`: a key of a ring as it is shown.

use crate::jwk::Alg;

/// What a key of a ring is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RingKeyState {
    /// It signs from the next rotation on.
    Next,
    /// It signs.
    Active,
    /// It has signed; its tokens are still good.
    Retired,
}

impl RingKeyState {
    /// The lower-case name: `next`, `active`, `retired`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Next, Self::Active, Self::Retired].into_iter().find(|state| state.name() == name)
    }
}

/// A key of a ring, without the key. Times are in seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingKey {
    /// The key's name in its tokens.
    pub kid: String,
    /// Its algorithm.
    pub alg: Alg,
    /// What it is for now.
    pub state: RingKeyState,
    /// When it was made.
    pub created_at: u64,
    /// When it became active.
    pub active_at: Option<u64>,
    /// When it was retired.
    pub retired_at: Option<u64>,
    /// Until when its tokens are good, if it is retired.
    pub until: Option<u64>,
    /// Whether it lies in a KMS or HSM: the ring has its public half alone.
    pub by_callback: bool,
}
