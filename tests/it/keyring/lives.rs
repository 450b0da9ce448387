//! For how long a retired key is kept: for the longest-lived token that any process may have signed with it, whichever
//! process rotates.

use crate::apikey::Folder;
use crate::session::{DAY, NOW, peppers, refused};
use gatekey::clock::FixedClock;
use gatekey::jwk::KeySource as _;
use gatekey::keyring::KeyRingOptions;
use gatekey::session::{SessionOptions, SessionSpec};
#[cfg(feature = "sqlite")]
use gatekey::store::SqliteStore;
use gatekey::store::{KeyRingStore, MemoryStore, RingFolder, StoredRing};
use gatekey::{Alg, Claims, Error, ErrorKind, KeyRing, Policy, Sessions, Signer, Verifier};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A store of rings, and a clock that all who open it share.
struct Bench {
    store: Arc<dyn KeyRingStore>,
    clock: Arc<FixedClock>,
}

impl Bench {
    fn of(store: Arc<dyn KeyRingStore>) -> Self {
        Self { store, clock: Arc::new(FixedClock::new(NOW)) }
    }

    /// As another process opens it, for tokens that live for so long.
    fn open(&self, token_ttl: impl Into<Option<u64>>) -> KeyRing {
        self.try_open(token_ttl.into()).unwrap()
    }

    fn try_open(&self, token_ttl: Option<u64>) -> Result<KeyRing, Error> {
        let options = KeyRingOptions::new().alg(Alg::EdDsa).clock(self.clock.clone());
        let options = match token_ttl {
            Some(seconds) => options.token_ttl(seconds),
            None => options,
        };
        let peppers = self.store.wants_seal().then(|| peppers(&[1]));
        KeyRing::open(Arc::clone(&self.store), peppers, options)
    }

    fn signer(&self, ring: &KeyRing, ttl: u64) -> Result<Signer, Error> {
        Signer::following(Arc::new(ring.clone())).clock(self.clock.clone()).ttl(ttl).build()
    }

    fn verify(&self, ring: &KeyRing, token: &str) -> Result<(), Error> {
        let policy = Policy::new().clock(self.clock.clone());
        Verifier::following(Arc::new(ring.clone()), policy)?.verify(token).map(drop)
    }
}

/// The benches of every kind of store, and the folder that they are in.
fn benches(test: &str) -> (Folder, Vec<Bench>) {
    let folder = Folder::new(test);
    let rings = RingFolder::open(folder.path("rings")).unwrap();
    let stores: Vec<Arc<dyn KeyRingStore>> = vec![
        Arc::new(MemoryStore::new()),
        Arc::new(rings),
        #[cfg(feature = "sqlite")]
        Arc::new(SqliteStore::open(folder.path("auth.sqlite")).unwrap()),
    ];
    (folder, stores.into_iter().map(Bench::of).collect())
}

fn retired_until(ring: &KeyRing) -> Vec<u64> {
    ring.keys().unwrap().iter().filter_map(|key| key.until).collect()
}

#[test]
fn a_key_is_kept_for_the_longest_life_that_the_ring_was_opened_with() {
    let (_folder, benches) = benches("lives");
    for bench in benches {
        // Made for short tokens, by another process than the one that signs long ones.
        let short = bench.open(60);
        assert_eq!(short.token_ttl().unwrap(), 60);
        let service = bench.open(DAY);
        let token = bench.signer(&service, DAY).unwrap().sign(&Claims::new()).unwrap();
        // Neither has the one with the shorter life looked, nor does the last one name any.
        short.rotate().unwrap();
        bench.open(None).rotate().unwrap();
        bench.open(900).rotate().unwrap();
        short.refresh().unwrap();
        assert_eq!(retired_until(&short), [NOW + DAY + 600; 3]);
        bench.clock.advance(DAY - 1);
        for ring in [&service, &short, &bench.open(None), &bench.open(1)] {
            assert_eq!(ring.token_ttl().unwrap(), DAY);
            bench.verify(ring, &token).unwrap();
        }
        bench.clock.advance(601);
        service.refresh().unwrap();
        assert_eq!(retired_until(&service), [0; 0], "and not for longer");
        // A handle that has been open all the while learns of a longer life, too.
        bench.open(2 * DAY);
        short.rotate().unwrap();
        service.refresh().unwrap();
        assert_eq!(retired_until(&service), [NOW + 3 * DAY + 600 + 600]);
    }
}

#[test]
fn a_handle_without_a_life_of_its_own_takes_what_the_ring_remembers() {
    let (_folder, benches) = benches("remembered");
    for bench in benches {
        let made = bench.open(None);
        assert_eq!(made.token_ttl().unwrap(), 900, "the usual one");
        bench.open(DAY);
        let usual = bench.open(None);
        bench.signer(&usual, DAY).unwrap().sign(&Claims::new()).unwrap();
        refused(bench.signer(&usual, DAY + 1), ErrorKind::InvalidConfiguration, "longer");
        let own = bench.open(60);
        refused(bench.signer(&own, 61), ErrorKind::InvalidConfiguration, "its own is less");
        assert_eq!(own.longest_ttl().unwrap(), Some(60));
    }
    // Looking at a ring for short tokens tells it nothing; signing with the usual life does.
    let bench = Bench::of(Arc::new(MemoryStore::new()));
    let (short, usual) = (bench.open(60), bench.open(None));
    usual.rotate().unwrap();
    usual.keys().unwrap();
    assert_eq!(short.token_ttl().unwrap(), 60);
    bench.signer(&usual, 900).unwrap();
    short.refresh().unwrap();
    assert_eq!(short.token_ttl().unwrap(), 900);
}

#[test]
fn of_many_that_open_and_rotate_at_once_the_longest_life_stays() {
    let (_folder, benches) = benches("at_once");
    for bench in benches {
        let first = bench.open(1);
        std::thread::scope(|scope| {
            for seconds in [DAY, 2 * DAY, 3 * DAY, 4 * DAY] {
                let bench = &bench;
                scope.spawn(move || {
                    let ring = bench.open(seconds);
                    ring.rotate().unwrap();
                    let told = ring.keys().unwrap().into_iter().find_map(|key| key.until);
                    assert!(told.is_some_and(|until| until >= NOW + seconds + 600));
                });
            }
        });
        first.rotate().unwrap();
        assert_eq!(first.token_ttl().unwrap(), 4 * DAY);
        let untils = retired_until(&first);
        assert_eq!((untils.len(), untils.iter().max()), (5, Some(&(NOW + 4 * DAY + 600))));
    }
}

/// A store that can be put back to what it was, and made read-only.
#[derive(Default)]
struct PutBack {
    /// The ring, and how often it was put back.
    kept: Mutex<(Option<StoredRing>, u64)>,
    read_only: AtomicBool,
}

impl PutBack {
    fn copy(&self) -> StoredRing {
        self.kept.lock().unwrap().0.clone().unwrap()
    }

    fn put_back(&self, ring: StoredRing) {
        let mut kept = self.kept.lock().unwrap();
        *kept = (Some(ring), kept.1 + 1);
    }
}

impl KeyRingStore for PutBack {
    fn key_ring(&self, _: &str) -> Result<Option<StoredRing>, Error> {
        Ok(self.kept.lock().unwrap().0.clone())
    }

    fn key_ring_version(&self, _: &str) -> Result<u64, Error> {
        let (ring, times) = &*self.kept.lock().unwrap();
        Ok(ring.as_ref().map_or(0, |ring| ring.version | times << 48))
    }

    fn put_key_ring(&self, ring: &StoredRing) -> Result<(), Error> {
        if self.read_only.load(Ordering::SeqCst) {
            return Err(ErrorKind::StoreReadOnly.into());
        }
        let mut kept = self.kept.lock().unwrap();
        if kept.0.as_ref().map_or(0, |old| old.version) + 1 != ring.version {
            return Err(ErrorKind::StoreConflict.into());
        }
        kept.0 = Some(ring.clone());
        Ok(())
    }
}

#[test]
fn a_ring_from_a_backup_is_told_again_before_anything_is_signed() {
    let store = Arc::new(PutBack::default());
    let bench = Bench::of(store.clone());
    bench.open(900);
    let backup = store.copy();
    let service = bench.open(DAY);
    let signer = bench.signer(&service, DAY).unwrap();
    let sign = |signer: &Signer| signer.sign(&Claims::new());
    sign(&signer).unwrap();
    store.put_back(backup.clone());
    assert_eq!(bench.open(None).token_ttl().unwrap(), 900, "as the backup says");
    bench.clock.advance(1);
    let token = sign(&signer).unwrap();
    let other = bench.open(None);
    other.rotate().unwrap();
    assert_eq!(retired_until(&other), [NOW + 1 + DAY + 600]);
    bench.clock.advance(DAY - 1);
    bench.verify(&other, &token).unwrap();
    // Where it cannot be told, such tokens are not signed.
    store.put_back(backup);
    store.read_only.store(true, Ordering::SeqCst);
    bench.clock.advance(1);
    let error = refused(sign(&signer), ErrorKind::InvalidConfiguration, "the key may go before");
    assert_eq!(error.claim(), Some("ttl"));
    store.read_only.store(false, Ordering::SeqCst);
    sign(&signer).unwrap();
}

#[test]
fn who_cannot_write_signs_and_verifies_by_what_the_ring_remembers() {
    let store = Arc::new(PutBack::default());
    let bench = Bench::of(store.clone());
    let token = bench.signer(&bench.open(900), 900).unwrap().sign(&Claims::new()).unwrap();
    store.read_only.store(true, Ordering::SeqCst);
    let reader = bench.open(DAY);
    assert_eq!(reader.token_ttl().unwrap(), 900);
    bench.verify(&reader, &token).unwrap();
    let error = refused(bench.signer(&reader, DAY), ErrorKind::InvalidConfiguration, "too long");
    assert_eq!(error.claim(), Some("ttl"));
    let signer = bench.signer(&reader, 900).unwrap();
    let until = |exp: u64| Claims::new().issued_at(NOW as i64).expires_at(exp as i64);
    signer.sign(&until(NOW + 900)).unwrap();
    refused(signer.sign(&until(NOW + 901)), ErrorKind::InvalidArgument, "a date of its own");
}

#[test]
fn a_life_that_was_altered_is_refused() {
    let folder = Folder::new("altered_life");
    let path = folder.path("rings");
    let open = || Bench::of(Arc::new(RingFolder::open(&path).unwrap())).try_open(None);
    Bench::of(Arc::new(RingFolder::open(&path).unwrap())).open(DAY);
    let file = path.join("default.1.ring");
    let text = std::fs::read_to_string(&file).unwrap();
    let said = format!("\"token_ttl\":{DAY},");
    assert_eq!(text.matches(&said).count(), 1);
    for altered in ["0", "-1", "1.5", "null", "\"900\"", "31622401", "1e400"] {
        let altered = format!("\"token_ttl\":{altered},");
        std::fs::write(&file, text.replace(&said, &altered)).unwrap();
        refused(open(), ErrorKind::StoreCorrupt, &altered);
    }
    // A ring of before this was remembered.
    std::fs::write(&file, text.replace(&said, "")).unwrap();
    assert_eq!(open().unwrap().token_ttl().unwrap(), 900);
    // In a store it is sealed with the keys.
    let store = Arc::new(MemoryStore::new());
    Bench::of(store.clone()).open(DAY);
    let sealed = store.key_ring("default").unwrap().unwrap().text;
    assert!(!sealed.windows(9).any(|bytes| bytes == b"token_ttl"), "not in the open");
}

/// A date in the future brings a token no longer life; sessions date their tokens by their own clock.
#[test]
fn a_token_that_is_dated_ahead_does_not_outlive_its_key() {
    let (_folder, benches) = benches("ahead");
    for bench in benches {
        let ring = bench.open(900);
        for signer in [bench.signer(&ring, 900).unwrap(), bench.signer(&ring, 60).unwrap()] {
            let dated = |iat: u64, exp: u64| {
                let claims = Claims::new().issued_at(iat as i64).expires_at(exp as i64);
                signer.prepare(&claims).map(drop).and_then(|()| signer.sign(&claims).map(drop))
            };
            dated(NOW + 600, NOW + 1500).unwrap();
            dated(NOW - 5000, NOW + 900).unwrap();
            dated(NOW + 3 * 366 * DAY, NOW + 1500).unwrap();
            for (iat, exp) in [
                (NOW + 601, NOW + 1501),
                (NOW + 3 * 366 * DAY, NOW + 3 * 366 * DAY + 900),
                (NOW - 5000, NOW + 901),
            ] {
                let error =
                    refused(dated(iat, exp), ErrorKind::InvalidArgument, "it outlives its key");
                assert_eq!(error.claim(), Some("exp"), "{iat} {exp}");
            }
        }
        // The signer has the system's clock, the sessions that of the ring.
        let signer = Signer::following(Arc::new(ring.clone())).ttl(900).build().unwrap();
        let clock = Arc::new(FixedClock::new(NOW + 3 * 366 * DAY));
        let options = SessionOptions::new().clock(clock);
        let store = Arc::new(MemoryStore::new());
        let sessions = Sessions::open(store, peppers(&[1]), Some(&signer), options).unwrap();
        let tokens = sessions.start("alice", &SessionSpec::default()).unwrap();
        sessions.refresh(tokens.refresh_token.expose(), None).unwrap();
    }
}
