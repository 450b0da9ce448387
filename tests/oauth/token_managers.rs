//! Rows 337 and 338 of the threat model: one refresh for all threads and all processes; what goes wrong loses nothing.

use crate::authority::{Authority, http, now};
use crate::evil::{Evil, Reply};
use crate::kept::Kept;
use gatekey::clock::FixedClock;
use gatekey::oauth::{OAuthConfig, OAuthTokens, TokenGrant, TokenManager};
use gatekey::store::{MemoryTokenStore, TokenFolder};
use gatekey::{ErrorKind, OAuthClient, Peppers, Secret};
use serde_json::json;
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server on which each refresh token is good once; a second use ends all of them.
fn rotating(delay: Duration) -> Evil {
    let state: Mutex<(u32, bool)> = Mutex::new((0, false));
    Evil::start(move |request| {
        if request.path != "/token" {
            return Reply::json(404, json!({}));
        }
        let presented = request.form("refresh_token");
        let number = {
            let mut state = state.lock().unwrap();
            if state.1 || presented != Some(format!("r{}", state.0)) {
                state.1 = true;
                return Reply::json(400, json!({ "error": "invalid_grant" }));
            }
            state.0 += 1;
            state.0
        };
        std::thread::sleep(delay);
        Reply::json(
            200,
            json!({
                "access_token": format!("a{number}"), "token_type": "Bearer", "expires_in": 300,
                "refresh_token": format!("r{number}"),
            }),
        )
    })
}

fn config(server: &Evil) -> OAuthConfig {
    let config = OAuthConfig::new("c").allow_loopback_http(true).deadline_ms(5_000);
    config.endpoint("token_endpoint", format!("{}/token", server.url)).unwrap()
}

fn client(server: &Evil) -> OAuthClient {
    OAuthClient::new(config(server)).unwrap()
}

fn tokens(server: &Evil, expires_at: u64) -> OAuthTokens {
    let text = json!({
        "issuer": format!("{}/token", server.url), "access_token": "a0", "expires_at": expires_at,
        "refresh_token": "r0", "scopes": ["s"],
    });
    OAuthTokens::from_secret_json(text.to_string().as_bytes()).unwrap()
}

fn folder(test: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gatekey-oauth-{test}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

#[test]
fn eight_threads_refresh_once() {
    let server = rotating(Duration::from_millis(100));
    let manager =
        TokenManager::new(client(&server), Arc::new(MemoryTokenStore::new()), Arc::new(http()));
    manager.put("alice", &tokens(&server, now())).unwrap();
    let got: HashSet<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| manager.access_token("alice", 60).unwrap().expose_str().to_owned())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((got, server.count("/token")), (HashSet::from(["a1".to_owned()]), 1));
    assert_eq!(
        manager.known("alice", 60).unwrap().refresh_token.as_ref().unwrap().expose_str(),
        "r1"
    );
}

const PART: &str = "GATEKEY_TEST_MANAGER";

/// Not a test of its own: what each of eight processes does.
#[test]
fn a_process_asks_for_a_token() {
    let Ok(part) = std::env::var(PART) else { return };
    let (url, path) = part.split_once(' ').unwrap();
    let config = OAuthConfig::new("c").allow_loopback_http(true);
    let client =
        OAuthClient::new(config.endpoint("token_endpoint", format!("{url}/token")).unwrap())
            .unwrap();
    let store = Arc::new(TokenFolder::open(path).unwrap());
    let manager = TokenManager::new(client, store, Arc::new(http())).sealed(peppers());
    println!("GOT {}", manager.access_token("alice", 60).unwrap().expose_str());
}

fn peppers() -> Peppers {
    Peppers::new(&[(1, Secret::new(vec![7; 32]))]).unwrap()
}

#[test]
fn eight_processes_refresh_once() {
    let server = rotating(Duration::from_millis(200));
    let path = folder("processes");
    let store = Arc::new(TokenFolder::open(&path).unwrap());
    let manager = TokenManager::new(client(&server), store, Arc::new(http())).sealed(peppers());
    manager.put("alice", &tokens(&server, now())).unwrap();
    let child = || {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "token_managers::a_process_asks_for_a_token",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(PART, format!("{} {}", server.url, path.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..8).map(|_| child()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("GOT a1"), "{text}");
    }
    assert_eq!(server.count("/token"), 1);
    // Sealed, and for nobody else's eyes.
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(
            !bytes.windows(2).any(|two| two == b"r1" || two == b"a1"),
            "{:?}",
            entry.file_name()
        );
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&entry.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
    }
    std::fs::remove_dir_all(path).unwrap();
}

/// Nobody sees an access token before the refresh token that came with it is kept; nothing is lost meanwhile.
#[test]
fn kept_before_it_is_used() {
    let server = rotating(Duration::ZERO);
    let store = Arc::new(Kept::default());
    let manager = TokenManager::new(client(&server), Arc::clone(&store) as _, Arc::new(http()));
    manager.put("alice", &tokens(&server, now())).unwrap();
    store.full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(manager.access_token("alice", 60).unwrap_err().kind(), ErrorKind::StoreFull);
    }
    assert_eq!(server.count("/token"), 1, "the new tokens are remembered");
    store.full.store(false, Ordering::SeqCst);
    assert_eq!(manager.access_token("alice", 60).unwrap().expose_str(), "a1");
    assert_eq!((server.count("/token"), store.saves.load(Ordering::SeqCst)), (1, 2));
    let kept = OAuthTokens::from_secret_json(store.text("alice").unwrap().as_bytes()).unwrap();
    assert_eq!(kept.refresh_token.unwrap().expose_str(), "r1");
}

/// Row 338: 5xx, 429 and silence keep the refresh token, and are not repeated at once; `invalid_grant` is the end.
#[test]
fn failures() {
    let answer = Arc::new(Mutex::new((503, json!({}))));
    let own = Arc::clone(&answer);
    let server = Evil::start(move |_| {
        let (status, body) = own.lock().unwrap().clone();
        Reply::json(status, body)
    });
    let clock = Arc::new(FixedClock::new(now()));
    let client = OAuthClient::new(config(&server).clock(Arc::clone(&clock) as _)).unwrap();
    let store = Arc::new(Kept::default());
    let manager = TokenManager::new(client, Arc::clone(&store) as _, Arc::new(http()));
    manager.put("alice", &tokens(&server, now() + 30)).unwrap();
    // One that is still good is better than none.
    for _ in 0..5 {
        assert_eq!(manager.access_token("alice", 60).unwrap().expose_str(), "a0");
    }
    assert_eq!(server.count("/token"), 1, "not again at once");
    clock.advance(31);
    let error = manager.access_token("alice", 60).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OauthServerFailed);
    assert!(error.retry_after().is_some() && error.is_retryable());
    assert_eq!(server.count("/token"), 2);
    assert_eq!(manager.access_token("alice", 60).unwrap_err().kind(), ErrorKind::OauthServerFailed);
    assert_eq!(server.count("/token"), 2);
    assert!(store.text("alice").is_some());
    clock.advance(5);
    *answer.lock().unwrap() =
        (200, json!({ "access_token": "a1", "token_type": "Bearer", "expires_in": 9 }));
    assert_eq!(manager.access_token("alice", 5).unwrap().expose_str(), "a1");
    let kept = manager.known("alice", 5).unwrap();
    assert_eq!(
        kept.refresh_token.as_ref().unwrap().expose_str(),
        "r0",
        "none came, so the old one stays"
    );
    assert_eq!(kept.scopes, ["s"]);
    // What the server says about us is not the end of the user's log-in.
    clock.advance(10);
    *answer.lock().unwrap() = (401, json!({ "error": "invalid_client" }));
    assert_eq!(manager.access_token("alice", 5).unwrap_err().kind(), ErrorKind::OauthInvalidClient);
    assert!(store.text("alice").is_some());
    let asked = server.count("/token");
    assert_eq!(manager.access_token("alice", 5).unwrap_err().kind(), ErrorKind::OauthInvalidClient);
    assert_eq!(server.count("/token"), asked, "not again at once");
    clock.advance(2);
    *answer.lock().unwrap() = (400, json!({ "error": "invalid_grant" }));
    assert_eq!(manager.access_token("alice", 5).unwrap_err().kind(), ErrorKind::OauthInvalidGrant);
    assert!(store.text("alice").is_none());
    let asked = server.count("/token");
    assert_eq!(manager.access_token("alice", 5).unwrap_err().kind(), ErrorKind::OauthNoToken);
    assert_eq!(server.count("/token"), asked);
}

#[test]
fn machine_tokens() {
    let number = AtomicU32::new(0);
    let server = Evil::start(move |_| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        Reply::json(
            200,
            json!({ "access_token": format!("m{number}"), "token_type": "Bearer", "expires_in": 300 }),
        )
    });
    let grant = TokenGrant::new().scopes(&["orders:read"]);
    let manager =
        TokenManager::new(client(&server), Arc::new(MemoryTokenStore::new()), Arc::new(http()))
            .client_credentials(grant);
    let first = manager.access_token("orders", 60).unwrap();
    assert_eq!(manager.access_token("orders", 60).unwrap().expose(), first.expose());
    assert_eq!(server.count("/token"), 1);
    // An API has refused it: another one, once, however many noticed.
    let second = manager.replace("orders", &first).unwrap();
    assert_eq!(second.access_token.expose_str(), "m1");
    assert_eq!(manager.replace("orders", &first).unwrap().access_token.expose_str(), "m1");
    assert_eq!(server.count("/token"), 2);
    manager.remove("orders").unwrap();
    assert!(manager.known("orders", 0).is_none());
    for bad in [String::new(), "x".repeat(121)] {
        assert_eq!(manager.access_token(&bad, 0).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

/// Not a test of its own: what another process does to the tokens of alice.
#[test]
fn a_process_changes_the_tokens() {
    let Ok(part) = std::env::var(CHANGE) else { return };
    let (what, rest) = part.split_once(' ').unwrap();
    let (url, path) = rest.split_once(' ').unwrap();
    let config = OAuthConfig::new("c").allow_loopback_http(true);
    let config = config.endpoint("token_endpoint", format!("{url}/token")).unwrap();
    let store = Arc::new(TokenFolder::open(path).unwrap());
    let manager = TokenManager::new(OAuthClient::new(config).unwrap(), store, Arc::new(http()));
    let manager = manager.sealed(peppers());
    match what {
        "remove" => manager.remove("alice").unwrap(),
        token => {
            let text = json!({
                "issuer": format!("{url}/token"), "access_token": token, "scopes": [],
                "expires_at": now() + 900,
            });
            let tokens = OAuthTokens::from_secret_json(text.to_string().as_bytes()).unwrap();
            manager.put("alice", &tokens).unwrap();
        }
    }
    println!("CHANGED");
}

const CHANGE: &str = "GATEKEY_TEST_CHANGE";

/// Who signs out, or in, in another process is signed out, or in, here as well, at the next use; others are not read again.
#[test]
fn what_another_process_does_is_noticed() {
    let server = rotating(Duration::ZERO);
    let path = folder("noticed");
    let manager = || {
        let store = Arc::new(TokenFolder::open(&path).unwrap());
        TokenManager::new(client(&server), store, Arc::new(http())).sealed(peppers())
    };
    let elsewhere = |what: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "token_managers::a_process_changes_the_tokens", "--nocapture"])
            .env(CHANGE, format!("{what} {} {}", server.url, path.display()))
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("CHANGED"), "{output:?}");
    };
    let (one, two) = (manager(), manager());
    one.put("alice", &tokens(&server, now() + 900)).unwrap();
    one.put("bob", &tokens(&server, now() + 900)).unwrap();
    for manager in [&one, &two] {
        assert_eq!(manager.access_token("alice", 60).unwrap().expose_str(), "a0");
        assert_eq!(manager.known("alice", 60).unwrap().access_token.expose_str(), "a0");
    }
    elsewhere("another-user");
    for manager in [&one, &two] {
        assert_eq!(manager.known("alice", 60).unwrap().access_token.expose_str(), "another-user");
        assert_eq!(manager.access_token("alice", 60).unwrap().expose_str(), "another-user");
        // What was refused was somebody else's.
        let refused = Secret::from("a0".to_owned());
        let other = manager.replace("alice", &refused).unwrap();
        assert_eq!(other.access_token.expose_str(), "another-user");
    }
    elsewhere("remove");
    for manager in [&one, &two] {
        assert!(manager.known("alice", 0).is_none());
        let error = manager.access_token("alice", 60).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OauthNoToken);
        let refused = Secret::from("another-user".to_owned());
        let error = manager.replace("alice", &refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OauthNoToken);
        assert_eq!(manager.access_token("bob", 60).unwrap().expose_str(), "a0");
    }
    assert_eq!(server.count("/token"), 0);
    std::fs::remove_dir_all(path).unwrap();
}

/// Tokens that could not be saved do not bring back whoever has signed out in the meantime, nor replace another user's.
#[test]
fn what_could_not_be_saved_is_nobody_elses() {
    for other in [None, Some("another-user")] {
        let server = rotating(Duration::ZERO);
        let store = Arc::new(Kept::default());
        let manager = TokenManager::new(client(&server), Arc::clone(&store) as _, Arc::new(http()));
        manager.put("alice", &tokens(&server, now())).unwrap();
        store.full.store(true, Ordering::SeqCst);
        assert_eq!(manager.access_token("alice", 60).unwrap_err().kind(), ErrorKind::StoreFull);
        store.full.store(false, Ordering::SeqCst);
        // As another process does.
        let elsewhere =
            TokenManager::new(client(&server), Arc::clone(&store) as _, Arc::new(http()));
        match other {
            None => elsewhere.remove("alice").unwrap(),
            Some(token) => {
                let mut tokens = tokens(&server, now() + 900);
                tokens.access_token = Secret::from(token.to_owned());
                elsewhere.put("alice", &tokens).unwrap();
            }
        }
        let got = manager.access_token("alice", 60);
        let got = got.map(|token| token.expose_str().to_owned()).map_err(|error| error.kind());
        assert_eq!(got, other.map(str::to_owned).ok_or(ErrorKind::OauthNoToken));
        assert_eq!(server.count("/token"), 1);
    }
}

/// A server whose access tokens live for so many seconds.
fn short_lived(life: u64) -> Evil {
    let number = AtomicU32::new(0);
    Evil::start(move |_| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        let token = json!({
            "access_token": format!("m{number}"), "token_type": "Bearer", "expires_in": life,
            "refresh_token": format!("r{number}"),
        });
        Reply::json(200, token)
    })
}

/// Tokens that live for less than the margin are not asked for at each use, but once in half of their life.
#[test]
fn lives_below_the_margin() {
    for life in [0_u64, 1, 2, 30, 59, 60, 61, 119] {
        let server = short_lived(life);
        let clock = Arc::new(FixedClock::new(now()));
        let client = OAuthClient::new(config(&server).clock(Arc::clone(&clock) as _)).unwrap();
        let manager =
            TokenManager::new(client, Arc::new(MemoryTokenStore::new()), Arc::new(http()))
                .client_credentials(TokenGrant::new());
        let ask = || (0..3).for_each(|_| drop(manager.access_token("orders", 60).unwrap()));
        ask();
        assert_eq!(server.count("/token"), 1, "{life}");
        let margin = 60.min(life / 2);
        if life > margin + 1 {
            clock.advance(life - margin - 1);
            ask();
            assert_eq!(server.count("/token"), 1, "{life}");
            assert!(manager.known("orders", 60).is_some());
            clock.advance(1);
        } else {
            clock.advance(life.max(1));
        }
        ask();
        assert_eq!(server.count("/token"), 2, "{life}: half of it is over");
    }
}

/// An API that refuses every token costs few refreshes; one that has recovered, none.
#[test]
fn an_api_that_refuses_every_token() {
    let server = short_lived(3600);
    let clock = Arc::new(FixedClock::new(now()));
    let client = OAuthClient::new(config(&server).clock(Arc::clone(&clock) as _)).unwrap();
    let manager = TokenManager::new(client, Arc::new(MemoryTokenStore::new()), Arc::new(http()))
        .client_credentials(TokenGrant::new());
    let refuse = || {
        let refused = manager.access_token("orders", 60).unwrap();
        manager.replace("orders", &refused).unwrap().access_token.expose() != refused.expose()
    };
    assert!(refuse(), "at once the first time");
    assert_eq!(server.count("/token"), 2);
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        let asked = server.count("/token");
        assert!((0..10).all(|_| !refuse()), "the refused one, for {pause} s");
        clock.advance(pause - 1);
        assert!(pause == 1 || !refuse(), "{pause}");
        assert_eq!(server.count("/token"), asked);
        clock.advance(1);
        assert!(refuse(), "{pause}");
        assert_eq!(server.count("/token"), asked + 1);
    }
    // Another name has tokens of its own, and a new log-in begins again.
    let other = manager.access_token("other", 60).unwrap();
    assert_ne!(manager.replace("other", &other).unwrap().access_token.expose(), other.expose());
    assert!(!refuse());
    manager.put("orders", &manager.tokens("other", 60).unwrap()).unwrap();
    assert!(refuse());
}

/// Names of users who left take no room, and neither do those that were never known.
#[test]
fn names_that_are_forgotten() {
    let server = rotating(Duration::ZERO);
    let manager =
        TokenManager::new(client(&server), Arc::new(MemoryTokenStore::new()), Arc::new(http()));
    for number in 0..50 {
        let name = format!("user-{number}");
        assert_eq!(manager.access_token(&name, 0).unwrap_err().kind(), ErrorKind::OauthNoToken);
        manager.put(&name, &tokens(&server, now() + 900)).unwrap();
        assert!(manager.known(&name, 0).is_some());
        manager.remove(&name).unwrap();
    }
    assert!(format!("{manager:?}").contains("(0 names"), "{manager:?}");
}

/// What was sealed for one name is none for another; names cannot leave the folder.
#[test]
fn sealed_tokens_and_names() {
    let server = rotating(Duration::ZERO);
    let path = folder("names");
    let store = || Arc::new(TokenFolder::open(&path).unwrap());
    let manager = |id: &str| {
        let config = OAuthConfig::new(id).allow_loopback_http(true);
        let client = OAuthClient::new(
            config.endpoint("token_endpoint", format!("{}/token", server.url)).unwrap(),
        );
        TokenManager::new(client.unwrap(), store(), Arc::new(http())).sealed(peppers())
    };
    let names = ["alice", "../alice", "a/b", "alice@example.com", "é", "A", "a"];
    let fresh = |name: &str| {
        let mut tokens = tokens(&server, now() + 900);
        tokens.access_token = Secret::from(format!("of-{}", name.len()));
        tokens
    };
    names.iter().for_each(|name| manager("c").put(name, &fresh(name)).unwrap());
    for name in names {
        let got = manager("c").access_token(name, 60).unwrap();
        assert_eq!(got.expose(), fresh(name).access_token.expose(), "{name}");
    }
    // A file each, also where the file system takes `A` for `a`.
    let files: HashSet<_> = std::fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().to_lowercase())
        .filter(|file| file.ends_with(".tokens"))
        .collect();
    assert_eq!(files.len(), names.len());
    let file = |name: &str| {
        let files = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
        let is_of = |file: &PathBuf| {
            let file = file.file_name().unwrap().to_string_lossy();
            file.starts_with(&format!("{name}-")) && file.ends_with(".tokens")
        };
        files.into_iter().find(is_of).unwrap()
    };
    let bob = file("alice").with_file_name(
        file("alice").file_name().unwrap().to_string_lossy().replace("alice", "bob"),
    );
    std::fs::rename(file("alice"), &bob).unwrap();
    assert_eq!(manager("c").access_token("bob", 60).unwrap_err().kind(), ErrorKind::StoreCorrupt);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(bob, open).unwrap();
    assert_eq!(
        manager("c").access_token("bob", 60).unwrap_err().kind(),
        ErrorKind::InvalidConfiguration
    );
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn debug_shows_no_token() {
    let authority = Authority::start();
    let manager =
        TokenManager::new(authority.client(), Arc::new(MemoryTokenStore::new()), Arc::new(http()));
    manager.put("alice", &authority.sign_in().unwrap().tokens).unwrap();
    let shown = format!("{manager:?} {:?}", manager.known("alice", 0));
    assert!(
        shown.contains("alice")
            && !shown.contains("an-access-token")
            && !shown.contains("a-refresh-token"),
        "{shown}"
    );
}

/// What `refresh_with` says goes with each refresh, and with nothing else.
#[test]
fn refreshes_with_more_to_say() {
    let server = Evil::start(|_| {
        Reply::json(200, json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 300 }))
    });
    let manager = |grant: TokenGrant| {
        TokenManager::new(client(&server), Arc::new(MemoryTokenStore::new()), Arc::new(http()))
            .refresh_with(grant)
            .client_credentials(TokenGrant::new().scopes(&["own"]))
    };
    let more = TokenGrant::new().scopes(&["s"]).resource("https://api.example");
    let own = manager(more.parameter("tenant", "t 1"));
    own.put("alice", &tokens(&server, now())).unwrap();
    own.access_token("alice", 60).unwrap();
    own.access_token("service", 60).unwrap();
    let asked = server.seen("/token");
    let said = |at: usize, name: &str| asked[at].form(name);
    for (name, value) in [
        ("grant_type", "refresh_token"),
        ("refresh_token", "r0"),
        ("scope", "s"),
        ("resource", "https://api.example"),
        ("tenant", "t 1"),
    ] {
        assert_eq!(said(0, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!((said(1, "scope").as_deref(), said(1, "tenant")), (Some("own"), None));
    // What may not be said is not sent.
    let wrong = manager(TokenGrant::new().parameter("refresh_token", "other"));
    wrong.put("alice", &tokens(&server, now() - 10)).unwrap();
    let error = wrong.access_token("alice", 60).unwrap_err();
    assert_eq!((error.kind(), asked.len()), (ErrorKind::InvalidArgument, server.count("/token")));
}
