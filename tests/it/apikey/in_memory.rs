//! `in_memory`: what may be decided while others wait for the thread, and that nothing is taken when memory is
//! not enough.

use super::{Folder, NOW, bench, pepper, refused, text};
use gatekey::apikey::{ApiKeyOptions, Check, CreditSpec, ImportRow, ImportScheme, KeySpec, Rate};
use gatekey::clock::FixedClock;
use gatekey::keyring::KeyRingOptions;
use gatekey::reach::in_memory;
use gatekey::revocations::RevocationOptions;
use gatekey::store::{MemoryStore, RingFolder, SqliteStore, TokenFolder, TokenStore as _};
use gatekey::{
    Alg, ApiKeys, Claims, ErrorKind, Key, KeyRing, Policy, Revocations, Secret, Signer, Verifier,
};
use std::sync::Arc;

const PBKDF2: &str = "pbkdf2_sha256$1000$saltysalt$hjFyShNx1iB9eVHvsjpmbH/g7OPcRdWKNNQbvjdoUr8=";

#[test]
fn a_key_in_memory_is_decided_there_until_it_is_time_for_a_look() {
    let bench = bench();
    let key = text(&bench.create(|spec| spec.rate = Some(Rate { burst: 2, period: 1000 })));
    let verify = || bench.keys.verify(&key, &Check::new());
    verify().unwrap(); // the first one looks
    bench.clock.advance(1);
    assert!(in_memory(verify).is_none());
    // Nothing was taken of the rate, and no use was noted.
    bench.keys.refresh().unwrap();
    assert_eq!(in_memory(verify).unwrap().unwrap().record().uses, 2);
    refused(in_memory(verify).unwrap(), ErrorKind::RateLimited, "the third of two");
    refused(
        in_memory(|| bench.keys.verify("gk_live_x", &Check::new())).unwrap(),
        ErrorKind::MalformedApiKey,
        "a text that is no key",
    );
}

#[test]
fn an_unknown_id_needs_the_store() {
    let (own, other) = (bench(), bench());
    let key = text(&other.create(|_| {}));
    assert!(in_memory(|| own.keys.verify(&key, &Check::new())).is_none());
    refused(own.keys.verify(&key, &Check::new()), ErrorKind::UnknownApiKey, "of another store");
}

#[test]
fn credits_are_spent_in_memory_and_leased_elsewhere() {
    let bench = bench();
    let key = text(&bench.create(|spec| {
        spec.credits = Some(CreditSpec { amount: 128, ..CreditSpec::default() });
        spec.rate = Some(Rate { burst: 3, period: 1000 });
    }));
    let verify = || bench.keys.verify(&key, &Check::new());
    assert!(in_memory(verify).is_none());
    verify().unwrap(); // leases two
    assert!(in_memory(verify).unwrap().is_ok());
    assert!(in_memory(verify).is_none());
    // Two of three of the rate, so the one that went nowhere took nothing.
    verify().unwrap();
    refused(verify(), ErrorKind::RateLimited, "the fourth of three");
}

#[test]
fn slow_hashes_are_not_computed_and_fast_ones_are() {
    let bench = bench();
    let row = |credential: &str, lookup: Option<&str>| ImportRow {
        credential: Secret::from(credential.to_owned()),
        lookup: lookup.map(str::to_owned),
        spec: KeySpec::new("acme"),
    };
    bench.keys.import(ImportScheme::Plaintext, &[row("legacy-key-1", None)]).unwrap();
    let verify = |key: &str| bench.keys.verify(key, &Check::new());
    verify("legacy-key-1").unwrap();
    assert!(in_memory(|| verify("legacy-key-1")).unwrap().is_ok());
    bench.keys.import(ImportScheme::Pbkdf2Sha256, &[row(PBKDF2, Some("abcd1234"))]).unwrap();
    assert!(in_memory(|| verify("abcd1234.anything-at-all")).is_none());
    refused(verify("abcd1234.anything-at-all"), ErrorKind::BadApiKeySecret, "a wrong secret");
}

#[test]
fn tokens_need_more_when_revocations_or_rings_want_a_look() {
    let clock = Arc::new(FixedClock::new(NOW));
    let (store, peppers) = (Arc::new(MemoryStore::new()), pepper(&[1]));
    let options = KeyRingOptions::new().alg(Alg::Hs256).clock(clock.clone());
    let ring = Arc::new(KeyRing::open(store.clone(), Some(peppers), options).unwrap());
    let signer = Signer::following(ring.clone()).clock(clock.clone()).build().unwrap();
    let list = Revocations::open(store, RevocationOptions::new().clock(clock.clone())).unwrap();
    let policy = Policy::new().clock(clock.clone());
    let revoking = policy.clone().revocations(Arc::new(list.clone()));
    let of_ring = Verifier::following(ring.clone(), policy).unwrap();
    let of_list = Verifier::with_key(&signer.key(), revoking).unwrap();

    let sign = || signer.sign(&Claims::new().subject("alice"));
    let token = in_memory(sign).unwrap().unwrap();
    assert!(in_memory(|| of_ring.verify(&token)).unwrap().is_ok());
    assert!(in_memory(|| of_list.verify(&token)).unwrap().is_ok());
    clock.advance(1);
    assert!(in_memory(sign).is_none());
    assert!(in_memory(|| of_ring.verify(&token)).is_none());
    assert!(in_memory(|| of_list.verify(&token)).is_none());
    ring.refresh().unwrap();
    list.refresh().unwrap();
    assert!(in_memory(sign).is_some());
    assert!(in_memory(|| of_ring.verify(&token)).is_some());
    assert!(in_memory(|| of_list.verify(&token)).unwrap().is_ok());
}

#[test]
fn what_always_needs_a_disk_does_nothing() {
    let folder = Folder::new("in-memory");
    let store = Arc::new(SqliteStore::open(folder.path("keys.sqlite")).unwrap());
    let keys = ApiKeys::open(store, pepper(&[1]), ApiKeyOptions::new()).unwrap();
    let spec = KeySpec::new("acme");
    assert!(in_memory(|| keys.create(&spec)).is_none());
    assert!(in_memory(|| keys.list(&gatekey::apikey::KeyFilter::default())).is_none());
    assert!(
        keys.list(&gatekey::apikey::KeyFilter { limit: 10, ..Default::default() })
            .unwrap()
            .records
            .is_empty()
    );
    assert!(in_memory(|| SqliteStore::open(folder.path("other.sqlite"))).is_none());
    assert!(!folder.path("other.sqlite").exists());

    let tokens = TokenFolder::open(folder.path("tokens")).unwrap();
    let secret = Secret::from("a secret".to_owned());
    assert!(in_memory(|| tokens.save("name", &secret)).is_none());
    assert!(tokens.load("name").unwrap().is_none());
    let rings = Arc::new(RingFolder::open(folder.path("rings")).unwrap());
    assert!(in_memory(|| KeyRing::open(rings.clone(), None, KeyRingOptions::new())).is_none());
    let files = std::fs::read_dir(folder.path("rings")).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["folder.id"], "no ring, and nothing half written");
}

#[test]
fn keys_alone_are_always_enough() {
    let key = Key::generate(Alg::Hs256).unwrap();
    let token = Signer::builder(&key).build().unwrap().sign(&Claims::new()).unwrap();
    let verifier = Verifier::with_key(&key, Policy::new()).unwrap();
    assert!(in_memory(|| verifier.verify(&token)).unwrap().is_ok());
}
