//! One verifier, one signer, many threads.

use crate::fixtures::{claims_with, key, kind_of, other, policy, verifier, verifying};
use crate::forge::{header_and, sign, token};
use crate::rounds::rounds;
use gatekey::clock::FixedClock;
use gatekey::jwk::KeyOptions;
use gatekey::jwt::{IssuerRule, SignerBuilder, Unsigned, Unverified};
use gatekey::random::SystemRandom;
use gatekey::{
    Alg, Claims, Error, ErrorKind, Key, KeySet, Policy, Secret, Signer, SystemClock, Verified,
    Verifier,
};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

#[test]
fn everything_may_cross_threads() {
    fn shared<T: Send + Sync>() {}
    fn copied<T: Clone + Send + Sync>() {}
    copied::<Key>();
    copied::<KeySet>();
    copied::<KeyOptions>();
    copied::<Policy>();
    copied::<Verifier>();
    copied::<IssuerRule>();
    copied::<Verified>();
    copied::<Claims>();
    copied::<Signer>();
    copied::<SignerBuilder>();
    copied::<Unsigned>();
    copied::<Alg>();
    copied::<Error>();
    copied::<ErrorKind>();
    copied::<Secret>();
    shared::<Unverified>();
    shared::<FixedClock>();
    copied::<SystemClock>();
    copied::<SystemRandom>();
}

/// Eight threads race for the empty header cache with good and bad tokens of many headers.
#[test]
fn eight_threads_on_one_verifier() {
    for alg in [Alg::Hs256, Alg::Es256, Alg::EdDsa, Alg::Rs256] {
        let verifier = Arc::new(verifier(alg));
        let start = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (verifier, start) = (Arc::clone(&verifier), Arc::clone(&start));
                std::thread::spawn(move || {
                    let tokens: Vec<_> = (0..12)
                        .map(|i| {
                            let header = header_and(alg, &format!(r#""n":{}"#, i % 10));
                            let claims =
                                claims_with("sub", json!(format!("{thread}-{i}"))).to_string();
                            (
                                format!("{thread}-{i}"),
                                sign(key(alg), &header, &claims),
                                sign(other(alg), &header, &claims),
                            )
                        })
                        .collect();
                    start.wait();
                    for _ in 0..rounds(5) {
                        for (subject, good, bad) in &tokens {
                            let verified = verifier.verify(good).unwrap();
                            assert_eq!(verified.subject().as_deref(), Some(subject.as_str()));
                            assert_eq!(
                                kind_of(verifier.verify(bad), "a stranger"),
                                ErrorKind::InvalidSignature
                            );
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn eight_threads_on_one_signer() {
    for alg in [Alg::Hs256, Alg::Es256, Alg::EdDsa, Alg::Ps256, Alg::MlDsa44] {
        let signer = Signer::builder(key(alg)).build().unwrap();
        let verifier = Verifier::with_key(&verifying(key(alg)), Policy::new()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (signer, verifier) = (signer.clone(), verifier.clone());
                scope.spawn(move || {
                    for i in 0..rounds(5) {
                        let subject = format!("{thread}-{i}");
                        let token = signer.sign(&Claims::new().subject(&subject)).unwrap();
                        assert_eq!(
                            verifier.verify(token).unwrap().subject().as_deref(),
                            Some(subject.as_str())
                        );
                    }
                });
            }
        });
    }
}

/// A token expires for every thread at once, cached header or not.
#[test]
fn a_clock_that_moves_under_running_threads() {
    let clock = Arc::new(FixedClock::new(crate::fixtures::NOW));
    let verifier = Verifier::with_key(key(Alg::Hs256), policy().clock(clock.clone())).unwrap();
    let token = token(key(Alg::Hs256), &crate::fixtures::claims());
    let expired = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let over_before = expired.load(Ordering::SeqCst);
                    let verdict = verifier.verify(&token);
                    if over_before {
                        assert_eq!(kind_of(verdict, "after expiry"), ErrorKind::Expired);
                        break;
                    }
                }
            });
        }
        for _ in 0..rounds(200) {
            verifier.verify(&token).unwrap();
        }
        clock.advance(601);
        expired.store(true, Ordering::SeqCst);
    });
}
