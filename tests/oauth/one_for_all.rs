//! One request for all who want its answer, also when it fails: metadata, keys, and what is said of a token. Nobody is
//! held up who has something to go on with, and strangers cannot have a server asked as often as they like.

use crate::authority::{Authority, callback, cookies, http, now};
use crate::evil::Reply;
use crate::gate::{Gate, together};
use gatekey::clock::FixedClock;
use gatekey::jwk::KeySource as _;
use gatekey::jwt::IssuerRule;
use gatekey::oauth::{LoginOptions, RemoteKeySet, RemoteKeySetOptions, TokenGrant};
use gatekey::resource::{Demand, IntrospectionOptions};
use gatekey::transport::{HttpResponse, Step};
use gatekey::{Alg, ErrorKind, Key, OAuthClient, Policy, ResourceServer, Secret, Verifier};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

const ALL: usize = 20;
const DOCUMENT: &str = "/.well-known/openid-configuration";

/// A server that holds this path up until everybody has come, and answers it with this status unless it is 200.
fn gated(path: &'static str, gate: &Gate, status: &Arc<AtomicU16>) -> Authority {
    let (gate, status) = (gate.clone(), Arc::clone(status));
    Authority::with(move |request, _| {
        if request.path != path {
            return None;
        }
        gate.hold(ALL);
        match status.load(Ordering::SeqCst) {
            200 => None,
            status => Some(Reply::json(status, json!({ "error": "temporarily_unavailable" }))),
        }
    })
}

fn good() -> Arc<AtomicU16> {
    Arc::new(AtomicU16::new(200))
}

fn keys_of(authority: &Authority) -> RemoteKeySetOptions {
    RemoteKeySetOptions::new()
        .url(format!("{}/jwks", authority.server.url))
        .allow_loopback_http(true)
}

#[test]
fn cold_log_ins_ask_for_the_metadata_once() {
    let gate = Gate::default();
    let authority = gated(DOCUMENT, &gate, &good());
    let (client, transport) = (authority.client(), gate.transport());
    together(ALL, || {
        client.begin(&LoginOptions::new(), "").unwrap().run(&*transport).unwrap();
    });
    assert_eq!(authority.server.count(DOCUMENT), 1);
}

#[test]
fn cold_log_ins_ask_for_the_keys_once() {
    let gate = Gate::default();
    let authority = gated("/jwks", &gate, &good());
    let (client, transport) = (authority.client(), gate.transport());
    together(ALL, || {
        let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
        let finish = client.finish(&callback(&begun), &cookies(&begun)).unwrap();
        assert_eq!(finish.run(&*transport).unwrap().subject.as_deref(), Some("alice"));
    });
    assert_eq!((authority.server.count("/jwks"), authority.server.count("/token")), (1, ALL));
}

#[test]
fn verifiers_ask_for_the_keys_once() {
    let gate = Gate::default();
    let authority = gated("/jwks", &gate, &good());
    let keys = RemoteKeySet::open(keys_of(&authority)).unwrap().over(gate.transport());
    together(ALL, || assert_eq!(keys.keys().unwrap().len(), 1));
    assert_eq!(authority.server.count("/jwks"), 1);
}

/// The second document, too, which is asked for when the first one lacks what is needed.
#[test]
fn the_second_document_is_asked_for_once() {
    let gate = Gate::default();
    let own = gate.clone();
    let authority = Authority::with(move |request, world| {
        let mut metadata = world.metadata();
        match &*request.path {
            DOCUMENT => drop(metadata.as_object_mut().unwrap().remove("token_endpoint")),
            "/.well-known/oauth-authorization-server" => own.hold(ALL),
            _ => return None,
        }
        Some(Reply::json(200, metadata))
    });
    let (client, transport) = (authority.client(), gate.transport());
    together(ALL, || {
        let grant = client.client_credentials(&TokenGrant::new()).unwrap();
        grant.run(&*transport).unwrap();
    });
    let asked = |path: &str| authority.server.count(path);
    assert_eq!((asked(DOCUMENT), asked("/.well-known/oauth-authorization-server")), (1, 1));
}

/// When metadata have aged, one caller asks; the server takes its time, and the others go on with what they have.
#[test]
fn nobody_waits_who_has_metadata() {
    let gate = Gate::default();
    let (own, is_slow) = (gate.clone(), Arc::new(AtomicBool::new(false)));
    let slow = Arc::clone(&is_slow);
    let authority = Authority::with(move |request, _| {
        if request.path == DOCUMENT && slow.load(Ordering::SeqCst) {
            own.hold(usize::MAX);
        }
        None
    });
    let clock = Arc::new(FixedClock::new(now()));
    let client = OAuthClient::new(authority.config().clock(Arc::clone(&clock) as _)).unwrap();
    let begin = || client.begin(&LoginOptions::new(), "").unwrap().run(&*gate.transport());
    begin().unwrap();
    is_slow.store(true, Ordering::SeqCst);
    clock.advance(3601);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| begin().unwrap());
        gate.arrivals(1);
        together(ALL, || drop(begin().unwrap()));
        assert!(!asking.is_finished());
        gate.open();
    });
    assert_eq!((authority.server.count(DOCUMENT), gate.waits()), (2, 0));
}

/// A failure is one for all; it is tried again after a second, then after two, and its reason is told until then.
#[test]
fn metadata_that_cannot_be_had() {
    let (gate, status) = (Gate::default(), Arc::new(AtomicU16::new(503)));
    let authority = gated(DOCUMENT, &gate, &status);
    let clock = Arc::new(FixedClock::new(now()));
    let client = OAuthClient::new(authority.config().clock(Arc::clone(&clock) as _)).unwrap();
    let transport = gate.transport();
    let begin = || client.begin(&LoginOptions::new(), "").unwrap().run(&*transport);
    let told = |wait: u32| {
        let asked = authority.server.count(DOCUMENT);
        for error in together(ALL, || begin().unwrap_err()) {
            assert_eq!(error.kind(), ErrorKind::OauthServerFailed);
            assert_eq!(error.retry_after(), Some(wait));
        }
        authority.server.count(DOCUMENT) - asked
    };
    assert_eq!(told(1000), 1);
    assert_eq!(told(1000), 0);
    gate.open();
    for seconds in [2, 4, 8, 16, 30, 30] {
        clock.advance(if seconds == 2 { 1 } else { seconds / 2 });
        if seconds == 30 {
            clock.advance(15);
        }
        assert_eq!(told(u32::try_from(seconds).unwrap() * 1000), 1, "{seconds}");
    }
    status.store(200, Ordering::SeqCst);
    clock.advance(30);
    begin().unwrap();
    // Known metadata are used for a day, and it is tried in pauses.
    status.store(503, Ordering::SeqCst);
    clock.advance(86_399);
    let asked = authority.server.count(DOCUMENT);
    (0..5).for_each(|_| drop(begin().unwrap()));
    assert_eq!(authority.server.count(DOCUMENT), asked + 1);
    clock.advance(1);
    assert_eq!(begin().unwrap_err().kind(), ErrorKind::OauthServerFailed);
}

/// An operation that is dropped, or that nobody drives any more, holds up nobody for good.
#[test]
fn operations_that_are_given_up() {
    let authority = Authority::start();
    let client = authority.client();
    let begin = || client.begin(&LoginOptions::new(), "").unwrap();
    let mut dropped = begin();
    assert!(matches!(dropped.next().unwrap(), Step::Request(_)));
    let mut waiting = begin();
    assert!(matches!(waiting.next().unwrap(), Step::Wait(_)));
    drop(dropped);
    assert!(matches!(waiting.next().unwrap(), Step::Request(_)));
    // This one is never driven again.
    let mut patient = begin();
    let mut waited = 0;
    let request = loop {
        match patient.next().unwrap() {
            Step::Wait(milliseconds) => waited += milliseconds,
            Step::Request(request) => break request,
            step => panic!("{step:?}"),
        }
    };
    assert!((5_000..60_000).contains(&waited), "longer than an answer may take: {waited}");
    let body = authority.world.metadata().to_string();
    assert!(request.url.ends_with(DOCUMENT));
    patient.feed(HttpResponse { status: 200, headers: Vec::new(), body: Secret::from(body) });
    assert!(matches!(patient.next().unwrap(), Step::Done(_)));
}

/// Everything can be made while the issuer is down; it is asked again within a second, and until then its reason is told.
#[test]
fn an_issuer_that_is_late() {
    let status = Arc::new(AtomicU16::new(503));
    let own = Arc::clone(&status);
    let authority = Authority::with(move |request, _| match own.load(Ordering::SeqCst) {
        200 => None,
        _ if request.path != "/jwks" => None,
        status => Some(Reply::json(status, json!({}))),
    });
    let clock = Arc::new(FixedClock::new(now()));
    let url = authority.server.url.clone();
    let keys = || {
        let options = keys_of(&authority).clock(Arc::clone(&clock) as _);
        Arc::new(RemoteKeySet::open(options).unwrap().over(Arc::new(http())))
    };
    let (one, two, three) = (keys(), keys(), keys());
    let policy = || Policy::new().expect_audience("api");
    let rule = IssuerRule::following(&*url, two);
    let verifiers = [
        Verifier::following(one, policy().expect_issuer(&*url)).unwrap(),
        Verifier::for_issuers([rule], policy()).unwrap(),
    ];
    let door = ResourceServer::builder("api").issuer(&*url, three).token_type("JWT");
    let door = door.build().unwrap();
    let claims = json!({ "sub": "alice", "exp": now() + 900, "iss": url, "aud": "api" });
    let token = authority.world.sign_as(&claims, r#""typ":"JWT","#);
    let check = || {
        let mut results: Vec<_> =
            verifiers.iter().map(|verifier| verifier.verify(&token).map(|_| ())).collect();
        results.push(door.check_token(&token, &Demand::new()).map(|_| ()));
        results
    };
    let mut asked = authority.server.count("/jwks");
    for seconds in [1, 2, 4] {
        for error in check() {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OauthServerFailed, "{error}");
            assert_eq!(error.message(), ErrorKind::OauthServerFailed.summary(), "the reason");
            assert!(error.retry_after().is_some_and(|wait| wait <= seconds * 1000), "{error:?}");
        }
        assert_eq!(authority.server.count("/jwks"), asked, "nobody is asked for {seconds} s");
        clock.advance(u64::from(seconds));
        assert!(check().iter().all(Result::is_err));
        assert_eq!(authority.server.count("/jwks"), asked + 3);
        asked += 3;
    }
    status.store(200, Ordering::SeqCst);
    clock.advance(8);
    assert!(check().iter().all(Result::is_ok));
    assert_eq!(authority.server.count("/jwks"), asked + 3);
}

/// Nobody there at all, and a server that answers with nonsense: made all the same, and told.
#[test]
fn issuers_that_are_not_there() {
    let nonsense =
        Authority::with(|request, _| (request.path == "/jwks").then(|| Reply::json(200, "<html>")));
    for (url, kind) in [
        ("http://127.0.0.1:9/jwks".to_owned(), ErrorKind::ConnectionFailed),
        (format!("{}/jwks", nonsense.server.url), ErrorKind::OauthMalformedResponse),
    ] {
        let options = RemoteKeySetOptions::new().url(url).allow_loopback_http(true);
        let keys = RemoteKeySet::open(options).unwrap().over(Arc::new(http()));
        let verifier = Verifier::following(Arc::new(keys), Policy::new()).unwrap();
        let key = Key::generate(Alg::Es256).unwrap();
        let token = crate::forge::sign(&key, r#"{"alg":"ES256"}"#, "{}");
        for _ in 0..3 {
            assert_eq!(verifier.verify(&token).unwrap_err().kind(), kind);
        }
        assert!(!verifier.is_symmetric());
    }
}

/// While one badly signed token has the issuer asked, which takes its time, others of its kind are refused: at first they
/// wait for a moment, as they may be good, and later not at all.
#[test]
fn strangers_do_not_hold_up_the_workers() {
    let gate = Gate::default();
    let (own, is_slow) = (gate.clone(), Arc::new(AtomicBool::new(false)));
    let slow = Arc::clone(&is_slow);
    let authority = Authority::with(move |request, _| {
        if request.path == "/jwks" && slow.load(Ordering::SeqCst) {
            own.hold(usize::MAX);
        }
        None
    });
    let clock = Arc::new(FixedClock::new(now()));
    let options = keys_of(&authority).clock(Arc::clone(&clock) as _).deadline_ms(60_000);
    let keys = RemoteKeySet::open(options).unwrap().over(gate.transport());
    let verifier = Verifier::following(Arc::new(keys), Policy::new()).unwrap();
    let claims = json!({ "sub": "alice", "exp": now() + 900 });
    let good = authority.world.sign(&claims);
    let stranger = Key::generate(Alg::Es256).unwrap();
    let bad = |kid: &str| {
        let header = format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#);
        crate::forge::sign(&stranger, header, claims.to_string())
    };
    is_slow.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| verifier.verify(bad("one")).unwrap_err().kind());
        gate.arrivals(1);
        // The issuer does not answer before these are refused.
        for kind in together(7, || verifier.verify(bad("one")).unwrap_err().kind()) {
            assert_eq!(kind, ErrorKind::InvalidSignature);
        }
        clock.advance(1);
        let waits = gate.waits();
        for kind in together(7, || verifier.verify(bad("strange")).unwrap_err().kind()) {
            assert_eq!(kind, ErrorKind::KeyNotFound);
        }
        verifier.verify(&good).unwrap();
        assert_eq!(gate.waits(), waits, "not at all");
        assert!(!first.is_finished());
        gate.open();
        assert_eq!(first.join().unwrap(), ErrorKind::InvalidSignature);
    });
    assert_eq!(authority.server.count("/jwks"), 2);
}

/// The tokens of a key that is published late are good for all who wait for the one fetch.
#[test]
fn a_new_key_is_looked_for_once() {
    let (gate, is_new) = (Gate::default(), Arc::new(AtomicBool::new(false)));
    let (own, new) = (gate.clone(), Arc::clone(&is_new));
    let authority = Authority::with(move |request, _| {
        if request.path == "/jwks" && new.load(Ordering::SeqCst) {
            own.hold(8);
        }
        None
    });
    let options = keys_of(&authority).clock(Arc::new(FixedClock::new(now())));
    let keys = RemoteKeySet::open(options).unwrap().over(gate.transport());
    let verifier = Verifier::following(Arc::new(keys), Policy::new()).unwrap();
    *authority.world.key.lock().unwrap() =
        Key::generate(Alg::Es256).unwrap().with_kid("two").unwrap();
    is_new.store(true, Ordering::SeqCst);
    let token = authority.world.sign(&json!({ "sub": "alice", "exp": now() + 900 }));
    together(8, || drop(verifier.verify(&token).unwrap()));
    assert_eq!(authority.server.count("/jwks"), 2);
}

/// A door that asks a server about tokens.
fn door(authority: &Authority, clock: &Arc<FixedClock>, gate: &Gate) -> ResourceServer {
    door_with(authority, clock, gate, IntrospectionOptions::new())
}

fn door_with(
    authority: &Authority,
    clock: &Arc<FixedClock>,
    gate: &Gate,
    options: IntrospectionOptions,
) -> ResourceServer {
    let options = options.require_audience(false);
    let builder = ResourceServer::builder("api").clock(Arc::clone(clock) as _);
    builder.introspection(authority.client(), gate.transport(), options).build().unwrap()
}

#[test]
fn a_token_is_asked_about_once() {
    let (gate, status) = (Gate::default(), good());
    let authority = gated("/introspect", &gate, &status);
    let clock = Arc::new(FixedClock::new(now()));
    let door = door(&authority, &clock, &gate);
    let check = |token: &str| door.check_token(token, &Demand::new());
    for access in together(ALL, || check("opaque").unwrap()) {
        assert_eq!(access.subject.as_deref(), Some("alice"));
    }
    assert_eq!(authority.server.count("/introspect"), 1);
    // So it is when the server cannot say; it is asked again after a second, then after two.
    gate.open();
    status.store(503, Ordering::SeqCst);
    for (advance, wait) in [(0, 1000), (1, 2000), (2, 4000), (4, 8000), (8, 8000)] {
        clock.advance(advance);
        let asked = authority.server.count("/introspect");
        for error in together(ALL, || check("another").unwrap_err()) {
            assert_eq!(error.kind(), ErrorKind::OauthServerFailed);
            assert_eq!(error.retry_after(), Some(wait));
        }
        assert_eq!(authority.server.count("/introspect"), asked + 1);
    }
    check("opaque").unwrap(); // what is known stays known
    status.store(200, Ordering::SeqCst);
    clock.advance(8);
    check("another").unwrap();
    check("opaque").unwrap();
}

/// Tokens that strangers make up: so many are asked about, and no more; who is known goes on.
#[test]
fn strangers_have_a_budget() {
    let authority = Authority::with(|request, _| {
        let is_bad = request.path == "/introspect"
            && request.form("token").is_some_and(|token| token.starts_with("made-up"));
        is_bad.then(|| Reply::json(200, json!({ "active": false })))
    });
    let (gate, clock) = (Gate::default(), Arc::new(FixedClock::new(now())));
    let options = IntrospectionOptions::new().unknown_tokens(10);
    let door = door_with(&authority, &clock, &gate, options);
    let check = |token: &str| door.check_token(token, &Demand::new()).map(|_| ());
    let asked = || authority.server.count("/introspect");
    // Tokens that are good take nothing, however many there are.
    (0..30).for_each(|number| check(&format!("good-{number}")).unwrap());
    assert_eq!(asked(), 30);
    let made_up = |number: usize| check(&format!("made-up-{number}")).unwrap_err();
    let kinds: Vec<_> = (0..40).map(|number| made_up(number).kind()).collect();
    assert!(kinds[..10].iter().all(|kind| *kind == ErrorKind::TokenInactive));
    assert!(kinds[10..].iter().all(|kind| *kind == ErrorKind::OauthServerFailed));
    assert_eq!(asked(), 40);
    let error = made_up(99);
    assert_eq!((error.kind().http_status(), error.retry_after()), (503, Some(1000)));
    // What is known is answered, also when it has to be asked about again.
    check("good-3").unwrap();
    assert_eq!(made_up(3).kind(), ErrorKind::TokenInactive);
    clock.advance(1);
    assert_eq!(made_up(100).kind(), ErrorKind::TokenInactive, "one more each second");
    assert_eq!(made_up(101).kind(), ErrorKind::OauthServerFailed);
    assert_eq!(asked(), 41);
    clock.advance(29);
    (200..220).for_each(|number| drop(made_up(number)));
    assert_eq!(asked(), 51);
    (0..30).for_each(|number| check(&format!("good-{number}")).unwrap());
    assert_eq!(asked(), 81);
    // In threads as well.
    clock.advance(30);
    let number = std::sync::atomic::AtomicUsize::new(1000);
    together(ALL, || drop(made_up(number.fetch_add(1, Ordering::SeqCst))));
    assert_eq!(asked(), 91);
}

/// Of two answers the one that was asked for later counts, whichever comes first.
#[test]
fn the_later_question_is_right() {
    let gate = Gate::default();
    let (own, answers) = (gate.clone(), Mutex::new(vec![false, true]));
    let authority = Authority::with(move |request, _| {
        if request.path != "/introspect" {
            return None;
        }
        let active = answers.lock().unwrap().pop().expect("two questions");
        if active {
            own.hold(usize::MAX);
        }
        Some(Reply::json(200, json!({ "active": active, "sub": "alice" })))
    });
    let clock = Arc::new(FixedClock::new(now()));
    // Each call asks about a token that is good; that it is not any more is remembered.
    let door = door_with(&authority, &clock, &gate, IntrospectionOptions::new().ttl(0));
    let check = || door.check_token("opaque", &Demand::new()).map(|_| ());
    std::thread::scope(|scope| {
        let first = scope.spawn(check);
        gate.arrivals(1);
        assert_eq!(check().unwrap_err().kind(), ErrorKind::TokenInactive);
        gate.open();
        let late = first.join().unwrap().unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TokenInactive, "it was good when it was asked about");
    });
    assert_eq!(check().unwrap_err().kind(), ErrorKind::TokenInactive);
    assert_eq!(authority.server.count("/introspect"), 2);
}
