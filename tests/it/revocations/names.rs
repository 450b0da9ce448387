//! Names by which nothing can be revoked: a verifier with revocations refuses a token that has one.

use crate::fixtures::key;
use crate::session::{NOW, refused};
use gatekey::clock::FixedClock;
use gatekey::revocations::{RevocationOptions, RevokeScope};
use gatekey::store::MemoryStore;
use gatekey::{Alg, ErrorKind, Policy, Revocations, Signer, Verifier};
use std::sync::Arc;

/// A JSON string, the text it stands for, and whether it can name something.
fn names() -> Vec<(String, String, bool)> {
    let plain = |text: &str| (format!("\"{text}\""), text.to_owned());
    let long = |length: usize| plain(&"x".repeat(length));
    let escaped = |json: &str, text: &str| (format!("\"{json}\""), text.to_owned());
    let cases = [
        (plain("alice"), true),
        (plain("\u{e9}\u{1f600}"), true),
        (escaped(r"\u0061lice", "alice"), true),
        (escaped(r#"a\"b\\"#, "a\"b\\"), true),
        (long(1024), true),
        (long(1025), false),
        (long(4000), false),
        (("\"".to_owned() + &r"\u0061".repeat(1024) + "\"", "a".repeat(1024)), true),
        (("\"".to_owned() + &r"\u0061".repeat(1025) + "\"", "a".repeat(1025)), false),
        (plain(""), false),
        (escaped(r"a\u0000b", "a\0b"), false),
        (escaped(r"a\nb", "a\nb"), false),
        (plain("a\u{7f}b"), false),
        (plain("a\u{85}b"), false),
        (escaped(r"a\u0085b", "a\u{85}b"), false),
    ];
    cases.into_iter().map(|((json, text), good)| (json, text, good)).collect()
}

struct Bench {
    revocations: Revocations,
    with: Verifier,
    without: Verifier,
    signer: Signer,
}

fn bench() -> Bench {
    let clock = Arc::new(FixedClock::new(NOW));
    let options = RevocationOptions::new().clock(clock.clone());
    let revocations = Revocations::open(Arc::new(MemoryStore::new()), options).unwrap();
    let policy = || Policy::new().ignore_issuer().clock(clock.clone());
    let with = policy().revocations(Arc::new(revocations.clone()));
    let verifier = |policy| Verifier::with_key(key(Alg::Hs256), policy).unwrap();
    let signer = Signer::builder(key(Alg::Hs256)).clock(clock.clone()).build().unwrap();
    Bench { revocations, with: verifier(with), without: verifier(policy()), signer }
}

#[test]
fn what_is_accepted_can_be_revoked_by_every_name_it_has() {
    type Revoke = fn(&Revocations, &str) -> Result<(), gatekey::Error>;
    let claims: [(&str, Revoke); 4] = [
        ("jti", |r, name| r.revoke_token("", name, NOW + 900)),
        ("sub", |r, name| r.revoke_subject(name)),
        ("sid", |r, name| r.revoke_session(name)),
        ("iss", |r, name| r.revoke_token(name, "id", NOW + 900)),
    ];
    for (claim, revoke) in claims {
        for (json, text, can_be) in names() {
            let bench = bench();
            let id = if claim == "jti" { "" } else { r#","jti":"id""# };
            let token = bench.signer.sign_json(format!(r#"{{"{claim}":{json}{id}}}"#)).unwrap();
            let context = format!("{claim}: {:.40}", json);
            assert!(bench.without.verify(&token).is_ok(), "{context}: a claim like any other");
            if can_be {
                assert!(bench.with.verify(&token).is_ok(), "{context}");
                revoke(&bench.revocations, &text).unwrap();
                refused(bench.with.verify(&token), ErrorKind::RevokedToken, &context);
            } else {
                let error = refused(bench.with.verify(&token), ErrorKind::InvalidClaim, &context);
                assert_eq!(error.claim(), Some(claim), "{context}");
                if !text.is_empty() || claim != "iss" {
                    let outcome = revoke(&bench.revocations, &text);
                    refused(outcome, ErrorKind::InvalidArgument, &context);
                }
            }
        }
    }
}

#[test]
fn a_session_that_is_no_string_is_refused() {
    for sid in ["1", "null", "true", "[]", r#"["a"]"#, "{}"] {
        let bench = bench();
        let token = bench.signer.sign_json(format!(r#"{{"sid":{sid}}}"#)).unwrap();
        assert!(bench.without.verify(&token).is_ok());
        let error = refused(bench.with.verify(&token), ErrorKind::InvalidClaim, sid);
        assert_eq!(error.claim(), Some("sid"));
    }
}

#[test]
fn a_tenant_that_cannot_be_told_is_refused_once_any_was_revoked() {
    let odd = ["null", "true", "[]", r#"["acme"]"#, r#"{"id":"acme"}"#];
    let odd = odd.iter().map(|json| ((*json).to_owned(), false));
    let named = names().into_iter().map(|(json, _, good)| (json, good));
    for (tenant, good) in odd.chain(named) {
        let bench = bench();
        let token = bench.signer.sign_json(format!(r#"{{"tenant":{tenant}}}"#)).unwrap();
        bench.revocations.revoke_before(NOW + 1, RevokeScope::Tenant("acme")).unwrap();
        let verified = bench.with.verify(&token);
        if good {
            assert!(verified.is_ok(), "{tenant:.40}: another tenant");
        } else {
            refused(verified, ErrorKind::InvalidClaim, &tenant);
        }
        let without = bench.signer.sign_json(r#"{"sub":"alice"}"#).unwrap();
        assert!(bench.with.verify(&without).is_ok(), "of no tenant");
    }
}

/// A whole token or API key is no name: it is refused, and not shown, instead of revoking nothing.
#[test]
fn a_whole_token_is_no_name() {
    let store = gatekey::Store::open("memory:").unwrap();
    let list = store.revocations(RevocationOptions::new()).unwrap();
    let keys = store.api_keys(gatekey::apikey::ApiKeyOptions::new()).unwrap();
    let issued = keys.create(&gatekey::apikey::KeySpec::new("acme")).unwrap();
    let signer = Signer::builder(key(Alg::Hs256)).build().unwrap();
    let token = signer.sign(&gatekey::Claims::new().subject("alice")).unwrap();
    let sessions = store.sessions(None, gatekey::session::SessionOptions::new()).unwrap();
    for text in [&*token, issued.secret.expose_str()] {
        let refusals = [
            list.revoke_token("", text, 1 << 33).err(),
            list.revoke_token(text, "j", 1 << 33).err(),
            list.revoke_session(text).err(),
            list.revoke_subject(text).err(),
            list.revoke_key(text).err(),
            list.revoke_before(1, RevokeScope::Subject(text)).err(),
            list.revoke_before(1, RevokeScope::Tenant(text)).err(),
            list.seen_once("", text, 1 << 33).err(),
            sessions.end_all(text).err(),
            keys.revoke(text, "").err(),
            keys.rotate(text, 0).err(),
            keys.enable(text).err(),
            keys.get(text).err(),
        ];
        for refused in refusals {
            let refused = refused.unwrap();
            assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
            let told = refused.to_string();
            assert!(told.contains("not shown") && !told.contains(&text[..12]), "{told}");
        }
    }
    assert!(list.is_empty());
    assert!(keys.get(&issued.record.id).unwrap().revoked_at.is_none());
}
