//! Managers of several servers, clients, grants and seals that share a store: none is handed another's tokens, and none
//! takes another's away.

use crate::authority::{http, now};
use crate::evil::{Evil, Reply};
use crate::kept::Kept;
use gatekey::oauth::{OAuthConfig, OAuthTokens, TokenGrant, TokenManager};
use gatekey::store::{TokenFolder, TokenStore};
use gatekey::{ErrorKind, OAuthClient, Peppers, Secret};
use serde_json::json;
use std::sync::Arc;

/// A server whose tokens say whose they are, for what, and how many there were before.
fn naming(name: &'static str) -> Evil {
    let count = std::sync::atomic::AtomicU32::new(0);
    Evil::start(move |request| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let said = |name: &str| request.form(name).unwrap_or_default().replace(['+', ' '], "_");
        let token = format!("{name}.{}.{}.{number}", said("client_id"), said("scope"));
        let answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 300 });
        Reply::json(200, answer)
    })
}

fn client(id: &str, server: &Evil) -> OAuthClient {
    let config = OAuthConfig::new(id).allow_loopback_http(true).issuer(&server.url);
    let config = config.discover(false);
    let config = config.endpoint("token_endpoint", format!("{}/token", server.url)).unwrap();
    OAuthClient::new(config).unwrap()
}

fn peppers(number: u32, byte: u8) -> Peppers {
    Peppers::new(&[(number, Secret::new(vec![byte; 32]))]).unwrap()
}

type Store = Arc<dyn TokenStore>;

fn manager(id: &str, server: &Evil, store: &Store, seal: Option<&Peppers>) -> TokenManager {
    let manager = TokenManager::new(client(id, server), Arc::clone(store), Arc::new(http()));
    match seal {
        Some(seal) => manager.sealed(seal.clone()),
        None => manager,
    }
}

fn token(manager: &TokenManager) -> String {
    manager.access_token("api", 60).unwrap().expose_str().to_owned()
}

fn user(server: &Evil, token: &str) -> OAuthTokens {
    let text = json!({
        "issuer": server.url, "access_token": token, "refresh_token": "r", "expires_at": now() + 900,
    });
    OAuthTokens::from_secret_json(text.to_string().as_bytes()).unwrap()
}

fn stores() -> [(Store, Option<std::path::PathBuf>); 2] {
    let path = std::env::temp_dir().join(format!("gatekey-oauth-entries-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    let folder = Arc::new(TokenFolder::open(&path).unwrap());
    [(Arc::new(Kept::default()), None), (folder, Some(path))]
}

#[test]
fn each_server_and_client_has_its_own() {
    let (one, two) = (naming("one"), naming("two"));
    for (store, path) in stores() {
        for seal in [None, Some(peppers(1, 7))] {
            let all = [("a", &one), ("b", &one), ("a", &two), ("b", &two)];
            let managers = all.map(|(id, server)| {
                let manager = manager(id, server, &store, seal.as_ref());
                manager.remove("api").unwrap();
                manager.client_credentials(TokenGrant::new())
            });
            let first: Vec<String> = managers.iter().map(token).collect();
            for (token, (id, server)) in first.iter().zip(all) {
                let name = if std::ptr::eq(server, &raw const one) { "one" } else { "two" };
                assert!(token.starts_with(&format!("{name}.{id}.")), "{token}");
            }
            let asked = one.count("/token") + two.count("/token");
            // Each of them finds its own again, also a manager of another process.
            for (at, (id, server)) in all.into_iter().enumerate() {
                let again = manager(id, server, &store, seal.as_ref());
                let again = again.client_credentials(TokenGrant::new());
                assert_eq!(
                    (token(&managers[at]), token(&again)),
                    (first[at].clone(), first[at].clone())
                );
            }
            assert_eq!(one.count("/token") + two.count("/token"), asked, "nobody was asked again");
        }
        path.map(std::fs::remove_dir_all);
    }
}

/// A user's tokens are none of another client's or server's; they are neither given nor lost.
#[test]
fn users_of_one_client_are_not_those_of_another() {
    let (one, two) = (naming("one"), naming("two"));
    for (store, path) in stores() {
        let own = manager("a", &one, &store, None);
        own.put("api", &user(&one, "alice")).unwrap();
        for (id, server) in [("b", &one), ("a", &two)] {
            let other = manager(id, server, &store, None);
            let refused = Secret::from("alice".to_owned());
            let errors = [
                other.access_token("api", 60).unwrap_err(),
                other.replace("api", &refused).unwrap_err(),
                other.renewal("api", 60).unwrap().run(&http()).unwrap_err(),
            ];
            assert!(
                errors.iter().all(|error| error.kind() == ErrorKind::OauthNoToken),
                "{errors:?}"
            );
            assert!(other.known("api", 0).is_none());
            other.remove("api").unwrap();
            let other = other.client_credentials(TokenGrant::new());
            assert!(token(&other).contains(&format!(".{id}.")));
        }
        assert_eq!(token(&own), "alice");
        assert_eq!(token(&manager("a", &one, &store, None)), "alice");
        // Nor can they be kept where nobody would find them.
        let error = manager("a", &two, &store, None).put("api", &user(&one, "x")).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidArgument, Some("issuer")));
        path.map(std::fs::remove_dir_all);
    }
}

/// A store that knows the program's names only, so that all entries of a name are one.
#[test]
fn a_store_that_confuses_entries() {
    struct Confused(Kept);
    impl TokenStore for Confused {
        fn load(&self, _: &str) -> gatekey::Result<Option<Secret>> {
            self.0.load("all-0")
        }
        fn save(&self, _: &str, text: &Secret) -> gatekey::Result<()> {
            self.0.save("all-0", text)
        }
        fn remove(&self, _: &str) -> gatekey::Result<()> {
            self.0.remove("all-0")
        }
    }
    let (one, two) = (naming("one"), naming("two"));
    let store: Store = Arc::new(Confused(Kept::default()));
    let [first, second] = [&one, &two].map(|server| manager("a", server, &store, None));
    first.put("api", &user(&one, "alice")).unwrap();
    assert_eq!(second.access_token("api", 0).unwrap_err().kind(), ErrorKind::OauthNoToken);
    assert_eq!(token(&first), "alice");
}

/// What was asked for is a part of what is kept.
#[test]
fn another_grant_is_another_token() {
    let server = naming("one");
    for (store, path) in stores() {
        let ask = |grant: TokenGrant| manager("a", &server, &store, None).client_credentials(grant);
        let read = || TokenGrant::new().scopes(&["read", "list"]);
        let grants = [
            read(),
            TokenGrant::new().scopes(&["read"]),
            TokenGrant::new(),
            read().resource("https://api.example"),
            read().resource("https://other.example"),
            read().parameter("audience", "https://api.example"),
        ];
        let tokens: Vec<String> = grants.iter().map(|grant| token(&ask(grant.clone()))).collect();
        let different: std::collections::HashSet<_> = tokens.iter().collect();
        assert_eq!(different.len(), grants.len(), "{tokens:?}");
        let asked = server.count("/token");
        for (grant, token) in grants.iter().zip(&tokens) {
            assert_eq!(&self::token(&ask(grant.clone())), token, "kept");
        }
        // The order of scopes says nothing.
        let turned = TokenGrant::new().scopes(&["list", "read", "read"]);
        assert_eq!(token(&ask(turned)), tokens[0]);
        assert_eq!(server.count("/token"), asked);
        // A manager that asks for nothing has none; what was put is everybody's of this client.
        let plain = manager("a", &server, &store, None);
        assert_eq!(plain.access_token("api", 60).unwrap_err().kind(), ErrorKind::OauthNoToken);
        plain.put("api", &user(&server, "alice")).unwrap();
        assert!(grants.iter().all(|grant| token(&ask(grant.clone())) == "alice"));
        path.map(std::fs::remove_dir_all);
    }
}

/// A seal that does not fit is named; what a client can ask for itself, it asks for again.
#[test]
fn seals_that_do_not_fit() {
    let server = naming("one");
    let seals = [None, Some(peppers(1, 7)), Some(peppers(1, 8)), Some(peppers(2, 7))];
    for (at, kept) in seals.iter().enumerate() {
        for (other, given) in seals.iter().enumerate().filter(|(other, _)| *other != at) {
            let store: Store = Arc::new(Kept::default());
            let own = manager("a", &server, &store, kept.as_ref());
            let machine = own.clone().client_credentials(TokenGrant::new());
            let before = token(&machine);
            let with_other = manager("a", &server, &store, given.as_ref());
            let fetched = token(&with_other.clone().client_credentials(TokenGrant::new()));
            assert_ne!(fetched, before, "{at} {other}");

            own.put("api", &user(&server, "alice")).unwrap();
            for manager in [with_other.clone(), with_other.client_credentials(TokenGrant::new())] {
                let error = manager.access_token("api", 60).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WrongPepper, "{at} {other}");
                assert!(error.to_string().contains("`seal`") && !error.is_retryable(), "{error}");
                assert_eq!(error.claim(), Some("seal"));
            }
            assert_eq!(token(&own), "alice", "it is still there");
        }
    }
    // The earlier ones still open.
    let store: Store = Arc::new(Kept::default());
    manager("a", &server, &store, Some(&peppers(1, 7)))
        .put("api", &user(&server, "alice"))
        .unwrap();
    let secret = |byte| Secret::new(vec![byte; 32]);
    let both = Peppers::new(&[(1, secret(7)), (2, secret(9))]).unwrap();
    assert_eq!(token(&manager("a", &server, &store, Some(&both))), "alice");
}

/// Tokens that were altered are said to be so, whatever was done to them.
#[test]
fn altered_tokens() {
    let server = naming("one");
    let kept = Arc::new(Kept::default());
    let store: Store = Arc::clone(&kept) as Store;
    let seal = peppers(1, 7);
    let manager = manager("a", &server, &store, Some(&seal));
    manager.put("api", &user(&server, "alice")).unwrap();
    let entry = kept.entries().remove(0);
    let text = kept.load(&entry).unwrap().unwrap().expose().to_vec();
    for at in 0..text.len() {
        let mut altered = text.clone();
        altered[at] ^= 1;
        kept.save(&entry, &Secret::new(altered)).unwrap();
        let kind = manager.access_token("api", 60).unwrap_err().kind();
        // The magic, the number of the secret and its tag, then what is sealed.
        let right =
            if (4..16).contains(&at) { ErrorKind::WrongPepper } else { ErrorKind::StoreCorrupt };
        assert_eq!(kind, right, "byte {at}");
    }
    for length in 0..text.len() {
        kept.save(&entry, &Secret::new(text[..length].to_vec())).unwrap();
        let kind = manager.access_token("api", 60).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::StoreCorrupt, "{length} bytes");
    }
}

/// A put token that is over gives way to one of the client's own, as ever.
#[test]
fn what_was_put_and_is_over() {
    let server = naming("one");
    let kept = Arc::new(Kept::default());
    let store: Store = Arc::clone(&kept) as Store;
    let manager = manager("a", &server, &store, None).client_credentials(TokenGrant::new());
    let mut over = user(&server, "over");
    (over.refresh_token, over.expires_at) = (None, Some(now() - 1));
    manager.put("api", &over).unwrap();
    let fetched = token(&manager);
    assert!(fetched.starts_with("one.a."));
    assert!(kept.text("api").unwrap().contains(&fetched));
    assert_eq!((token(&manager), server.count("/token")), (fetched, 1));
    manager.remove("api").unwrap();
    assert_eq!(kept.entries(), [""; 0]);
}
