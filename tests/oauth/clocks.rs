//! A clock that cannot be right: whatever needs the date is refused, and nothing that is good once is spent.

use crate::authority::{Authority, callback, cookies, http, now};
use crate::evil::Reply;
use gatekey::oauth::{LoginOptions, OAuthTokens, TokenGrant, TokenManager};
use gatekey::resource::{Demand, IntrospectionOptions};
use gatekey::store::MemoryTokenStore;
use gatekey::{Clock, Error, ErrorKind, OAuthClient, ResourceServer, Secret};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The year 10000 and a second, now in milliseconds, -1 as an unsigned number.
fn absurd() -> [u64; 3] {
    [253_402_300_801, now() * 1000, u64::MAX]
}

/// A program's own clock: dates alone.
struct Told(AtomicU64);

impl Told {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(now())))
    }

    fn set(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }
}

impl Clock for Told {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, what: &str) {
    let error = outcome.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{what}: {error}");
    assert!(error.to_string().contains("clock"), "{what}: {error}");
}

fn tokens(authority: &Authority, expires_at: u64) -> OAuthTokens {
    let text = json!({
        "issuer": authority.server.url, "access_token": "a0", "expires_at": expires_at,
        "refresh_token": "r0", "scopes": ["s"],
    });
    OAuthTokens::from_secret_json(text.to_string().as_bytes()).unwrap()
}

#[test]
fn a_client_believes_no_absurd_clock() {
    let authority = Authority::start();
    let clock = Told::new();
    let client = OAuthClient::new(authority.config().clock(clock.clone())).unwrap();
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let (back, kept) = (callback(&begun), cookies(&begun));
    let token = Secret::from("t".to_owned());
    let old = tokens(&authority, now());
    for absurd in absurd() {
        clock.set(absurd);
        refused(client.begin(&LoginOptions::new(), "").unwrap().run(&http()), "begin");
        refused(client.finish(&back, &kept).map(drop), "finish");
        refused(client.introspect(&token).run(&http()), "introspect");
        refused(client.refresh(&old).unwrap().run(&http()), "refresh");
        let grant = client.client_credentials(&TokenGrant::new()).unwrap();
        refused(grant.run(&http()), "client_credentials");
        assert_eq!(authority.server.count("/token"), 0, "nothing was spent");
    }
    clock.set(now());
    client.finish(&back, &kept).unwrap().run(&http()).unwrap();
    client.refresh(&old).unwrap().run(&http()).unwrap();
}

#[test]
fn a_manager_believes_no_absurd_clock() {
    let authority = Authority::start();
    let clock = Told::new();
    let client = OAuthClient::new(authority.config().clock(clock.clone())).unwrap();
    let manager = TokenManager::new(client, Arc::new(MemoryTokenStore::new()), Arc::new(http()));
    manager.put("good", &tokens(&authority, now() + 300)).unwrap();
    manager.put("over", &tokens(&authority, now())).unwrap();
    for absurd in absurd() {
        clock.set(absurd);
        for name in ["good", "over"] {
            refused(manager.access_token(name, 0), name);
            assert!(manager.known(name, 0).is_none(), "{name}");
            refused(manager.replace(name, &Secret::from("a0".to_owned())), name);
        }
    }
    clock.set(now());
    assert_eq!(manager.access_token("good", 60).unwrap().expose_str(), "a0", "nothing was lost");
    assert_eq!(authority.server.count("/token"), 0);
}

#[test]
fn a_door_believes_no_absurd_clock() {
    let end = now() + 300;
    let authority = Authority::with(move |request, _| {
        (request.path == "/introspect").then(|| {
            let claims = json!({
                "active": true, "sub": "bob", "client_id": "app", "aud": "https://api.example",
                "exp": end, "auth_time": end - 300,
            });
            Reply::json(200, claims)
        })
    });
    let clock = Told::new();
    let (asked, options) = (Arc::new(http()), IntrospectionOptions::new());
    let door = ResourceServer::builder("https://api.example")
        .introspection(authority.client(), asked, options)
        .clock(clock.clone())
        .build()
        .unwrap();
    let (plain, recent) = (Demand::new(), Demand::new().max_age(3600));
    door.check(Some("Bearer t"), &recent).unwrap();
    for absurd in absurd() {
        clock.set(absurd);
        refused(door.check(Some("Bearer t"), &plain), "what is remembered has an end");
        refused(door.check(Some("Bearer new"), &recent), "what was just asked about, its age");
    }
    clock.set(now());
    door.check(Some("Bearer t"), &recent).unwrap();
}
