//! What routes demand: kinds, scopes, tenants, claims, sign-ins, and pairs of credentials.

use super::*;
use gatekey::ErrorKind;
use gatekey::guard::{AccessKind, Pair};

#[test]
fn scopes_all_and_any() {
    let service = service();
    let issued = service.key(|spec| spec.scopes = vec!["a".into(), "b".into()]);
    let token = foreign(|claims| claims["scope"] = json!("a b"));
    let requests = [get().key(&issued), get().bearer(&token)];
    for request in requests {
        let status = |change: fn(DemandBuilder) -> DemandBuilder| {
            service.on(request.clone(), &demand(change)).status()
        };
        assert_eq!(status(|d| d.scopes(["a"])), 200);
        assert_eq!(status(|d| d.scopes(["a", "b"])), 200);
        assert_eq!(status(|d| d.scopes(["a", "c"])), 403);
        assert_eq!(status(|d| d.any_scopes(["c", "b"])), 200);
        assert_eq!(status(|d| d.any_scopes(["c", "d"])), 403);
        assert_eq!(status(|d| d.scopes(["a"]).any_scopes(["c"])), 403);
        assert_eq!(status(|d| d.scopes(["a"]).any_scopes(["b"])), 200);
    }
    let decision = service.on(get().key(&issued), &demand(|d| d.any_scopes(["c", "d"])));
    assert!(decision.header("www-authenticate").unwrap().contains(r#"scope="c d""#));
}

#[test]
fn kinds_that_are_not_taken_are_refused_before_anything_is_proved() {
    let service = service();
    let issued = service.key(|spec| spec.rate = Some(gatekey::apikey::parse_rate("1/h").unwrap()));
    let tokens = service.log_in("alice");
    let all = [
        (AccessKind::ApiKey, get().key(&issued)),
        (AccessKind::ApiKey, get().bearer(&text(&issued.secret))),
        (AccessKind::Session, get().cookie(&tokens)),
        (AccessKind::Session, get().bearer(&text(&tokens.access_token))),
        (AccessKind::Jwt, get().bearer(&foreign(|_| {}))),
    ];
    let free = |kinds: &[AccessKind]| demand(|d| d.kinds(kinds.to_vec()).cost(0));
    for (kind, request) in all {
        assert!(service.on(request.clone(), &free(&[kind])).is_allowed(), "{kind:?}");
        for other in [AccessKind::ApiKey, AccessKind::Session, AccessKind::Jwt] {
            if other != kind {
                refused(&service.on(request.clone(), &free(&[other])), 401);
            }
        }
    }
    for bad in ["junk", "gk_live_junk"] {
        let first = service.on(get().header("x-api-key", bad), &free(&[AccessKind::Session]));
        let good = service.on(get().key(&issued), &free(&[AccessKind::Session]));
        assert_eq!(first.body(), good.body(), "whether it is good is not told");
    }
}

#[test]
fn tenants_and_claims() {
    let service = service();
    let issued = service.key(|spec| spec.tenant = "t1".into());
    let (tokens, token) = (service.log_in("alice"), foreign(|_| {}));
    for request in [get().key(&issued), get().cookie(&tokens), get().bearer(&token)] {
        let decision = service.on(request.clone(), &demand(|d| d.tenant("t1")));
        assert_eq!(decision.access().unwrap().tenant(), Some("t1"));
        refused(&service.on(request.clone(), &demand(|d| d.tenant("t2"))), 401);
        let anybody = anybody();
        assert!(service.on(request.clone(), &anybody.in_tenant("t1")).is_allowed());
        refused(&service.on(request.clone(), &anybody.in_tenant("t2")), 401);
        refused(&service.on(request, &anybody.in_tenant("")), 401);
    }
    let claim = |json: &str| demand(|d| d.claim("role", json));
    let admin = foreign(|claims| claims["role"] = json!("admin"));
    assert!(service.on(get().bearer(&admin), &claim("\"admin\"")).is_allowed());
    refused(&service.on(get().bearer(&admin), &claim("\"root\"")), 401);
    refused(&service.on(get().bearer(&token), &claim("\"admin\"")), 401);
    refused(&service.on(get().key(&issued), &claim("\"admin\"")), 401);
}

#[test]
fn how_and_when_the_user_signed_in() {
    let service = service();
    let tokens = service.log_in("alice");
    let fresh = demand(|d| d.fresh());
    let recent = demand(|d| d.max_age(300));
    assert!(service.on(get().cookie(&tokens), &fresh).is_allowed());
    assert!(service.on(get().cookie(&tokens), &recent).is_allowed());
    service.clock.advance(200);
    let tokens = service.sessions.refresh(tokens.refresh_token.expose(), None).unwrap();
    // The session is as old as its log-in, whatever its token is.
    let decision = service.on(get().cookie(&tokens), &fresh);
    refused(&decision, 401);
    let challenge = decision.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    assert!(challenge.contains(r#"max_age="0""#), "{challenge}");
    assert!(service.on(get().cookie(&tokens), &recent).is_allowed());
    service.clock.advance(101);
    let decision = service.on(get().cookie(&tokens), &recent);
    refused(&decision, 401);
    assert!(decision.header("www-authenticate").unwrap().contains(r#"max_age="300""#));

    let strong = demand(|d| d.acr_values(["mfa", "phr"]));
    let mfa = foreign(|claims| claims["acr"] = json!("mfa"));
    let late = NOW + 301;
    assert!(service.clock.as_ref().now_is(late));
    let mfa = forge_at(late, &mfa);
    assert!(service.on(get().bearer(&mfa), &strong).is_allowed());
    let decision = service.on(get().bearer(&forge_at(late, &foreign(|_| {}))), &strong);
    refused(&decision, 401);
    assert!(decision.header("www-authenticate").unwrap().contains(r#"acr_values="mfa phr""#));
    // No key has signed in.
    let issued = service.key(|_| {});
    for demand in [&fresh, &recent, &strong] {
        refused(&service.on(get().key(&issued), demand), 401);
    }
}

trait At {
    fn now_is(&self, now: u64) -> bool;
}

impl At for FixedClock {
    fn now_is(&self, now: u64) -> bool {
        gatekey::Clock::now(self) == now
    }
}

/// The same claims, good at that time.
fn forge_at(now: u64, token: &str) -> String {
    let unverified = gatekey::jwt::danger_decode_unverified(token).unwrap();
    let claims: Value = serde_json::from_str(unverified.claims_json()).unwrap();
    foreign(|all| {
        *all = claims;
        all["iat"] = json!(now - 10);
        all["exp"] = json!(now + 300);
    })
}

/// Row 718.
#[test]
fn a_pair_needs_both_and_grants_what_one_may() {
    let service = service();
    let tokens = service.log_in("alice");
    let key = |change: fn(&mut KeySpec)| service.key(change);
    let own = key(|spec| {
        spec.tenant = "t1".into();
        spec.scopes = vec!["admin".into()];
        spec.rate = Some(gatekey::apikey::parse_rate("2/h").unwrap());
    });
    let other = key(|spec| spec.tenant = "t2".into());
    let user_decides = |pair: Pair| {
        demand(|d| {
            d.kinds([AccessKind::Session, AccessKind::Jwt]).pair(pair).scopes(["orders:read"])
        })
    };
    let with_key = || Pair::with([AccessKind::ApiKey]);
    let any = user_decides(with_key());
    for alone in [get().key(&own), get().cookie(&tokens), get().bearer(&foreign(|_| {}))] {
        refused(&service.on(alone, &any), 401);
    }
    refused(&service.on(get(), &any), 401);
    refused(&service.on(get().cookie(&tokens).bearer(&foreign(|_| {})), &any), 401);
    refused(&service.on(get().cookie(&tokens).header("x-api-key", "junk"), &any), 401);
    refused(&service.on(get().key(&own).bearer("a.b.c"), &any), 401);
    refused(&service.on(get().key(&own).cookie(&tokens).bearer(&foreign(|_| {})), &any), 400);
    // A request by a cookie is one, whatever else it brings.
    refused(&service.on(post().cookie(&tokens).key(&own), &any), 403);
    let tenants = user_decides(with_key().same_tenant());
    refused(&service.on(get().cookie(&tokens).key(&other), &tenants), 400);
    let subjects = user_decides(with_key().same_subject());
    refused(&service.on(get().cookie(&tokens).key(&own), &subjects), 400);

    let decision = service.on(get().cookie(&tokens).key(&own), &tenants);
    let access = decision.access().unwrap();
    assert_eq!((access.subject(), access.kind()), (Some("alice"), Some(AccessKind::Session)));
    assert!(access.has_scope("orders:read") && !access.has_scope("admin"), "not united");
    assert_eq!(access.other().unwrap().subject(), Some("acme"));
    assert_eq!(decision.header("ratelimit"), Some(r#""key";r=1;t=1800"#));
    // The key that decides needs the scopes itself, and all that was refused has cost nothing.
    let key_decides = demand(|d| {
        d.kinds([AccessKind::ApiKey]).pair(Pair::with([AccessKind::Session])).scopes(["admin"])
    });
    let decision = service.on(get().cookie(&tokens).key(&own), &key_decides);
    assert_eq!(subject(&decision), "acme");
    assert_eq!(decision.access().unwrap().other().unwrap().session(), Some(tokens.family()));
    refused(&service.on(get().cookie(&tokens).key(&own), &key_decides), 429);
    refused(&service.on(get().cookie(&tokens).key(&other), &key_decides), 403);
    let alice = key(|spec| {
        spec.owner = "alice".into();
        spec.tenant = "t1".into();
    });
    assert!(service.on(get().cookie(&tokens).key(&alice), &subjects).is_allowed());
}

#[test]
fn optional_and_public() {
    let service = service();
    let tokens = service.log_in("alice");
    let (optional, public) = (demand(|d| d.optional()), demand(|d| d.public()));
    for demand in [&optional, &public] {
        let decision = service.on(get(), demand);
        assert!(decision.is_allowed() && decision.access().unwrap().is_anonymous());
        assert_eq!(decision.access().unwrap().claims_json(), "{}");
    }
    assert_eq!(subject(&service.on(get().cookie(&tokens), &optional)), "alice");
    refused(&service.on(get().bearer("junk"), &optional), 401);
    // A log-in of a browser that has an old cookie.
    let decision = service.on(post().header("cookie", "__Host-access=a.b.c"), &public);
    assert!(decision.access().unwrap().is_anonymous() && public.is_public());
}

#[test]
fn demands_that_can_never_be_met_are_refused_when_built() {
    let many = || (0..17).map(|n| format!("s{n}"));
    for (claim, builder) in [
        ("scopes", Demand::builder().scopes(["a b"])),
        ("scopes", Demand::builder().scopes([""])),
        ("scopes", Demand::builder().scopes(["a\""])),
        ("scopes", Demand::builder().scopes(many())),
        ("any_scopes", Demand::builder().any_scopes(["\u{e9}"])),
        // A list from a configuration that came out empty opens no route.
        ("any_scopes", Demand::builder().any_scopes(Vec::<String>::new())),
        ("kinds", Demand::builder().kinds([])),
        ("acr_values", Demand::builder().acr_values(["a b"])),
        ("acr_values", Demand::builder().acr_values([""; 0])),
        ("acr_values", Demand::builder().acr_values(many())),
        ("tenant", Demand::builder().tenant("")),
        ("tenant", Demand::builder().tenant("a\nb")),
        ("pair", Demand::builder().pair(Pair::with([AccessKind::ApiKey]))),
        ("pair", Demand::builder().kinds([AccessKind::Jwt]).pair(Pair::with([]))),
        (
            "pair",
            Demand::builder().kinds([AccessKind::ApiKey]).pair(Pair::with([AccessKind::ApiKey])),
        ),
        (
            "pair",
            Demand::builder()
                .kinds([AccessKind::Jwt])
                .pair(Pair::with([AccessKind::ApiKey]))
                .optional(),
        ),
        ("public", Demand::builder().public().scopes(["a"])),
        ("public", Demand::builder().public().tenant("a")),
        ("public", Demand::builder().public().kinds([AccessKind::Jwt])),
        ("public", Demand::builder().public().max_age(1)),
        ("exp", Demand::builder().claim("exp", "1")),
        ("role", Demand::builder().claim("role", "admin")),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{claim}");
        assert_eq!(error.claim(), Some(claim), "{error}");
    }
}
