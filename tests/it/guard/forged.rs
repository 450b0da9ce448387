//! Requests that another site has caused: asked of what a cookie has proved, and of nothing else.

use super::*;
use gatekey::ErrorKind;

/// Row 708.
#[test]
fn no_header_switches_the_check_off() {
    let service = service();
    let tokens = service.log_in("alice");
    for (name, value) in [
        ("authorization", "x"),
        ("authorization", "Basic x"),
        ("authorization", "Bearer junk"),
        ("x-api-key", "junk"),
        ("x-requested-with", "XMLHttpRequest"),
        ("content-type", "text/plain"),
        ("x-http-method-override", "GET"),
        ("x-csrf-token", ""),
        ("x-csrf-token", "junk"),
        ("accept", "*/*"),
    ] {
        let decision = service.ask(post().cookie(&tokens).header(name, value));
        assert!(matches!(decision.status(), 401 | 403), "{name}: {value}: {decision:?}");
        refused(&decision, decision.status());
    }
    // Who proves otherwise needs no token.
    let issued = service.key(|_| {});
    assert!(service.ask(post().key(&issued)).is_allowed());
    assert!(service.ask(post().bearer(&text(&tokens.access_token))).is_allowed());
    assert!(service.ask(post().cookie(&tokens).ours(&service, &tokens)).is_allowed());
}

/// Row 709.
#[test]
fn only_these_four_methods_are_safe() {
    let service = service();
    let tokens = service.log_in("alice");
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        assert!(service.ask(sent(method).cookie(&tokens)).is_allowed(), "{method}");
    }
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "QUERY", "PROPFIND", "pOST", "get", "Get", "GET ", "",
        "CONNECT",
    ] {
        let request = || sent(method).cookie(&tokens);
        refused(&service.ask(request()), 403);
        refused(&service.ask(request().header("x-http-method-override", "GET")), 403);
        refused(&service.ask(sent(method)), 401);
        assert!(service.ask(request().ours(&service, &tokens)).is_allowed(), "{method}");
    }
    let always = demand(|d| d.csrf_always());
    refused(&service.on(get().cookie(&tokens), &always), 403);
    assert!(service.on(get().cookie(&tokens).ours(&service, &tokens), &always).is_allowed());
    let never = demand(|d| d.danger_no_csrf());
    assert!(service.on(post().cookie(&tokens), &never).is_allowed());
}

/// Row 710.
#[test]
fn a_preflight_reaches_no_handler_and_costs_nothing() {
    let service = service();
    let issued = service.key(|spec| spec.rate = Some(gatekey::apikey::parse_rate("1/h").unwrap()));
    let preflight = || sent("OPTIONS").header("Access-Control-Request-Method", "PUT");
    let limited = demand(|d| d.public().limit("log-in", "1/h"));
    for _ in 0..3 {
        refused(&service.ask(preflight().header("origin", "https://evil.test")), 401);
        refused(&service.ask(preflight().key(&issued)), 401);
        refused(&service.on(preflight(), &limited), 401);
    }
    assert!(service.ask(get().key(&issued)).is_allowed());
    assert!(service.on(post(), &limited).is_allowed());
}

/// Row 711.
#[test]
fn where_a_request_comes_from_is_what_the_browser_says() {
    let service = service();
    let tokens = service.log_in("alice");
    let token = service.csrf.issue(tokens.family()).unwrap();
    let asked = |origin: Option<&str>, site: Option<&str>| {
        let mut request = post().cookie(&tokens).header("x-csrf-token", &token);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        service.ask(request).status()
    };
    let ours = Some("https://shop.test");
    for (origin, site, status) in [
        (None, None, 200),
        (ours, None, 200),
        (ours, Some("same-origin"), 200),
        (Some("https://shop.test:443"), None, 200),
        (None, Some("same-origin"), 200),
        (None, Some("none"), 200),
        // A form of ours that tells no referrer.
        (Some("null"), Some("same-origin"), 200),
        // A page that was named as ours, on another host.
        (ours, Some("same-site"), 200),
        (ours, Some("cross-site"), 200),
        (Some("null"), None, 403),
        (Some("null"), Some("none"), 403),
        (Some("null"), Some("cross-site"), 403),
        (None, Some("same-site"), 403),
        (None, Some("cross-site"), 403),
        (None, Some("Same-Origin"), 403),
        (None, Some(""), 403),
        (Some(""), None, 403),
        (Some("http://shop.test"), None, 403),
        (Some("https://shop.test."), None, 403),
        (Some("https://shop.test.evil.test"), None, 403),
        (Some("https://evil.test"), Some("same-origin"), 403),
        (Some("https://api.example"), Some("same-origin"), 403),
    ] {
        assert_eq!(asked(origin, site), status, "{origin:?} {site:?}");
    }
    let twice = post().cookie(&tokens).header("x-csrf-token", &token);
    let origins =
        twice.clone().header("origin", "https://shop.test").header("origin", "https://shop.test");
    refused(&service.ask(origins), 403);
    refused(&service.ask(twice.header("x-csrf-token", &token)), 403);
}

/// Row 712.
#[test]
fn a_token_is_of_one_session_and_an_empty_one_equals_nothing() {
    let service = service();
    let (tokens, other) = (service.log_in("alice"), service.log_in("mallory"));
    let base = || post().cookie(&tokens).header("origin", "https://shop.test");
    let own = service.csrf.issue(tokens.family()).unwrap();
    let stranger = service.csrf.issue(other.family()).unwrap();
    for token in ["", " ", &stranger, "null", &own.to_ascii_uppercase()] {
        refused(&service.ask(base().header("x-csrf-token", token)), 403);
    }
    // A pair of equal values, which another host of the domain can plant.
    let planted = base().header("cookie", "__Host-csrf=A").header("x-csrf-token", "A");
    refused(&service.ask(planted), 403);
    let planted = base().header("cookie", "__Host-csrf=").header("x-csrf-token", "");
    refused(&service.ask(planted), 403);
    assert!(service.ask(base().header("x-csrf-token", &own)).is_allowed());
    let field = |token: &str| Sent { field: Some(token.to_owned()), ..base() };
    assert!(service.ask(field(&own)).is_allowed());
    refused(&service.ask(field(&stranger)), 403);
    // The header goes first.
    refused(&service.ask(field(&own).header("x-csrf-token", "junk")), 403);
}

/// Row 713.
#[test]
fn a_cookie_opens_a_websocket_from_an_origin_of_ours_alone() {
    let service = service();
    let (tokens, issued) = (service.log_in("alice"), service.key(|_| {}));
    let upgrades: [fn() -> Sent; 3] = [
        || Sent { upgrade: true, ..get() },
        || get().header("connection", "Upgrade").header("upgrade", "websocket"),
        || Sent { upgrade: true, ..sent("CONNECT") },
    ];
    for upgrade in upgrades {
        refused(&service.ask(upgrade()), 401);
        refused(&service.ask(upgrade().cookie(&tokens)), 403);
        for origin in [
            "https://evil.test",
            "null",
            "",
            "https://shop.test.evil.test",
            "http://shop.test",
            "https://shop.test/",
        ] {
            let request = upgrade().cookie(&tokens).header("origin", origin);
            refused(&service.ask(request.header("sec-fetch-site", "same-origin")), 403);
        }
        let ours = upgrade().cookie(&tokens).header("origin", "https://shop.test");
        assert!(service.ask(ours).is_allowed());
        assert!(service.ask(upgrade().key(&issued)).is_allowed());
        assert!(service.ask(upgrade().bearer(&foreign(|_| {}))).is_allowed());
    }
    // It is no way round the token of a method that changes something.
    let request = Sent { upgrade: true, ..post() };
    refused(&service.ask(request.cookie(&tokens).header("origin", "https://shop.test")), 403);
}

#[test]
fn without_origins_the_browsers_own_word_is_what_there_is() {
    let service = service();
    let guard = Guard::builder()
        .sessions(service.sessions.clone())
        .cookies(service.guard.cookies().unwrap().clone())
        .build()
        .unwrap();
    let tokens = service.log_in("alice");
    let token = service.csrf.issue(tokens.family()).unwrap();
    let asked = |request: Sent| {
        let request = request.cookie(&tokens).header("x-csrf-token", &token);
        request.with(|request| guard.check(request, &anybody()))
    };
    let host = "https://api.example";
    assert!(
        asked(post().header("sec-fetch-site", "same-origin").header("origin", host)).is_allowed()
    );
    assert!(asked(post()).is_allowed());
    let decision = asked(post().header("origin", host));
    assert_eq!(decision.error().unwrap().kind(), ErrorKind::CsrfRejected);
    let upgrade = Sent { upgrade: true, ..get() };
    assert!(!asked(upgrade.header("origin", host)).is_allowed());
}
