//! A store that can be out of reach.

use gatekey::apikey::{AuditFilter, AuditRecord, KeyFilter, Page};
use gatekey::session::{SessionEvent, SessionEventFilter, SessionFilter};
use gatekey::store::{
    ApiKeyStore, Backend, Changes, KeyRingStore, Lease, Loaded, MemoryStore, PepperCheck,
    Revocation, RevocationChanges, RevocationStore, SessionStore, SessionWrite, StoredKey,
    StoredRing, StoredSession, Usage, Write,
};
use gatekey::{Error, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};

type Result<T> = std::result::Result<T, Error>;

/// A store in memory, and whether it is out of reach.
#[derive(Default)]
pub(crate) struct Lost {
    inner: MemoryStore,
    lost: AtomicBool,
    /// Whether it will be, once a revocation was written.
    soon: AtomicBool,
}

impl Lost {
    pub(crate) fn set(&self, lost: bool) {
        self.lost.store(lost, Ordering::SeqCst);
    }

    /// Out of reach once the next revocation was written.
    pub(crate) fn set_after_write(&self) {
        self.soon.store(true, Ordering::SeqCst);
    }

    fn there(&self) -> Result<&MemoryStore> {
        if self.lost.load(Ordering::SeqCst) {
            return Err(ErrorKind::StoreUnavailable.into());
        }
        Ok(&self.inner)
    }
}

impl SessionStore for Lost {
    fn session(&self, family: &str) -> Result<Option<StoredSession>> {
        self.there()?.session(family)
    }
    fn sessions(&self, filter: &SessionFilter) -> Result<Page<StoredSession>> {
        self.there()?.sessions(filter)
    }
    fn unreadable_sessions(&self, subject: Option<&str>) -> Result<Vec<String>> {
        self.there()?.unreadable_sessions(subject)
    }
    fn write_sessions(&self, write: &SessionWrite) -> Result<()> {
        self.there()?.write_sessions(write)
    }
    fn session_events(&self, filter: &SessionEventFilter) -> Result<Page<SessionEvent>> {
        self.there()?.session_events(filter)
    }
    fn purge_sessions(&self, ended: u64, expired: u64) -> Result<u64> {
        self.there()?.purge_sessions(ended, expired)
    }
}

impl KeyRingStore for Lost {
    fn key_ring(&self, name: &str) -> Result<Option<StoredRing>> {
        self.there()?.key_ring(name)
    }
    fn key_ring_version(&self, name: &str) -> Result<u64> {
        self.there()?.key_ring_version(name)
    }
    fn put_key_ring(&self, ring: &StoredRing) -> Result<()> {
        self.there()?.put_key_ring(ring)
    }
}

impl ApiKeyStore for Lost {
    fn load_api_keys(&self, visit: &mut dyn FnMut(Loaded)) -> Result<u64> {
        self.there()?.load_api_keys(visit)
    }
    fn api_key_changes(&self, after: u64, limit: usize) -> Result<Changes> {
        self.there()?.api_key_changes(after, limit)
    }
    fn api_key(&self, id: &str) -> Result<Option<StoredKey>> {
        self.there()?.api_key(id)
    }
    fn write_api_keys(&self, writes: &[Write]) -> Result<u64> {
        self.there()?.write_api_keys(writes)
    }
    fn api_keys(&self, filter: &KeyFilter) -> Result<Page<Loaded>> {
        self.there()?.api_keys(filter)
    }
    fn api_key_audit(&self, filter: &AuditFilter) -> Result<Page<AuditRecord>> {
        self.there()?.api_key_audit(filter)
    }
    fn lease_credits(
        &self,
        id: &str,
        set_in: u64,
        need: u64,
        want: u64,
        now: u64,
    ) -> Result<Lease> {
        self.there()?.lease_credits(id, set_in, need, want, now)
    }
    fn return_credits(&self, id: &str, set_in: u64, amount: u64) -> Result<()> {
        self.there()?.return_credits(id, set_in, amount)
    }
    fn record_usage(&self, batch: &[Usage]) -> Result<()> {
        self.there()?.record_usage(batch)
    }
}

impl Backend for Lost {
    fn stamp(&self) -> Result<u64> {
        self.there()?.stamp()
    }
    fn pepper_checks(&self) -> Result<Vec<PepperCheck>> {
        self.there()?.pepper_checks()
    }
    fn add_pepper_check(&self, check: &PepperCheck) -> Result<()> {
        self.there()?.add_pepper_check(check)
    }
    fn close(&self) -> Result<()> {
        self.there()?.close()
    }
}

impl RevocationStore for Lost {
    fn write_revocations(&self, revocations: &[Revocation]) -> Result<()> {
        self.there()?.write_revocations(revocations)?;
        if self.soon.swap(false, Ordering::SeqCst) {
            self.set(true);
        }
        Ok(())
    }
    fn revocations(&self, after: u64, limit: usize) -> Result<RevocationChanges> {
        self.there()?.revocations(after, limit)
    }
    fn purge_revocations(&self, now: u64, issued_before: u64) -> Result<u64> {
        self.there()?.purge_revocations(now, issued_before)
    }
    fn revocation_horizon(&self) -> Result<u64> {
        self.there()?.revocation_horizon()
    }
    fn remember_token(&self, issuer: &str, token_id: &str, until: u64, now: u64) -> Result<bool> {
        self.there()?.remember_token(issuer, token_id, until, now)
    }
}
