//! Where each credential has its place, that there is exactly one, and that a bad one is refused
//! whatever else is there.

use super::*;
use gatekey::guard::{AccessKind, ProvedBy};
use gatekey::keyring::KeyRingOptions;
use gatekey::{ErrorKind, KeyRing, Store};

#[test]
fn each_kind_has_its_place() {
    let service = service();
    let (issued, tokens) = (service.key(|_| {}), service.log_in("alice"));
    let (secret, access) = (text(&issued.secret), text(&tokens.access_token));
    for (request, who, kind, by) in [
        (get().key(&issued), "acme", AccessKind::ApiKey, ProvedBy::Key),
        (get().bearer(&secret), "acme", AccessKind::ApiKey, ProvedBy::Key),
        (
            get().header("Authorization", format!("api-KEY  {secret} ")),
            "acme",
            AccessKind::ApiKey,
            ProvedBy::Key,
        ),
        (get().bearer(&access), "alice", AccessKind::Session, ProvedBy::Bearer),
        (get().cookie(&tokens), "alice", AccessKind::Session, ProvedBy::Cookie),
        (get().bearer(&foreign(|_| {})), "bob", AccessKind::Jwt, ProvedBy::Bearer),
        (
            get().header("AUTHORIZATION", format!("bEARER {}", foreign(|_| {}))),
            "bob",
            AccessKind::Jwt,
            ProvedBy::Bearer,
        ),
    ] {
        let decision = service.ask(request);
        assert_eq!(subject(&decision), who);
        let access = decision.access().unwrap();
        assert_eq!((access.kind(), access.proved_by()), (Some(kind), Some(by)), "{who}");
        assert!(access.has_scope("orders:read") && !access.is_anonymous());
        assert_eq!(access.key().is_some(), kind == AccessKind::ApiKey);
        let session = (kind == AccessKind::Session).then_some(tokens.family());
        assert_eq!(access.session(), session);
        assert_eq!(access.address(), Some("192.0.2.7".parse().unwrap()));
        assert_eq!((decision.status(), decision.body()), (200, None));
        assert_eq!(decision.header("vary"), Some("Authorization, Cookie, X-API-Key"));
        assert_eq!(decision.headers().count(), 1);
    }
    // In the cookie stands a session's token, and nothing else.
    for wrong in [secret, foreign(|_| {})] {
        let decision = service.ask(get().header("cookie", format!("__Host-access={wrong}")));
        refused(&decision, 401);
    }
}

/// What our own parts make, our own guard takes, whatever the signer says of its tokens.
#[test]
fn sessions_open_the_door_of_their_own_service() {
    let ring = || {
        let store = Store::open("memory:").unwrap();
        Arc::new(store.key_ring("default", KeyRingOptions::new()).unwrap()) as Arc<KeyRing>
    };
    let hs = || Signer::builder(key(Alg::Hs256));
    for (what, signer) in [
        ("nothing", hs()),
        ("an issuer", hs().issuer("https://auth.example")),
        ("the other's name", hs().issuer(ISSUER)),
        ("an audience", hs().audience("shop")),
        ("two audiences", hs().issuer(ISSUER).audience("shop").audience("api")),
        ("a type", hs().typ("at+jwt")),
        ("no type", hs().no_typ()),
        ("no kid", hs().kid(false)),
        ("a public key", Signer::builder(key(Alg::EdDsa))),
        ("a ring", Signer::following(ring()).issuer("https://auth.example")),
    ] {
        let service = service_of(signer.build().unwrap(), |builder| builder);
        let tokens = service.log_in("alice");
        for request in [get().bearer(&text(&tokens.access_token)), get().cookie(&tokens)] {
            let decision = service.ask(request.clone());
            assert_eq!(decision.status(), 200, "{what}: {decision:?}");
            assert_eq!(decision.access().unwrap().kind(), Some(AccessKind::Session), "{what}");
            assert_eq!(decision.access().unwrap().tenant(), Some("t1"), "{what}");
        }
        // Those of the other server go on being told from them.
        let other = service.ask(get().bearer(&foreign(|_| {})));
        assert_eq!(other.access().unwrap().kind(), Some(AccessKind::Jwt), "{what}");
        service.sessions.end(tokens.refresh_token.expose()).unwrap();
        refused(&service.ask(get().cookie(&tokens)), 401);
    }
}

/// A token of the same signer that is of no session is none.
#[test]
fn only_tokens_of_sessions_are_taken_for_them() {
    let service = service();
    let signer = Signer::builder(key(Alg::Hs256)).clock(service.clock.clone()).build().unwrap();
    let token = signer.sign(&Claims::new().subject("alice")).unwrap();
    refused(&service.ask(get().bearer(&token)), 401);
    refused(&service.ask(get().header("cookie", format!("__Host-access={token}"))), 401);
}

/// Row 701.
#[test]
fn a_bad_one_is_refused_and_nobody_is_tried_after_it() {
    let service = service();
    let (issued, tokens) = (service.key(|_| {}), service.log_in("alice"));
    let expired = foreign(|claims| claims["exp"] = json!(NOW - 100));
    let stale = service.log_in("carol");
    service.sessions.end(stale.refresh_token.expose()).unwrap();
    for bad in [
        get().cookie(&tokens).bearer(&expired),
        get().cookie(&tokens).bearer("junk"),
        get().cookie(&tokens).header("authorization", "Bearer"),
        get().cookie(&tokens).header("authorization", "Api-Key"),
        get().cookie(&tokens).header("authorization", "DPoP x"),
        get().cookie(&tokens).header("x-api-key", "junk"),
        get().cookie(&tokens).header("x-api-key", " "),
        get().key(&issued).cookie(&stale),
        get().key(&issued).bearer("a.b.c"),
        get().key(&issued).header("cookie", "__Host-access=a.b.c"),
    ] {
        let decision = service.ask(bad.clone());
        refused(&decision, 401);
        let optional = service.on(bad, &demand(|d| d.optional()));
        refused(&optional, 401);
    }
    // What is no credential of ours is as if it were not there.
    for other in ["Basic YTpi", "Digest username=\"a\", realm=\"b\"", "x", "", "  ", "Bearerx y"] {
        let decision = service.ask(get().cookie(&tokens).header("authorization", other));
        assert_eq!(subject(&decision), "alice", "{other:?}");
        refused(&service.ask(get().header("authorization", other)), 401);
    }
}

/// Row 702.
#[test]
fn two_good_ones_are_one_too_many_and_cost_nothing() {
    let service = service();
    let tokens = service.log_in("alice");
    let issued = service.key(|spec| spec.rate = Some(gatekey::apikey::parse_rate("3/h").unwrap()));
    let bearer = format!("Bearer {}", foreign(|_| {}));
    for _ in 0..10 {
        for request in [
            get().cookie(&tokens).header("authorization", &bearer),
            get().cookie(&tokens).bearer(&text(&tokens.access_token)),
            get().cookie(&tokens).key(&issued),
            get().key(&issued).header("authorization", &bearer),
            get().key(&issued).bearer(&text(&issued.secret)),
            get().cookie(&tokens).key(&issued).header("authorization", &bearer),
        ] {
            let decision = service.ask(request);
            refused(&decision, 400);
            let body = decision.body().unwrap();
            assert!(!body.contains("alice") && !body.contains("bob") && !body.contains("acme"));
        }
    }
    assert_eq!((0..5).filter(|_| service.ask(get().key(&issued)).is_allowed()).count(), 3);
}

/// Row 703.
#[test]
fn headers_that_come_twice_or_were_joined_are_refused() {
    let service = service();
    let issued = service.key(|_| {});
    let (secret, good) = (text(&issued.secret), foreign(|_| {}));
    for request in [
        get().bearer(&good).bearer(&good),
        get().bearer(&good).header("authorization", "Basic x"),
        get().header("authorization", "Basic x").bearer(&good),
        get().key(&issued).key(&issued),
        get().header("authorization", format!("Bearer {good}, Bearer junk")),
        get().header("authorization", format!("Bearer {good},Bearer {good}")),
        get().header("authorization", format!("Bearer {good},")),
        get().header("authorization", format!("Basic x, Bearer {good}")),
        get().header("authorization", format!("Basic x,api-key {secret}")),
        get().header("x-api-key", format!("{secret},{secret}")),
        get().header("x-api-key", format!("junk, {secret}")),
    ] {
        refused(&service.ask(request), 400);
    }
}

/// Row 704.
#[test]
fn cookies_that_come_twice_are_refused_and_names_are_bytes() {
    let service = service();
    let (tokens, other) = (service.log_in("alice"), service.log_in("mallory"));
    let (own, planted) = (text(&tokens.access_token), text(&other.access_token));
    let cookie =
        |value: &str| get().header("cookie", value.replace("OWN", &own).replace("BAD", &planted));
    for conflict in [
        "__Host-access=OWN; __Host-access=BAD",
        "__Host-access=BAD; __Host-access=OWN",
        "__Host-access=OWN;__Host-access =BAD",
        "a=b, __Host-access=OWN",
        "__Host-access=OWN, __Host-access=BAD",
        "__Host-access=\"OWN\"",
        "__Host-access=OWN; __Host-csrf=a; __Host-csrf=b",
        "__Host-access=OWN; __Host-refresh=a; __Host-refresh=b",
    ] {
        let decision = service.ask(cookie(conflict));
        refused(&decision, 400);
        assert_eq!(decision.error().unwrap().kind(), ErrorKind::MalformedCookie, "{conflict}");
    }
    refused(&service.ask(cookie("__Host-access=OWN").header("cookie", "__Host-access=BAD")), 400);
    for fine in [
        "a=1; \t__Host-access\t=OWN ;b",
        "__HOST-access=BAD; __Host-access=OWN",
        "=__Host-access=BAD; __Host-access=OWN",
        "$Version=1; __Host-access=OWN",
        "\"__Host-access\"=BAD; __Host-access=OWN",
        "\u{2000}__Host-access=BAD; __Host-access=OWN",
        "\u{85}__Host-access=BAD; __Host-access=OWN",
    ] {
        assert_eq!(subject(&service.ask(cookie(fine))), "alice", "{fine}");
    }
    // Bytes that are no text, in a cookie of somebody else's; and four headers, as HTTP/2 has them.
    let mut raw = b"\xa0__Host-access=BAD; x=\xff\xfe; __Host-access=".to_vec();
    raw.extend_from_slice(own.as_bytes());
    assert_eq!(subject(&service.ask(get().header("cookie", raw))), "alice");
    let four = get().header("cookie", "a=1;").header("cookie", "b=2; ");
    let four = four.header("cookie", format!("__Host-access={own};")).header("cookie", "c=3;");
    assert_eq!(subject(&service.ask(four)), "alice");
}

/// Row 705.
#[test]
fn an_alias_of_a_header_is_another_header() {
    let service = service();
    let issued = service.key(|_| {});
    for alias in [
        "x_api_key",
        "x.api.key",
        "x-api-key ",
        "x-api-key:",
        " x-api-key",
        "http_authorization",
        "",
    ] {
        let decision = service.ask(get().header(alias, issued.secret.expose()));
        assert!(!decision.is_allowed(), "{alias:?}");
    }
    for name in ["X_Gatekey_Subject", "Remote_User", "X-Remote-User", "X-Gatekey-Subject"] {
        let decision = service.ask(get().key(&issued).header(name, "root"));
        assert_eq!(subject(&decision), "acme", "{name}");
        refused(&service.ask(get().header(name, "root")), 401);
    }
}

#[test]
fn what_is_no_request_is_refused_before_anything_is_hashed() {
    let service = service();
    let issued = service.key(|_| {});
    let kind = |request: Sent| service.ask(request).error().unwrap().kind();
    for bad in ["a\0b", "a\nb", "a\rb", "a\x1bb", "a\x7fb"] {
        let secret = format!("{}{bad}", text(&issued.secret));
        assert_eq!(kind(get().header("x-api-key", &secret)), ErrorKind::MalformedRequest);
        assert_eq!(kind(get().bearer(&secret)), ErrorKind::MalformedRequest);
        let origin = get().key(&issued).header("origin", bad);
        assert_eq!(kind(origin), ErrorKind::MalformedRequest);
    }
    assert_eq!(kind(get().header("authorization", b"Bearer \xff")), ErrorKind::MalformedRequest);
    assert_eq!(kind(get().header("authorization ", "x")), ErrorKind::MalformedRequest);
    let many =
        (0..501).fold(get().key(&issued), |request, n| request.header(format!("x-{n}"), "1"));
    refused(&service.ask(many), 431);
    let long = get().key(&issued).header("x-long", vec![b'a'; 1024 * 1024]);
    refused(&service.ask(long), 431);
    let long = get().key(&issued).header("cookie", vec![b'a'; 65 * 1024]);
    refused(&service.ask(long), 400);
    let path = |path: &[u8]| service.guard.check(&Request::new(b"GET", path), &anybody()).status();
    assert_eq!((path(b"/orders\0x"), path(b"/a\r\nb"), path(b"/orders")), (400, 400, 401));
}
