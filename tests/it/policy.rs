//! Every knob of the policy: what it accepts, what it refuses, and what cannot be built.

use crate::fixtures::{
    AUDIENCE, ISSUER, NOW, accepted, claims, claims_with, claims_without, key, other, policy,
    refused, silent_policy,
};
use crate::forge::{header_and, sign, token};
use gatekey::jwt::IssuerRule;
use gatekey::{Alg, ErrorKind, Key, KeySet, Policy, Verifier};
use serde_json::{Value, json};

const ALG: Alg = Alg::Hs256;

fn build(policy: Policy) -> Verifier {
    Verifier::with_key(key(ALG), policy).unwrap()
}

fn with(claims: &Value) -> String {
    token(key(ALG), claims)
}

/// Refused with this kind, and about this claim.
#[track_caller]
fn refused_about(verifier: &Verifier, token: &str, kind: ErrorKind, claim: &str) {
    let error = verifier.verify(token).expect_err(claim);
    assert_eq!((error.kind(), error.claim()), (kind, Some(claim)));
}

#[test]
fn issuer_and_audience_expect_ignore_and_silence() {
    for (claim, wrong) in [("iss", ErrorKind::InvalidIssuer), ("aud", ErrorKind::InvalidAudience)] {
        let value = claims()[claim].as_str().unwrap().to_owned();
        let rest = || {
            if claim == "iss" {
                silent_policy().expect_audience(AUDIENCE)
            } else {
                silent_policy().expect_issuer(ISSUER)
            }
        };
        let expect = |policy: Policy, value: &str| {
            if claim == "iss" { policy.expect_issuer(value) } else { policy.expect_audience(value) }
        };
        let ignoring =
            build(if claim == "iss" { rest().ignore_issuer() } else { rest().ignore_audience() });
        let silent = build(rest());
        let expecting = build(expect(rest(), &value));
        let either = build(expect(expect(rest(), "one"), &value));
        let (present, absent, stranger) =
            (with(&claims()), with(&claims_without(claim)), with(&claims_with(claim, json!("x"))));

        accepted(&expecting, &present, "the expected one");
        accepted(&either, &present, "one of two");
        accepted(&either, &with(&claims_with(claim, json!("one"))), "the other of two");
        refused_about(&expecting, &stranger, wrong, claim);
        refused_about(&either, &stranger, wrong, claim);
        refused_about(&expecting, &absent, ErrorKind::MissingClaim, claim);
        accepted(&silent, &absent, "silence and absence");
        refused_about(&silent, &present, wrong, claim);
        let remedy = silent.verify(&present).unwrap_err();
        assert!(
            remedy.to_string().contains("expect_") && remedy.to_string().contains("ignore_"),
            "{remedy}"
        );
        for token in [&present, &absent, &stranger] {
            accepted(&ignoring, token, "ignored");
        }
    }
}

#[test]
fn typ() {
    let typed = |typ: &str| {
        sign(key(ALG), header_and(ALG, &format!(r#""typ":{typ}"#)), claims().to_string())
    };
    let untyped = with(&claims());
    let silent = build(policy());
    for typ in [
        r#""JWT""#,
        r#""jwt""#,
        r#""Jwt""#,
        r#""application/jwt""#,
        r#""APPLICATION/JWT""#,
        r#""\u004aWT""#,
    ] {
        accepted(&silent, &typed(typ), typ);
    }
    accepted(&silent, &untyped, "no typ");
    for typ in [
        r#""at+jwt""#,
        r#""""#,
        r#""JWT ""#,
        r#""JWS""#,
        r#""text/jwt""#,
        r#""application/application/jwt""#,
        r#""dpop+jwt""#,
    ] {
        refused(silent.verify(typed(typ)), ErrorKind::InvalidType, typ);
    }
    let expecting = build(policy().expect_type("at+jwt").expect_type("application/logout+jwt"));
    for typ in [r#""at+jwt""#, r#""AT+JWT""#, r#""application/at+jwt""#, r#""logout+jwt""#] {
        accepted(&expecting, &typed(typ), typ);
    }
    for typ in [r#""JWT""#, r#""at+jwt2""#, r#""t+jwt""#] {
        refused(expecting.verify(typed(typ)), ErrorKind::InvalidType, typ);
    }
    refused(expecting.verify(&untyped), ErrorKind::InvalidType, "expected means required");
    let ignoring = build(policy().ignore_type());
    for typ in [r#""anything""#, r#""""#, r#""JWT""#] {
        accepted(&ignoring, &typed(typ), typ);
    }
    for typ in ["7", "null", r#"["JWT"]"#] {
        refused(
            ignoring.verify(typed(typ)),
            ErrorKind::MalformedToken,
            "a header member of a wrong type",
        );
    }
}

#[test]
fn subject_and_required_claims() {
    let subject = build(policy().expect_subject("ada"));
    accepted(&subject, &with(&claims()), "the expected subject");
    refused_about(
        &subject,
        &with(&claims_with("sub", json!("Ada"))),
        ErrorKind::InvalidSubject,
        "sub",
    );
    refused_about(&subject, &with(&claims_without("sub")), ErrorKind::MissingClaim, "sub");
    accepted(&build(policy()), &with(&claims_with("sub", json!("anyone"))), "no expectation");

    let required =
        build(policy().require_claim("scope").require_claim("tenant").require_claim("jti"));
    let mut full = claims_with("scope", json!("read"));
    refused_about(&required, &with(&full), ErrorKind::MissingClaim, "tenant");
    full["tenant"] = json!(null);
    accepted(&required, &with(&full), "present is enough, whatever the value");
    full.as_object_mut().unwrap().remove("jti");
    refused_about(&required, &with(&full), ErrorKind::MissingClaim, "jti");
    let nested = claims_with("scope", json!({"tenant": 1}));
    refused_about(&required, &with(&nested), ErrorKind::MissingClaim, "tenant");
    let escaped = claims().to_string().replacen('{', r#"{"s\u0063ope":1,"tenant":2,"#, 1);
    accepted(
        &required,
        &sign(key(ALG), crate::forge::header(ALG), escaped),
        "a name written with escapes",
    );
}

#[test]
fn dates_and_leeway() {
    let at = |claim: &str, offset: i64| with(&claims_with(claim, json!(NOW as i64 + offset)));
    for leeway in [0i64, 1, 30, 600] {
        let verifier = build(policy().leeway(leeway as u64));
        refused_about(&verifier, &at("exp", -leeway), ErrorKind::Expired, "exp");
        accepted(&verifier, &at("exp", -leeway + 1), "just alive");
        refused_about(&verifier, &at("nbf", leeway + 1), ErrorKind::NotYetValid, "nbf");
        accepted(&verifier, &at("nbf", leeway), "just begun");
        refused_about(&verifier, &at("iat", leeway + 1), ErrorKind::IssuedInFuture, "iat");
        accepted(&verifier, &at("iat", leeway), "just issued");
        let aged = build(policy().leeway(leeway as u64).max_age(100));
        refused_about(&aged, &at("iat", -100 - leeway - 1), ErrorKind::TooOld, "iat");
        accepted(&aged, &at("iat", -100 - leeway), "just young enough");
        refused_about(&aged, &with(&claims_without("iat")), ErrorKind::MissingClaim, "iat");
    }
    let strict = build(policy());
    refused_about(&strict, &with(&claims_without("exp")), ErrorKind::MissingClaim, "exp");
    let lenient = build(policy().allow_missing_exp());
    accepted(&lenient, &with(&claims_without("exp")), "allowed to be missing");
    refused_about(&lenient, &at("exp", 0), ErrorKind::Expired, "exp");
    accepted(&strict, &with(&claims_without("iat")), "iat is not required by itself");
}

#[test]
fn extreme_clocks_do_not_wrap() {
    for now in [0, 1, u64::MAX, u64::MAX - 1, i64::MAX as u64, i64::MAX as u64 + 1] {
        let clock = std::sync::Arc::new(gatekey::clock::FixedClock::new(now));
        let verifier = build(policy().clock(clock).leeway(600).max_age(u64::MAX));
        let verdict = verifier.verify(with(&claims()));
        let kind = verdict.expect_err("claims of today under such a clock").kind();
        let expected =
            if now < 2 { ErrorKind::IssuedInFuture } else { ErrorKind::InvalidConfiguration };
        assert_eq!(kind, expected, "{now}");
    }
}

#[test]
fn what_is_checked_first() {
    // Types, exp, nbf, iat, max age, iss, sub, aud, typ, required: each refusal hides those after it.
    let mut all_wrong = json!({"exp": 1, "nbf": NOW + 99, "iat": NOW + 99, "iss": "x", "aud": "x", "sub": "x", "jti": 7});
    let verifier = build(
        policy().max_age(5).expect_subject("ada").expect_type("at+jwt").require_claim("scope"),
    );
    let steps = [
        ("jti", json!("1"), ErrorKind::InvalidClaim),
        ("exp", json!(NOW + 9), ErrorKind::Expired),
        ("nbf", json!(NOW), ErrorKind::NotYetValid),
        ("iat", json!(NOW - 50), ErrorKind::IssuedInFuture),
        ("iat", json!(NOW), ErrorKind::TooOld),
        ("iss", json!(ISSUER), ErrorKind::InvalidIssuer),
        ("sub", json!("ada"), ErrorKind::InvalidSubject),
        ("aud", json!(AUDIENCE), ErrorKind::InvalidAudience),
    ];
    for (claim, mended, kind) in steps {
        refused_about(&verifier, &with(&all_wrong), kind, claim);
        all_wrong[claim] = mended;
    }
    let typed =
        |claims: &Value| sign(key(ALG), header_and(ALG, r#""typ":"at+jwt""#), claims.to_string());
    let untyped = verifier.verify(with(&all_wrong)).unwrap_err().kind();
    assert!(matches!(untyped, ErrorKind::InvalidType | ErrorKind::MissingClaim), "{untyped:?}");
    refused_about(&verifier, &typed(&all_wrong), ErrorKind::MissingClaim, "scope");
    all_wrong["scope"] = json!("read");
    refused(verifier.verify(with(&all_wrong)), ErrorKind::InvalidType, "typ");
    accepted(&verifier, &typed(&all_wrong), "all mended");
}

#[test]
fn contradictions_cannot_be_built() {
    let long = |n: usize| (0..n).fold(policy(), |policy, i| policy.require_claim(format!("c{i}")));
    let wrong: Vec<(&str, Policy)> = vec![
        ("expect and ignore iss", policy().ignore_issuer()),
        ("expect and ignore aud", policy().ignore_audience()),
        ("expect and ignore typ", policy().expect_type("JWT").ignore_type()),
        ("leeway", policy().leeway(601)),
        ("leeway", policy().leeway(u64::MAX)),
        ("no algorithms", policy().algorithms([])),
        ("other algorithms", policy().algorithms([Alg::Hs384, Alg::Es256])),
        ("empty issuer", silent_policy().expect_issuer("")),
        ("empty audience", silent_policy().expect_audience("")),
        ("empty type", policy().expect_type("")),
        ("empty subject", policy().expect_subject("")),
        ("empty claim", policy().require_claim("")),
        ("exp both ways", policy().allow_missing_exp().require_claim("exp")),
        ("no token", policy().max_token_bytes(0)),
        ("no header", policy().max_header_bytes(0)),
        ("33 claims", long(33)),
    ];
    for (what, policy) in wrong {
        refused(
            Verifier::with_key(key(ALG), policy.clone()),
            ErrorKind::InvalidConfiguration,
            what,
        );
        let set = KeySet::new([key(ALG).clone()]).unwrap();
        refused(Verifier::new(&set, policy), ErrorKind::InvalidConfiguration, what);
    }
    assert!(Verifier::with_key(key(ALG), long(32)).is_ok());
    assert!(
        Verifier::with_key(key(ALG), policy().leeway(600).algorithms([Alg::Hs384, ALG])).is_ok()
    );
    let sign_only = crate::fixtures::row("es256").jwk.replacen('{', r#"{"key_ops":["sign"],"#, 1);
    let sign_only = Key::from_jwk(sign_only.as_bytes(), None).unwrap();
    refused(
        Verifier::with_key(&sign_only, policy()),
        ErrorKind::InvalidConfiguration,
        "a key that may not verify",
    );
}

#[test]
fn several_issuers_each_with_their_own() {
    let keys = |alg: Alg, own: bool| {
        KeySet::new([if own { key(alg) } else { other(alg) }.public().unwrap()]).unwrap()
    };
    let rules = || {
        [
            IssuerRule::new("https://a.example", &keys(Alg::Es256, true)).expect_audience("api-a"),
            IssuerRule::new("https://b.example", &keys(Alg::Rs256, true)).algorithms([Alg::Rs256]),
            IssuerRule::new("https://c.example", &keys(Alg::Es256, false))
                .expect_audience("api-c")
                .expect_audience("api-c2"),
        ]
    };
    let verifier =
        Verifier::for_issuers(rules(), silent_policy().expect_audience("everyone")).unwrap();
    let make = |iss: &str, aud: &str, key: &Key| {
        let mut claims = claims_with("iss", json!(iss));
        claims["aud"] = json!(aud);
        token(key, &claims)
    };
    accepted(&verifier, &make("https://a.example", "api-a", key(Alg::Es256)), "a");
    accepted(
        &verifier,
        &make("https://b.example", "everyone", key(Alg::Rs256)),
        "b, with the policy's audience",
    );
    accepted(&verifier, &make("https://c.example", "api-c2", other(Alg::Es256)), "c");
    for (iss, aud, key, kind) in [
        ("https://a.example", "api-a", other(Alg::Es256), ErrorKind::InvalidSignature),
        ("https://c.example", "api-c", key(Alg::Es256), ErrorKind::InvalidSignature),
        ("https://a.example", "api-a", key(Alg::Rs256), ErrorKind::InvalidAlgorithm),
        ("https://b.example", "everyone", key(Alg::Es256), ErrorKind::InvalidAlgorithm),
        ("https://b.example", "everyone", key(Alg::Rs384), ErrorKind::InvalidAlgorithm),
        ("https://a.example", "api-c", key(Alg::Es256), ErrorKind::InvalidAudience),
        ("https://a.example", "everyone", key(Alg::Es256), ErrorKind::InvalidAudience),
        ("https://b.example", "api-a", key(Alg::Rs256), ErrorKind::InvalidAudience),
        ("https://d.example", "everyone", key(Alg::Es256), ErrorKind::InvalidIssuer),
        ("https://a.example/", "api-a", key(Alg::Es256), ErrorKind::InvalidIssuer),
        ("", "api-a", key(Alg::Es256), ErrorKind::InvalidIssuer),
    ] {
        refused(verifier.verify(make(iss, aud, key)), kind, &format!("{iss} {aud} {}", key.alg()));
    }
    // A bad signature wins over whatever else the claims of a known issuer say.
    for (claim, value) in
        [("exp", json!("soon")), ("exp", json!(1)), ("aud", json!(7)), ("sub", json!([]))]
    {
        let mut claims = claims_with("iss", json!("https://a.example"));
        claims[claim] = value;
        let result = verifier.verify(token(other(Alg::Es256), &claims));
        refused(result, ErrorKind::InvalidSignature, &format!("forged, and {claim} is wrong"));
    }
    let no_issuer = token(key(Alg::Es256), &claims_without("iss"));
    refused_about(&verifier, &no_issuer, ErrorKind::MissingClaim, "iss");

    let twice = IssuerRule::new("https://a.example", &keys(Alg::Es256, true));
    let build = |rules: Vec<IssuerRule>, policy| Verifier::for_issuers(rules, policy);
    let wrong = ErrorKind::InvalidConfiguration;
    refused(
        build(rules().into_iter().chain([twice.clone()]).collect(), silent_policy()),
        wrong,
        "an issuer twice",
    );
    refused(
        build(rules().into(), silent_policy().expect_issuer("x")),
        wrong,
        "an issuer in the policy, too",
    );
    refused(build(rules().into(), silent_policy().ignore_issuer()), wrong, "the issuer ignored");
    refused(build(vec![twice.clone().algorithms([])], silent_policy()), wrong, "no algorithm");
    refused(
        build(vec![twice.clone().algorithms([Alg::Rs256])], silent_policy()),
        wrong,
        "another algorithm",
    );
    refused(
        build(vec![IssuerRule::new("", &keys(Alg::Es256, true))], silent_policy()),
        wrong,
        "no name",
    );
    refused(build(vec![twice.expect_audience("")], silent_policy()), wrong, "an empty audience");
}

#[test]
fn a_policy_is_cheap_to_copy_and_says_what_it_is() {
    let policy = policy().leeway(5);
    assert!(format!("{policy:?}").contains(ISSUER));
    let (a, b) = (build(policy.clone()), build(policy));
    assert!(a.is_symmetric() && b.is_symmetric());
    assert!(!crate::fixtures::verifier(Alg::Es256).is_symmetric());
}

/// 7 and "7" are two subjects, and a number is none at all unless that is allowed.
#[test]
fn a_subject_that_is_a_number() {
    let numeric = with(&claims_with("sub", json!(7)));
    let text = with(&claims_with("sub", json!("7")));
    refused_about(&build(policy()), &numeric, ErrorKind::InvalidClaim, "sub");
    let allowing = build(policy().allow_numeric_subject());
    let verified = accepted(&allowing, &numeric, "a number");
    assert_eq!((verified.subject(), verified.numeric_subject()), (None, Some(7)));
    let verified = accepted(&allowing, &text, "a text");
    assert_eq!((verified.subject().as_deref(), verified.numeric_subject()), (Some("7"), None));
    for sub in [json!(0), json!(-3), json!(i64::MAX), json!(i64::MIN)] {
        let verified = accepted(&allowing, &with(&claims_with("sub", sub.clone())), "64 bits");
        assert_eq!(verified.numeric_subject(), sub.as_i64());
    }
    for sub in [json!(7.5), json!(u64::MAX), json!(true), json!(null), json!([7]), json!({})] {
        refused_about(&allowing, &with(&claims_with("sub", sub)), ErrorKind::InvalidClaim, "sub");
    }
    for sub in ["7.0", "7e0", "1E1"] {
        let payload = claims_with("sub", json!("#")).to_string().replace("\"#\"", sub);
        let token = sign(key(ALG), crate::forge::header(ALG), payload);
        refused_about(&allowing, &token, ErrorKind::InvalidClaim, "sub");
    }
    let only_text = build(policy().allow_numeric_subject().expect_subject("7"));
    accepted(&only_text, &text, "the text");
    refused_about(&only_text, &numeric, ErrorKind::InvalidSubject, "sub");
    let only_number = build(policy().expect_numeric_subject(7));
    accepted(&only_number, &numeric, "the number");
    refused_about(&only_number, &text, ErrorKind::InvalidSubject, "sub");
    refused_about(
        &only_number,
        &with(&claims_with("sub", json!(8))),
        ErrorKind::InvalidSubject,
        "sub",
    );
    refused_about(&only_number, &with(&claims_without("sub")), ErrorKind::MissingClaim, "sub");
    // The other ways of a verifier.
    let rule = IssuerRule::new(ISSUER, &KeySet::new([key(ALG).clone()]).unwrap());
    let by_issuer = |policy: Policy| {
        Verifier::for_issuers([rule.clone()], policy.expect_audience(AUDIENCE)).unwrap()
    };
    accepted(&by_issuer(silent_policy().allow_numeric_subject()), &numeric, "by issuer");
    refused_about(&by_issuer(silent_policy()), &numeric, ErrorKind::InvalidClaim, "sub");
}

/// Parts that are padded, as AWS load balancers sign them: one token with its padding and without.
#[test]
fn padding_is_accepted_where_it_is_asked_for() {
    let pad = |text: &str| format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    for alg in [Alg::Hs256, Alg::Es256, Alg::Rs256] {
        let public = crate::fixtures::verifying(key(alg));
        let strict = Verifier::with_key(&public, policy()).unwrap();
        let allowing = Verifier::with_key(&public, policy().allow_padding()).unwrap();
        for extra in ["", "a", "ab", "abc"] {
            let own = claims_with("x", json!(extra)).to_string();
            let header = header_and(alg, &format!(r#""x":"{extra}""#));
            let input =
                format!("{}.{}", pad(&crate::forge::b64(header)), pad(&crate::forge::b64(own)));
            let token = crate::forge::sign_text(key(alg), &input);
            let (_, signature) = token.rsplit_once('.').unwrap();
            let padded = format!("{input}.{}", pad(signature));
            for token in [&token, &padded] {
                let verified = accepted(&allowing, token, "padded");
                assert_eq!(verified.claim("x").unwrap().as_str().as_deref(), Some(extra));
                assert!(verified.header_json().contains(extra), "{}", verified.header_json());
                // Again, by the header that is known by now.
                accepted(&allowing, token, "padded, again");
                if token.contains('=') {
                    refused(strict.verify(token), ErrorKind::MalformedToken, "strict");
                }
            }
            for wrong in [format!("{padded}="), format!("{padded}===="), padded.replace('.', "=.")]
            {
                refused(allowing.verify(&wrong), ErrorKind::MalformedToken, &wrong);
            }
            if input.contains('=') {
                let bare = padded.replace('=', "");
                refused(allowing.verify(bare), ErrorKind::InvalidSignature, "signed with padding");
            }
        }
    }
}

#[test]
fn a_claim_must_have_its_value() {
    let expecting = || policy().expect_claim("token_type", r#""access""#).unwrap();
    let own = |value: Value| with(&claims_with("token_type", value));
    let verifier = build(expecting());
    accepted(&verifier, &own(json!("access")), "the value");
    for wrong in [json!("refresh"), json!("Access"), json!(["access"]), json!(null), json!(1)] {
        refused_about(&verifier, &own(wrong), ErrorKind::InvalidClaim, "token_type");
    }
    refused_about(&verifier, &with(&claims()), ErrorKind::MissingClaim, "token_type");
    let either = build(expecting().expect_claim("token_type", r#""Bearer""#).unwrap());
    accepted(&either, &own(json!("Bearer")), "one of two");
    accepted(&either, &own(json!("access")), "the other");
    refused_about(&either, &own(json!("refresh")), ErrorKind::InvalidClaim, "token_type");
    refused(
        policy().expect_claim("a", "access").map(|_| ()),
        ErrorKind::InvalidArgument,
        "no JSON",
    );
    for name in ["iss", "sub", "aud", "exp", "nbf", "iat", ""] {
        let policy = policy().expect_claim(name, "1").unwrap();
        refused(Verifier::with_key(key(ALG), policy), ErrorKind::InvalidConfiguration, name);
    }
    // A bad signature says only that.
    let stranger = sign(other(ALG), crate::forge::header(ALG), claims().to_string());
    refused(verifier.verify(stranger), ErrorKind::InvalidSignature, "a stranger");
}

#[test]
fn one_issuer_whose_audience_does_not_matter() {
    let set = KeySet::new([key(ALG).clone()]).unwrap();
    let rule = || IssuerRule::new(ISSUER, &set);
    let strict = silent_policy().expect_audience("https://else.example");
    let verifier = Verifier::for_issuers([rule().ignore_audience()], strict.clone()).unwrap();
    accepted(&verifier, &with(&claims()), "another audience");
    accepted(&verifier, &with(&claims_without("aud")), "none");
    let held = Verifier::for_issuers([rule()], strict.clone()).unwrap();
    refused_about(&held, &with(&claims()), ErrorKind::InvalidAudience, "aud");
    let both = rule().ignore_audience().expect_audience("a");
    refused(Verifier::for_issuers([both], strict), ErrorKind::InvalidConfiguration, "both");
}
