//! The published Wycheproof cases for RSA PKCS#1 v1.5 and PSS.

use crate::crypto::Hash;
use crate::crypto::rsa::{PublicKey, Scheme};
use std::collections::BTreeMap;
use wycheproof::rsa_pkcs1_verify::{TestName as Pkcs1, TestSet as Pkcs1Set};
use wycheproof::rsa_pss_verify::{TestName as Pss, TestSet as PssSet};
use wycheproof::{HashFunction, Mgf, TestResult};

fn hash(function: HashFunction) -> Option<Hash> {
    match function {
        HashFunction::Sha2_256 => Some(Hash::Sha256),
        HashFunction::Sha2_384 => Some(Hash::Sha384),
        HashFunction::Sha2_512 => Some(Hash::Sha512),
        _ => None,
    }
}

/// Every file of the collection; the functions that JOSE does not use are counted as skipped.
#[test]
fn pkcs1() {
    // Valid, invalid, skipped.
    let mut ran = [0; 3];
    let mut sizes = BTreeMap::new();
    for name in Pkcs1::all() {
        for group in Pkcs1Set::load(name).expect("cases").test_groups {
            let Some(hash) = hash(group.hash) else {
                ran[2] += group.tests.len();
                continue;
            };
            let key = PublicKey::new(Scheme::Pkcs1(hash), &group.key.n, &group.key.e, false)
                .expect("public key");
            assert_eq!(key.modulus_len(), group.key_size.div_ceil(8));
            for case in group.tests {
                // `Acceptable` marks the DigestInfo without its NULL, which RFC 8017 lets a
                // verifier refuse.
                let valid = case.result == TestResult::Valid;
                let id = case.tc_id;
                assert_eq!(key.verify(&case.msg, &case.sig), valid, "{name:?} {id}");
                ran[usize::from(!valid)] += 1;
                *sizes.entry(group.key_size).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(ran, [89, 3017, 3096]);
    let sizes: Vec<(usize, usize)> = sizes.into_iter().collect();
    assert_eq!(sizes, [(2048, 776), (3072, 778), (4096, 776), (8192, 776)]);
}

/// Every file of the collection. Our parameters are judged as published; valid signatures with
/// another salt length or another hash inside MGF1 must be refused; SHA-1, SHA-224, SHA-512/t and
/// SHAKE are counted as skipped.
#[test]
fn pss() {
    // Valid, invalid, valid under foreign parameters and so refused, skipped, and invalid in its
    // group because its salt has our length and so accepted.
    let mut ran = [0; 5];
    for name in Pss::all() {
        for group in PssSet::load(name).expect("cases").test_groups {
            let Some(hash) = hash(group.hash) else {
                ran[3] += group.tests.len();
                continue;
            };
            let our_mask = group.mgf == Mgf::Mgf1 && group.mgf_hash == Some(group.hash);
            let ours = our_mask && group.salt_size == hash.len();
            let changed_to_ours = format!("s_len changed to {}", hash.len());
            let key = PublicKey::new(Scheme::Pss(hash), &group.key.n, &group.key.e, false)
                .expect("public key");
            for case in group.tests {
                let valid = case.result == TestResult::Valid;
                let (expected, column) = match (valid, ours) {
                    (true, true) => (true, 0),
                    (true, false) => (false, 2),
                    (false, false) if our_mask && case.comment == changed_to_ours => (true, 4),
                    (false, _) => (false, 1),
                };
                let id = case.tc_id;
                assert_eq!(key.verify(&case.msg, &case.sig), expected, "{name:?} {id}");
                ran[column] += 1;
            }
        }
    }
    assert_eq!(ran, [775, 674, 755, 1291, 2]);
}
