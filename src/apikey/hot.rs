//! The part of a key that every verification reads: what its record in memory begins with.

/// What a verification reads of a key, as of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hot {
    /// What the key is found by: its packed id, or a look-up tag with the top bit set.
    pub(crate) key: u128,
    /// The MAC, if the proof is simple (see [`Hot::SIMPLE`]).
    pub(crate) mac: [u64; 4],
    /// The pepper of the MAC.
    pub(crate) pepper: u32,
    /// The bits below.
    pub(crate) flags: u32,
    /// The first second at which the key is not valid any more.
    pub(crate) expires_at: u64,
    /// The first second at which the key is valid.
    pub(crate) not_before: u64,
    /// `burst << 32 | period`; 0 for no limit.
    pub(crate) rate: u64,
}

impl Hot {
    /// The key is disabled.
    pub(crate) const DISABLED: u32 = 1;
    /// The key is revoked.
    pub(crate) const REVOKED: u32 = 1 << 1;
    /// The row is damaged or was altered; deny.
    pub(crate) const DAMAGED: u32 = 1 << 2;
    /// The key belongs to another environment.
    pub(crate) const ELSEWHERE: u32 = 1 << 3;
    /// The proof is the native scheme under one pepper, and stands in `mac`.
    pub(crate) const SIMPLE: u32 = 1 << 4;
    /// There is a proof of before the last rotation.
    pub(crate) const PREVIOUS: u32 = 1 << 5;
    /// The addresses are limited.
    pub(crate) const CIDRS: u32 = 1 << 6;
    /// Credits are counted.
    pub(crate) const CREDITS: u32 = 1 << 7;
    /// The prefix is not the usual one.
    pub(crate) const PREFIX: u32 = 1 << 8;
    /// The proof is to be made again on use: another pepper than the active one, or another scheme.
    pub(crate) const UPGRADE: u32 = 1 << 9;
    /// There is a [`Rare`](super::profile::Rare) part. The slot's own: set by what is written into
    /// it.
    pub(super) const RARE: u32 = 1 << 10;

    pub(crate) const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}
