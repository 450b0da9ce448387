//! Keys that rotate: signers and verifiers follow, other processes too; what has leaked is out at once.

use super::marks::copy_of_rings;
use crate::apikey::Folder;
use crate::lost::Lost;
use crate::session::{NOW, peppers, refused};
use gatekey::clock::FixedClock;
use gatekey::jwk::KeySource as _;
use gatekey::keyring::{KeyRingOptions, RingKeyState};
use gatekey::store::{KeyRingStore, MemoryStore, RingFolder};
use gatekey::{Alg, Claims, ErrorKind, KeyRing, KeySet, Policy, Signer, ToJson as _, Verifier};
use std::sync::Arc;

struct Bench {
    ring: KeyRing,
    signer: Signer,
    verifier: Verifier,
    clock: Arc<FixedClock>,
    store: Arc<dyn KeyRingStore>,
}

fn bench_of(alg: Alg, store: Arc<dyn KeyRingStore>) -> Bench {
    let clock = Arc::new(FixedClock::new(NOW));
    let options = KeyRingOptions::new().alg(alg).clock(clock.clone());
    let ring = KeyRing::open(store.clone(), Some(peppers(&[1])), options).unwrap();
    let signer = Signer::following(Arc::new(ring.clone())).clock(clock.clone()).build().unwrap();
    let policy = Policy::new().clock(clock.clone());
    let verifier = Verifier::following(Arc::new(ring.clone()), policy).unwrap();
    Bench { ring, signer, verifier, clock, store }
}

fn bench() -> Bench {
    bench_of(Alg::EdDsa, Arc::new(MemoryStore::new()))
}

impl Bench {
    fn sign(&self) -> String {
        self.signer.sign(&Claims::new().subject("alice")).unwrap()
    }

    fn kid(&self, token: &str) -> Result<String, gatekey::Error> {
        self.verifier.verify(token).map(|verified| verified.key_id().to_owned())
    }

    fn states(&self) -> Vec<&'static str> {
        self.ring.keys().unwrap().iter().map(|key| key.state.name()).collect()
    }

    fn elsewhere(&self) -> KeyRing {
        let options = KeyRingOptions::new().alg(Alg::EdDsa).clock(self.clock.clone());
        KeyRing::open(Arc::clone(&self.store), Some(peppers(&[1])), options).unwrap()
    }
}

#[test]
fn a_rotation_is_followed_without_a_restart() {
    for alg in [Alg::Hs256, Alg::Es256, Alg::EdDsa, Alg::MlDsa44] {
        let bench = bench_of(alg, Arc::new(MemoryStore::new()));
        assert_eq!(bench.states(), ["next", "active"]);
        let [next, active] = &bench.ring.keys().unwrap()[..] else { panic!("two keys") };
        let (next, active) = (next.kid.clone(), active.kid.clone());
        let before = bench.sign();
        assert_eq!(bench.kid(&before).unwrap(), active);
        bench.clock.advance(100);
        let shown = bench.ring.rotate().unwrap();
        assert_eq!((shown.kid.as_str(), shown.state), (&*next, RingKeyState::Active));
        assert_eq!(shown.active_at, Some(NOW + 100));
        let after = bench.sign();
        assert_eq!(bench.kid(&after).unwrap(), next, "{alg:?}: what was published before it signs");
        assert_eq!(bench.kid(&before).unwrap(), active, "its tokens are still good");
        assert_eq!(bench.states(), ["next", "active", "retired"]);
        assert_eq!(bench.signer.key().kid(), next);
        // As long as the last token of the retired key may be accepted, with the largest leeway.
        let retired = bench.ring.keys().unwrap().pop().unwrap();
        assert_eq!((retired.kid.as_str(), retired.until), (&*active, Some(NOW + 100 + 900 + 600)));
        bench.clock.set(NOW + 100 + 1499);
        assert_eq!(bench.states(), ["next", "active", "retired"]);
        bench.clock.advance(1);
        assert_eq!(bench.states(), ["next", "active"]);
        refused(bench.kid(&before), ErrorKind::KeyNotFound, "the key is forgotten");
    }
}

#[test]
fn one_wrong_reading_of_the_clock_loses_no_key() {
    let bench = bench();
    let token = bench.sign();
    bench.ring.rotate().unwrap();
    assert_eq!(bench.states(), ["next", "active", "retired"]);
    bench.clock.set(NOW + 40 * crate::session::DAY);
    assert_eq!(bench.states(), ["next", "active"], "by that clock its tokens have expired");
    bench.clock.set(NOW + 1);
    assert!(bench.kid(&token).is_ok(), "{:?}", bench.kid(&token));
    assert_eq!(bench.states(), ["next", "active", "retired"]);
    bench.clock.set(u64::MAX);
    refused(bench.ring.rotate(), ErrorKind::InvalidConfiguration, "no time at all");
    refused(bench.ring.refresh(), ErrorKind::InvalidConfiguration, "no time at all");
    bench.clock.set(NOW + 2);
    assert!(bench.kid(&token).is_ok());
}

#[test]
fn what_is_published_is_enough_to_verify() {
    let bench = bench();
    let published = |ring: &KeyRing| KeySet::from_jwks(ring.to_jwks().unwrap().as_bytes()).unwrap();
    let early = published(&bench.ring);
    assert_eq!(early.len(), 2);
    bench.ring.rotate().unwrap();
    let token = bench.sign();
    let policy = || Policy::new().clock(bench.clock.clone());
    // Whoever has not fetched the set since knows the key already.
    assert!(Verifier::new(&early, policy()).unwrap().verify(&token).is_ok());
    let late = published(&bench.ring);
    assert_eq!(late.len(), 3);
    assert!(late.iter().all(|key| !key.is_private()));
    assert!(!bench.ring.to_jwks().unwrap().contains("\"d\""));
    let symmetric = bench_of(Alg::Hs256, Arc::new(MemoryStore::new()));
    refused(symmetric.ring.to_jwks(), ErrorKind::KeyUsage, "a secret is not published");
}

#[test]
fn a_key_that_has_leaked_is_out_at_once() {
    let bench = bench();
    let token = bench.sign();
    let active = bench.kid(&token).unwrap();
    bench.ring.remove(&active).unwrap();
    refused(bench.kid(&token), ErrorKind::KeyNotFound, "out");
    assert_eq!(
        bench.states(),
        ["next", "active"],
        "the next one signs, and there is a new next one"
    );
    assert!(bench.kid(&bench.sign()).is_ok());
    let next = bench.ring.keys().unwrap()[0].kid.clone();
    bench.ring.remove(&next).unwrap();
    assert_eq!(bench.states(), ["next", "active"]);
    assert_ne!(bench.ring.keys().unwrap()[0].kid, next);
    refused(bench.ring.remove(&active), ErrorKind::RingKeyNotFound, "it is not there any more");
}

#[test]
fn another_process_follows() {
    let bench = bench();
    let other = bench.elsewhere();
    assert_eq!(other.keys().unwrap(), bench.ring.keys().unwrap(), "one ring, made once");
    let before = other.generation().unwrap();
    other.rotate().unwrap();
    assert_ne!(other.generation().unwrap(), before);
    bench.clock.advance(1); // more than the 25 ms between two looks
    assert_eq!(bench.ring.keys().unwrap(), other.keys().unwrap());
    let token = bench.sign();
    assert_eq!(bench.kid(&token).unwrap(), other.active().unwrap().kid);
    // Two at the same time: both happen, one after the other.
    std::thread::scope(|scope| {
        for ring in [&bench.ring, &other] {
            scope.spawn(move || (0..5).for_each(|_| drop(ring.rotate().unwrap())));
        }
    });
    bench.ring.refresh().unwrap();
    assert_eq!(bench.ring.keys().unwrap().len(), 2 + 11);
}

#[test]
fn a_ring_has_its_limits() {
    let bench = bench();
    let most = (0..100).take_while(|_| bench.ring.rotate().is_ok()).count();
    assert_eq!(most, 62, "64 keys");
    refused(bench.ring.rotate(), ErrorKind::InvalidConfiguration, "one more");
    assert!(bench.kid(&bench.sign()).is_ok(), "and nothing has changed");
    bench.clock.advance(1500);
    assert!(bench.ring.rotate().is_ok());
    let options = KeyRingOptions::new().alg(Alg::Hs256).clock(bench.clock.clone());
    let mixed = KeyRing::open(bench.store.clone(), Some(peppers(&[1])), options).unwrap();
    refused(mixed.rotate(), ErrorKind::MixedKeySet, "a symmetric one beside the others");
    for options in [
        KeyRingOptions::new().name(""),
        KeyRingOptions::new().name("../x"),
        KeyRingOptions::new().name("x".repeat(65)),
        KeyRingOptions::new().token_ttl(0),
        KeyRingOptions::new().token_ttl(KeyRingOptions::MAX_TOKEN_TTL + 1),
        KeyRingOptions::new().max_stale(86_401),
    ] {
        let store = Arc::new(MemoryStore::new());
        let opened = KeyRing::open(store, Some(peppers(&[1])), options);
        refused(opened, ErrorKind::InvalidArgument, "options");
    }
}

#[test]
fn a_ring_in_a_store_is_sealed() {
    let bench = bench();
    let open = |store: Arc<dyn KeyRingStore>, peppers| {
        KeyRing::open(store, peppers, KeyRingOptions::new().clock(bench.clock.clone()))
    };
    refused(open(bench.store.clone(), None), ErrorKind::InvalidArgument, "no peppers");
    refused(open(bench.store.clone(), Some(peppers(&[2]))), ErrorKind::WrongPepper, "another one");
    let newer = open(bench.store.clone(), Some(peppers(&[1, 2]))).unwrap();
    newer.rotate().unwrap();
    let now_only = open(bench.store.clone(), Some(peppers(&[2]))).unwrap();
    assert_eq!(now_only.keys().unwrap(), newer.keys().unwrap(), "sealed anew with each change");

    // Altered, exchanged or put back: refused, and what is known goes on for nobody.
    let ring = bench.store.key_ring("default").unwrap().unwrap();
    type Alter<'a> = &'a dyn Fn(&mut gatekey::store::StoredRing);
    let copies: [(&str, Alter<'_>); 4] = [
        ("altered", &|ring| ring.text[20] ^= 1),
        ("cut", &|ring| ring.text.truncate(30)),
        ("of another version", &|_| ()),
        ("in clear", &|ring| (ring.pepper, ring.text) = (0, br#"{"keys":[]}"#.to_vec())),
    ];
    for (what, alter) in copies {
        let mut copy = ring.clone();
        copy.version = bench.store.key_ring_version("default").unwrap() + 1;
        alter(&mut copy);
        bench.store.put_key_ring(&copy).unwrap();
        let opened = open(bench.store.clone(), Some(peppers(&[1, 2])));
        refused(opened, ErrorKind::StoreCorrupt, what);
        bench.clock.advance(1);
        refused(newer.generation(), ErrorKind::StoreCorrupt, what);
        refused(newer.rotate(), ErrorKind::StoreCorrupt, what);
    }
}

#[test]
fn a_ring_that_is_lost_neither_signs_nor_verifies_after_a_while() {
    let (store, clock) = (Arc::new(Lost::default()), Arc::new(FixedClock::new(NOW)));
    let options = KeyRingOptions::new().clock(clock.clone()).max_stale(5);
    let ring = KeyRing::open(store.clone(), Some(peppers(&[1])), options).unwrap();
    let signer = Signer::following(Arc::new(ring.clone())).clock(clock.clone()).build().unwrap();
    let policy = Policy::new().clock(clock.clone());
    let verifier = Verifier::following(Arc::new(ring.clone()), policy).unwrap();
    let token = signer.sign(&Claims::new()).unwrap();
    store.set(true);
    clock.advance(5);
    assert!(verifier.verify(&token).is_ok() && signer.sign(&Claims::new()).is_ok());
    clock.advance(1);
    refused(verifier.verify(&token), ErrorKind::StoreUnavailable, "a key may have been removed");
    refused(signer.sign(&Claims::new()), ErrorKind::StoreUnavailable, "or rotated");
    refused(ring.keys(), ErrorKind::StoreUnavailable, "unknown");
    refused(ring.rotate(), ErrorKind::StoreUnavailable, "impossible");
    store.set(false);
    assert!(verifier.verify(&token).is_ok() && signer.sign(&Claims::new()).is_ok());
}

#[test]
fn a_ring_in_a_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("ring_in_folder");
    let path = folder.path("keys");
    let open = || {
        let folder = Arc::new(RingFolder::open(&path)?);
        KeyRing::open(folder, None, KeyRingOptions::new())
    };
    let ring = open().unwrap();
    ring.rotate().unwrap();
    assert_eq!(open().unwrap().keys().unwrap(), ring.keys().unwrap());
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut files: Vec<_> =
        std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "one version, the folder's id, and nothing half written: {files:?}");
    assert_eq!((mode(&path), mode(&files[0])), (0o700, 0o600));
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&files[0], 0o640);
    refused(open(), ErrorKind::InvalidConfiguration, "a file that others may read");
    set(&files[0], 0o600);
    set(&path, 0o750);
    refused(open(), ErrorKind::InvalidConfiguration, "a folder that others may read");
    set(&path, 0o700);
    std::fs::write(&files[0], "0\n{\"keys\":[]}").unwrap();
    refused(open(), ErrorKind::StoreCorrupt, "no active key");
    std::fs::write(&files[0], "").unwrap();
    refused(open(), ErrorKind::StoreCorrupt, "empty");
    let file = folder.path("file");
    std::fs::write(&file, "").unwrap();
    refused(RingFolder::open(&file), ErrorKind::InvalidArgument, "a file in its place");
    let nowhere = RingFolder::open(folder.path("a/b/c"));
    refused(nowhere, ErrorKind::StoreUnavailable, "no folder to make it in");
}

#[test]
fn nothing_shows_a_key() {
    let bench = bench();
    let stored = bench.store.key_ring("default").unwrap().unwrap();
    let shown = [
        format!("{:?}", bench.ring),
        format!("{stored:?} {:?}", KeyRingOptions::new()),
        bench.ring.keys().unwrap().to_json(),
    ];
    let secret = bench.signer.key().to_private_jwk().unwrap();
    let jwk: serde_json::Value = serde_json::from_str(secret.expose_str()).unwrap();
    for shown in shown {
        assert!(!shown.contains(jwk["d"].as_str().unwrap()), "{shown}");
    }
    assert!(bench.ring.keys().unwrap().to_json().contains(r#""state":"next""#));
}

/// An older folder that is put back under a ring that is in use: a key that was removed stays removed.
#[test]
fn an_older_folder_revives_no_key_while_it_is_open() {
    for by_name in [false, true] {
        let folder = Folder::new("older_ring");
        let (path, kept) = (folder.path("ring"), folder.path("kept"));
        let clock = Arc::new(FixedClock::new(NOW));
        let options = KeyRingOptions::new().alg(Alg::EdDsa).clock(clock.clone()).max_stale(30);
        let store = Arc::new(RingFolder::open(&path).unwrap());
        let ring = KeyRing::open(store.clone(), None, options).unwrap();
        let policy = Policy::new().clock(clock.clone());
        let verifier = Verifier::following(Arc::new(ring.clone()), policy).unwrap();
        let signer =
            Signer::following(Arc::new(ring.clone())).clock(clock.clone()).build().unwrap();
        let (leaked, token) = (ring.active().unwrap().kid, signer.sign(&Claims::new()).unwrap());
        copy_of_rings(&path, &kept);
        ring.remove(&leaked).unwrap();
        if by_name {
            std::fs::rename(&path, folder.path("aside")).unwrap();
            std::fs::rename(&kept, &path).unwrap();
        } else {
            copy_of_rings(&kept, &path);
        }
        clock.advance(1);
        refused(ring.refresh(), ErrorKind::StoreRestored, "a look");
        refused(ring.rotate().map(drop), ErrorKind::StoreRestored, "a change");
        refused(store.key_ring("default").map(drop), ErrorKind::StoreRestored, "what is there");
        refused(verifier.verify(&token).map(drop), ErrorKind::KeyNotFound, "a removed key");
        clock.advance(31);
        refused(
            verifier.verify(&token).map(drop),
            ErrorKind::StoreRestored,
            "after max_stale: why",
        );
    }
}

#[test]
fn no_token_outlives_the_key_that_it_needs() {
    let ring = |seconds| {
        let options = KeyRingOptions::new().token_ttl(seconds);
        Arc::new(KeyRing::open(Arc::new(MemoryStore::new()), Some(peppers(&[1])), options).unwrap())
    };
    for (token_ttl, ttl, fits) in [(900, 900, true), (900, 901, false), (3600, 901, true)] {
        let made = Signer::following(ring(token_ttl)).ttl(ttl).build();
        let error = made.map(drop).err();
        assert_eq!(error.is_none(), fits, "{token_ttl} {ttl}");
        let told = error.map(|error| (error.kind(), error.claim().map(str::to_owned)));
        assert!(fits || told == Some((ErrorKind::InvalidConfiguration, Some("ttl".to_owned()))));
    }
    // Keys that stay have no such end.
    let key = crate::fixtures::key(Alg::Es256).clone();
    let set = Arc::new(KeySet::new([key]).unwrap());
    assert!(Signer::following(set).ttl(86_400).build().is_ok());
}

/// A token that brings its own `exp` is held against the time for which its key is kept, too.
#[test]
fn no_expiry_of_its_own_outlives_the_key_either() {
    let clock = Arc::new(FixedClock::new(NOW));
    let options = KeyRingOptions::new().token_ttl(900).clock(clock.clone());
    let ring = KeyRing::open(Arc::new(MemoryStore::new()), Some(peppers(&[1])), options).unwrap();
    let following = || Signer::following(Arc::new(ring.clone()));
    for builder in [following().ttl(60), following().no_ttl()] {
        let signer = builder.clock(clock.clone()).build().unwrap();
        let own = |exp: u64| Claims::new().issued_at(1).expires_at(exp as i64);
        signer.sign(&own(NOW + 900)).unwrap();
        for exp in [NOW + 901, NOW + 10_000_000] {
            let error = signer.sign(&own(exp)).unwrap_err();
            assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidArgument, Some("exp")));
            assert_eq!(signer.prepare(&own(exp)).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }
    let forever = following().no_ttl().allow_missing_exp().build().unwrap_err();
    assert_eq!(
        (forever.kind(), forever.claim()),
        (ErrorKind::InvalidConfiguration, Some("allow_missing_exp"))
    );
    // One key that stays has no such end.
    let key = crate::fixtures::key(Alg::Es256).clone();
    let signer = Signer::following(Arc::new(KeySet::new([key]).unwrap())).no_ttl().build().unwrap();
    signer.sign(&Claims::new().expires_at(253_402_300_799)).unwrap();
}
