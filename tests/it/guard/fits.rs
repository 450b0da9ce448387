//! Demands that no caller can ever meet, and options that do nothing: told when they are built, or
//! with the first request, and never as a refusal of a caller who has done nothing wrong.

use super::*;
use gatekey::ErrorKind::{self, InvalidConfiguration};
use gatekey::Store;
use gatekey::guard::{AccessKind, Pair};
use gatekey::revocations::RevocationOptions;

fn keys_alone() -> Guard {
    let store = Store::open("memory:").unwrap();
    Guard::builder().api_keys(store.api_keys(ApiKeyOptions::new()).unwrap()).build().unwrap()
}

/// What is wrong, and what it is about.
fn wrong<T: std::fmt::Debug>(outcome: Result<T, gatekey::Error>) -> (ErrorKind, String) {
    let error = outcome.unwrap_err();
    (error.kind(), error.claim().unwrap_or_default().to_owned())
}

/// Row 750.
#[test]
fn demands_that_contradict_themselves_are_not_built() {
    use AccessKind::{ApiKey, Session};
    type Change = fn(DemandBuilder) -> DemandBuilder;
    let cases: [(&str, Change); 12] = [
        ("kinds", |d| d.kinds([ApiKey]).max_age(60)),
        ("kinds", |d| d.kinds([ApiKey]).fresh()),
        ("kinds", |d| d.kinds([ApiKey]).acr_values(["mfa"])),
        ("kinds", |d| d.kinds([ApiKey]).claim("plan", "\"gold\"")),
        ("kinds", |d| d.kinds([ApiKey]).pair(Pair::with([Session])).fresh()),
        ("cost", |d| d.kinds([Session]).cost(2)),
        ("cost", |d| d.public().cost(2)),
        ("csrf", |d| d.public().csrf_always()),
        ("optional", |d| d.public().optional()),
        ("optional", |d| d.optional().public()),
        ("limit", |d| d.public().limit("log-in", "5/min").limit("log-in", "9/min")),
        ("limit", |d| d.public().limit("log-in", "5/min").limit("log-in", "5/min")),
    ];
    for (named, change) in cases {
        let outcome = change(Demand::builder()).build();
        assert_eq!(wrong(outcome), (InvalidConfiguration, named.to_owned()));
    }
    // What looks alike and can be met.
    let cases: [Change; 6] = [
        |d| d.kinds([ApiKey, Session]).max_age(60),
        |d| d.kinds([Session]).pair(Pair::with([ApiKey])).cost(2).fresh(),
        |d| d.kinds([Session]).cost(0),
        |d| d.cost(2),
        |d| d.public().own_pages(),
        |d| d.limit("a", "5/min").limit("b", "9/min"),
    ];
    for change in cases {
        drop(change(Demand::builder()).build().unwrap());
    }
}

/// Row 750.
#[test]
fn a_guard_tells_what_none_of_its_callers_can_meet() {
    use AccessKind::{ApiKey, Jwt, Opaque, Session};
    type Change = fn(DemandBuilder) -> DemandBuilder;
    let guard = keys_alone();
    let cases: [(&str, Change); 6] = [
        ("kinds", |d| d.kinds([Session])),
        ("kinds", |d| d.kinds([Jwt, Opaque])),
        ("kinds", |d| d.optional().kinds([Session])),
        ("kinds", |d| d.max_age(60)),
        ("kinds", |d| d.kinds([ApiKey, Session]).claim("plan", "\"gold\"")),
        ("pair", |d| d.kinds([ApiKey]).pair(Pair::with([Session]))),
    ];
    for (named, change) in cases {
        let demand = demand(change);
        let expected = (InvalidConfiguration, named.to_owned());
        assert_eq!(wrong(guard.check_demand(&demand)), expected);
        // Whatever is sent, and each time.
        for _ in 0..2 {
            let decision = guard.check(&Request::new(b"GET", b"/"), &demand);
            assert_eq!(decision.status(), 500);
            assert_eq!(wrong(decision.into_access()), expected);
        }
    }
    guard.check_demand(&demand(|d| d.kinds([ApiKey, Session]).tenant("bank"))).unwrap();

    let jwts = |tenant: bool| {
        let keys = KeySet::new([key(Alg::Es256).public().unwrap()]).unwrap();
        let tokens = ResourceServer::builder(API).issuer(ISSUER, Arc::new(keys));
        let tokens = if tenant { tokens.tenant_claim("org") } else { tokens };
        Guard::builder().tokens(tokens).build().unwrap()
    };
    let of_bank = demand(|d| d.tenant("bank"));
    assert_eq!(wrong(jwts(false).check_demand(&of_bank)).1, "tenant");
    jwts(true).check_demand(&of_bank).unwrap();
    // One guard's word is not another's.
    let of_session = demand(|d| d.kinds([Session]));
    service().guard.check_demand(&of_session).unwrap();
    assert_eq!(service().on(get(), &of_session).status(), 401);
    assert_eq!(guard.check(&Request::new(b"GET", b"/"), &of_session).status(), 500);
}

/// Row 751.
#[test]
fn one_name_of_a_limit_has_one_rate() {
    let guard = keys_alone();
    let limited = |rate: &'static str| demand(move |d| d.public().limit("log-in", rate));
    let (first, same, other) = (limited("5/min"), limited("5/60s"), limited("50/min"));
    let ask = |demand: &Demand| guard.check(&Request::new(b"GET", b"/"), demand);
    assert_eq!((ask(&first).status(), ask(&same).status()), (200, 200));
    let refused = ask(&other);
    assert_eq!(refused.status(), 500);
    let text = refused.error().unwrap().to_string();
    assert!(text.contains("`log-in:50/60s`") && text.contains("`log-in:5/60s`"), "{text}");
    // Nothing was taken for it, and the first goes on.
    let left = ask(&first);
    assert!(left.is_allowed());
    assert_eq!(wrong(guard.check_demand(&other)), (InvalidConfiguration, "limit".to_owned()));
    // In another guard it is another limit.
    keys_alone().check_demand(&other).unwrap();
}

/// Row 750.
#[test]
fn options_that_do_nothing_are_not_built() {
    let store = Store::open("memory:").unwrap();
    let keys = || Guard::builder().api_keys(store.api_keys(ApiKeyOptions::new()).unwrap());
    let list = Arc::new(store.revocations(RevocationOptions::new()).unwrap());
    let signer = Signer::builder(key(Alg::Es256)).ttl(900).build().unwrap();
    let sessions = store.sessions(Some(&signer), SessionOptions::new()).unwrap();
    for (named, builder) in [
        ("csrf_header", keys().csrf_header("X-Own")),
        ("api_key_header", Guard::builder().sessions(sessions).api_key_header("X-Own")),
        ("revocations", keys().revocations(list)),
        ("forwarded_header", keys().forwarded_header("X-Real-IP")),
    ] {
        assert_eq!(wrong(builder.build()), (InvalidConfiguration, named.to_owned()));
    }
    keys().csrf_header("x-csrf-token").api_key_header("X-Own").build().unwrap();
    let nobody = Guard::builder().build().unwrap_err();
    assert!(nobody.to_string().starts_with("A guard was given nobody"), "{nobody}");
}

/// The log says which origin was sent, and which are ours; the answer says neither.
#[test]
fn a_foreign_origin_is_named_for_the_log() {
    let service = service();
    let tokens = service.log_in("alice");
    let request = post().cookie(&tokens).header("origin", "https://evil.example");
    let decision = service.ask(request);
    refused(&decision, 403);
    let text = decision.error().unwrap().to_string();
    assert!(text.contains("`Origin` is `https://evil.example`"), "{text}");
    assert!(text.contains("configured is `https://"), "{text}");
    assert!(!decision.body().unwrap().contains("evil"));
}
