//! Key sets: what is read and skipped, and which key is selected.

use super::*;
use crate::jwk::KeySet;

fn set(members: &[&str]) -> Result<KeySet> {
    KeySet::from_jwks(format!(r#"{{"keys":[{}]}}"#, members.join(",")).as_bytes())
}

fn named(alg: Alg, kid: &str) -> Key {
    Key::generate(alg).unwrap().with_kid(kid).unwrap()
}

#[test]
fn unusable_members_are_skipped_and_counted_with_their_reasons() {
    let good = Key::generate(Alg::Es256).unwrap().to_jwk().unwrap();
    let weak = format!(r#"{{"kty":"RSA","alg":"RS256","e":"AQAB","n":"{}"}}"#, "_".repeat(84));
    let cases = [
        (r#"{"kty":"EC","crv":"P-224","x":"AA","y":"AA"}"#, ErrorKind::UnsupportedKey),
        (r#"{"kty":"MLWE","alg":"KYBER512"}"#, ErrorKind::UnsupportedKey),
        (r#"{"kty":"unknown"}"#, ErrorKind::UnsupportedKey),
        (r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#, ErrorKind::UnsupportedKey),
        (r#"{"kty":"RSA","use":"enc","n":"AA","e":"AQAB"}"#, ErrorKind::KeyUsage),
        (r#"{"kty":"EC","key_ops":["deriveKey"],"crv":"P-256"}"#, ErrorKind::KeyUsage),
        (r#"{"kty":"RSA","alg":"RSA-OAEP","n":"AA","e":"AQAB"}"#, ErrorKind::UnsupportedKey),
        (r#"{"kty":"oct","k":"AAAA"}"#, ErrorKind::AlgorithmRequired),
        (r#"{"kty":"oct","alg":"HS256","k":"AAAA"}"#, ErrorKind::WeakKey),
        (&weak, ErrorKind::WeakKey),
        (r#"{"kty":"EC","crv":"P-256","x":"AA"}"#, ErrorKind::InvalidKey),
        (r#"{}"#, ErrorKind::InvalidKey),
        ("null", ErrorKind::InvalidKey),
        ("1", ErrorKind::InvalidKey),
        ("[]", ErrorKind::InvalidKey),
        (r#""kty""#, ErrorKind::InvalidKey),
    ];
    let mut members: Vec<_> = cases.iter().map(|(text, _)| *text).collect();
    members.insert(8, &good);
    let set = set(&members).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (1, cases.len()));
    let reasons: Vec<_> = set.skipped().iter().map(|member| member.reason().kind()).collect();
    assert_eq!(reasons, cases.map(|(_, kind)| kind));
    assert!(!set.is_empty());
    assert_eq!(set.iter().next().unwrap().alg(), Alg::Es256);
}

#[test]
fn the_text_must_be_a_set() {
    let good = Key::generate(Alg::Es256).unwrap().to_jwk().unwrap();
    for text in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        good.clone(),
        format!("[{good}]"),
        format!(r#"{{"keys":{good}}}"#),
        r#"{"keys":null}"#.to_owned(),
        format!(r#"{{"keys":[{good}],"keys":[]}}"#),
        format!(r#"{{"keys":[{good},{{"kty":"x","kty":"x"}}]}}"#), // duplicates anywhere
        format!(r#"{{"keys":[{good}]"#),
        format!(r#"{{"keys":[{good},]}}"#),
        format!(r#"{{"keys":[{good}]}}x"#),
        format!(r#"{{"keys":[{}]}}"#, vec!["1"; 101].join(",")),
        format!(r#"{{"keys":[],"pad":"{}"}}"#, "x".repeat(512 * 1024)),
    ] {
        refused(KeySet::from_jwks(text.as_bytes()), ErrorKind::InvalidKey);
    }
    assert!(set(&[]).unwrap().is_empty());
    assert_eq!(set(&["1"; 100]).unwrap().skipped().len(), 100);
    let keys = std::iter::repeat_n(Key::generate(Alg::Es256).unwrap(), 101);
    refused(KeySet::new(keys), ErrorKind::InvalidArgument);
}

#[test]
fn symmetric_and_asymmetric_keys_do_not_mix() {
    let (secret, pair) = (Key::generate(Alg::Hs256).unwrap(), Key::generate(Alg::Rs256).unwrap());
    refused(KeySet::new([secret.clone(), pair.clone()]), ErrorKind::MixedKeySet);
    refused(KeySet::new([pair.clone(), secret.clone()]), ErrorKind::MixedKeySet);
    let secret = secret.to_private_jwk().unwrap();
    let pair = pair.to_jwk().unwrap();
    refused(set(&[secret.expose_str(), &pair]), ErrorKind::MixedKeySet);
}

#[test]
fn rsa_members_without_alg_need_a_default() {
    let full = Key::generate(Alg::Rs256).unwrap().to_jwk().unwrap();
    let silent = full.replace(r#""alg":"RS256","#, "");
    let text = format!(r#"{{"keys":[{silent}]}}"#);
    let skipped = KeySet::from_jwks(text.as_bytes()).unwrap();
    assert_eq!(skipped.skipped()[0].reason().kind(), ErrorKind::AlgorithmRequired);
    for alg in [Alg::Rs256, Alg::Ps512] {
        let set = KeySet::from_jwks_with(text.as_bytes(), Some(alg)).unwrap();
        assert_eq!(set.iter().next().unwrap().alg(), alg);
        let full = format!(r#"{{"keys":[{full}]}}"#);
        let set = KeySet::from_jwks_with(full.as_bytes(), Some(alg)).unwrap();
        assert_eq!(set.iter().next().unwrap().alg(), Alg::Rs256);
    }
    for alg in [Alg::Hs256, Alg::Es256, Alg::EdDsa] {
        let result = KeySet::from_jwks_with(text.as_bytes(), Some(alg));
        refused(result, ErrorKind::InvalidArgument);
    }
}

#[test]
fn selection_by_name_and_algorithm() {
    for extra in [0, 20] {
        let mut keys = vec![
            named(Alg::Es256, "a"),
            named(Alg::Es256, "b"),
            named(Alg::EdDsa, "c"),
            named(Alg::Es384, "same"),
            named(Alg::EdDsa, "same"),
            named(Alg::Es512, "twice"),
            named(Alg::Es512, "twice"),
        ];
        keys.extend((0..extra).map(|i| named(Alg::Es256, &format!("extra{i}"))));
        let set = KeySet::new(keys.iter().rev().cloned()).unwrap();
        let kid = |kid, alg| set.select(Some(kid), alg).map(|key| (key.kid(), key.alg()));
        assert_eq!(kid("a", Alg::Es256).unwrap(), ("a", Alg::Es256));
        assert_eq!(kid("b", Alg::Es256).unwrap(), ("b", Alg::Es256));
        assert_eq!(kid("c", Alg::EdDsa).unwrap(), ("c", Alg::EdDsa));
        assert_eq!(kid("c", Alg::Ed25519).unwrap(), ("c", Alg::EdDsa));
        assert_eq!(kid("same", Alg::Es384).unwrap(), ("same", Alg::Es384));
        assert_eq!(kid("same", Alg::EdDsa).unwrap(), ("same", Alg::EdDsa));
        refused(kid("same", Alg::Es256), ErrorKind::InvalidAlgorithm);
        refused(kid("a", Alg::Rs256), ErrorKind::InvalidAlgorithm);
        refused(kid("twice", Alg::Es512), ErrorKind::AmbiguousKey);
        refused(kid("twice", Alg::Es256), ErrorKind::InvalidAlgorithm);
        for unknown in ["", "A", "a ", "aa", "z", "../a", "' or 1", "a\0"] {
            refused(kid(unknown, Alg::Es256), ErrorKind::KeyNotFound);
        }
        assert_eq!(set.select(None, Alg::Es384).unwrap().kid(), "same");
        refused(set.select(None, Alg::Es256), ErrorKind::AmbiguousKey);
        refused(set.select(None, Alg::Rs256), ErrorKind::InvalidAlgorithm);
        assert_eq!(set.matching(Alg::Es512).count(), 2);
        assert_eq!(set.matching(Alg::Ed25519).count(), 2);
        assert_eq!(set.by_kid("b").unwrap().kid(), "b");
        refused(set.by_kid("nobody"), ErrorKind::KeyNotFound);
        let first = set.iter().find(|key| key.kid() == "twice").unwrap();
        refused(set.by_kid("twice"), ErrorKind::AmbiguousKey);
        refused(set.by_kid("same"), ErrorKind::AmbiguousKey);
        assert!(set.has_kid(first.kid()) && !set.has_kid("nobody"));
        assert_eq!((&set).into_iter().count(), keys.len());
    }
    refused(KeySet::new([]).unwrap().select(None, Alg::Es256), ErrorKind::KeyNotFound);
}

#[test]
fn keys_that_may_not_verify_are_not_selected() {
    let text = named(Alg::Es256, "a").to_private_jwk().unwrap();
    let text = text.expose_str().replace(r#""use":"sig""#, r#""key_ops":["sign"]"#);
    let only_signs = jwk(&text).unwrap();
    let set = KeySet::new([only_signs.clone(), only_signs.public().unwrap()]).unwrap();
    assert!(!set.select(Some("a"), Alg::Es256).unwrap().is_private());
    assert!(!set.select(None, Alg::Es256).unwrap().is_private());
    assert_eq!(set.matching(Alg::Es256).count(), 1);
    let alone = KeySet::new([only_signs]).unwrap();
    refused(alone.select(Some("a"), Alg::Es256), ErrorKind::UnusableKey);
    refused(alone.select(None, Alg::Es256), ErrorKind::KeyNotFound);
}

#[test]
fn sets_survive_a_round_trip_and_publish_no_secret() {
    let algs = [Alg::Rs256, Alg::Es256, Alg::Es256k, Alg::EdDsa, Alg::MlDsa44];
    let set = KeySet::new(algs.map(|alg| named(alg, alg.name()))).unwrap();
    let public = set.to_jwks().unwrap();
    for private in [r#""d":"#, r#""p":"#, r#""priv":"#] {
        assert!(!public.contains(private));
    }
    let again = KeySet::from_jwks(public.as_bytes()).unwrap();
    assert_eq!((again.len(), again.skipped().len()), (algs.len(), 0));
    assert_eq!(again.to_jwks().unwrap(), public);
    refused(again.to_private_jwks(), ErrorKind::KeyUsage);
    let private = set.to_private_jwks().unwrap();
    let again = KeySet::from_jwks(private.expose()).unwrap();
    assert_eq!(again.to_private_jwks().unwrap().expose_str(), private.expose_str());
    for (one, other) in set.iter().zip(&again) {
        assert_works_with(one, other);
    }

    let secrets = KeySet::new([Alg::Hs256, Alg::Hs512].map(|alg| named(alg, alg.name()))).unwrap();
    refused(secrets.to_jwks(), ErrorKind::KeyUsage);
    let private = secrets.to_private_jwks().unwrap();
    let again = KeySet::from_jwks(private.expose()).unwrap();
    assert_eq!(again.to_private_jwks().unwrap().expose_str(), private.expose_str());
    assert_eq!(KeySet::new([]).unwrap().to_jwks().unwrap(), r#"{"keys":[]}"#);
}

/// The JWK with this member in the place of another, which may be empty.
fn with(jwk: &str, old: &str, new: &str) -> String {
    assert!(jwk.contains(old), "{jwk} {old}");
    jwk.replace(old, new)
}

#[test]
fn a_key_that_is_there_twice_is_one_key() {
    for alg in [Alg::Es256, Alg::Rs256, Alg::EdDsa, Alg::MlDsa44] {
        let pair = named(alg, "k");
        let key = pair.public().unwrap();
        let jwk = key.to_jwk().unwrap();
        let silent = with(&jwk, r#""use":"sig""#, r#""x":1"#);
        let silent = if alg == Alg::Es256 || alg == Alg::EdDsa {
            with(&silent, &format!(r#""alg":"{}","#, alg.name()), "").replace(r#","x":1"#, "")
        } else {
            jwk.clone()
        };
        for second in [&jwk, &silent] {
            let twice = set(&[&jwk, second]).unwrap();
            assert_eq!((twice.len(), twice.skipped().len()), (1, 0), "{second}");
            assert_eq!(twice.select(Some("k"), alg).unwrap().thumbprint(), key.thumbprint());
            assert_eq!(twice.select(None, alg).unwrap().thumbprint(), key.thumbprint());
        }
        // The two halves of a pair stay two members, and select as one.
        let halves = KeySet::new([pair.clone(), key.clone(), key.clone()]).unwrap();
        assert_eq!(halves.len(), 2);
        assert!(halves.select(Some("k"), alg).unwrap().is_private());
        assert!(halves.select(None, alg).is_ok());
    }
    let secret = named(Alg::Hs256, "k");
    let twice = KeySet::new([secret.clone(), secret]).unwrap();
    assert_eq!((twice.len(), twice.select(None, Alg::Hs256).is_ok()), (1, true));
    // One modulus for two algorithms is two keys.
    let pem = Key::generate(Alg::Rs256).unwrap().to_pem().unwrap();
    let both = [Alg::Rs256, Alg::Ps256]
        .map(|alg| Key::from_pem(pem.as_bytes(), Some(alg)).unwrap().with_kid("k").unwrap());
    let both = KeySet::new(both).unwrap();
    assert_eq!(both.len(), 2);
    for alg in [Alg::Rs256, Alg::Ps256] {
        assert_eq!(both.select(Some("k"), alg).unwrap().alg(), alg);
    }
}

#[test]
fn a_skipped_key_is_not_missing() {
    let good = named(Alg::Es256, "good").to_jwk().unwrap();
    let weak = format!(
        r#"{{"kty":"RSA","kid":"weak","alg":"RS256","e":"AQAB","n":"{}"}}"#,
        "_".repeat(84)
    );
    let rsa = Key::generate(Alg::Rs256).unwrap().with_kid("entra").unwrap();
    let entra = with(&rsa.to_jwk().unwrap(), r#""alg":"RS256","#, "");
    let cases = [
        (weak.as_str(), "weak", ErrorKind::WeakKey),
        (entra.as_str(), "entra", ErrorKind::AlgorithmRequired),
        (r#"{"kty":"RSA","kid":"enc","use":"enc"}"#, "enc", ErrorKind::KeyUsage),
        (r#"{"kty":"later","kid":"later"}"#, "later", ErrorKind::UnsupportedKey),
        (r#"{"kty":"EC","kid":"k\u0031","crv":"P-256"}"#, "k1", ErrorKind::InvalidKey),
        (r#"{"kid":"nothing"}"#, "nothing", ErrorKind::InvalidKey),
    ];
    let mut members: Vec<_> = cases.iter().map(|(jwk, ..)| *jwk).collect();
    members.push(&good);
    let read = set(&members).unwrap();
    for ((_, kid, kind), skipped) in cases.iter().zip(read.skipped()) {
        assert_eq!((skipped.kid(), skipped.reason().kind()), (Some(*kid), *kind));
        for refusal in [read.select(Some(kid), Alg::Rs256), read.by_kid(kid)] {
            let error = refusal.unwrap_err();
            assert_eq!((error.kind(), error.claim()), (ErrorKind::UnusableKey, Some("kid")));
            let (named, reason) = error.unusable_key().unwrap();
            assert_eq!((named, reason), (*kid, skipped.reason()));
            let shown = error.to_string();
            assert!(shown.contains(reason.message()) && shown.contains(kid), "{shown}");
        }
    }
    refused(read.select(Some("nobody"), Alg::Rs256), ErrorKind::KeyNotFound);
    assert!(read.select(Some("good"), Alg::Es256).is_ok());
    // A name that is malformed, and one that is too long, are kept out.
    let long = format!(r#"{{"kid":"{}"}}"#, "k".repeat(257));
    let nameless = set(&[r#"{"kid":7}"#, r#"{"kid":""}"#, &long, "[]", "7", "{}"]).unwrap();
    assert!(nameless.skipped().iter().all(|member| member.kid().is_none()));
    // What is shown of a name is short and printable.
    let odd = set(&[r#"{"kid":"\u001b]0;x\u0007<b>"}"#]).unwrap();
    let error = odd.by_kid("\u{1b}]0;x\u{7}<b>").unwrap_err();
    assert_eq!(error.unusable_key().unwrap().0, "?]0;x??b?");
}

#[test]
fn a_name_that_a_skipped_key_shares_is_ambiguous() {
    let own = named(Alg::Es256, "k").to_jwk().unwrap();
    let other = Key::generate(Alg::Rs256).unwrap().with_kid("k").unwrap().to_jwk().unwrap();
    let silent = with(&other, r#""alg":"RS256","#, "");
    let curve = r#"{"kty":"EC","kid":"k","crv":"P-256","x":"AA","y":"AA"}"#;
    for rival in [silent.as_str(), curve, r#"{"kid":"k"}"#, r#"{"kty":"EC","kid":"\u006b"}"#] {
        for members in [[&own, rival], [rival, &own]] {
            let set = set(&members).unwrap();
            let error = set.select(Some("k"), Alg::Es256).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AmbiguousKey, "{rival}");
            assert!(error.message().contains("skipped"), "{error}");
            assert_eq!(set.select(None, Alg::Es256).unwrap().kid(), "k");
        }
    }
    let encrypting = r#"{"kty":"RSA","kid":"k","use":"enc","n":"AA","e":"AQAB"}"#;
    let same = with(&own, r#""alg":"ES256""#, r#""alg":"ECDH-ES""#);
    let elsewhere = curve.replace(r#""kid":"k""#, r#""kid":"K""#);
    for fine in [encrypting, &same, &elsewhere, r#"{"kty":"EC"}"#] {
        let set = set(&[&own, fine]).unwrap();
        assert_eq!(set.skipped().len(), 1, "{fine}");
        assert!(set.select(Some("k"), Alg::Es256).is_ok(), "{fine}");
    }
}

#[test]
fn what_is_not_a_set_says_what_it_is() {
    for (text, told) in [
        ("<!doctype html>", "page"),
        ("\u{feff}{\"keys\":[]}", "byte order mark"),
        ("{}", "array `keys`"),
    ] {
        let error = KeySet::from_jwks(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        assert!(error.message().contains(told), "{error}");
    }
    let many = format!(r#"{{"keys":[{}]}}"#, vec!["1"; 101].join(","));
    let error = KeySet::from_jwks(many.as_bytes()).unwrap_err();
    assert!(error.message().contains("100"), "{error}");
}

#[test]
fn a_key_in_another_spelling_is_no_rival_and_every_other_key_is() {
    let rsa = load("rsa.spki", Some(Alg::Rs256)).unwrap().with_kid("a").unwrap();
    let text = rsa.to_jwk().unwrap();
    let (begin, n) = text.split_once("\"n\":\"").unwrap();
    let n = &n[..n.find('"').unwrap()];
    let skipped = text.replace("RS256", "RSA-OAEP");
    let padded = b64_of(&[&[0], &b64_to(n)[..]].concat());
    assert!(begin.contains("RS256"));
    for same in [
        skipped.clone(),
        skipped.replace(n, &padded),
        skipped.replace(n, &format!("{n}==")),
        skipped.replace("\"RSA\"", "\"RSA-HSM\""),
    ] {
        let set = set(&[&text, &same]).unwrap();
        assert_eq!((set.len(), set.skipped().len()), (1, 1), "{same}");
        assert!(set.select(Some("a"), Alg::Rs256).is_ok(), "{same}");
        assert!(set.by_kid("a").is_ok(), "{same}");
    }
    let other = named(Alg::Rs256, "a");
    let other_skipped = other.to_jwk().unwrap().replace("RS256", "RSA-OAEP");
    let signs = other.to_private_jwk().unwrap();
    let signs = signs.expose_str().replace(r#""use":"sig""#, r#""key_ops":["sign"]"#);
    let nameless = text.replace(r#""kid":"a","#, "");
    assert_ne!(nameless, text);
    let by_thumbprint =
        other_skipped.replace(r#""kid":"a""#, &format!(r#""kid":"{}""#, rsa.thumbprint()));
    for (used, kid, rival) in [
        (&text, "a", &other_skipped),
        (&text, "a", &signs),
        (&nameless, &*rsa.thumbprint(), &by_thumbprint),
    ] {
        for members in [[used.as_str(), rival.as_str()], [rival, used]] {
            let set = set(&members).unwrap();
            refused(set.select(Some(kid), Alg::Rs256), ErrorKind::AmbiguousKey);
            refused(set.by_kid(kid), ErrorKind::AmbiguousKey);
            assert!(set.has_kid(kid));
        }
    }
}

#[test]
fn long_private_keys_are_read_up_to_a_bound() {
    let number = b64_of(&[0xFF; 1024]);
    let half = b64_of(&[0xFF; 512]);
    let long = format!(
        r#"{{"kty":"RSA","alg":"RS256","n":"{number}","e":"AQAB","d":"{number}","p":"{half}","q":"{half}","dp":"{half}","dq":"{half}","qi":"{half}"}}"#
    );
    let set_of_long = set(&vec![long.as_str(); 20]).unwrap();
    let reasons: Vec<_> =
        set_of_long.skipped().iter().map(|member| member.reason().kind()).collect();
    let refused_unseen = reasons.iter().filter(|kind| **kind == ErrorKind::UnsupportedKey).count();
    assert_eq!((reasons.len(), refused_unseen), (20, 16), "{reasons:?}");
    let key = Key::generate(Alg::Rs256).unwrap();
    let member = |i: usize| {
        let key = key.with_kid(&i.to_string()).unwrap().to_private_jwk().unwrap();
        key.expose_str().to_owned()
    };
    let members: Vec<_> = (0..100).map(member).collect();
    let members: Vec<_> = members.iter().map(String::as_str).collect();
    assert_eq!(set(&members).unwrap().len(), 100);
}

#[test]
fn what_is_no_set_is_named() {
    let key = named(Alg::Es256, "a").to_jwk().unwrap();
    for (text, words) in [
        (key.clone(), "from_jwk"),
        (format!("[{key}]"), "array of JWKs"),
        (r#"{"keys":null}"#.to_owned(), "null"),
        (r#"{"error":"x"}"#.to_owned(), "error"),
        (r#"{"issuer":"https://a","jwks_uri":"https://a/k"}"#.to_owned(), "`jwks_uri`"),
        (r#"{"a":"-----BEGIN CERTIFICATE-----\n"}"#.to_owned(), "certificates"),
    ] {
        let error = KeySet::from_jwks(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
    let error = KeySet::from_jwks(b"\x1f\x8b\x08\x00").unwrap_err();
    assert!(error.message().contains("gzip"), "{error}");
}

#[test]
fn names_have_no_control_characters() {
    let key = Key::generate(Alg::Es256).unwrap();
    refused(key.with_kid("a\nb"), ErrorKind::InvalidArgument);
    let options = crate::jwk::KeyOptions::new().kid("a\u{9f}");
    refused(options.from_pem(fixture("p256.spki").as_bytes()), ErrorKind::InvalidArgument);
    let text = key.with_kid("name").unwrap().to_jwk().unwrap().replace("name", r"a\u001b[31m");
    refused(jwk(&text), ErrorKind::InvalidKey);
    let set = set(&[&text]).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (0, 1));
}

fn b64_of(bytes: &[u8]) -> String {
    crate::base::b64::encode(bytes)
}

fn b64_to(text: &str) -> Vec<u8> {
    crate::base::b64::decode(text.as_bytes()).unwrap()
}
