//! A proof is made again under the active pepper as its key is used: only the proof that was proved, only in the row
//! that it was proved by, and for exactly the texts that were good before.

use super::{Bench, bench, pepper, refused, text};
use gatekey::apikey::{ApiKeyOptions, Check, ImportRow, ImportScheme, KeySpec};
use gatekey::store::{Database, Loaded, MemoryStore, StoredKey};
use gatekey::{ApiKeys, ErrorKind, Secret};
use std::sync::Arc;

fn is_good(keys: &ApiKeys, text: impl AsRef<[u8]>) -> bool {
    keys.verify(text, &Check::new()).is_ok()
}

fn stored(bench: &Bench) -> StoredKey {
    let mut found = None;
    let visit = &mut |loaded| {
        if let Loaded::Key(key) = loaded {
            found = Some(*key);
        }
    };
    bench.store.load_api_keys(visit).unwrap();
    found.unwrap()
}

/// Whether the pepper was added or all was wrapped.
const PATHS: [bool; 2] = [false, true];

#[test]
fn the_secret_before_a_rotation_never_becomes_the_only_one() {
    for wrapped in PATHS {
        let bench = bench();
        let old = bench.create(|_| ());
        let new = bench.keys.rotate(&old.record.id, 3600).unwrap();
        let keys = bench.reopen(&[1, 2]).unwrap();
        if wrapped {
            keys.wrap_peppers().unwrap();
        }
        for _ in 0..2 {
            assert!(is_good(&keys, text(&old)), "wrapped: {wrapped}");
            keys.flush().unwrap();
        }
        assert!(is_good(&keys, text(&new)), "the owner is not locked out; wrapped: {wrapped}");
        keys.flush().unwrap();
        assert!(is_good(&keys, text(&old)) && is_good(&keys, text(&new)), "wrapped: {wrapped}");
        assert_eq!(stored(&bench).proof.peppers, [2], "the new one's was made anew");
        bench.clock.advance(3600);
        for keys in [keys, bench.reopen(&[1, 2]).unwrap()] {
            refused(
                keys.verify(text(&old), &Check::new()),
                ErrorKind::BadApiKeySecret,
                "after the overlap",
            );
            assert!(is_good(&keys, text(&new)));
        }
    }
}

/// Between the note and the flush the key is rotated, or another process has made the proof again.
#[test]
fn a_proof_replaces_only_the_one_that_was_proved() {
    let bench = bench();
    let first = bench.create(|_| ());
    let keys = bench.reopen(&[1, 2]).unwrap();
    let other = bench.reopen(&[1, 2]).unwrap();
    assert!(is_good(&keys, text(&first)), "noted");
    let second = other.rotate(&first.record.id, 60).unwrap();
    keys.flush().unwrap();
    assert!(is_good(&keys, text(&second)) && is_good(&keys, text(&first)));
    let third = other.rotate(&first.record.id, 0).unwrap();
    keys.flush().unwrap();
    assert!(is_good(&keys, text(&third)) && !is_good(&keys, text(&first)));
    // Two at once, and one that was revoked meanwhile.
    let bench = super::bench();
    let key = bench.create(|_| ());
    let (keys, other) = (bench.reopen(&[1, 2]).unwrap(), bench.reopen(&[1, 2]).unwrap());
    assert!(is_good(&keys, text(&key)) && is_good(&other, text(&key)));
    bench
        .keys
        .update(
            &key.record.id,
            &gatekey::apikey::KeyUpdate { name: Some("n".into()), ..Default::default() },
        )
        .unwrap();
    bench.keys.revoke(&key.record.id, "").unwrap();
    keys.flush().unwrap();
    other.flush().unwrap();
    for keys in [&keys, &other] {
        refused(keys.verify(text(&key), &Check::new()), ErrorKind::ApiKeyRevoked, "stays revoked");
    }
    assert_eq!(
        (stored(&bench).proof.peppers, stored(&bench).record.version),
        (vec![2], 4),
        "made anew once"
    );
}

fn row(credential: &str, lookup: Option<&str>) -> ImportRow {
    ImportRow {
        spec: KeySpec::new("acme"),
        credential: Secret::new(credential.as_bytes().to_vec()),
        lookup: lookup.map(Into::into),
    }
}

/// Made with Python's hashlib and bcrypt, argon2-cffi and Django: of the key, or of what follows its look-up.
const KEY: &str = "abcd1234.SecretPartOfTheLegacyKey42";
const SHA256: &str = "f53887b41c32347d2a38a0370bdb6bc2be053591adbd910d52992d8749adc5aa";
const SHA256_OF_PART: &str = "16f0d25ac7a6b7bade3cc5fa5527a9b40498198a3c76928f49c69cad151f951e";
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuuQiPmdsxUh1zEvgyI4K1CmfhVBzUiUNO";
const ARGON2: &str = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$F3v0QQ1hm5nTVXm9H7P06AoPZm0+Q0S0yojN5JYXXXk";
const PBKDF2: &str = "pbkdf2_sha256$1000$saltysalt$hjFyShNx1iB9eVHvsjpmbH/g7OPcRdWKNNQbvjdoUr8=";
const BCRYPT_SHA256: &str =
    "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuSMXYS/R5H8IEKGjLhAX1potFBlK.VYy";

/// Whatever text is used first, the texts that are good stay the same: the key, never one with anything in front
/// of it or behind it.
#[test]
fn an_imported_key_is_its_own_text_before_and_after() {
    let named = Some("abcd1234");
    for (scheme, credential, lookup) in [
        (ImportScheme::Plaintext, KEY, None),
        (ImportScheme::Plaintext, KEY, named),
        (ImportScheme::Sha256Hex, SHA256, None),
        (ImportScheme::Sha256Hex, SHA256, named),
        (ImportScheme::Sha256Hex, SHA256_OF_PART, named),
        (ImportScheme::Bcrypt, BCRYPT, named),
        (ImportScheme::Bcrypt, BCRYPT_SHA256, named),
        (ImportScheme::Argon2, ARGON2, named),
        (ImportScheme::Pbkdf2Sha256, PBKDF2, named),
        (ImportScheme::DrfApiKey, PBKDF2, named),
    ] {
        let what = format!("{} {credential} {lookup:?}", scheme.name());
        let first = bench();
        first.keys.import(scheme, &[row(credential, lookup)]).unwrap();
        let others = [
            format!("x_{KEY}"),
            format!("x.{KEY}"),
            format!(".{KEY}"),
            format!("abcd1234.{KEY}"),
            format!("abcd1234_{KEY}"),
            format!(" {KEY}"),
            format!("{KEY}."),
            format!("{KEY} "),
            format!("{KEY}\0"),
            format!("{KEY}\n"),
            format!("{KEY}.abcd1234"),
        ];
        // With the same pepper, and with one more.
        for peppers in [&[1][..], &[1, 2]] {
            let keys = first.reopen(peppers).unwrap();
            let check = |when: &str| {
                for other in &others {
                    assert!(!is_good(&keys, other), "{what}: {when}: {other:?}");
                }
                assert!(is_good(&keys, KEY), "{what}: {when}");
            };
            check("before");
            keys.flush().unwrap();
            check("after");
        }
    }
}

/// Of a digest of what follows, the separator is no part: any of them is good, before and after.
#[test]
fn the_first_text_that_is_used_locks_no_other_out() {
    for (scheme, credential) in [
        (ImportScheme::Sha256Hex, SHA256_OF_PART.to_owned()),
        (ImportScheme::Pbkdf2Sha256, of_part()),
    ] {
        let bench = bench();
        bench.keys.import(scheme, &[row(&credential, Some("abcd1234"))]).unwrap();
        let keys = bench.reopen(&[1, 2]).unwrap();
        for _ in 0..2 {
            for separator in ['_', '.', '-', ':', '~'] {
                let key = KEY.replace('.', &separator.to_string());
                assert!(is_good(&keys, &key), "{} {key}", scheme.name());
                keys.flush().unwrap();
            }
        }
    }
}

/// PBKDF2 of `SecretPartOfTheLegacyKey42`, 1000 iterations, salt `saltysalt`.
fn of_part() -> String {
    "pbkdf2_sha256$1000$saltysalt$ekPrauinQJCfDoxnA1mJtJvjGi0FNqq2oeSichR+538=".to_owned()
}

/// HMAC takes the digest of a long key for the key.
#[test]
fn a_digest_of_a_long_key_is_not_the_key() {
    let bench = bench();
    let rest = "k".repeat(70);
    let hash = "pbkdf2_sha256$1000$saltysalt$e99OI260d8pE0tBBWkr6eym3gZcoXZr+DDRJgosME4A=";
    bench.keys.import(ImportScheme::Pbkdf2Sha256, &[row(hash, Some("long"))]).unwrap();
    // SHA-256 of the seventy letters.
    let digest: &[u8] = &[
        0x5c, 0x6c, 0xed, 0x41, 0xeb, 0x6f, 0x55, 0x64, 0x25, 0x4b, 0x35, 0xc8, 0x89, 0xa3, 0x8b,
        0x89, 0xd1, 0xd1, 0x60, 0x08, 0xbd, 0xf3, 0x51, 0xfd, 0x21, 0x69, 0x67, 0x01, 0x0e, 0x44,
        0x2d, 0xaf,
    ];
    assert!(!is_good(&bench.keys, [b"long.", digest].concat()));
    assert!(is_good(&bench.keys, format!("long.{rest}")));
}

/// A key that was imported, and given a new secret with an overlap by the other gatekey, is one of ours.
#[test]
fn a_store_of_another_kind_keeps_the_rule() {
    let store: Arc<dyn Database> = Arc::new(MemoryStore::new());
    let open = |peppers: &[u32]| {
        ApiKeys::open(Arc::clone(&store), pepper(peppers), ApiKeyOptions::new()).unwrap()
    };
    let old = open(&[1]).create(&KeySpec::new("acme")).unwrap();
    let new = open(&[1, 2]).rotate(&old.record.id, 3600).unwrap();
    let keys = open(&[1, 2, 3]);
    for one in [&old, &new, &old] {
        assert!(is_good(&keys, text(one)));
        keys.flush().unwrap();
    }
    assert!(is_good(&open(&[1, 2, 3]), text(&new)) && is_good(&open(&[1, 2, 3]), text(&old)));
}
