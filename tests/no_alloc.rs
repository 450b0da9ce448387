//! Refusing a token allocates nothing; accepting one allocates once, for its claims.
//!
//! The one exception: where more than sixteen member names are open at a time, the search for
//! duplicates keeps the rest of them on the heap; how much that may be is held here, too.
//!
//! Counted with a global allocator, for every algorithm. What the cryptographic library allocates in
//! C is not seen here.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected must fail loudly and say why"
)]
#![expect(dead_code, reason = "the fixtures are shared with tests/it, which uses all of them")]

#[path = "it/counting.rs"]
mod counting;
#[path = "it/fixtures.rs"]
mod fixtures;
#[path = "it/forge.rs"]
mod forge;

use counting::count;
use fixtures::{
    ISSUER, NOW, claims, claims_with, claims_without, fixed_clock, key, other, policy, refused,
    verifier, verifying,
};
use forge::{b64, header, header_and, resign, sign, signature, token};
use gatekey::apikey::{ApiKeyOptions, KeySpec};
use gatekey::guard::{Demand, Guard, Request};
use gatekey::jwk::KeySource as _;
use gatekey::jwt::{IssuerRule, danger_decode_unverified};
use gatekey::keyring::KeyRingOptions;
use gatekey::revocations::{RevocationOptions, RevokeScope};
use gatekey::session::{SessionCookies, SessionOptions, SessionSpec};
use gatekey::store::MemoryStore;
use gatekey::web::Csrf;
use gatekey::{
    Alg, Claims, ErrorKind, KeyRing, KeySet, Peppers, Policy, ResourceServer, Revocations, Secret,
    Signer, Store, Verifier,
};
use serde_json::json;
use std::sync::Arc;

/// Refused with this kind and without asking the allocator for anything, twice over.
#[track_caller]
fn refused_for_free(verifier: &Verifier, token: &str, kind: ErrorKind, what: &str) {
    for _ in 0..2 {
        let (result, asked) = count(|| verifier.verify(token));
        assert_eq!(asked.calls, 0, "{what}: {asked:?}");
        refused(result, kind, what);
    }
}

#[test]
fn refusals_allocate_nothing() {
    for &alg in Alg::ALL {
        let (own, verifier) = (key(alg), verifier(alg));
        let good = token(own, &claims());
        verifier.verify(&good).unwrap(); // so that known and unknown headers are both met below
        let mut flipped = signature(&good);
        flipped[2] ^= 1;
        let with_header = |members: &str| sign(own, header_and(alg, members), claims().to_string());
        let cases = [
            ("signature", ErrorKind::InvalidSignature, resign(&good, &flipped)),
            ("no signature", ErrorKind::InvalidSignature, resign(&good, b"")),
            (
                "a stranger",
                ErrorKind::InvalidSignature,
                sign(other(alg), header(alg), claims().to_string()),
            ),
            (
                "a stranger, another header",
                ErrorKind::InvalidSignature,
                sign(other(alg), header_and(alg, r#""n":1"#), "{}"),
            ),
            ("expired", ErrorKind::Expired, token(own, &claims_with("exp", json!(NOW)))),
            ("early", ErrorKind::NotYetValid, token(own, &claims_with("nbf", json!(NOW + 1)))),
            ("future", ErrorKind::IssuedInFuture, token(own, &claims_with("iat", json!(NOW + 1)))),
            (
                "issuer",
                ErrorKind::InvalidIssuer,
                token(own, &claims_with("iss", json!("https://x.example"))),
            ),
            (
                "audience",
                ErrorKind::InvalidAudience,
                token(own, &claims_with("aud", json!(["x", "y"]))),
            ),
            (
                "escaped",
                ErrorKind::InvalidIssuer,
                sign(own, header(alg), claims().to_string().replace("issuer", r"\u0065il")),
            ),
            ("no exp", ErrorKind::MissingClaim, token(own, &claims_without("exp"))),
            ("no audience", ErrorKind::MissingClaim, token(own, &claims_without("aud"))),
            ("aud type", ErrorKind::InvalidClaim, token(own, &claims_with("aud", json!([1])))),
            ("exp type", ErrorKind::InvalidClaim, token(own, &claims_with("exp", json!("1")))),
            ("typ", ErrorKind::InvalidType, with_header(r#""typ":"x""#)),
            ("escaped typ", ErrorKind::InvalidType, with_header(r#""typ":"\u0078""#)),
            ("crit", ErrorKind::UnsupportedCritical, with_header(r#""crit":["x"],"x":1"#)),
            ("bad crit", ErrorKind::MalformedToken, with_header(r#""crit":[]"#)),
            ("none", ErrorKind::UnsupportedAlgorithm, sign(own, r#"{"alg":"none"}"#, "{}")),
            (
                "escaped alg",
                ErrorKind::UnsupportedAlgorithm,
                sign(own, r#"{"alg":"n\u006fne"}"#, "{}"),
            ),
            (
                "another alg",
                ErrorKind::InvalidAlgorithm,
                sign(own, header(if alg == Alg::Hs256 { Alg::Rs256 } else { Alg::Hs256 }), "{}"),
            ),
            ("no header", ErrorKind::MalformedToken, "..".to_owned()),
            ("not a token", ErrorKind::MalformedToken, "not a token".to_owned()),
            ("padding", ErrorKind::MalformedToken, format!("{good}=")),
            ("no claims", ErrorKind::MalformedToken, sign(own, header(alg), "[]")),
            ("duplicate", ErrorKind::MalformedToken, sign(own, header(alg), r#"{"a":1,"a":2}"#)),
            (
                "escaped duplicate",
                ErrorKind::MalformedToken,
                sign(own, header(alg), r#"{"ab":1,"a\u0062":2}"#),
            ),
            ("UTF-8", ErrorKind::MalformedToken, sign(own, header(alg), b"{\"a\":\"\xff\"}")),
            ("deep", ErrorKind::MalformedToken, sign(own, header(alg), "[".repeat(100))),
            (
                "huge",
                ErrorKind::TokenTooLarge,
                token(own, &claims_with("x", json!("x".repeat(20_000)))),
            ),
            (
                "huge header",
                ErrorKind::TokenTooLarge,
                with_header(&format!(r#""x":"{}""#, "x".repeat(4100))),
            ),
        ];
        for (what, kind, token) in cases {
            refused_for_free(&verifier, &token, kind, &format!("{alg} {what}"));
        }
    }
}

#[test]
fn refusals_of_key_sets_and_issuers_allocate_nothing() {
    let named = |alg: Alg, kid: &str| verifying(key(alg)).with_kid(kid).unwrap();
    let set = KeySet::new([
        named(Alg::Es256, "a"),
        named(Alg::Rs256, "b"),
        verifying(other(Alg::Es256)).with_kid("c").unwrap(),
    ])
    .unwrap();
    let verifier = Verifier::new(&set, policy()).unwrap();
    let signed = |alg: Alg, kid: &str| {
        sign(key(alg), header_and(alg, &format!(r#""kid":"{kid}""#)), claims().to_string())
    };
    for (token, kind) in [
        (signed(Alg::Es256, "nobody"), ErrorKind::KeyNotFound),
        (signed(Alg::Es256, "n\\u006fbody"), ErrorKind::KeyNotFound),
        (signed(Alg::Es256, &"k".repeat(2000)), ErrorKind::KeyNotFound),
        (signed(Alg::Es256, "b"), ErrorKind::InvalidAlgorithm),
        (signed(Alg::Es256, "c"), ErrorKind::InvalidSignature),
        (token(key(Alg::Es256), &claims()), ErrorKind::AmbiguousKey),
        (token(key(Alg::Es384), &claims()), ErrorKind::InvalidAlgorithm),
    ] {
        refused_for_free(&verifier, &token, kind, "a set");
    }
    let own = named(Alg::Es256, "a").to_jwk().unwrap();
    let skipping =
        format!(r#"{{"keys":[{{"kty":"RSA","kid":"weak"}},{{"kty":"RSA","kid":"a"}},{own}]}}"#);
    let skipping = KeySet::from_jwks(skipping.as_bytes());
    let skipping = Verifier::new(&skipping.unwrap(), policy()).unwrap();
    for (kid, kind) in [("weak", ErrorKind::UnusableKey), ("a", ErrorKind::AmbiguousKey)] {
        refused_for_free(&skipping, &signed(Alg::Es256, kid), kind, "a skipped key");
    }
    let trying = Verifier::new(&set, policy().try_keys_without_kid()).unwrap();
    let stranger = sign(
        &gatekey::Key::generate(Alg::Es256).unwrap(),
        header(Alg::Es256),
        claims().to_string(),
    );
    refused_for_free(&trying, &stranger, ErrorKind::InvalidSignature, "tried in vain");

    let rule = IssuerRule::new("https://a.example", &set).expect_audience(fixtures::AUDIENCE);
    let policy = Policy::new().clock(fixed_clock());
    let by_issuer = Verifier::for_issuers([rule], policy).unwrap();
    for (claims, kind) in [
        (claims(), ErrorKind::InvalidIssuer),
        (claims_without("iss"), ErrorKind::MissingClaim),
        (claims_with("iss", json!(7)), ErrorKind::InvalidClaim),
        (claims_with("iss", json!("https://a.example")), ErrorKind::AmbiguousKey),
    ] {
        refused_for_free(&by_issuer, &token(key(Alg::Es256), &claims), kind, "an issuer");
    }
    let required = Verifier::with_key(
        key(Alg::Hs256),
        fixtures::policy().require_claim("scope").expect_subject("ada"),
    )
    .unwrap();
    refused_for_free(
        &required,
        &token(key(Alg::Hs256), &claims()),
        ErrorKind::MissingClaim,
        "a required claim",
    );
    let valued = fixtures::policy().expect_claim("kind", r#"{"a":["access"]}"#).unwrap();
    let valued = Verifier::with_key(key(Alg::Hs256), valued.allow_padding()).unwrap();
    for (claims, kind) in [
        (claims(), ErrorKind::MissingClaim),
        (claims_with("kind", json!({"a": ["refresh"]})), ErrorKind::InvalidClaim),
    ] {
        refused_for_free(&valued, &token(key(Alg::Hs256), &claims), kind, "a value");
    }
    refused_for_free(
        &required,
        &token(key(Alg::Hs256), &claims_with("sub", json!("eve"))),
        ErrorKind::InvalidSubject,
        "sub",
    );
}

/// The one allocation holds the claims, the encoded header and the `kid`: no more than the token.
#[test]
fn acceptance_allocates_once() {
    for &alg in Alg::ALL {
        let good = token(key(alg), &claims());
        let verifier = verifier(alg);
        verifier.verify(&good).unwrap(); // the header is remembered by the first acceptance
        for _ in 0..3 {
            let (result, asked) = count(|| verifier.verify(&good));
            assert_eq!(asked.calls, 1, "{alg} {asked:?}");
            let verified = result.unwrap();
            assert!(
                asked.bytes as usize <= good.len() + verified.key_id().len(),
                "{alg} {asked:?}"
            );
            let (_, asked) = count(|| {
                let strings = verified.issuer().map_or(0, |text| text.len())
                    + verified.subject().map_or(0, |text| text.len());
                (
                    strings,
                    verified.expires_at(),
                    verified.claims_json().len(),
                    verified.claim("jti").map(|id| id.raw().len()),
                )
            });
            assert_eq!(asked.calls, 0, "reading borrowed claims");
        }
        let (_, asked) = count(|| verifier.clone());
        assert_eq!(asked.calls, 0, "a verifier is shared, not copied");
    }
}

#[test]
fn revocations_and_rings_allocate_nothing_more() {
    for &alg in Alg::ALL {
        let options = RevocationOptions::new().clock(fixed_clock());
        let list = Revocations::open(Arc::new(MemoryStore::new()), options).unwrap();
        for n in 0..1000 {
            list.revoke_token(ISSUER, &format!("gone-{n}"), NOW + 600).unwrap();
            list.revoke_session(&format!("gone-{n}")).unwrap();
            list.revoke_before(NOW, RevokeScope::Subject(&format!("gone-{n}"))).unwrap();
        }
        list.revoke_key("gone").unwrap();
        list.revoke_before(NOW - 100, RevokeScope::Tenant("acme")).unwrap();
        list.revoke_before(NOW - 100, RevokeScope::All).unwrap();
        let policy = policy().revocations(Arc::new(list));
        let verifier = Verifier::with_key(&verifying(key(alg)), policy).unwrap();
        let with =
            |name: &str, value: serde_json::Value| token(key(alg), &claims_with(name, value));
        let tenant = with("tenant", json!("acme"));
        verifier.verify(&tenant).unwrap();
        let (result, asked) = count(|| verifier.verify(&tenant));
        assert!(result.is_ok());
        assert_eq!(asked.calls, 1, "{alg:?}: {asked:?}");
        for (what, token) in [
            ("token", with("jti", json!("gone-7"))),
            ("session", with("sid", json!("gone-7"))),
            ("subject", with("sub", json!("gone-7"))),
            ("all", with("iat", json!(NOW - 101))),
        ] {
            refused_for_free(&verifier, &token, ErrorKind::RevokedToken, what);
        }
        let endless = with("exp", json!(NOW + 365 * 86_400));
        refused_for_free(&verifier, &endless, ErrorKind::InvalidClaim, "lives too long");
    }
    let peppers = Peppers::new(&[(1, Secret::new(vec![1; 32]))]).unwrap();
    let options = KeyRingOptions::new().alg(Alg::EdDsa).clock(fixed_clock());
    let ring = KeyRing::open(Arc::new(MemoryStore::new()), Some(peppers), options).unwrap();
    let verifier = Verifier::following(Arc::new(ring.clone()), policy()).unwrap();
    let signing = ring.signing_key().unwrap();
    let named = header_and(Alg::EdDsa, &format!("\"kid\":\"{}\"", signing.kid()));
    let good = sign(&signing, named, claims().to_string());
    verifier.verify(&good).unwrap();
    let (result, asked) = count(|| verifier.verify(&good));
    assert!(result.is_ok());
    assert_eq!(asked.calls, 1, "{asked:?}");
    let mut flipped = signature(&good);
    flipped[2] ^= 1;
    let bad = resign(&good, &flipped);
    refused_for_free(&verifier, &bad, ErrorKind::InvalidSignature, "with a ring");
}

#[test]
fn megabytes_are_refused_for_free() {
    let verifier = verifier(Alg::Hs256);
    let huge = [
        "A".repeat(64 << 20),
        ".".repeat(16 << 20),
        "{".repeat(16 << 20),
        format!("{}.{}.{}", b64(header(Alg::Hs256)), "A".repeat(32 << 20), b64([0; 32])),
        format!("{}.e30.{}", b64(header(Alg::Hs256)), "A".repeat(32 << 20)),
        format!("{}.e30.{}", "A".repeat(32 << 20), b64([0; 32])),
    ];
    for token in huge {
        refused_for_free(&verifier, &token, ErrorKind::TokenTooLarge, "megabytes");
        let (result, asked) = count(|| danger_decode_unverified(&token).map(|_| ()));
        assert_eq!(asked.calls, 0);
        refused(result, ErrorKind::TokenTooLarge, "megabytes, only to look at");
    }
}

/// The exception: wide objects cost a few allocations, in proportion to the text, good or not.
#[test]
fn wide_objects_allocate_little() {
    let verifier = verifier(Alg::Hs256);
    for n in [16u64, 17, 40, 200, 500] {
        let members: Vec<String> = (0..n).map(|i| format!("\"\\u006d{i}\":{i}")).collect();
        let wide = format!("{{\"alg\":\"HS256\",{}}}", members.join(","));
        let claims = claims().to_string().replacen('{', &format!("{{{},", members.join(",")), 1);
        let own = key(Alg::Hs256);
        for (what, token) in [
            ("header, bad signature", sign(other(Alg::Hs256), &wide, "{}")),
            (
                "claims, expired",
                sign(own, header(Alg::Hs256), claims.replacen("\"exp\":", "\"exp\":1,\"old\":", 1)),
            ),
            (
                "claims, a duplicate",
                sign(own, header(Alg::Hs256), claims.replacen('{', "{\"m0\":1,", 1)),
            ),
        ] {
            let (result, asked) = count(|| verifier.verify(&token));
            assert!(result.is_err(), "{what}");
            let growth = u64::from(n.ilog2()) + 2;
            // One decoded copy of each name that has escapes, which only a crafted text has.
            assert!(asked.calls <= growth + n + 8, "{what} {n}: {asked:?}");
            assert!(asked.bytes <= 128 * (n + 8), "{what} {n}: {asked:?}");
        }
    }
}

/// One allocation holds who calls, one a token's claims, one the headers of rates; nothing else that
/// a request brings, and nothing that is not asked for, is copied.
#[test]
fn a_decision_of_the_guard_allocates_what_it_hands_out() {
    let store = Store::open("memory:").unwrap();
    let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
    let signer = Signer::builder(key(Alg::Hs256)).issuer(ISSUER).build().unwrap();
    let sessions = store.sessions(Some(&signer), SessionOptions::new()).unwrap();
    let csrf = Csrf::new(&Secret::new(vec![7; 32])).unwrap();
    let others = KeySet::new([key(Alg::Es256).public().unwrap()]).unwrap();
    let guard = Guard::builder()
        .api_keys(keys.clone())
        .sessions(sessions.clone())
        .cookies(SessionCookies::builder(&csrf).build().unwrap())
        .tokens(ResourceServer::builder("api").issuer("https://other.example", Arc::new(others)))
        .origin("https://shop.example")
        .trusted_proxy("10.0.0.0/8")
        .build()
        .unwrap();
    let spec = KeySpec { scopes: vec!["read".into()], ..KeySpec::new("acme") };
    let text = keys.create(&spec).unwrap().secret;
    let claims = Claims::new().claim_str("scope", "read write").claim_str("tenant", "t1");
    let tokens =
        sessions.start("alice", &SessionSpec { claims, ..SessionSpec::default() }).unwrap();
    let token = tokens.access_token.expose_str();
    let bearer = format!("Bearer {token}");
    let cookie = format!("theme=dark; __Host-access={token}; lang=en");
    let check = csrf.issue(tokens.family()).unwrap();
    let ours: [(&str, &str); 3] =
        [("origin", "https://shop.example"), ("x-csrf-token", &check), ("cookie", &cookie)];
    let read = Demand::builder().scopes(["read"]).build().unwrap();
    let limited = Demand::builder().scopes(["read"]).limit("orders", "1000/s").build().unwrap();
    for (what, method, sent, calls) in [
        ("a key", "GET", &[("x-api-key", text.expose_str())][..], 1),
        ("a session", "GET", &[("authorization", &*bearer)][..], 2),
        ("a cookie", "GET", &[("cookie", &*cookie)][..], 2),
        ("a cookie and its CSRF token", "POST", &ours[..], 2),
    ] {
        let mut headers: Vec<(&[u8], &[u8])> = vec![(b"x-forwarded-for", b"203.0.113.9")];
        headers.extend(sent.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let request = Request::new(method.as_bytes(), b"/").headers(&headers).peer("10.0.0.7");
        for (demand, calls) in [(&read, calls), (&limited, calls + 1)] {
            assert!(guard.check(&request, demand).is_allowed(), "{what}");
            let (decision, asked) = count(|| guard.check(&request, demand));
            assert_eq!(asked.calls, calls, "{what}: {asked:?}");
            let (_, asked) = count(|| {
                let access = decision.access().unwrap();
                (access.clone(), access.subject().map(str::len), access.has_scope("read"))
            });
            assert_eq!(asked.calls, 0, "{what}: reading borrows");
            assert_eq!(decision.access().unwrap().scopes().first().unwrap(), "read");
        }
    }
}
