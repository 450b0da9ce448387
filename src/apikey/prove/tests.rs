//! Slow hashes are counted, not timed: one for each text that has to be told from the right one.

use super::super::{ApiKeyOptions, ApiKeys, Check, ImportRow, ImportScheme, KeySpec, KeyUpdate};
use crate::base::secret::Secret;
use crate::error::ErrorKind;
use crate::pepper::Peppers;
use crate::store::{Database, MemoryStore};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

const KEY: &str = "abcd1234.SecretPartOfTheLegacyKey42";
/// Made with Python's bcrypt, argon2-cffi, hashlib and Django: of the whole key, the last of what
/// follows its look-up.
const HASHES: [(ImportScheme, &str, usize); 5] = [
    (ImportScheme::Bcrypt, "$2b$04$abcdefghijklmnopqrstuuQiPmdsxUh1zEvgyI4K1CmfhVBzUiUNO", 1),
    (
        ImportScheme::Bcrypt,
        "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuSMXYS/R5H8IEKGjLhAX1potFBlK.VYy",
        1,
    ),
    (
        ImportScheme::Argon2,
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$F3v0QQ1hm5nTVXm9H7P06AoPZm0+Q0S0yojN5JYXXXk",
        1,
    ),
    (
        ImportScheme::Pbkdf2Sha256,
        "pbkdf2_sha256$1000$saltysalt$hjFyShNx1iB9eVHvsjpmbH/g7OPcRdWKNNQbvjdoUr8=",
        1,
    ),
    (
        ImportScheme::Pbkdf2Sha256,
        "pbkdf2_sha256$1000$saltysalt$ekPrauinQJCfDoxnA1mJtJvjGi0FNqq2oeSichR+538=",
        2,
    ),
];

struct Bench {
    keys: ApiKeys,
    id: String,
    /// How many hashes it takes to prove the right text.
    few: usize,
}

fn on(store: Arc<dyn Database>, (scheme, hash, few): (ImportScheme, &str, usize)) -> Bench {
    // Of its own, or the tests would be served by each other's hashes.
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let peppers = Peppers::new(&[(1, Secret::new(number.repeat(4)))]).unwrap();
    let keys = ApiKeys::open(store, peppers, ApiKeyOptions::new()).unwrap();
    let row = ImportRow {
        spec: KeySpec::new("acme"),
        credential: Secret::new(hash.into()),
        lookup: Some("abcd1234".to_owned()),
    };
    let mut ids = keys.import(scheme, &[row]).unwrap().ids;
    keys.refresh().unwrap(); // a look at the feed in the middle of a proof would have it done once more
    Bench { keys, id: ids.remove(0), few }
}

impl Bench {
    /// How many hashes were computed since the last call.
    fn computed(&self) -> usize {
        self.keys.inner.computed.swap(0, Ordering::SeqCst)
    }

    fn good(&self) {
        self.keys.verify(KEY, &Check::new()).unwrap();
    }

    fn bad(&self, text: &str) {
        let error = self.keys.verify(text, &Check::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadApiKeySecret, "{text}");
    }
}

/// A store, and the folder that goes with it.
type Kept = (Arc<dyn Database>, Option<Temporary>);

struct Temporary(std::path::PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(feature = "sqlite")]
fn sqlite() -> Option<Kept> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("gatekey-prove-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let store = crate::store::SqliteStore::open(path.join("a.sqlite")).unwrap();
    Some((Arc::new(store), Some(Temporary(path))))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite() -> Option<Kept> {
    None
}

fn stores() -> impl Iterator<Item = Kept> {
    let memory: Kept = (Arc::new(MemoryStore::new()), None);
    std::iter::once(memory).chain(sqlite())
}

#[test]
fn one_hash_serves_every_call_until_the_row_changes() {
    for hash in HASHES {
        for (store, _folder) in stores() {
            let bench = on(store, hash);
            for _ in 0..6 {
                bench.good();
            }
            bench.keys.inner.reload().unwrap();
            bench.good();
            assert_eq!(bench.computed(), bench.few, "{hash:?}: the first call only");
            // What is right is known, so that what is wrong is, too.
            for n in 0..6 {
                bench.bad(&format!("abcd1234.Wrong{n}"));
            }
            bench.bad("abcd1234.SecretPartOfTheLegacyKey4");
            assert_eq!(bench.computed(), 0, "{hash:?}");
            let named = KeyUpdate { name: Some("n".to_owned()), ..KeyUpdate::default() };
            bench.keys.update(&bench.id, &named).unwrap();
            bench.good();
            assert_eq!(bench.computed(), bench.few, "{hash:?}: the row has changed");
            // What was noted is written although the row has changed: the proof has not.
            bench.keys.flush().unwrap();
            bench.good();
            bench.bad("abcd1234.Wrong");
            assert_eq!(bench.computed(), 0, "{hash:?}: a fast hash now");
            bench.keys.rotate(&bench.id, 0).unwrap();
            assert!(bench.keys.verify(KEY, &Check::new()).is_err(), "{hash:?}: rotated");
        }
    }
}

#[test]
fn what_was_proved_ends_with_its_key() {
    for hash in HASHES {
        let bench = on(Arc::new(MemoryStore::new()), hash);
        bench.good();
        bench.keys.revoke(&bench.id, "").unwrap();
        let error = bench.keys.verify(KEY, &Check::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ApiKeyRevoked);
        let bench = on(Arc::new(MemoryStore::new()), hash);
        bench.good();
        bench.keys.rotate(&bench.id, 0).unwrap();
        assert!(bench.keys.verify(KEY, &Check::new()).is_err());
    }
}

/// Threads that begin together.
fn together(bench: &Bench, texts: &[&str]) -> Vec<bool> {
    let start = Barrier::new(texts.len());
    std::thread::scope(|scope| {
        let verify = |text: &str| {
            start.wait();
            bench.keys.verify(text, &Check::new()).is_ok()
        };
        let threads: Vec<_> =
            texts.iter().copied().map(|text| scope.spawn(move || verify(text))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn callers_that_meet_wait_for_one_hash() {
    for hash in HASHES {
        for (store, _folder) in stores() {
            let bench = on(store, hash);
            assert_eq!(together(&bench, &[KEY; 8]), [true; 8]);
            assert_eq!(bench.computed(), bench.few, "{hash:?}");
        }
    }
}

/// A wrong text has a hash of its own, and is served by no other text's.
#[test]
fn a_wrong_text_is_not_served_by_the_right_one() {
    const WRONG: &str = "abcd1234.Wrong";
    for hash in HASHES {
        let bench = on(Arc::new(MemoryStore::new()), hash);
        let texts = [WRONG, KEY, WRONG, KEY, "abcd1234.Other", KEY];
        assert_eq!(together(&bench, &texts), [false, true, false, true, false, true]);
        assert!(bench.computed() <= 6 * 2, "{hash:?}");
        // Wrong ones alone, before the right one was ever seen: each text once for those that meet.
        let bench = on(Arc::new(MemoryStore::new()), hash);
        for _ in 0..3 {
            bench.bad(WRONG);
        }
        assert_eq!(bench.computed(), 3 * 2, "{hash:?}: nothing is kept of what is wrong");
        bench.good();
        assert_eq!(bench.computed(), bench.few, "{hash:?}");
    }
}
