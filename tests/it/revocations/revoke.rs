//! What is revoked: by token, session, subject, tenant, key and for all; remembered for as long as it
//! matters, and refused where that cannot be known.

use crate::fixtures::{key, verifying};
use crate::lost::Lost;
use crate::session::{DAY, NOW, refused};
use gatekey::clock::FixedClock;
use gatekey::jwt::IssuerRule;
use gatekey::revocations::{RevocationOptions, RevokeScope};
use gatekey::store::{MemoryStore, RevocationStore as _};
use gatekey::{Alg, Claims, Clock, ErrorKind, KeySet, Policy, Revocations, Signer, Verifier};
use std::sync::Arc;

const ISSUER: &str = "https://auth.example";

struct Bench {
    revocations: Revocations,
    clock: Arc<FixedClock>,
    store: Arc<MemoryStore>,
    alg: Alg,
}

fn bench_of(alg: Alg) -> Bench {
    let (clock, store) = (Arc::new(FixedClock::new(NOW)), Arc::new(MemoryStore::new()));
    let options = RevocationOptions::new().clock(clock.clone());
    let revocations = Revocations::open(store.clone(), options).unwrap();
    Bench { revocations, clock, store, alg }
}

fn bench() -> Bench {
    bench_of(Alg::Hs256)
}

impl Bench {
    fn sign(&self, claims: Claims) -> String {
        let signer = Signer::builder(key(self.alg)).issuer(ISSUER).clock(self.clock.clone());
        signer.build().unwrap().sign(&claims).unwrap()
    }

    fn policy(&self) -> Policy {
        let list = Arc::new(self.revocations.clone());
        Policy::new().expect_issuer(ISSUER).clock(self.clock.clone()).revocations(list)
    }

    fn verify(&self, token: &str) -> Result<(), gatekey::Error> {
        let verifier = Verifier::with_key(&verifying(key(self.alg)), self.policy()).unwrap();
        verifier.verify(token).map(drop)
    }

    /// Everything that is revoked, read again.
    fn restart(&mut self) {
        let options = RevocationOptions::new().clock(self.clock.clone());
        self.revocations = Revocations::open(self.store.clone(), options).unwrap();
    }
}

/// Claims that can be revoked in every way.
fn claims() -> Claims {
    Claims::new()
        .subject("alice")
        .token_id("token-1")
        .claim_str("sid", "session-1")
        .claim_str("tenant", "acme")
}

/// Names the way; revokes exactly what [`claims`] say, or something next to it.
type Revoke = fn(&Bench, bool);

fn ways() -> Vec<(&'static str, Revoke)> {
    vec![
        ("token", |b, own| {
            let id = if own { "token-1" } else { "token-2" };
            b.revocations.revoke_token(ISSUER, id, NOW + 900).unwrap();
        }),
        ("token of an issuer", |b, own| {
            let issuer = if own { ISSUER } else { "https://auth.exampl" };
            let id = if own { "token-1" } else { "etoken-1" };
            b.revocations.revoke_token(issuer, id, NOW + 900).unwrap();
        }),
        ("token of any issuer", |b, own| {
            let id = if own { "token-1" } else { "token-2" };
            b.revocations.revoke_token("", id, NOW + 900).unwrap();
        }),
        ("session", |b, own| {
            b.revocations.revoke_session(if own { "session-1" } else { "session-2" }).unwrap();
        }),
        ("subject", |b, own| {
            b.revocations.revoke_subject(if own { "alice" } else { "alice2" }).unwrap();
        }),
        ("key", |b, own| {
            let kid = verifying(key(b.alg)).kid().to_owned();
            b.revocations.revoke_key(if own { &kid } else { "another" }).unwrap();
        }),
        ("subject before", |b, own| {
            let scope = RevokeScope::Subject("alice");
            b.revocations.revoke_before(if own { NOW + 1 } else { NOW }, scope).unwrap();
        }),
        ("tenant before", |b, own| {
            let scope = RevokeScope::Tenant(if own { "acme" } else { "acme2" });
            b.revocations.revoke_before(NOW + 1, scope).unwrap();
        }),
        ("all before", |b, own| {
            let at = if own { NOW + 1 } else { NOW };
            b.revocations.revoke_before(at, RevokeScope::All).unwrap();
        }),
    ]
}

#[test]
fn each_way_revokes_what_it_names_and_nothing_next_to_it() {
    for &alg in Alg::ALL {
        for (way, revoke) in ways() {
            let mut bench = bench_of(alg);
            let token = bench.sign(claims());
            revoke(&bench, false);
            assert!(bench.verify(&token).is_ok(), "{alg:?}, {way}: another one");
            revoke(&bench, true);
            refused(bench.verify(&token), ErrorKind::RevokedToken, way);
            bench.restart();
            refused(bench.verify(&token), ErrorKind::RevokedToken, "after a restart");
            let set = KeySet::new([verifying(key(alg))]).unwrap();
            let policy = Policy::new()
                .clock(bench.clock.clone())
                .revocations(Arc::new(bench.revocations.clone()));
            let several = Verifier::for_issuers([IssuerRule::new(ISSUER, &set)], policy).unwrap();
            refused(several.verify(&token), ErrorKind::RevokedToken, "with several issuers");
        }
    }
}

#[test]
fn a_name_in_another_spelling_is_the_same_name() {
    let bench = bench();
    let signer = Signer::builder(key(Alg::Hs256)).clock(bench.clock.clone()).build().unwrap();
    let escaped = r#"{"iss":"https://auth.example","sub":"alic\u0065","jti":"token\u002d1","\u0073id":"s\u00311"}"#;
    for revoke in [
        |b: &Bench| b.revocations.revoke_token(ISSUER, "token-1", NOW + 900),
        |b: &Bench| b.revocations.revoke_subject("alice"),
        |b: &Bench| b.revocations.revoke_session("s11"),
    ] {
        let bench = bench_of(Alg::Hs256);
        let token = signer.sign_json(escaped).unwrap();
        assert!(bench.verify(&token).is_ok());
        revoke(&bench).unwrap();
        refused(bench.verify(&token), ErrorKind::RevokedToken, "escaped");
    }
    // OWASP: a list by the token's text is got around by another text of the same token.
    let id = Claims::new().token_id("x");
    let (one, two) = (bench.sign(id.clone()), bench.sign(id.claim_bool("more", true)));
    bench.revocations.revoke_token(ISSUER, "x", NOW + 900).unwrap();
    refused(bench.verify(&one), ErrorKind::RevokedToken, "by iss and jti");
    refused(bench.verify(&two), ErrorKind::RevokedToken, "whatever else it says");
}

#[test]
fn a_token_about_which_nothing_can_be_known_is_refused() {
    let bench = bench();
    let at = |iat: i64, exp: i64| Claims::new().issued_at(iat).expires_at(exp);
    let now = NOW as i64;
    let limit = 30 * DAY as i64;
    assert!(bench.verify(&bench.sign(at(now, now + limit))).is_ok());
    let error = bench.verify(&bench.sign(at(now, now + limit + 1))).unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("exp")));
    assert!(error.message().contains("max_token_ttl"), "names the remedy");
    let signer = Signer::builder(key(Alg::Hs256)).issuer(ISSUER).no_ttl().allow_missing_exp();
    let endless = signer.clock(bench.clock.clone()).build().unwrap().sign(&Claims::new()).unwrap();
    let verifier = Verifier::with_key(key(Alg::Hs256), bench.policy().allow_missing_exp()).unwrap();
    let error = verifier.verify(endless).unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::MissingClaim, Some("exp")));
    bench.revocations.revoke_session("1").unwrap();
    let number = bench.sign(Claims::new().claim_i64("sid", 1));
    let error = bench.verify(&number).unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("sid")));
    // Without revocations `sid` is a claim like any other.
    let plain = Policy::new().expect_issuer(ISSUER).clock(bench.clock);
    assert!(Verifier::with_key(key(Alg::Hs256), plain).unwrap().verify(number).is_ok());
}

#[test]
fn a_bad_signature_wins_and_a_revoked_token_says_nothing_else() {
    let bench = bench();
    let token = bench.sign(claims());
    bench.revocations.revoke_subject("alice").unwrap();
    let stranger = Verifier::with_key(crate::fixtures::other(Alg::Hs256), bench.policy()).unwrap();
    refused(stranger.verify(&token), ErrorKind::InvalidSignature, "nothing is asked about it");
    bench.clock.advance(901);
    refused(bench.verify(&token), ErrorKind::Expired, "too old comes before revoked");
}

#[test]
fn a_later_log_in_is_good_again() {
    let bench = bench();
    bench.revocations.revoke_subject("alice").unwrap();
    bench.revocations.revoke_before(NOW, RevokeScope::All).unwrap();
    refused(bench.verify(&bench.sign(claims())), ErrorKind::RevokedToken, "the same second");
    bench.clock.advance(1);
    assert!(bench.verify(&bench.sign(claims())).is_ok());
    let future = bench.revocations.revoke_before(NOW + 3, RevokeScope::All);
    refused(future, ErrorKind::InvalidArgument, "tokens that do not exist yet");
}

#[test]
fn leeway_is_counted_in() {
    let bench = bench();
    let token = bench.sign(claims());
    bench.revocations.revoke_token(ISSUER, "token-1", NOW + 900).unwrap();
    let lenient = Verifier::with_key(key(Alg::Hs256), bench.policy().leeway(600)).unwrap();
    bench.clock.advance(900 + 599);
    bench.revocations.purge().unwrap();
    refused(lenient.verify(&token), ErrorKind::RevokedToken, "still remembered");
    bench.clock.advance(1);
    assert_eq!(bench.revocations.purge().unwrap(), 1);
    assert!(bench.revocations.is_empty());
    refused(lenient.verify(&token), ErrorKind::Expired, "and now it is too old");
}

#[test]
fn entries_are_forgotten_when_they_have_become_needless() {
    let bench = bench();
    let r = &bench.revocations;
    refused(r.revoke_token(ISSUER, "old", NOW - 601), ErrorKind::InvalidArgument, "has expired");
    assert!(r.is_empty());
    r.revoke_token(ISSUER, "a", NOW + 10).unwrap();
    r.revoke_session("s").unwrap();
    r.revoke_subject("alice").unwrap();
    r.revoke_before(NOW, RevokeScope::All).unwrap();
    r.revoke_key("k").unwrap();
    assert_eq!(r.len(), 5);
    for (at, left) in
        [(NOW + 609, 5), (NOW + 610, 4), (NOW + 30 * DAY + 599, 4), (NOW + 30 * DAY + 601, 1)]
    {
        bench.clock.set(at);
        r.purge().unwrap();
        assert_eq!(r.len(), left, "{}", at - NOW);
    }
    assert_eq!(bench.store.revocations(0, 10).unwrap().entries.len(), 1, "a key is for ever");
    // And without being asked to, by whoever verifies.
    r.revoke_token(ISSUER, "b", bench.clock.now() + 10).unwrap();
    bench.clock.advance(2000);
    assert!(bench.verify(&bench.sign(claims())).is_ok());
    assert_eq!(r.len(), 1);
}

#[test]
fn the_first_of_its_kind_is_seen_by_the_first_token_after_it() {
    for (way, revoke) in ways() {
        let bench = bench();
        let token = bench.sign(claims());
        let options = RevocationOptions::new().clock(bench.clock.clone());
        let other = Revocations::open(bench.store.clone(), options).unwrap();
        revoke(
            &Bench { revocations: other, clock: bench.clock.clone(), ..bench_of(bench.alg) },
            true,
        );
        bench.clock.advance(1); // time to look, which this token does
        refused(bench.verify(&token), ErrorKind::RevokedToken, way);
    }
}

#[test]
fn a_million_entries_do_not_get_in_each_others_way() {
    let bench = bench();
    const COUNT: usize = 200_000;
    for batch in 0..COUNT / 1000 {
        let entries = (0..1000).map(|n| gatekey::store::Revocation {
            kind: gatekey::store::RevocationKind::Token,
            issuer: ISSUER.into(),
            value: format!("token-{}", batch * 1000 + n),
            before: 0,
            until: NOW + 10_000,
            at: NOW,
        });
        bench.store.write_revocations(&entries.collect::<Vec<_>>()).unwrap();
    }
    bench.revocations.refresh().unwrap();
    assert_eq!(bench.revocations.len(), COUNT);
    let per_entry = bench.revocations.memory_bytes() / COUNT;
    assert!(per_entry < 60, "{per_entry} bytes an entry");
    for n in (0..COUNT + 100).step_by(97) {
        let token = bench.sign(Claims::new().token_id(&format!("token-{n}")));
        assert_eq!(bench.verify(&token).is_err(), n < COUNT, "{n}");
    }
}

fn lost(options: RevocationOptions) -> (Arc<Lost>, Arc<FixedClock>, Revocations) {
    let clock = Arc::new(FixedClock::new(NOW));
    let store = Arc::new(Lost::default());
    let revocations = Revocations::open(store.clone(), options.clock(clock.clone())).unwrap();
    (store, clock, revocations)
}

fn verifier(revocations: &Revocations, clock: &Arc<FixedClock>) -> (Verifier, String) {
    let policy = Policy::new().clock(clock.clone()).revocations(Arc::new(revocations.clone()));
    let signer = Signer::builder(key(Alg::Hs256)).clock(clock.clone()).build().unwrap();
    let token = signer.sign(&Claims::new().subject("alice")).unwrap();
    (Verifier::with_key(key(Alg::Hs256), policy).unwrap(), token)
}

#[test]
fn a_list_that_is_lost_refuses_after_max_stale() {
    let (store, clock, revocations) = lost(RevocationOptions::new().max_stale(5));
    let (verifier, token) = verifier(&revocations, &clock);
    store.set(true);
    clock.advance(5);
    assert!(verifier.verify(&token).is_ok(), "for a while what is known is good enough");
    clock.advance(1);
    let error = refused(verifier.verify(&token), ErrorKind::StoreUnavailable, "then not");
    assert!(error.kind().is_unavailable() && error.message().contains("max_stale"));
    refused(revocations.revoke_subject("alice"), ErrorKind::StoreUnavailable, "not lost silently");
    refused(revocations.seen_once("", "1", NOW + 60), ErrorKind::StoreUnavailable, "not known");
    store.set(false);
    assert!(verifier.verify(&token).is_ok(), "and good again");
    assert!(revocations.seen_once("", "1", NOW + 60).unwrap(), "the failed call noted nothing");
}

/// What was revoked is written, but not what number it has got: nothing is let in until that is known.
#[test]
fn a_store_that_goes_away_after_a_revocation_refuses_until_it_is_back() {
    let (store, clock, revocations) = lost(RevocationOptions::new());
    let (verifier, token) = verifier(&revocations, &clock);
    store.set_after_write();
    revocations.revoke_subject("bob").unwrap();
    refused(verifier.verify(&token), ErrorKind::StoreUnavailable, "at once");
    store.set(false);
    assert!(verifier.verify(&token).is_ok(), "and good again");
}

#[test]
fn a_strict_list_refuses_at_once() {
    let (store, clock, revocations) = lost(RevocationOptions::new().strict(true));
    let (verifier, token) = verifier(&revocations, &clock);
    assert!(verifier.verify(&token).is_ok());
    store.set(true);
    refused(verifier.verify(&token), ErrorKind::StoreUnavailable, "at once");
    let options = RevocationOptions::new();
    let opened = Revocations::open(store, options);
    refused(opened, ErrorKind::StoreUnavailable, "nothing is opened without its entries");
}

#[test]
fn a_strict_list_sees_others_at_once() {
    let (store, clock, revocations) = lost(RevocationOptions::new().strict(true));
    let (verifier, token) = verifier(&revocations, &clock);
    let other = Revocations::open(store, RevocationOptions::new().clock(clock)).unwrap();
    assert!(verifier.verify(&token).is_ok());
    other.revoke_subject("alice").unwrap();
    refused(verifier.verify(&token), ErrorKind::RevokedToken, "though the clock stands still");
}

#[test]
fn a_token_for_one_use_is_good_once() {
    let bench = bench();
    let r = &bench.revocations;
    assert!(r.seen_once(ISSUER, "1", NOW + 60).unwrap());
    assert!(!r.seen_once(ISSUER, "1", NOW + 60).unwrap());
    assert!(!r.seen_once(ISSUER, "1", NOW + 99).unwrap(), "whatever it says of its end");
    refused(r.seen_once(ISSUER, "m", NOW * 1000), ErrorKind::InvalidArgument, "milliseconds");
    assert!(r.seen_once("another", "1", NOW + 60).unwrap());
    assert!(r.seen_once(ISSUER, "2", NOW + 60).unwrap());
    assert!(r.seen_once("", "1", NOW + 60).unwrap(), "without an issuer");
    assert!(!r.seen_once(ISSUER, "3", NOW).unwrap(), "one that has expired is good for none");
    let other =
        Revocations::open(bench.store.clone(), RevocationOptions::new().clock(bench.clock.clone()));
    assert!(!other.unwrap().seen_once(ISSUER, "2", NOW + 60).unwrap(), "in any process");
    refused(r.seen_once(ISSUER, "", NOW + 60), ErrorKind::InvalidArgument, "no id");
}

#[test]
fn what_cannot_be_revoked_or_opened() {
    let bench = bench();
    let r = &bench.revocations;
    let long = "x".repeat(1025);
    for name in ["", long.as_str(), "a\0b"] {
        refused(r.revoke_session(name), ErrorKind::InvalidArgument, "session");
        refused(r.revoke_subject(name), ErrorKind::InvalidArgument, "subject");
        refused(r.revoke_key(name), ErrorKind::InvalidArgument, "key");
        refused(r.revoke_token("", name, NOW + 9), ErrorKind::InvalidArgument, "token");
        let tenant = RevokeScope::Tenant(name);
        refused(r.revoke_before(NOW, tenant), ErrorKind::InvalidArgument, "tenant");
    }
    refused(r.revoke_token(&long, "1", NOW + 9), ErrorKind::InvalidArgument, "issuer");
    // Long past, so that nothing would be remembered; or no seconds, so that it would be for ever.
    for expiry in [0, 1, NOW - 600, NOW * 1000, (NOW + 900) * 1000, u64::MAX] {
        for issuer in ["", ISSUER] {
            let error = r.revoke_token(issuer, "1", expiry).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{expiry}");
            assert!(error.to_string().contains("seconds since 1970"), "{expiry}: {error}");
        }
    }
    assert!(r.is_empty());
    r.revoke_token("", "may still be accepted, with a leeway", NOW - 599).unwrap();
    assert_eq!(r.len(), 1);
    let open = |options| Revocations::open(Arc::new(MemoryStore::new()), options);
    for options in [
        RevocationOptions::new().max_stale(86_401),
        RevocationOptions::new().max_token_ttl(0),
        RevocationOptions::new().max_token_ttl(RevocationOptions::MAX_TOKEN_TTL + 1),
        RevocationOptions::new().tenant_claim(""),
    ] {
        refused(open(options), ErrorKind::InvalidArgument, "options");
    }
}

#[test]
fn the_claim_of_the_tenant_can_be_another_and_a_number() {
    let clock = Arc::new(FixedClock::new(NOW));
    let options = RevocationOptions::new().clock(clock.clone()).tenant_claim("org_id");
    let revocations = Revocations::open(Arc::new(MemoryStore::new()), options).unwrap();
    let policy = Policy::new().clock(clock.clone()).revocations(Arc::new(revocations.clone()));
    let verifier = Verifier::with_key(key(Alg::Hs256), policy).unwrap();
    let signer = Signer::builder(key(Alg::Hs256)).clock(clock).build().unwrap();
    let token = signer.sign(&Claims::new().claim_i64("org_id", 7)).unwrap();
    let other = signer.sign(&Claims::new().claim_i64("org_id", 8)).unwrap();
    revocations.revoke_before(NOW + 1, RevokeScope::Tenant("7")).unwrap();
    refused(verifier.verify(token), ErrorKind::RevokedToken, "a number");
    assert!(verifier.verify(other).is_ok());
    // The same number in another form has no name, nor has what is no whole number.
    for form in ["7.0", "7e0", "70e-1", "0.7E1", "-0", "7.5", "1e2"] {
        let token = signer.sign_json(format!(r#"{{"org_id":{form}}}"#)).unwrap();
        refused(verifier.verify(token), ErrorKind::InvalidClaim, form);
    }
    for other in ["-7", "0", "70", "18446744073709551616"] {
        let token = signer.sign_json(format!(r#"{{"org_id":{other}}}"#)).unwrap();
        assert!(verifier.verify(&token).is_ok(), "{other}");
        revocations.revoke_before(NOW + 1, RevokeScope::Tenant(other)).unwrap();
        refused(verifier.verify(&token), ErrorKind::RevokedToken, other);
    }
}

#[test]
fn a_program_may_have_a_list_of_its_own() {
    struct OddOnly;
    impl gatekey::jwt::RevocationList for OddOnly {
        fn check(&self, token: &gatekey::jwt::PresentedToken<'_>) -> Result<(), gatekey::Error> {
            assert_eq!(token.subject().as_deref(), Some("alice"));
            assert_eq!(token.key_id(), key(Alg::Hs256).kid());
            assert_eq!((token.now_nanos(), token.leeway()), (NOW * 1_000_000_000, 7));
            match token.claim("n").and_then(|n| n.as_u64()) {
                Some(n) if n % 2 == 1 => Ok(()),
                _ => Err(ErrorKind::RevokedToken.into()),
            }
        }
    }
    let clock = Arc::new(FixedClock::new(NOW));
    let policy = Policy::new().clock(clock.clone()).leeway(7).revocations(Arc::new(OddOnly));
    let verifier = Verifier::with_key(key(Alg::Hs256), policy).unwrap();
    let signer = Signer::builder(key(Alg::Hs256)).clock(clock).build().unwrap();
    for n in 0..4 {
        let token = signer.sign(&Claims::new().subject("alice").claim_i64("n", n)).unwrap();
        assert_eq!(verifier.verify(token).is_ok(), n % 2 == 1);
    }
}

/// The subject 7 and the subject "7" are revoked each by its own name.
#[test]
fn a_subject_that_is_a_number() {
    type Way = fn(&Bench);
    let ways: [(Way, bool, bool); 4] = [
        (|b| b.revocations.revoke_subject("7").unwrap(), true, false),
        (|b| b.revocations.revoke_numeric_subject(7).unwrap(), false, true),
        (
            |b| {
                let scope = RevokeScope::NumericSubject(7);
                b.revocations.revoke_before(NOW + 1, scope).unwrap();
            },
            false,
            true,
        ),
        (|b| b.revocations.revoke_numeric_subject(8).unwrap(), false, false),
    ];
    for (revoke, text_is_revoked, number_is_revoked) in ways {
        let mut bench = bench();
        let text = bench.sign(Claims::new().subject("7"));
        let number = crate::forge::token(
            key(bench.alg),
            &serde_json::json!({"iss": ISSUER, "sub": 7, "iat": NOW, "exp": NOW + 900, "jti": "t"}),
        );
        let outcome = |bench: &Bench, token: &str| {
            let policy = bench.policy().allow_numeric_subject();
            Verifier::with_key(&verifying(key(bench.alg)), policy)
                .unwrap()
                .verify(token)
                .map(|_| ())
        };
        assert!(outcome(&bench, &text).is_ok() && outcome(&bench, &number).is_ok());
        revoke(&bench);
        for _ in 0..2 {
            for (token, is_revoked) in [(&text, text_is_revoked), (&number, number_is_revoked)] {
                match outcome(&bench, token) {
                    Ok(()) => assert!(!is_revoked),
                    Err(error) => {
                        assert_eq!((error.kind(), is_revoked), (ErrorKind::RevokedToken, true));
                    }
                }
            }
            bench.restart();
        }
    }
}
