//! What a refused caller is told: the same for all that is bad, nothing of what was sent, and more
//! to the holder of a good credential alone.

use super::*;
use gatekey::ErrorKind;

/// The whole answer.
fn answer(decision: &Decision) -> (u16, Vec<(String, String)>, String) {
    let headers = decision.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
    (decision.status(), headers.collect(), decision.body().unwrap().to_owned())
}

/// Row 706.
#[test]
fn until_the_secret_is_proved_there_is_one_answer() {
    let service = service();
    let demand = demand(|d| d.scopes(["orders:read"]).tenant("t1"));
    let good = |change: &dyn Fn(&mut KeySpec)| {
        service.key(|spec| {
            spec.tenant = "t1".into();
            spec.expires_at = Some(NOW + 10);
            change(spec);
        })
    };
    let (revoked, disabled, expired) = (good(&|_| {}), good(&|_| {}), good(&|_| {}));
    service.keys.revoke(&revoked.record.id, "").unwrap();
    service.keys.disable(&disabled.record.id, "").unwrap();
    let other_tenant = good(&|spec| spec.tenant = "t2".into());
    let known = good(&|spec| spec.expires_at = None);
    let wrong = {
        // The id of a key that is there, and the secret of another.
        let (known, other) = (text(&known.secret), text(&expired.secret));
        let (head, _) = known.rsplit_once('_').unwrap();
        let (_, tail) = other.rsplit_once('_').unwrap();
        format!("{head}_{tail}")
    };
    service.clock.advance(20);
    let asked = |key: &str| service.on(get().header("x-api-key", key), &demand);
    let first = asked("gk_live_junk");
    refused(&first, 401);
    for (what, key) in [
        ("wrong", wrong),
        ("revoked", text(&revoked.secret)),
        ("disabled", text(&disabled.secret)),
        ("expired", text(&expired.secret)),
        ("another tenant's", text(&other_tenant.secret)),
    ] {
        assert_eq!(answer(&asked(&key)), answer(&first), "{what}");
    }
    assert!(first.header("ratelimit").is_none() && first.header("ratelimit-policy").is_none());

    // The holder learns more.
    let scopeless = good(&|spec| {
        spec.scopes = Vec::new();
        spec.expires_at = None;
    });
    let decision = asked(&text(&scopeless.secret));
    refused(&decision, 403);
    let challenge = decision.header("www-authenticate").unwrap();
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
    assert!(challenge.contains(r#"scope="orders:read""#), "{challenge}");
}

#[test]
fn tokens_have_one_answer_too() {
    let service = service();
    let first = service.ask(get().bearer("a.b.c"));
    let good = foreign(|_| {});
    let forged = format!("{}AAAA", good.get(..good.len() - 4).unwrap());
    for token in [
        forged,
        foreign(|claims| claims["exp"] = json!(NOW - 100)),
        foreign(|claims| claims["nbf"] = json!(NOW + 1000)),
        foreign(|claims| claims["aud"] = json!("other")),
        foreign(|claims| claims["iss"] = json!("https://evil.example")),
        foreign(|claims| claims["nonce"] = json!("n")),
    ] {
        let decision = service.ask(get().bearer(&token));
        refused(&decision, 401);
        assert_eq!(answer(&decision), answer(&first));
    }
}

/// Row 707.
#[test]
fn nothing_that_was_sent_or_is_claimed_is_echoed() {
    let service = service_with(|builder| {
        builder
            .realm("the shop")
            .metadata_url("https://api.example/.well-known/oauth-protected-resource")
    });
    let hostile = "\u{2028}\"><svg onload=x>";
    let tenant = "a\r\nSet-Cookie: z=1";
    let demand = demand(|d| d.scopes(["orders:write"])).in_tenant(tenant);
    let token = foreign(|claims| {
        claims["sub"] = json!(hostile);
        claims["tenant"] = json!(tenant);
        claims["scope"] = json!("x\" , error=\"y");
    });
    let decision = service.on(get().bearer(&token), &demand);
    refused(&decision, 403);
    assert_eq!(
        decision.header("www-authenticate").unwrap(),
        "Bearer realm=\"the shop\", error=\"insufficient_scope\", \
         error_description=\"The request needs a scope that was not granted.\", scope=\"orders:write\", \
         resource_metadata=\"https://api.example/.well-known/oauth-protected-resource\""
    );
    for (_, value) in decision.headers() {
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{value:?}");
        assert!(!value.contains("svg") && !value.contains("z=1"));
    }
    assert!(!decision.body().unwrap().contains("svg"));
    assert!(!format!("{decision:?}").contains(&token));
    assert_eq!(
        decision.body().unwrap(),
        r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"The request needs a scope that was not granted.","code":"insufficient_scope"}"#
    );
}

/// For loops that have asked another server themselves, and got no answer.
#[test]
fn what_could_not_be_asked_is_answered_as_a_decision_would() {
    let service = service();
    let demand = demand(|d| d.scopes(["orders:read"]));
    for kind in [
        ErrorKind::StoreUnavailable,
        ErrorKind::ConnectionFailed,
        ErrorKind::OauthServerFailed,
        ErrorKind::TokenInactive,
        ErrorKind::InsufficientScope,
        ErrorKind::RateLimited,
        ErrorKind::Internal,
    ] {
        let decision = service.guard.refuse(kind.into(), &demand);
        refused(&decision, kind.http_status());
        assert_eq!(decision.error().unwrap().kind(), kind);
        assert!(set_cookies(&decision).is_empty() && decision.tokens().is_none(), "{kind:?}");
    }
    assert_eq!(ErrorKind::ConnectionFailed.http_status(), 503);
    // To the letter.
    let missing = service.guard.refuse(ErrorKind::MissingCredentials.into(), &demand);
    assert_eq!(answer(&missing), answer(&service.on(get(), &demand)));
    let expired = foreign(|claims| claims["exp"] = json!(NOW - 100));
    let late = service.guard.refuse(ErrorKind::Expired.into(), &demand);
    assert_eq!(answer(&late), answer(&service.on(get().bearer(&expired), &demand)));
    // A token that ended is no reason to clear the cookies: it may not have been in one.
    assert!(!clears(&service.guard.refuse(ErrorKind::RevokedToken.into(), &demand)));
}

#[test]
fn settings_that_no_answer_could_carry_are_refused_when_built() {
    let csrf = Csrf::new(&Secret::new(vec![7; 32])).unwrap();
    let keys = service().keys;
    let builder = || Guard::builder().api_keys(keys.clone());
    for (what, claim, built) in [
        ("a quote", "realm", builder().realm("a\"")),
        ("a line", "realm", builder().realm("a\r\nb")),
        ("a letter", "realm", builder().realm("\u{e9}")),
        ("nothing", "realm", builder().realm("")),
        ("a long one", "realm", builder().realm("x".repeat(129))),
        ("http", "metadata_url", builder().metadata_url("http://api.example/x")),
        ("a path", "origins", builder().origin("https://shop.test/")),
        ("http", "origins", builder().origin("http://shop.test")),
        ("null", "origins", builder().origin("null")),
        ("a name", "trusted_proxies", builder().trusted_proxy("localhost")),
        ("bits", "trusted_proxies", builder().trusted_proxy("10.1.2.3/8")),
        ("no proxy", "forwarded_header", builder().forwarded_header("forwarded")),
        ("a space", "forwarded_header", builder().trusted_proxy("unix").forwarded_header("a b")),
        ("a colon", "api_key_header", builder().api_key_header("x:y")),
        ("nothing", "csrf_header", builder().csrf_header("")),
        ("a cookie", "api_key_header", builder().api_key_header("Cookie")),
        ("a bearer's", "api_key_header", builder().api_key_header("authorization")),
        ("the other", "csrf_header", builder().csrf_header("x-api-key")),
        ("an origin", "csrf_header", builder().csrf_header("Origin")),
        (
            "a cookie",
            "forwarded_header",
            builder().trusted_proxy("unix").forwarded_header("Cookie"),
        ),
        ("0", "ipv6_prefix", builder().ipv6_prefix(0)),
        ("129", "ipv6_prefix", builder().ipv6_prefix(129)),
        (
            "no sessions",
            "cookies",
            builder().cookies(SessionCookies::builder(&csrf).build().unwrap()),
        ),
    ] {
        let error = built.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{what}");
        assert_eq!(error.claim(), Some(claim), "{what}");
    }
    assert_eq!(Guard::builder().build().unwrap_err().kind(), ErrorKind::InvalidConfiguration);
    assert!(builder().build().is_ok());
}

#[test]
fn caches_are_told_which_places_were_looked_at() {
    let service = service();
    let keys_only = Guard::builder().api_keys(service.keys.clone());
    let keys_only = keys_only.api_key_header("X-Shop-Key").build().unwrap();
    let vary = |guard: &Guard, demand: &Demand| {
        let decision = guard.check(&Request::new(b"GET", b"/"), demand);
        decision.header("vary").unwrap().to_owned()
    };
    assert_eq!(vary(&keys_only, &anybody()), "Authorization, X-Shop-Key");
    // Also where nobody was there, or nobody was looked for.
    for demand in [anybody(), demand(|d| d.optional()), demand(|d| d.public())] {
        assert_eq!(vary(&service.guard, &demand), "Authorization, Cookie, X-API-Key");
    }
}
