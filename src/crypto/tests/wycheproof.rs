//! The published Wycheproof cases for ECDSA, Ed25519, HMAC and ML-DSA.
//!
//! Every test states how many cases it ran, so that an empty set cannot pass.

use crate::crypto::{Curve, Hash, MlDsa, ecdsa, eddsa, hmac, mldsa};
use wycheproof::ecdsa::TestName as Ecdsa;
use wycheproof::mac::TestName as Mac;
use wycheproof::mldsa_sign::TestName as MlDsaSign;
use wycheproof::mldsa_verify::TestName as MlDsaVerify;
use wycheproof::{TestResult, eddsa as eddsa_cases, mac, mldsa_sign, mldsa_verify};

#[test]
fn ecdsa_fixed_length() {
    for (name, curve, expected) in [
        (Ecdsa::EcdsaSecp256r1Sha256P1363, Curve::P256, [173, 89]),
        (Ecdsa::EcdsaSecp384r1Sha384P1363, Curve::P384, [193, 87]),
        (Ecdsa::EcdsaSecp521r1Sha512P1363, Curve::P521, [231, 87]),
        (Ecdsa::EcdsaSecp256k1Sha256P1363, Curve::Secp256k1, [167, 85]),
    ] {
        let mut ran = [0, 0];
        for group in wycheproof::ecdsa::TestSet::load(name).expect("cases").test_groups {
            let key = ecdsa::PublicKey::new(curve, &group.key.key).expect("public key");
            for case in group.tests {
                let valid = case.result == TestResult::Valid;
                let id = case.tc_id;
                assert_eq!(key.verify(&case.msg, &case.sig), valid, "{curve:?} {id}");
                ran[usize::from(!valid)] += 1;
            }
        }
        assert_eq!(ran, expected, "{curve:?}");
    }
}

/// DER signatures, and signatures over another hash than the curve's own: none may pass.
#[test]
fn ecdsa_foreign_forms() {
    let mut ran = 0;
    for (name, curve) in [
        (Ecdsa::EcdsaSecp256r1Sha256, Curve::P256),
        (Ecdsa::EcdsaSecp384r1Sha384, Curve::P384),
        (Ecdsa::EcdsaSecp521r1Sha512, Curve::P521),
        (Ecdsa::EcdsaSecp256k1Sha256, Curve::Secp256k1),
        (Ecdsa::EcdsaSecp256r1Sha512P1363, Curve::P256),
        (Ecdsa::EcdsaSecp384r1Sha512P1363, Curve::P384),
        (Ecdsa::EcdsaSecp521r1Shake256P1363, Curve::P521),
        (Ecdsa::EcdsaSecp256k1Sha512P1363, Curve::Secp256k1),
    ] {
        for group in wycheproof::ecdsa::TestSet::load(name).expect("cases").test_groups {
            let key = ecdsa::PublicKey::new(curve, &group.key.key).expect("public key");
            for case in group.tests.iter().filter(|case| case.result == TestResult::Valid) {
                assert!(!key.verify(&case.msg, &case.sig), "{name:?} {}", case.tc_id);
                ran += 1;
            }
        }
    }
    assert_eq!(ran, 1709);
}

#[test]
fn ed25519() {
    let mut ran = [0, 0];
    let set = eddsa_cases::TestSet::load(eddsa_cases::TestName::Ed25519).expect("cases");
    for group in set.test_groups {
        let key = eddsa::PublicKey::new(&group.key.pk).expect("public key");
        for case in group.tests {
            let valid = case.result == TestResult::Valid;
            assert_eq!(key.verify(&case.msg, &case.sig), valid, "{}", case.tc_id);
            ran[usize::from(!valid)] += 1;
        }
    }
    assert_eq!(ran, [88, 63]);
}

#[test]
fn hmac_with_full_and_truncated_tags() {
    for (name, hash) in [
        (Mac::HmacSha256, Hash::Sha256),
        (Mac::HmacSha384, Hash::Sha384),
        (Mac::HmacSha512, Hash::Sha512),
    ] {
        let mut ran = [0, 0, 0, 0];
        for group in mac::TestSet::load(name).expect("cases").test_groups {
            let full = group.tag_size == 8 * hash.len();
            for case in group.tests {
                let key = hmac::Key::new(hash, &case.key);
                let valid = case.result == TestResult::Valid;
                let id = case.tc_id;
                assert_eq!(key.verify(&case.msg, &case.tag), valid && full, "{hash:?} {id}");
                let mut out = [0; 64];
                let tag = key.sign(&case.msg, &mut out);
                assert_eq!(tag.starts_with(&case.tag), valid, "{hash:?} {id}");
                ran[2 * usize::from(!full) + usize::from(!valid)] += 1;
            }
        }
        // Full and valid, full and invalid, truncated and valid, truncated and invalid.
        assert_eq!(ran, [33, 54, 33, 54], "{hash:?}");
    }
}

#[test]
fn ml_dsa_verification() {
    for (name, set, expected) in [
        (MlDsaVerify::MlDsa44Verify, MlDsa::L44, [75, 99, 4, 2]),
        (MlDsaVerify::MlDsa65Verify, MlDsa::L65, [77, 127, 4, 2]),
        (MlDsaVerify::MlDsa87Verify, MlDsa::L87, [69, 166, 4, 2]),
    ] {
        // Valid, invalid, key refused, valid under a context that JOSE leaves empty.
        let mut ran = [0; 4];
        for group in mldsa_verify::TestSet::load(name).expect("cases").test_groups {
            let key = mldsa::PublicKey::new(set, &group.pubkey);
            for case in group.tests {
                let valid = case.result == TestResult::Valid;
                let id = case.tc_id;
                let Ok(key) = &key else {
                    assert!(!valid, "{set:?} {id}");
                    ran[2] += 1;
                    continue;
                };
                let foreign = case.ctx.is_some_and(|context| !context.is_empty());
                assert_eq!(key.verify(&case.msg, &case.sig), valid && !foreign, "{set:?} {id}");
                ran[if !valid {
                    1
                } else if foreign {
                    3
                } else {
                    0
                }] += 1;
            }
        }
        assert_eq!(ran, expected, "{set:?}");
    }
}

#[test]
fn ml_dsa_seeds_and_signatures() {
    for (name, set, expected) in [
        (MlDsaSign::MlDsa44SignSeed, MlDsa::L44, [25, 3, 71, 12]),
        (MlDsaSign::MlDsa65SignSeed, MlDsa::L65, [39, 3, 81, 21]),
        (MlDsaSign::MlDsa87SignSeed, MlDsa::L87, [39, 3, 72, 21]),
    ] {
        // Groups whose seed gives the published key, groups refused, published signatures
        // verified, cases skipped: those with a context, and those that state no message but mu.
        let mut ran = [0; 4];
        for group in mldsa_sign::TestSet::load(name).expect("cases").test_groups {
            let seed = group.privseed.expect("seed");
            let Ok(private) = mldsa::PrivateKey::from_seed(set, &seed) else {
                assert_ne!(seed.len(), 32);
                assert!(group.tests.iter().all(|case| case.result == TestResult::Invalid));
                ran[1] += 1;
                continue;
            };
            let published = group.pubkey.expect("public key");
            assert_eq!(private.public(), *published);
            let public = mldsa::PublicKey::new(set, &published).expect("public key");
            ran[0] += 1;
            for case in group.tests {
                let foreign = case.ctx.is_some_and(|context| !context.is_empty());
                let Some(msg) = case.msg.filter(|_| !foreign) else {
                    ran[3] += 1;
                    continue;
                };
                assert_eq!(case.result, TestResult::Valid);
                // Our own signatures are hedged (FIPS 204 section 3.4), so bytes cannot be
                // compared.
                assert!(public.verify(&msg, &case.sig), "{set:?} {}", case.tc_id);
                let mut out = [0; 4627];
                let len = private.sign(&msg, &mut out).expect("signature");
                assert!(public.verify(&msg, &out[..len]), "{set:?} {}", case.tc_id);
                ran[2] += 1;
            }
        }
        assert_eq!(ran, expected, "{set:?}");
    }
}

/// Expanded private keys carry no seed and are refused by their length.
#[test]
fn ml_dsa_expanded_keys() {
    let mut ran = 0;
    for (name, set) in [
        (MlDsaSign::MlDsa44SignNoSeed, MlDsa::L44),
        (MlDsaSign::MlDsa65SignNoSeed, MlDsa::L65),
        (MlDsaSign::MlDsa87SignNoSeed, MlDsa::L87),
    ] {
        for group in mldsa_sign::TestSet::load(name).expect("cases").test_groups {
            let expanded = group.privkey.expect("private key");
            assert!(mldsa::PrivateKey::from_seed(set, &expanded).is_err());
            ran += 1;
        }
    }
    assert_eq!(ran, 69);
}
