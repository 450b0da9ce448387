//! Limits of an action, rates of keys, and that a refusal takes nothing from either.

use super::*;
use gatekey::ErrorKind;

fn log_in(service: &Service, peer: &str) -> Decision {
    service.on(post().peer(peer), &demand(|d| d.public().limit("log-in", "5/min")))
}

/// Row 716.
#[test]
fn a_limit_is_of_the_action_and_of_a_network() {
    let service = service();
    let admitted = |peers: &mut dyn Iterator<Item = String>| {
        peers.filter(|peer| log_in(&service, peer).is_allowed()).count()
    };
    assert_eq!(admitted(&mut (0..200).map(|n| format!("2001:db8::{n:x}"))), 5);
    assert_eq!(admitted(&mut (0..10).map(|_| "192.0.2.1".to_owned())), 5);
    // The same address, as IPv6 writes it.
    assert_eq!(admitted(&mut std::iter::once("::ffff:192.0.2.1".to_owned())), 0);
    assert_eq!(admitted(&mut (0..10).map(|_| "192.0.2.2".to_owned())), 5);
    // Whoever has no address shares one.
    assert_eq!(
        admitted(&mut ["", "unix:", "testclient"].into_iter().cycle().take(12).map(String::from)),
        5
    );
    // Another route with the same name is the same action; another name is not.
    let second = demand(|d| d.public().limit("log-in", "5/min"));
    let other = demand(|d| d.public().limit("sign-up", "5/min"));
    refused(&service.on(post().peer("192.0.2.1"), &second), 429);
    assert!(service.on(post().peer("192.0.2.1"), &other).is_allowed());
    service.clock.advance(12);
    assert_eq!(admitted(&mut (0..10).map(|_| "192.0.2.1".to_owned())), 1);
    let wide = service_with(|builder| builder.ipv6_prefix(48));
    let networks = (0..20).map(|n| format!("2001:db8:1:{n:x}::1"));
    let limit = demand(|d| d.public().limit("log-in", "5/min"));
    assert_eq!(networks.filter(|peer| wide.on(post().peer(peer), &limit).is_allowed()).count(), 5);
}

/// A clock that is put right is no reason to keep an address out until the old time comes.
#[test]
fn a_clock_that_steps_back_keeps_nobody_out_for_long() {
    let service = service();
    service.clock.advance(3600);
    assert!(log_in(&service, "192.0.2.1").is_allowed());
    service.clock.set(NOW);
    refused(&log_in(&service, "192.0.2.1"), 429); // all of a limit, once
    service.clock.advance(12);
    assert!(log_in(&service, "192.0.2.1").is_allowed());
    assert!((0..9).filter(|_| log_in(&service, "192.0.2.1").is_allowed()).count() <= 5);
    service.clock.advance(60);
    assert_eq!((0..9).filter(|_| log_in(&service, "192.0.2.1").is_allowed()).count(), 5);
}

/// More addresses than the table has room for, each with fewer requests than are used up: none of
/// those that are refused is let in again by them, and one that was not there is.
#[test]
fn a_flood_of_addresses_lets_nobody_in_again() {
    let service = service();
    let used_up: Vec<String> = (1..=8).map(|n| format!("192.0.2.{n}")).collect();
    for peer in &used_up {
        assert_eq!((0..9).filter(|_| log_in(&service, peer).is_allowed()).count(), 5);
    }
    let limit = demand(|d| d.public().limit("log-in", "5/min"));
    let flood = |from: u32| {
        for number in from..from + 70_000 {
            let address = std::net::Ipv4Addr::from_bits(number);
            let request = Request::new(b"POST", b"/log-in").peer_address(address.into());
            assert!(service.guard.check(&request, &limit).is_allowed(), "{address}");
        }
    };
    flood(0x0a00_0000);
    // A second time, one unit more of each.
    flood(0x0a00_0000);
    for peer in &used_up {
        refused(&log_in(&service, peer), 429);
    }
    assert!(log_in(&service, "198.51.100.1").is_allowed());
}

#[test]
fn a_refusal_says_when_to_come_back_in_whole_seconds() {
    let service = service();
    (0..5).for_each(|_| assert!(log_in(&service, "192.0.2.1").is_allowed()));
    let last = log_in(&service, "192.0.2.1");
    refused(&last, 429);
    assert_eq!(last.header("retry-after"), Some("12"));
    // Nobody was proved, so that nothing else is told.
    assert!(last.header("ratelimit").is_none() && last.header("ratelimit-policy").is_none());
}

/// Row 717.
#[test]
fn refusals_take_nothing() {
    let service = service();
    let tokens = service.log_in("alice");
    let issued = service.key(|spec| {
        spec.rate = Some(gatekey::apikey::parse_rate("3/h").unwrap());
        spec.cidrs = vec!["192.0.2.0/24".into()];
    });
    let limited = |change: fn(DemandBuilder) -> DemandBuilder| {
        change(Demand::builder().limit("orders", "3/h")).build().unwrap()
    };
    let any = limited(|d| d);
    let scoped = limited(|d| d.scopes(["orders:write"]));
    for _ in 0..20 {
        assert!(!service.on(get(), &any).is_allowed());
        assert!(!service.on(get().bearer("junk"), &any).is_allowed());
        assert!(!service.on(post().cookie(&tokens), &any).is_allowed());
        assert!(!service.on(get().key(&issued), &scoped).is_allowed());
        assert!(!service.on(get().key(&issued), &limited(|d| d.tenant("t9"))).is_allowed());
        assert!(!service.on(get().key(&issued), &limited(|d| d.max_age(60))).is_allowed());
        let claims = limited(|d| d.claim("a", "1"));
        assert!(!service.on(get().key(&issued), &claims).is_allowed());
        assert!(!service.on(get().peer("198.51.100.1").key(&issued), &any).is_allowed());
    }
    let admitted = (0..10).filter(|_| service.on(get().key(&issued), &any).is_allowed()).count();
    assert_eq!(admitted, 3);
    // The key's rate is used up now; its refusals take nothing from the limit of the address.
    service.clock.advance(3600);
    let (first, second) = (
        service.key(|spec| spec.rate = Some(gatekey::apikey::parse_rate("1/d").unwrap())),
        service.key(|_| {}),
    );
    assert!(service.on(get().key(&first), &any).is_allowed());
    for _ in 0..5 {
        refused(&service.on(get().key(&first), &any), 429);
    }
    assert_eq!((0..5).filter(|_| service.on(get().key(&second), &any).is_allowed()).count(), 2);
}

#[test]
fn the_holder_of_a_key_is_told_its_rate() {
    let service = service();
    let issued =
        service.key(|spec| spec.rate = Some(gatekey::apikey::parse_rate("3/60s").unwrap()));
    let cost = demand(|d| d.cost(2).limit("orders", "10/min"));
    let decision = service.on(get().key(&issued), &cost);
    assert_eq!(decision.header("ratelimit"), Some(r#""key";r=1;t=40, "orders";r=9;t=6"#));
    assert_eq!(decision.header("ratelimit-policy"), Some(r#""key";q=3;w=60, "orders";q=10;w=60"#));
    let decision = service.on(get().key(&issued), &cost);
    refused(&decision, 429);
    assert_eq!(decision.header("ratelimit"), Some(r#""key";r=0;t=20"#));
    assert_eq!(decision.header("ratelimit-policy"), Some(r#""key";q=3;w=60"#));
    assert_eq!(decision.header("retry-after"), Some("20"));
    assert!(decision.error().unwrap().api_key_id().is_some());
    // Nothing is taken, nothing is told.
    let free = service.on(get().key(&issued), &demand(|d| d.cost(0)));
    assert!(free.is_allowed() && free.header("ratelimit").is_none());
}

#[test]
fn limits_that_say_nothing_are_refused_when_built() {
    for (name, rate) in
        [("", "5/min"), ("a b", "5/min"), ("a\"", "5/min"), ("a", "5"), ("a", "0/min"), ("a", "")]
    {
        let error = Demand::builder().limit(name, rate).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{name} {rate}");
        assert_eq!(error.claim(), Some("limit"));
    }
}
