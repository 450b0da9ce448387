//! Keys whose private half lies in a KMS or HSM: every form of a signature, every way in which a callback fails,
//! and all that signs with such a key.

use crate::fixtures::{key, other};
use crate::session::{NOW, peppers};
use gatekey::clock::FixedClock;
use gatekey::jwk::SignRequest;
use gatekey::keyring::{KeyRingOptions, RingKeyState};
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::store::{KeyRingStore, MemoryStore};
use gatekey::{
    Alg, Claims, Error, ErrorKind, Key, KeyRing, KeySet, Policy, Sessions, Signer, ToJson as _,
    Verifier,
};
use std::error::Error as _;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ASYMMETRIC: [Alg; 14] = [
    Alg::Rs256,
    Alg::Rs384,
    Alg::Rs512,
    Alg::Ps256,
    Alg::Ps384,
    Alg::Ps512,
    Alg::Es256,
    Alg::Es384,
    Alg::Es512,
    Alg::Es256k,
    Alg::EdDsa,
    Alg::MlDsa44,
    Alg::MlDsa65,
    Alg::MlDsa87,
];

/// A key that another place signs for, and hands over as `form` makes of it.
fn held(
    private: &Key,
    form: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
) -> Result<Key, Error> {
    let private = private.clone();
    let public = private.public()?;
    let sign = move |request: &SignRequest<'_>| private.sign_with(request.message(), &form);
    Key::with_callback(&public, Arc::new(sign), None)
}

/// How a signature is handed over.
type Form = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

fn raw(signature: &[u8]) -> Vec<u8> {
    signature.to_vec()
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let len = u8::try_from(value.len()).unwrap();
    let head = if len < 128 { vec![tag, len] } else { vec![tag, 0x81, len] };
    [head, value.to_vec()].concat()
}

/// A number as DER has it: no needless zero, and one where it would be negative.
fn number(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros..];
    let pad: &[u8] = if digits.first().is_none_or(|byte| *byte >= 128) { &[0] } else { &[] };
    [pad, digits].concat()
}

fn der_of(signature: &[u8], number: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    tlv(0x30, &[tlv(2, &number(r)), tlv(2, &number(s))].concat())
}

fn der(signature: &[u8]) -> Vec<u8> {
    der_of(signature, number)
}

fn claims() -> Claims {
    Claims::new().subject("alice")
}

fn check(token: &str, public: &Key) {
    let policy = Policy::new();
    let verified = Verifier::with_key(public, policy).unwrap().verify(token).unwrap();
    assert_eq!(verified.subject().as_deref(), Some("alice"));
}

#[test]
fn every_algorithm_signs_by_a_callback() {
    for alg in ASYMMETRIC {
        let is_ecdsa = alg.name().starts_with("ES");
        let forms: &[&'static Form] = if is_ecdsa { &[&raw, &der] } else { &[&raw] };
        for form in forms {
            let key = held(key(alg), *form).unwrap();
            assert!(key.may_sign() && key.signs_by_callback() && !key.is_private(), "{alg}");
            let public = key.public().unwrap();
            assert!(!public.may_sign() && !public.signs_by_callback(), "{alg}");
            assert_eq!(public.thumbprint(), key.thumbprint());
            let signer = Signer::builder(&key).build().unwrap();
            for _ in 0..20 {
                let token = signer.sign(&claims()).unwrap();
                check(&token, &public);
                let signature = token.rsplit('.').next().unwrap();
                assert_eq!(signature.len(), (key.signature_len() * 4).div_ceil(3), "{alg}");
            }
        }
    }
}

#[test]
fn the_callback_is_given_message_and_digest() {
    for (alg, len) in
        [(Alg::Es256, 32), (Alg::Ps384, 48), (Alg::Es512, 64), (Alg::EdDsa, 0), (Alg::MlDsa44, 0)]
    {
        let private = key(alg).clone();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sign = {
            let seen = Arc::clone(&seen);
            move |request: &SignRequest<'_>| {
                let public = request.key();
                assert!(!public.may_sign() && request.alg() == alg);
                seen.lock().unwrap().push((request.message().to_vec(), request.digest().len()));
                private.sign_with(request.message(), raw)
            }
        };
        let key = Key::with_callback(&key(alg).public().unwrap(), Arc::new(sign), None).unwrap();
        let token = Signer::builder(&key).build().unwrap().sign(&claims()).unwrap();
        let seen = seen.lock().unwrap();
        let (input, _) = token.rsplit_once('.').unwrap();
        assert_eq!(seen.last().unwrap(), &(input.as_bytes().to_vec(), len), "{alg}");
        // The first is no token.
        assert!(!seen[0].0.contains(&b'.') && seen.len() == 2);
    }
}

/// What HSMs make of DER, and what nobody may.
#[test]
fn odd_signatures_are_read_or_refused() {
    fn zero_padded(bytes: &[u8]) -> Vec<u8> {
        [&[0, 0, 0], &number(bytes)[..]].concat()
    }
    fn unsigned(bytes: &[u8]) -> Vec<u8> {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes[zeros..].to_vec()
    }
    for alg in [Alg::Es256, Alg::Es384, Alg::Es512, Alg::Es256k] {
        let private = key(alg);
        let fine: [&Form; 3] =
            [&|s: &[u8]| der_of(s, zero_padded), &|s: &[u8]| der_of(s, unsigned), &der];
        // Enough for numbers that are shorter than their curve's.
        let public = private.public().unwrap();
        let token = Signer::builder(&public).build().unwrap().prepare(&claims()).unwrap();
        for round in 0..400 {
            let signature = private.sign_with(token.signing_input().as_bytes(), raw).unwrap();
            for form in fine {
                check(&token.attach(&form(&signature)).unwrap(), &public);
            }
            assert!(round > 0 || token.attach(&signature).is_ok());
        }

        let order = vec![0xff; key(alg).signature_len() / 2];
        let bad: [(&str, Arc<Form>); 12] = [
            ("nothing", Arc::new(|_| Vec::new())),
            ("one byte less", Arc::new(|s| s[1..].to_vec())),
            ("one byte more", Arc::new(|s| [s, &[0]].concat())),
            ("a byte after the DER", Arc::new(|s| [der(s), vec![0]].concat())),
            (
                "a third number",
                Arc::new(|s| {
                    let inside = der(s);
                    let head = if inside[1] < 128 { 2 } else { 3 };
                    tlv(0x30, &[&inside[head..], &[2, 1, 1]].concat())
                }),
            ),
            ("one number", Arc::new(|s| tlv(0x30, &tlv(2, &number(&s[..s.len() / 2]))))),
            (
                "a set",
                Arc::new(|s| {
                    let mut set = der(s);
                    set[0] = 0x31;
                    set
                }),
            ),
            (
                "r is 0",
                Arc::new(|s| {
                    tlv(0x30, &[tlv(2, &[0]), tlv(2, &number(&s[s.len() / 2..]))].concat())
                }),
            ),
            (
                "s is too large",
                Arc::new(move |s| {
                    tlv(
                        0x30,
                        &[tlv(2, &number(&s[..s.len() / 2])), tlv(2, &number(&order))].concat(),
                    )
                }),
            ),
            (
                "r and s the other way round",
                Arc::new(|s| [&s[s.len() / 2..], &s[..s.len() / 2]].concat()),
            ),
            (
                "one bit",
                Arc::new(|s| {
                    let mut other = s.to_vec();
                    other[5] ^= 1;
                    other
                }),
            ),
            ("64 KiB", Arc::new(|_| vec![0x30; 65_536])),
        ];
        for (name, form) in bad {
            let error = held(private, move |s| form(s)).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::KeyPairMismatch, "{alg}, {name}");
            assert_eq!(error.kind().http_status(), 500, "{alg}, {name}");
        }
    }
    for alg in [Alg::Rs256, Alg::Ps512, Alg::EdDsa, Alg::MlDsa44] {
        for shape in
            [|s: &[u8]| s[1..].to_vec(), |s: &[u8]| [&[0], s].concat(), |s: &[u8]| vec![0; s.len()]]
        {
            let error = held(key(alg), shape).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::KeyPairMismatch, "{alg}");
        }
    }
    let short = held(key(Alg::Rs256), |s| s[1..].to_vec()).map(drop).unwrap_err().to_string();
    assert!(short.contains("255 bytes, exactly 256"), "{short}");
}

#[test]
fn another_key_hash_or_padding_is_found_when_the_key_is_made_and_later() {
    let public = key(Alg::Es256).public().unwrap();
    let stranger = other(Alg::Es256).clone();
    let sign = move |request: &SignRequest<'_>| stranger.sign_with(request.message(), raw);
    let made = Key::with_callback(&public, Arc::new(sign), None).map(drop);
    assert_eq!(made.unwrap_err().kind(), ErrorKind::KeyPairMismatch);

    // PSS where PKCS#1 is wanted, and another hash.
    let rsa = |alg| {
        Key::from_jwk(
            key(Alg::Rs256)
                .to_private_jwk()
                .unwrap()
                .expose_str()
                .replace(r#""RS256""#, &format!("\"{alg}\""))
                .as_bytes(),
            None,
        )
        .unwrap()
    };
    for alg in [Alg::Ps256, Alg::Rs384] {
        let wrong = rsa(alg);
        let sign = move |request: &SignRequest<'_>| wrong.sign_with(request.message(), raw);
        let made = Key::with_callback(&rsa(Alg::Rs256).public().unwrap(), Arc::new(sign), None);
        assert_eq!(made.map(drop).unwrap_err().kind(), ErrorKind::KeyPairMismatch, "{alg}");
    }

    // An alias that is moved to a new version while the service runs.
    let calls = Arc::new(AtomicUsize::new(0));
    let (old, new) = (key(Alg::Es256).clone(), other(Alg::Es256).clone());
    let sign = move |request: &SignRequest<'_>| {
        let signs = if calls.fetch_add(1, SeqCst) < 2 { &old } else { &new };
        signs.sign_with(request.message(), der)
    };
    let moved = Key::with_callback(&public, Arc::new(sign), None).unwrap();
    let signer = Signer::builder(&moved).build().unwrap();
    signer.sign(&claims()).unwrap();
    assert_eq!(signer.sign(&claims()).unwrap_err().kind(), ErrorKind::KeyPairMismatch);
}

#[test]
fn a_callback_that_fails_is_an_outage_with_its_cause() {
    let public = key(Alg::EdDsa).public().unwrap();
    let sign = |_: &SignRequest<'_>| Err(io::Error::other("the token was removed"));
    let error = Key::with_callback(&public, Arc::new(sign), None).map(drop).unwrap_err();
    assert_eq!((error.kind(), error.kind().http_status()), (ErrorKind::KeyUnavailable, 503));
    assert!(error.kind().is_retryable() && error.kind().is_unavailable());
    assert_eq!(error.source().unwrap().to_string(), "the token was removed");
    assert!(!error.public_message().contains("token was removed"));

    let unfit = [key(Alg::EdDsa), key(Alg::Hs256)];
    for private in unfit {
        let sign = |_: &SignRequest<'_>| Ok::<_, Error>(Vec::new());
        let made = Key::with_callback(private, Arc::new(sign), None).map(drop);
        assert_eq!(made.unwrap_err().kind(), ErrorKind::KeyUsage);
    }
    for deadline in [0, 300_001, u64::MAX] {
        let sign = |_: &SignRequest<'_>| Ok::<_, Error>(Vec::new());
        let error =
            Key::with_callback(&public, Arc::new(sign), Some(deadline)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.claim(), Some("deadline"));
    }
}

#[test]
fn a_silent_callback_ends_with_the_deadline_and_takes_few_threads() {
    let private = key(Alg::EdDsa).clone();
    let public = private.public().unwrap();
    let silent = Arc::new(Mutex::new(()));
    let calls = Arc::new(AtomicUsize::new(0));
    let sign = {
        let (silent, calls) = (Arc::clone(&silent), Arc::clone(&calls));
        move |request: &SignRequest<'_>| {
            if calls.fetch_add(1, SeqCst) > 0 {
                drop(silent.lock());
            }
            private.sign_with(request.message(), raw)
        }
    };
    let key = Key::with_callback(&public, Arc::new(sign), Some(20)).unwrap();
    let signer = Signer::builder(&key).build().unwrap();
    let hold = silent.lock().unwrap();
    for _ in 0..70 {
        let error = signer.sign(&claims()).unwrap_err();
        assert_eq!((error.kind(), error.kind().http_status()), (ErrorKind::KeyUnavailable, 503));
    }
    // One that signed, and 64 that are under way, the last of which may not have begun yet.
    let begun = std::time::Instant::now();
    while calls.load(SeqCst) < 65 && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(calls.load(SeqCst), 65);
    drop(hold);
    let patient = std::iter::repeat_with(|| signer.sign(&claims())).take(2000);
    let token =
        patient.inspect(|_| std::thread::sleep(Duration::from_millis(5))).find_map(Result::ok);
    check(&token.expect("it answers again"), &public);
}

#[test]
fn a_callback_that_signs_by_itself_is_refused() {
    let private = key(Alg::EdDsa).clone();
    let public = private.public().unwrap();
    let itself: Arc<Mutex<Option<Key>>> = Arc::default();
    let (told, seen) = channel();
    let sign = {
        let itself = Arc::clone(&itself);
        move |request: &SignRequest<'_>| {
            let own = itself.lock().unwrap().clone();
            if let Some(own) = own {
                told.send(own.sign_with(b"again", raw).map(drop)).unwrap();
            }
            private.sign_with(request.message(), raw)
        }
    };
    let key = Key::with_callback(&public, Arc::new(sign), None).unwrap();
    *itself.lock().unwrap() = Some(key.clone());
    key.sign_with(b"once", raw).unwrap();
    assert_eq!(seen.recv().unwrap().unwrap_err().kind(), ErrorKind::InvalidArgument);
    key.sign_with(b"twice", raw).unwrap(); // the refusal has left nothing behind

    // One that panics has left nothing behind either.
    let private = self::key(Alg::EdDsa).clone();
    let calls = AtomicUsize::new(0);
    let sign = move |request: &SignRequest<'_>| {
        assert!(calls.fetch_add(1, SeqCst) != 1, "a defect of the callback");
        private.sign_with(request.message(), raw)
    };
    let key = Key::with_callback(&public, Arc::new(sign), None).unwrap();
    let signs = || key.sign_with(b"message", raw);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(signs)).unwrap_err();
    signs().unwrap();
}

#[test]
fn nothing_private_can_be_asked_of_such_a_key() {
    let key = held(key(Alg::Es256), der).unwrap();
    assert_eq!(key.to_private_jwk().unwrap_err().kind(), ErrorKind::KeyUsage);
    assert_eq!(key.to_private_pem().unwrap_err().kind(), ErrorKind::KeyUsage);
    assert!(!key.to_jwk().unwrap().contains(r#""d":"#));
    let set = KeySet::new([key.clone()]).unwrap();
    assert!(!set.to_jwks().unwrap().contains(r#""d":"#));
    // A public JWK that permits `verify` alone is the usual one of a KMS.
    let jwk = key.to_jwk().unwrap().replace(r#""use":"sig""#, r#""key_ops":["verify"]"#);
    let public = Key::from_jwk(jwk.as_bytes(), None).unwrap();
    assert!(!public.may_sign());
    let private = self::key(Alg::Es256).clone();
    let sign = move |request: &SignRequest<'_>| private.sign_with(request.message(), der);
    let key = Key::with_callback(&public, Arc::new(sign), None).unwrap();
    assert!(key.may_sign());
    key.with_kid("2026").unwrap().sign_with(b"message", raw).unwrap();
}

#[test]
fn sessions_are_signed_by_a_callback() {
    let key = held(key(Alg::Es256), der).unwrap();
    let clock = Arc::new(FixedClock::new(NOW));
    let signer = Signer::builder(&key).clock(clock.clone()).build().unwrap();
    let options = SessionOptions::new().clock(clock.clone());
    let store = Arc::new(MemoryStore::new());
    let sessions = Sessions::open(store, peppers(&[1]), Some(&signer), options).unwrap();
    let tokens = sessions.start("alice", &SessionSpec::default()).unwrap();
    let verifier = Verifier::with_key(&key.public().unwrap(), Policy::new().clock(clock)).unwrap();
    verifier.verify(tokens.access_token.expose()).unwrap();
    let tokens = sessions.refresh(tokens.refresh_token.expose(), None).unwrap();
    verifier.verify(tokens.access_token.expose()).unwrap();
}

fn ring_of(store: &Arc<dyn KeyRingStore>, keys: &[&Key]) -> Result<KeyRing, Error> {
    let options = KeyRingOptions::new().clock(Arc::new(FixedClock::new(NOW)));
    let options = keys.iter().fold(options, |options, key| options.key(key));
    KeyRing::open(Arc::clone(store), Some(peppers(&[1])), options)
}

fn states(ring: &KeyRing) -> Vec<(&'static str, bool)> {
    ring.keys().unwrap().iter().map(|key| (key.state.name(), key.by_callback)).collect()
}

#[test]
fn a_ring_rotates_keys_of_a_kms() {
    let [first, second] = [key(Alg::Es256), other(Alg::Es256)].map(|key| held(key, der).unwrap());
    let store: Arc<dyn KeyRingStore> = Arc::new(MemoryStore::new());
    let ring = ring_of(&store, &[]).unwrap();
    let signer = Signer::following(Arc::new(ring.clone())).build().unwrap();
    let verifier = Verifier::following(Arc::new(ring.clone()), Policy::new()).unwrap();
    let kid = || verifier.verify(signer.sign(&claims()).unwrap()).unwrap().key_id().to_owned();
    let local = kid();

    // It takes the place of the next one that was made here, and is published before it signs.
    let added = ring.add(&first).unwrap();
    assert_eq!((added.state, added.by_callback), (RingKeyState::Next, true));
    assert_eq!(states(&ring), [("next", true), ("active", false)]);
    assert!(ring.to_jwks().unwrap().contains(first.kid()));
    assert_eq!(kid(), local);
    ring.rotate().unwrap();
    assert_eq!(kid(), first.kid());
    // No key is made here while one of the KMS signs.
    assert_eq!(states(&ring), [("active", true), ("retired", false)]);
    let before = ring.keys().unwrap();
    assert_eq!(ring.rotate().unwrap_err().kind(), ErrorKind::InvalidConfiguration);
    assert_eq!(ring.remove(first.kid()).unwrap_err().kind(), ErrorKind::InvalidConfiguration);
    assert_eq!(ring.keys().unwrap(), before);

    assert_eq!(ring.add(&first).unwrap().state, RingKeyState::Active); // once more: nothing
    assert_eq!(ring.keys().unwrap(), before);
    ring.add(&second).unwrap();
    ring.rotate().unwrap();
    assert_eq!(kid(), second.kid());
    assert_eq!(states(&ring), [("active", true), ("retired", true), ("retired", false)]);
    let jwks = ring.to_jwks().unwrap();
    assert!(!jwks.contains(r#""d":"#) && !jwks.contains("by_callback"), "{jwks}");
    assert!(ring.keys().unwrap().to_json().contains(r#""by_callback":true"#));
}

#[test]
fn each_process_brings_its_callback() {
    let key_of_kms = held(key(Alg::Es256), der).unwrap();
    let store: Arc<dyn KeyRingStore> = Arc::new(MemoryStore::new());
    let ring = ring_of(&store, &[&key_of_kms]).unwrap(); // no key is ever made here
    assert_eq!(states(&ring), [("active", true)]);

    let elsewhere = ring_of(&store, &[]).unwrap();
    let verifier = Verifier::following(Arc::new(elsewhere.clone()), Policy::new()).unwrap();
    let signer = Signer::following(Arc::new(ring)).build().unwrap();
    verifier.verify(signer.sign(&claims()).unwrap()).unwrap();
    let refused = Signer::following(Arc::new(elsewhere.clone())).build().map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::KeyUsage);
    assert!(refused.to_string().contains("`add`"), "{refused}");
    // It cannot take it over either: the ring has no private half to give.
    elsewhere.add(&key_of_kms).unwrap();
    let signer = Signer::following(Arc::new(elsewhere)).build().unwrap();
    verifier.verify(signer.sign(&claims()).unwrap()).unwrap();

    let both = [&key_of_kms, &held(other(Alg::Es256), der).unwrap()];
    let store: Arc<dyn KeyRingStore> = Arc::new(MemoryStore::new());
    assert_eq!(states(&ring_of(&store, &both).unwrap()), [("next", true), ("active", true)]);
    let again = ring_of(&store, &both).unwrap();
    again.rotate().unwrap();
    assert_eq!(again.active().unwrap().kid, both[1].kid());
}

#[test]
fn a_ring_takes_over_a_key_that_was_made_elsewhere() {
    let store: Arc<dyn KeyRingStore> = Arc::new(MemoryStore::new());
    let ring = ring_of(&store, &[]).unwrap();
    ring.add(key(Alg::Rs256)).unwrap();
    ring.rotate().unwrap();
    // The ring has all of it, and makes keys of its own again.
    let elsewhere = ring_of(&store, &[]).unwrap();
    assert_eq!(states(&elsewhere), [("next", false), ("active", false), ("retired", false)]);
    Signer::following(Arc::new(elsewhere)).build().unwrap().sign(&claims()).unwrap();

    let before = ring.keys().unwrap();
    let named = other(Alg::Rs256).with_kid(key(Alg::Rs256).kid()).unwrap();
    assert_eq!(ring.add(&named).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(
        ring.add(&key(Alg::EdDsa).public().unwrap()).unwrap_err().kind(),
        ErrorKind::KeyUsage
    );
    assert_eq!(ring.add(key(Alg::Hs256)).unwrap_err().kind(), ErrorKind::MixedKeySet);
    assert_eq!(ring.keys().unwrap(), before);
    let public = key(Alg::EdDsa).public().unwrap();
    let other_store: Arc<dyn KeyRingStore> = Arc::new(MemoryStore::new());
    assert_eq!(
        ring_of(&other_store, &[&public]).map(drop).unwrap_err().kind(),
        ErrorKind::KeyUsage
    );
    assert!(other_store.key_ring("default").unwrap().is_none());
}
