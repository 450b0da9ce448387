//! Rows 329 and 330 of the threat model: the keys of an issuer over time, and floods of tokens that want other ones.

use crate::authority::{Authority, http, now};
use crate::evil::Reply;
use gatekey::clock::FixedClock;
use gatekey::jwk::KeySource as _;
use gatekey::jwt::IssuerRule;
use gatekey::oauth::{RemoteKeySet, RemoteKeySetOptions};
use gatekey::transport::{Attempt, HttpResponse, Step, attempt};
use gatekey::{Alg, ErrorKind, Key, KeySet, Policy, Secret, Verifier};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

fn options() -> RemoteKeySetOptions {
    RemoteKeySetOptions::new().allow_loopback_http(true)
}

fn keys(authority: &Authority, options: RemoteKeySetOptions) -> RemoteKeySet {
    RemoteKeySet::new(format!("{}/jwks", authority.server.url), options)
        .unwrap()
        .over(Arc::new(http()))
}

fn verifier(keys: &RemoteKeySet) -> Verifier {
    Verifier::following(Arc::new(keys.clone()), Policy::new()).unwrap()
}

fn token(authority: &Authority) -> String {
    authority.world.sign(&json!({ "sub": "alice", "exp": now() + 300 }))
}

fn rotate(authority: &Authority, kid: &str) {
    *authority.world.key.lock().unwrap() =
        Key::generate(Alg::Es256).unwrap().with_kid(kid).unwrap();
}

/// Row 329: a new key is found with the first token of it, the old one is gone; once in a pause.
#[test]
fn rotation() {
    let authority = Authority::start();
    let clock = Arc::new(FixedClock::new(now()));
    let verifier = verifier(&keys(&authority, options().clock(Arc::clone(&clock) as _)));
    let old = token(&authority);
    verifier.verify(&old).unwrap();
    rotate(&authority, "two");
    let new = token(&authority);
    verifier.verify(&new).unwrap();
    assert_eq!(authority.server.count("/jwks"), 2);
    assert_eq!(verifier.verify(&old).unwrap_err().kind(), ErrorKind::KeyNotFound);
    // The same name, another key.
    rotate(&authority, "two");
    let newest = token(&authority);
    assert_eq!(
        verifier.verify(&newest).unwrap_err().kind(),
        ErrorKind::InvalidSignature,
        "within the pause"
    );
    clock.advance(31);
    verifier.verify(&newest).unwrap();
    assert_eq!(verifier.verify(&new).unwrap_err().kind(), ErrorKind::InvalidSignature);
    assert_eq!(authority.server.count("/jwks"), 3);
}

/// Row 330: ten thousand tokens of unknown keys in eight threads cause one fetch, and others are not held up.
#[test]
fn a_flood_of_unknown_keys() {
    let authority = Authority::start();
    let verifier = verifier(&keys(&authority, options()));
    let good = token(&authority);
    verifier.verify(&good).unwrap();
    let key = authority.world.key();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (verifier, key) = (&verifier, &key);
            scope.spawn(move || {
                for number in 0..1250 {
                    let key = key.with_kid(&format!("{thread}-{number}")).unwrap();
                    let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, key.kid());
                    let token = crate::forge::sign(&key, header, "{}");
                    assert_eq!(verifier.verify(token).unwrap_err().kind(), ErrorKind::KeyNotFound);
                }
            });
        }
        (0..1000).for_each(|_| drop(verifier.verify(&good).unwrap()));
    });
    assert_eq!(authority.server.count("/jwks"), 2);
}

/// Row 330: an issuer out of reach: its keys are used for `max_stale`, then nothing is accepted.
#[test]
fn an_issuer_that_falls_silent() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    let authority = Authority::with(|request, _| {
        let broken = request.path == "/jwks" && BROKEN.load(Ordering::SeqCst);
        broken.then(|| Reply::json(503, json!({})))
    });
    let clock = Arc::new(FixedClock::new(now()));
    let options = options().ttl(600).max_stale(3600).clock(Arc::clone(&clock) as _);
    let verifier = verifier(&keys(&authority, options));
    let token = token(&authority);
    verifier.verify(&token).unwrap();
    BROKEN.store(true, Ordering::SeqCst);
    clock.advance(601);
    for _ in 0..50 {
        verifier.verify(&token).unwrap();
    }
    assert_eq!(authority.server.count("/jwks"), 2, "one try in a pause");
    clock.advance(3600 - 601);
    verifier.verify(&token).unwrap();
    clock.advance(1);
    let error = verifier.verify(&token).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OauthServerFailed);
    assert!(error.is_unavailable() && error.is_retryable());
    BROKEN.store(false, Ordering::SeqCst);
    clock.advance(30);
    verifier.verify(&token).unwrap();
}

/// While one thread fetches, the others go on with the keys that are known.
#[test]
fn stale_while_revalidating() {
    static HELD: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
    let hold = |held: bool| {
        *HELD.0.lock().unwrap() = held;
        HELD.1.notify_all();
    };
    let authority = Authority::with(|request, _| {
        if request.path == "/jwks" {
            drop(HELD.1.wait_while(HELD.0.lock().unwrap(), |held| *held).unwrap());
        }
        None
    });
    let clock = Arc::new(FixedClock::new(now()));
    let verifier = verifier(&keys(&authority, options().clock(Arc::clone(&clock) as _)));
    let token = token(&authority);
    hold(true);
    clock.advance(3601);
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| verifier.verify(&token).map(|_| ()));
        while authority.server.count("/jwks") < 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        // The issuer does not answer; if these waited for it, the test would not end.
        (0..100).for_each(|_| drop(verifier.verify(&token).unwrap()));
        assert!(!fetching.is_finished());
        hold(false);
        fetching.join().unwrap().unwrap();
    });
    assert_eq!(authority.server.count("/jwks"), 2);
}

/// Eight threads that need the first keys fetch them once.
#[test]
fn single_flight() {
    let authority = Authority::with(|request, _| {
        if request.path == "/jwks" {
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    });
    let keys = keys(&authority, options());
    std::thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(|| assert_eq!(keys.keys().unwrap().len(), 1))));
    });
    assert_eq!(authority.server.count("/jwks"), 1);
}

#[test]
fn cache_control() {
    for (header, fresh) in
        [("max-age=5", 60), ("max-age=1200", 1200), ("max-age=9999999", 86_400), ("no-store", 60)]
    {
        let authority = Authority::with(move |request, world| {
            (request.path == "/jwks").then(|| {
                let keys = KeySet::new([world.key().public().unwrap()]).unwrap().to_jwks().unwrap();
                Reply::Full(200, vec![("cache-control", header.to_owned())], keys.into_bytes())
            })
        });
        let clock = Arc::new(FixedClock::new(now()));
        let keys = keys(&authority, options().clock(Arc::clone(&clock) as _));
        keys.generation().unwrap();
        clock.advance(fresh - 1);
        keys.generation().unwrap();
        assert_eq!(authority.server.count("/jwks"), 1, "{header}");
        clock.advance(1);
        keys.generation().unwrap();
        assert_eq!(authority.server.count("/jwks"), 2, "{header}");
    }
}

/// What is no set of public keys is refused as a whole.
#[test]
fn sets_that_are_refused() {
    let key = Key::generate(Alg::Es256).unwrap();
    let public = key.public().unwrap().to_jwk().unwrap();
    let oct = r#"{"kty":"oct","alg":"HS256","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
    let many: Vec<&str> = std::iter::repeat_n(&*public, 101).collect();
    for (what, body) in [
        ("symmetric", format!(r#"{{"keys":[{oct}]}}"#)),
        ("mixed", format!(r#"{{"keys":[{public},{oct}]}}"#)),
        ("empty", r#"{"keys":[]}"#.to_owned()),
        ("no set", "{}".to_owned()),
        ("twice", format!(r#"{{"keys":[{public}],"keys":[]}}"#)),
        ("too many", format!(r#"{{"keys":[{}]}}"#, many.join(","))),
        (
            "for encryption",
            r#"{"keys":[{"kty":"EC","use":"enc","crv":"P-256","x":"A","y":"A"}]}"#.to_owned(),
        ),
        ("html", "<html>".to_owned()),
    ] {
        let authority = Authority::with(move |request, _| {
            (request.path == "/jwks").then(|| Reply::json(200, &body))
        });
        let error = keys(&authority, options()).keys().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OauthMalformedResponse, "{what}");
    }
    let authority = Authority::with(|request, _| {
        (request.path == "/jwks").then(|| Reply::json(200, " ".repeat(512 * 1024 + 1)))
    });
    assert_eq!(keys(&authority, options()).keys().unwrap_err().kind(), ErrorKind::ResponseTooLarge);
    // Whoever publishes private keys has other troubles; their public halves verify.
    let private = format!(r#"{{"keys":[{}]}}"#, key.to_private_jwk().unwrap().expose_str());
    let authority = Authority::with(move |request, _| {
        (request.path == "/jwks").then(|| Reply::json(200, &private))
    });
    assert!(keys(&authority, options()).keys().unwrap().iter().all(|key| !key.is_private()));
    assert_eq!(
        RemoteKeySet::new("http://h/jwks", options()).unwrap_err().kind(),
        ErrorKind::InvalidConfiguration
    );
}

/// Several issuers, each with the keys that it publishes; none verifies another's tokens, each is looked at again.
#[test]
fn several_issuers() {
    let (one, two) = (Authority::start(), Authority::start());
    let (first, second) = (keys(&one, options()), keys(&two, options()));
    let rule = |authority: &Authority, keys: RemoteKeySet| {
        IssuerRule::following(&*authority.server.url, Arc::new(keys)).expect_audience("api")
    };
    let rules = [rule(&one, first), rule(&two, second).algorithms([Alg::Es256])];
    let verifier = Verifier::for_issuers(rules, Policy::new()).unwrap();
    let token = |signer: &Authority, issuer: &Authority, aud: &str| {
        let claims =
            json!({ "sub": "alice", "exp": now() + 300, "iss": issuer.server.url, "aud": aud });
        signer.world.sign(&claims)
    };
    assert!(verifier.verify(token(&one, &one, "api")).is_ok());
    assert!(verifier.verify(token(&two, &two, "api")).is_ok());
    let refused = |token: String| verifier.verify(token).unwrap_err().kind();
    assert_eq!(refused(token(&one, &one, "other")), ErrorKind::InvalidAudience);
    rotate(&two, "two");
    assert!(verifier.verify(token(&two, &two, "api")).is_ok());
    assert_eq!(refused(token(&one, &two, "api")), ErrorKind::KeyNotFound, "another's key");
    assert_eq!((one.server.count("/jwks"), two.server.count("/jwks")), (1, 2));
    assert!(!verifier.is_symmetric());
}

/// On an event loop a verifier is made without asking anybody, and a token waits for its own issuer alone.
#[test]
fn several_issuers_and_one_who_is_wanted() {
    let (one, silent) = (Authority::start(), Authority::start());
    let rule = |authority: &Authority| {
        let keys = RemoteKeySet::new(format!("{}/jwks", authority.server.url), options()).unwrap();
        IssuerRule::following(&*authority.server.url, Arc::new(keys))
    };
    let (rules, mut made) = ([rule(&silent), rule(&one)], None);
    for may_wait in [false, true] {
        let tried = attempt(may_wait, &[], || {
            made = Some(Verifier::for_issuers(rules.clone(), Policy::new()));
        });
        assert!(matches!(tried, Attempt::Ask(_)));
    }
    let verifier = made.unwrap().unwrap();
    let claims = json!({ "sub": "alice", "exp": now() + 300, "iss": one.server.url });
    let token = one.world.sign(&claims);
    let Attempt::Ask(ask) = attempt(false, &[], || verifier.verify(&token)) else {
        panic!("a question")
    };
    let told = [ask.into_operation().run(&http()).unwrap()];
    let Attempt::Done(verified) = attempt(false, &told, || verifier.verify(&token)) else {
        panic!("done")
    };
    assert_eq!(verified.unwrap().issuer().as_deref(), Some(&*one.server.url));
    assert_eq!((one.server.count("/jwks"), silent.server.count("/jwks")), (1, 0));
    // A single issuer's, too.
    let keys = RemoteKeySet::new(format!("{}/jwks", silent.server.url), options()).unwrap();
    let mut made = None;
    let tried = attempt(false, &[], || {
        made = Some(Verifier::following(Arc::new(keys.clone()), Policy::new()));
    });
    assert!(matches!(tried, Attempt::Ask(_)) && made.unwrap().is_ok());
}

/// By the issuer, and driven by someone else's loop: nothing blocks.
#[test]
fn by_the_issuer_and_without_a_transport() {
    let authority = Authority::start();
    let keys = RemoteKeySet::of_issuer(&*authority.server.url, options()).unwrap();
    assert!(keys.wants_refresh());
    assert_eq!(keys.keys().unwrap_err().kind(), ErrorKind::OauthServerFailed);
    keys.refresh().run(&http()).unwrap();
    assert!(!keys.wants_refresh());
    verifier(&keys).verify(token(&authority)).unwrap();
    rotate(&authority, "two");
    assert_eq!(
        verifier(&keys).verify(token(&authority)).unwrap_err().kind(),
        ErrorKind::KeyNotFound
    );
    assert_eq!(keys.signing_key().unwrap_err().kind(), ErrorKind::KeyUsage);
}

/// Keys that were held up on their way do not replace later ones.
#[test]
fn keys_that_come_late() {
    let clock = Arc::new(FixedClock::new(now()));
    let options = RemoteKeySetOptions::new().clock(Arc::clone(&clock) as _).deadline_ms(1);
    let keys = RemoteKeySet::new("https://auth.example/jwks", options).unwrap();
    let published = |kid: &str| {
        let key = Key::generate(Alg::Es256).unwrap().with_kid(kid).unwrap();
        let text = KeySet::new([key.public().unwrap()]).unwrap().to_jwks().unwrap();
        HttpResponse { status: 200, headers: Vec::new(), body: Secret::from(text) }
    };
    let names = || keys.keys().unwrap().iter().map(|key| key.kid().to_owned()).collect::<Vec<_>>();
    let (mut early, mut late) = (keys.refresh(), keys.refresh());
    assert!(matches!(early.next().unwrap(), Step::Request(_)));
    assert!(matches!(late.next().unwrap(), Step::Wait(_)));
    std::thread::sleep(Duration::from_millis(1100)); // its deadline, and a second
    assert!(matches!(late.next().unwrap(), Step::Request(_)), "it has taken over");
    late.feed(published("new"));
    assert!(matches!(late.next().unwrap(), Step::Done(())));
    let generation = keys.generation().unwrap();
    early.feed(published("old"));
    assert!(matches!(early.next().unwrap(), Step::Done(())));
    assert_eq!((names(), keys.generation().unwrap()), (vec!["new".to_owned()], generation));
    let mut next = keys.refresh();
    assert!(matches!(next.next().unwrap(), Step::Request(_)));
    next.feed(published("newest"));
    assert!(matches!(next.next().unwrap(), Step::Done(())));
    assert_eq!(names(), ["newest"]);
}

/// Refreshes of one loop that begin while one is under way are that one, whatever becomes of it.
#[test]
fn refreshes_at_a_time_are_one() {
    let keys = RemoteKeySet::new("https://auth.example/jwks", RemoteKeySetOptions::new()).unwrap();
    let answer = |status: u16| {
        let text = Key::generate(Alg::Es256).unwrap().public().unwrap();
        let text = KeySet::new([text]).unwrap().to_jwks().unwrap();
        HttpResponse { status, headers: Vec::new(), body: Secret::from(text) }
    };
    let many = || (0..50).map(|_| keys.refresh()).collect::<Vec<_>>();
    let all_wait = |operations: &mut [gatekey::transport::Operation<()>]| {
        operations.iter_mut().all(|waiting| matches!(waiting.next(), Ok(Step::Wait(_))))
    };
    for status in [200, 200, 503] {
        let mut all = many();
        let (first, others) = all.split_at_mut(1);
        assert!(matches!(first[0].next().unwrap(), Step::Request(_)), "also when they are fresh");
        assert!(all_wait(others));
        first[0].feed(answer(status));
        for operation in first.iter_mut().chain(others) {
            match operation.next() {
                Ok(step) => assert!(matches!(step, Step::Done(())) && status == 200),
                Err(error) => {
                    assert_eq!((error.kind(), status), (ErrorKind::OauthServerFailed, 503))
                }
            }
        }
    }
    // One that is dropped is followed by the next, and a failure a moment ago keeps none from trying.
    let mut all = many();
    assert!(matches!(all[0].next().unwrap(), Step::Request(_)));
    drop(all.remove(0));
    assert!(matches!(all[0].next().unwrap(), Step::Request(_)) && all_wait(&mut all[1..]));
    all[0].feed(answer(200));
    assert!(all.iter_mut().all(|operation| matches!(operation.next(), Ok(Step::Done(())))));
}

/// The address of the keys may be in any of the issuer's documents.
#[test]
fn keys_named_by_the_second_document() {
    let authority = Authority::with(|request, world| {
        let mut metadata = world.metadata();
        match &*request.path {
            "/.well-known/openid-configuration" => {
                metadata.as_object_mut().unwrap().remove("jwks_uri");
            }
            "/.well-known/oauth-authorization-server" => {}
            _ => return None,
        }
        Some(Reply::json(200, metadata))
    });
    let keys = RemoteKeySet::of_issuer(&*authority.server.url, options()).unwrap();
    verifier(&keys.over(Arc::new(http()))).verify(token(&authority)).unwrap();
    assert_eq!(authority.sign_in().unwrap().subject.as_deref(), Some("alice"));
}

/// Metadata at an address of their own: asked there and nowhere else, with an issuer that they must name.
#[test]
fn metadata_elsewhere() {
    let authority = Authority::with(|request, world| {
        (request.path == "/elsewhere").then(|| Reply::json(200, world.metadata()))
    });
    let url = format!("{}/elsewhere", authority.server.url);
    let keys = RemoteKeySet::of_issuer(&*authority.server.url, options().metadata_url(&url));
    verifier(&keys.unwrap().over(Arc::new(http()))).verify(token(&authority)).unwrap();
    assert_eq!(authority.server.count("/elsewhere"), 1);
    assert_eq!(authority.server.count("/.well-known/openid-configuration"), 0);
    // As byte for byte as anywhere: not even a slash more.
    let other = format!("{}/", authority.server.url);
    let keys = RemoteKeySet::of_issuer(other, options().metadata_url(&url)).unwrap();
    assert_eq!(keys.refresh().run(&http()).unwrap_err().kind(), ErrorKind::InvalidConfiguration);
    for wrong in [
        r#"{"url":"https://h/k","metadata_url":"https://h/m"}"#,
        r#"{"metadata_url":"https://h/m"}"#,
        r#"{"issuer":"https://h","metadata_url":"http://h/m"}"#,
        r#"{"issuer":"https://h","metadata_url":"m"}"#,
    ] {
        let error = RemoteKeySet::from_json(wrong.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{wrong}");
        assert_eq!(error.claim(), Some("metadata_url"), "{wrong}");
    }
}
