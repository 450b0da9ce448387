//! Operations that nobody drives any more: a loop that was stopped or closed, a task that was forgotten. Others take over
//! after the deadline of what was asked, and what comes late changes nothing. And answers for a call that tries again.

use crate::authority::now;
use gatekey::clock::FixedClock;
use gatekey::jwk::KeySource as _;
use gatekey::oauth::{
    OAuthConfig, OAuthTokens, RemoteKeySet, RemoteKeySetOptions, TokenGrant, TokenManager,
};
use gatekey::resource::{Demand, IntrospectionOptions};
use gatekey::store::{MemoryTokenStore, TokenFolder, TokenStore};
use gatekey::transport::{
    Attempt, HttpRequest, HttpResponse, Operation, Step, Told, Transport, attempt,
};
use gatekey::{ErrorKind, OAuthClient, ResourceServer, Result, Secret};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

const METADATA: &str = r#"{"issuer":"https://auth.example","token_endpoint":"https://auth.example/token",
    "authorization_endpoint":"https://auth.example/a","introspection_endpoint":"https://auth.example/introspect",
    "jwks_uri":"https://auth.example/jwks"}"#;
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"one",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Answers at once, and counts.
#[derive(Default)]
struct Server {
    sent: Mutex<Vec<String>>,
    given: AtomicU32,
    told: Mutex<String>,
}

impl Server {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        self.sent.lock().unwrap().push(request.url.clone());
        let body = match request.url.rsplit('/').next().unwrap() {
            "jwks" => KEYS.to_owned(),
            "introspect" => self.told.lock().unwrap().clone(),
            "token" => {
                let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
                format!(
                    r#"{{"access_token":"a{number}","refresh_token":"r{number}","token_type":"Bearer","expires_in":300}}"#
                )
            }
            _ => METADATA.to_owned(),
        };
        HttpResponse { status: 200, headers: Vec::new(), body: Secret::from(body) }
    }

    fn count(&self, end: &str) -> usize {
        self.sent.lock().unwrap().iter().filter(|url| url.ends_with(end)).count()
    }
}

impl Transport for Server {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse> {
        Ok(self.answer(request))
    }

    fn wait(&self, milliseconds: u64) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    }
}

fn config() -> OAuthConfig {
    OAuthConfig::new("c").issuer("https://auth.example").deadline_ms(20)
}

/// Drives it to where it waits for an answer.
fn out<T>(operation: &mut Operation<T>) -> HttpRequest {
    match operation.next().unwrap() {
        Step::Request(request) => request,
        _ => panic!("a request is wanted"),
    }
}

/// The question that the work has, to be driven.
fn asked<T>(told: &[Told], work: impl FnOnce() -> T) -> Operation<Told> {
    match attempt(false, told, work) {
        Attempt::Ask(ask) => ask.into_operation(),
        _ => panic!("another server has to be asked"),
    }
}

fn done<T>(told: &[Told], work: impl FnOnce() -> T) -> T {
    match attempt(false, told, work) {
        Attempt::Done(done) => done,
        _ => panic!("it is known"),
    }
}

#[test]
fn metadata_are_asked_for_by_the_next() {
    let (client, server) = (OAuthClient::new(config()).unwrap(), Server::default());
    let ask = || client.client_credentials(&TokenGrant::new()).unwrap();
    let mut left = ask();
    let request = out(&mut left);
    let tokens = ask().run(&server).unwrap();
    assert_eq!((tokens.access_token.expose_str(), server.count("openid-configuration")), ("a1", 1));
    // What comes late is of use all the same.
    left.feed(server.answer(&request));
    assert!(out(&mut left).url.ends_with("/token"));
}

#[test]
fn keys_are_asked_for_by_the_next() {
    let server = Server::default();
    let options = RemoteKeySetOptions::new().url("https://auth.example/jwks").deadline_ms(20);
    let keys = RemoteKeySet::open(options).unwrap();
    let mut left = asked(&[], || keys.keys());
    let _ = out(&mut left);
    let told = asked(&[], || keys.keys()).run(&server).unwrap();
    assert_eq!((done(&[told], || keys.keys()).unwrap().len(), server.count("/jwks")), (1, 1));
}

fn door(server: &Arc<Server>, clock: &Arc<FixedClock>, ttl: u64) -> ResourceServer {
    let client = OAuthClient::new(config().clock(Arc::clone(clock) as _)).unwrap();
    let options = IntrospectionOptions::new().ttl(ttl).negative_ttl(ttl);
    let builder = ResourceServer::builder("api").clock(Arc::clone(clock) as _);
    builder.introspection(client, Arc::clone(server) as _, options).build().unwrap()
}

#[test]
fn a_token_is_asked_about_by_the_next() {
    let (server, clock) = (Arc::new(Server::default()), Arc::new(FixedClock::new(now())));
    *server.told.lock().unwrap() = r#"{"active":true,"sub":"s","aud":"api"}"#.to_owned();
    let door = door(&server, &clock, 30);
    let check = || door.check_token("opaque", &Demand::new());
    let mut left = asked(&[], check);
    let request = out(&mut left);
    left.feed(server.answer(&request));
    let _ = out(&mut left);
    let told = asked(&[], check).run(&*server).unwrap();
    assert!(done(&[told], check).is_ok() && done(&[], check).is_ok());
    assert_eq!(server.count("/introspect"), 1);
}

/// Where nothing is remembered, an answer is for who waited for the question, and as good as its `exp`.
#[test]
fn an_answer_is_nobody_elses() {
    let (server, clock) = (Arc::new(Server::default()), Arc::new(FixedClock::new(now())));
    let end = now() + 10;
    *server.told.lock().unwrap() =
        format!(r#"{{"active":true,"sub":"s","aud":"api","exp":{end}}}"#);
    let door = door(&server, &clock, 0);
    let check = || door.check_token("opaque", &Demand::new());
    let told = asked(&[], check).run(&*server).unwrap();
    // Its caller has gone. The token is revoked, and another one presents it.
    *server.told.lock().unwrap() = r#"{"active":false}"#.to_owned();
    let later = asked(&[], check).run(&*server).unwrap();
    let refused = done(&[later], check).unwrap_err();
    assert_eq!((refused.kind(), server.count("/introspect")), (ErrorKind::TokenInactive, 2));
    // All who waited for the first question have its answer, and nothing is left of it.
    for _ in 0..3 {
        assert!(done(std::slice::from_ref(&told), check).is_ok());
    }
    drop(asked(&[], check));
    // Another token's answer is none.
    drop(asked(std::slice::from_ref(&told), || door.check_token("other", &Demand::new())));
    clock.advance(10);
    let ended = done(&[told], check).unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::TokenInactive);
}

fn kept() -> OAuthTokens {
    let token = Secret::from("r0".to_owned());
    OAuthTokens::from_refresh_token("https://auth.example", token).unwrap()
}

fn stores(test: &str) -> (PathBuf, [Arc<dyn TokenStore>; 2]) {
    let name = format!("gatekey-oauth-{test}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    let kept = TokenFolder::open(&folder).unwrap();
    (folder, [Arc::new(MemoryTokenStore::new()), Arc::new(kept)])
}

/// A refresh that waits for the token endpoint, and the request that it has made.
fn refreshing(
    manager: &TokenManager,
    name: &str,
    server: &Server,
) -> (Operation<Arc<OAuthTokens>>, HttpRequest) {
    let mut refresh = manager.renewal(name, 60).unwrap();
    let request = out(&mut refresh);
    refresh.feed(server.answer(&request));
    let request = out(&mut refresh);
    assert!(request.url.ends_with("/token"));
    (refresh, request)
}

/// How another caller changes what is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Refreshed,
    Driven,
    Put,
    Removed,
}

/// Threads wait for a refresh that is out until it is late, and then go on; so does another loop.
#[test]
fn a_refresh_is_taken_over() {
    let (folder, stores) = stores("taken-over");
    std::thread::scope(|scope| {
        for way in [Way::Refreshed, Way::Driven, Way::Put, Way::Removed] {
            for store in &stores {
                scope.spawn(move || taken_over(Arc::clone(store), way));
            }
        }
    });
    std::fs::remove_dir_all(folder).unwrap();
}

fn taken_over(store: Arc<dyn TokenStore>, way: Way) {
    let server = Arc::new(Server::default());
    let client = OAuthClient::new(config()).unwrap();
    let manager = TokenManager::new(client, store, Arc::clone(&server) as _);
    let name = format!("{way:?}");
    let known = || manager.known(&name, 60).map(|known| known.access_token.expose_str().to_owned());
    manager.put(&name, &kept()).unwrap();
    let (mut left, request) = refreshing(&manager, &name, &server);
    match way {
        Way::Refreshed => drop(manager.tokens(&name, 60).unwrap()),
        Way::Driven => drop(manager.renewal(&name, 60).unwrap().run(&*server).unwrap()),
        Way::Put => manager.put(&name, &kept()).unwrap(),
        Way::Removed => manager.remove(&name).unwrap(),
    }
    let before = known();
    assert_eq!(before.is_some(), matches!(way, Way::Refreshed | Way::Driven));
    // The answer comes after all, and takes the place of nothing that is newer.
    left.feed(server.answer(&request));
    let late = left.next();
    if way == Way::Put {
        // The same was put: the new refresh token belongs to it.
        assert!(matches!(late, Ok(Step::Done(_))) && known().is_some());
    } else {
        assert_eq!(late.unwrap_err().kind(), ErrorKind::StoreUnavailable, "{way:?}");
        assert_eq!(known(), before, "{way:?}");
    }
    drop(left);
    // And no right and no lock is left.
    manager.put(&name, &kept()).unwrap();
    drop(manager.tokens(&name, 60).unwrap());
}

/// One that was taken over before it has sent the refresh token does not send it.
#[test]
fn a_late_refresh_sends_nothing_more() {
    let server = Arc::new(Server::default());
    let client = OAuthClient::new(config()).unwrap();
    let store = Arc::new(MemoryTokenStore::new());
    let manager = TokenManager::new(client, store, Arc::clone(&server) as _);
    manager.put("name", &kept()).unwrap();
    let mut left = manager.renewal("name", 60).unwrap();
    let request = out(&mut left);
    let _ = manager.tokens("name", 60).unwrap();
    left.feed(server.answer(&request));
    assert_eq!(left.next().unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(server.count("/token"), 1);
}

/// Whose driver is in time keeps its turn.
#[test]
fn a_refresh_that_is_in_time_is_waited_for() {
    let server = Arc::new(Server::default());
    let client = OAuthClient::new(config().deadline_ms(60_000)).unwrap();
    let store = Arc::new(MemoryTokenStore::new());
    let manager = TokenManager::new(client, store, Arc::clone(&server) as _);
    manager.put("name", &kept()).unwrap();
    let (mut own, request) = refreshing(&manager, "name", &server);
    let mut other = manager.renewal("name", 60).unwrap();
    for _ in 0..100 {
        assert!(matches!(other.next(), Ok(Step::Wait(_))));
    }
    own.feed(server.answer(&request));
    assert!(matches!(own.next(), Ok(Step::Done(_))) && matches!(other.next(), Ok(Step::Done(_))));
    assert_eq!(server.count("/token"), 1);
}

/// A clock that ran ahead when tokens came in says nothing of their end.
#[test]
fn tokens_of_the_future_are_replaced() {
    let (server, now) = (Arc::new(Server::default()), now());
    let clock = Arc::new(FixedClock::new(now));
    let client = OAuthClient::new(config().clock(Arc::clone(&clock) as _)).unwrap();
    let store = Arc::new(MemoryTokenStore::new());
    let manager = TokenManager::new(client, store, Arc::clone(&server) as _);
    for (ahead, wanted) in [(0, "old"), (60, "old"), (61, "a1"), (86_400, "a2")] {
        let begin = now + ahead;
        let text = format!(
            r#"{{"v":1,"issuer":"https://auth.example","access_token":"old","refresh_token":"r","scopes":[],"issued_at":{begin},"expires_at":{}}}"#,
            begin + 3600
        );
        manager.put("name", &OAuthTokens::from_secret_json(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(manager.access_token("name", 60).unwrap().expose_str(), wanted, "{ahead}");
    }
}
