//! The guard: one decision for every door, seen from outside: requests in, answers out.

mod addresses;
mod cookies;
mod credentials;
mod demands;
mod fits;
mod forged;
mod former;
mod limits;
mod own_pages;
mod refusals;
#[cfg(all(unix, feature = "redis"))]
mod shared;
mod waits;

use crate::fixtures::key;
use crate::forge;
use crate::session::peppers;
use gatekey::apikey::{ApiKeyOptions, IssuedKey, KeySpec};
use gatekey::clock::FixedClock;
use gatekey::guard::{Decision, Demand, DemandBuilder, Guard, GuardBuilder, Request};
use gatekey::session::{SessionCookies, SessionOptions, SessionSpec, SessionTokens};
use gatekey::store::MemoryStore;
use gatekey::web::Csrf;
use gatekey::{Alg, ApiKeys, Claims, KeySet, ResourceServer, Secret, Sessions, Signer};
use serde_json::{Value, json};
use std::sync::Arc;

const NOW: u64 = 1_800_000_000;
const API: &str = "https://api.example";
/// Another server, whose tokens are taken.
const ISSUER: &str = "https://issuer.example";

/// A service with all that a guard takes, at a clock that stands still.
struct Service {
    guard: Guard,
    keys: ApiKeys,
    sessions: Sessions,
    csrf: Csrf,
    clock: Arc<FixedClock>,
}

fn service() -> Service {
    service_with(|builder| builder)
}

fn service_with(change: impl FnOnce(GuardBuilder) -> GuardBuilder) -> Service {
    service_of(Signer::builder(key(Alg::Hs256)).build().unwrap(), change)
}

fn service_of(signer: Signer, change: impl FnOnce(GuardBuilder) -> GuardBuilder) -> Service {
    let (clock, store) = (Arc::new(FixedClock::new(NOW)), Arc::new(MemoryStore::new()));
    let options = ApiKeyOptions::new().clock(clock.clone());
    let keys = ApiKeys::open(store.clone(), peppers(&[1]), options).unwrap();
    let options = SessionOptions::new().clock(clock.clone());
    let sessions = Sessions::open(store, peppers(&[1]), Some(&signer), options).unwrap();
    let csrf = Csrf::new(&Secret::new(vec![7; 32])).unwrap();
    let others = KeySet::new([key(Alg::Es256).public().unwrap()]).unwrap();
    let tokens = ResourceServer::builder(API).issuer(ISSUER, Arc::new(others)).clock(clock.clone());
    let builder = Guard::builder()
        .api_keys(keys.clone())
        .sessions(sessions.clone())
        .cookies(SessionCookies::builder(&csrf).build().unwrap())
        .tokens(tokens.tenant_claim("tenant"))
        .origin("https://shop.test")
        .clock(clock.clone());
    let guard = change(builder).build().unwrap();
    Service { guard, keys, sessions, csrf, clock }
}

impl Service {
    fn key(&self, change: impl FnOnce(&mut KeySpec)) -> IssuedKey {
        let mut spec = KeySpec::new("acme");
        spec.scopes = vec!["orders:read".into()];
        change(&mut spec);
        self.keys.create(&spec).unwrap()
    }

    fn log_in(&self, subject: &str) -> SessionTokens {
        let claims = Claims::new().claim_str("scope", "orders:read").claim_str("tenant", "t1");
        let spec = SessionSpec { claims, ..SessionSpec::default() };
        self.sessions.start(subject, &spec).unwrap()
    }

    fn ask(&self, request: Sent) -> Decision {
        self.on(request, &anybody())
    }

    fn on(&self, request: Sent, demand: &Demand) -> Decision {
        request.with(|request| self.guard.check(request, demand))
    }
}

fn text(secret: &Secret) -> String {
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

fn anybody() -> Demand {
    demand(|builder| builder)
}

fn demand(change: impl FnOnce(DemandBuilder) -> DemandBuilder) -> Demand {
    change(Demand::builder()).build().unwrap()
}

/// A token of the other server, valid unless changed.
fn foreign(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "iss": ISSUER, "sub": "bob", "aud": API, "client_id": "app", "scope": "orders:read",
        "tenant": "t1", "iat": NOW - 10, "exp": NOW + 300, "auth_time": NOW - 20,
    });
    change(&mut claims);
    let key = key(Alg::Es256);
    let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, key.kid());
    forge::sign(key, header, claims.to_string())
}

/// A request in the making.
#[derive(Clone)]
struct Sent {
    method: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    peer: String,
    upgrade: bool,
    collapsed: bool,
    field: Option<String>,
}

fn get() -> Sent {
    sent("GET")
}

fn post() -> Sent {
    sent("POST")
}

fn sent(method: &str) -> Sent {
    Sent {
        method: method.into(),
        headers: vec![(b"host".to_vec(), b"api.example".to_vec())],
        peer: "192.0.2.7:4711".to_owned(),
        upgrade: false,
        collapsed: false,
        field: None,
    }
}

impl Sent {
    fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    fn key(self, key: &IssuedKey) -> Self {
        self.header("x-api-key", key.secret.expose())
    }

    fn cookie(self, tokens: &SessionTokens) -> Self {
        self.header("cookie", format!("__Host-access={}", text(&tokens.access_token)))
    }

    /// What our own page sends.
    fn ours(self, service: &Service, tokens: &SessionTokens) -> Self {
        self.header("origin", "https://shop.test")
            .header("sec-fetch-site", "same-origin")
            .header("x-csrf-token", service.csrf.issue(tokens.family()).unwrap())
    }

    fn peer(mut self, peer: &str) -> Self {
        peer.clone_into(&mut self.peer);
        self
    }

    fn with<T>(&self, work: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<(&[u8], &[u8])> =
            self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut request = Request::new(&self.method, b"/orders").headers(&headers).peer(&self.peer);
        if self.upgrade {
            request = request.upgrade();
        }
        if self.collapsed {
            request = request.collapsed_names();
        }
        if let Some(field) = &self.field {
            request = request.csrf_field(field.as_bytes());
        }
        work(&request)
    }
}

#[track_caller]
fn subject(decision: &Decision) -> &str {
    let access = decision.access();
    access.and_then(|access| access.subject()).unwrap_or_else(|| panic!("{decision:?}"))
}

/// Asserts that a refusal is whole: a status, a body of fixed sentences, `no-store`.
#[track_caller]
fn refused(decision: &Decision, status: u16) {
    assert_eq!(decision.status(), status, "{decision:?}");
    assert!(!decision.is_allowed() && decision.access().is_none());
    assert_eq!(decision.header("cache-control"), Some("no-store"), "{decision:?}");
    assert_eq!(decision.header("content-type"), Some("application/problem+json"));
    assert_eq!(decision.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(decision.header("vary"), Some("Authorization, Cookie, X-API-Key"));
    assert_eq!(decision.header("www-authenticate").is_some(), status == 401 || is_told(decision));
    let body: Value = serde_json::from_str(decision.body().unwrap()).unwrap();
    assert_eq!(body["status"], status);
    assert_eq!(body["type"], "about:blank");
    assert_eq!(body.as_object().unwrap().len(), 5, "{body}");
}

/// Whether the challenge names an error for a status other than 401.
fn is_told(decision: &Decision) -> bool {
    decision.error().unwrap().kind().bearer_error().is_some()
}

fn set_cookies(decision: &Decision) -> Vec<&str> {
    decision.headers().filter(|(name, _)| *name == "Set-Cookie").map(|(_, value)| value).collect()
}

fn clears(decision: &Decision) -> bool {
    set_cookies(decision).iter().any(|cookie| cookie.contains("Max-Age=0"))
}
