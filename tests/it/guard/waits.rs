//! What is in memory is decided there; what is to be asked is known before anything is taken.

use super::*;
use crate::rounds::rounds;
use gatekey::transport::{Attempt, attempt};

#[test]
fn memory_is_enough_for_what_is_in_it() {
    let service = service();
    let (issued, tokens) = (service.key(|_| {}), service.log_in("alice"));
    let limited = demand(|d| d.limit("orders", "1000/min"));
    for request in [
        get().key(&issued),
        get().cookie(&tokens),
        post().cookie(&tokens).ours(&service, &tokens),
        get().bearer(&foreign(|_| {})),
        get().bearer("junk"),
        get(),
    ] {
        let status = service.on(request.clone(), &limited).status();
        let tried = request.with(|request| service.guard.try_check(request, &limited));
        assert_eq!(tried.unwrap().status(), status);
    }
}

/// Row 722.
#[test]
fn what_needs_to_ask_has_taken_nothing() {
    let service = service();
    let spent = service.key(|spec| {
        spec.credits = Some(gatekey::apikey::CreditSpec {
            amount: 3,
            ..gatekey::apikey::CreditSpec::default()
        });
        spec.rate = Some(gatekey::apikey::parse_rate("3/h").unwrap());
    });
    let limited = demand(|d| d.limit("orders", "3/h"));
    let request = get().key(&spent);
    // Its credits are to be leased from the store first.
    for _ in 0..20 {
        assert!(request.with(|request| service.guard.try_check(request, &limited)).is_none());
        let tried =
            request.with(|request| attempt(false, &[], || service.guard.check(request, &limited)));
        assert!(matches!(tried, Attempt::Elsewhere));
    }
    let admitted = (0..10).filter(|_| service.on(request.clone(), &limited).is_allowed()).count();
    assert_eq!(admitted, 3);
}

/// Any mixture of what is sent: a decision, never a panic, and nobody is let in who brings nothing good.
#[test]
fn whatever_is_sent_is_decided() {
    let service = service();
    let (issued, tokens) = (service.key(|_| {}), service.log_in("alice"));
    let secret = text(&issued.secret);
    let values: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"Bearer".to_vec(),
        b"bearer  ".to_vec(),
        b"Api-Key x".to_vec(),
        b"\xff\xfe".to_vec(),
        b"a,b".to_vec(),
        b"__Host-access=".to_vec(),
        b"__Host-access=x; __Host-access=y".to_vec(),
        b"null".to_vec(),
        b"same-origin".to_vec(),
        vec![b'x'; 20_000],
        secret.to_ascii_uppercase().into_bytes(),
        [b"Bearer ", secret.get(1..).unwrap().as_bytes()].concat(),
        text(&tokens.refresh_token).into_bytes(),
        format!("__Host-access={}", text(&tokens.refresh_token)).into_bytes(),
    ];
    let names = [
        "authorization",
        "x-api-key",
        "cookie",
        "origin",
        "sec-fetch-site",
        "x-csrf-token",
        "upgrade",
        "x-forwarded-for",
    ];
    let methods = ["GET", "POST", "OPTIONS", "get", ""];
    let mut seed = 7_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for _ in 0..rounds(400) {
        let mut request = sent(methods[next(methods.len())]);
        for _ in 0..next(5) {
            let (name, value) = (names[next(names.len())], &values[next(values.len())]);
            request = request.header(name, value);
        }
        let decision = service.ask(request);
        assert!(!decision.is_allowed());
        assert!(matches!(decision.status(), 400 | 401 | 403 | 431), "{decision:?}");
        refused(&decision, decision.status());
    }
}
