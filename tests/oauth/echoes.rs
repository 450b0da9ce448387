//! Row 339 of the threat model: a server that repeats in its error what it was sent. The error is for the log, and shows
//! no secret of the request, neither as it is nor percent-encoded.

use crate::authority::{Authority, SECRET, callback, cookies, http};
use crate::evil::{Reply, Request, parameter};
use gatekey::oauth::{
    AuthMethod, LoginOptions, OAuthConfig, OAuthTokens, TokenExchange, TokenGrant,
};
use gatekey::{Alg, Error, Key, OAuthClient, Secret};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What no error may show of a request: its credential, and each value of its form that is not public.
fn secrets(request: &Request) -> Vec<String> {
    const PUBLIC: [&str; 9] = [
        "grant_type",
        "client_id",
        "client_assertion_type",
        "subject_token_type",
        "token_type_hint",
        "redirect_uri",
        "scope",
        "code_challenge",
        "code_challenge_method",
    ];
    const OF_LOGINS: [&str; 3] = ["state", "nonce", "response_type"];
    let mut secrets = vec![SECRET.to_owned()];
    for pair in request.body.split('&').filter(|pair| !pair.is_empty()) {
        let (name, encoded) = pair.split_once('=').unwrap();
        if PUBLIC.contains(&name) || OF_LOGINS.contains(&name) {
            continue;
        }
        secrets.extend([
            parameter(pair, name).unwrap(),
            encoded.to_owned(),
            in_small_letters(encoded),
        ]);
    }
    if let Some(header) = request.headers.get("authorization") {
        secrets.extend(header.split_once(' ').map(|(_, credential)| credential.to_owned()));
    }
    secrets
}

/// The same with the hexadecimal digits of its escapes in small letters.
fn in_small_letters(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at(2);
        format!("{text}%{}{rest}", digits.to_lowercase())
    })
}

/// A server that repeats one secret after the other, and what it has repeated.
struct Parrot {
    authority: Authority,
    turn: Arc<AtomicUsize>,
    said: Arc<Mutex<Option<String>>>,
}

impl Parrot {
    fn at(path: &'static str, status: u16) -> Self {
        let (turn, said) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Option<String>>>::default());
        let (next, told) = (Arc::clone(&turn), Arc::clone(&said));
        let authority = Authority::with(move |request, world| {
            if request.path == "/.well-known/openid-configuration" && path == "/par" {
                let mut metadata = world.metadata();
                metadata["pushed_authorization_request_endpoint"] =
                    json!(format!("{}/par", world.url()));
                metadata["require_pushed_authorization_requests"] = json!(true);
                return Some(Reply::json(200, metadata));
            }
            if request.path == "/device" && path == "/token" {
                return Some(Reply::json(
                    200,
                    json!({
                        "device_code": "a/device+code of the server", "user_code": "ABCD",
                        "verification_uri": "https://auth.example/device", "expires_in": 60, "interval": 1,
                    }),
                ));
            }
            if request.path != path {
                return None;
            }
            let secret = secrets(request).into_iter().nth(next.load(Ordering::SeqCst));
            told.lock().unwrap().clone_from(&secret);
            let text = secret.unwrap_or_default();
            // Once whole, and once where it would be cut in the middle.
            let far = "x".repeat(190);
            Some(Reply::json(
                status,
                json!({ "error": "invalid_request", "error_description": format!("got {text}; {far} {text}") }),
            ))
        });
        Self { authority, turn, said }
    }

    /// Does it until everything was repeated; how much that was.
    #[track_caller]
    fn repeats(&self, config: OAuthConfig, ask: impl Fn(&OAuthClient) -> Error) -> usize {
        let client = OAuthClient::new(config).unwrap();
        for turn in 0.. {
            self.turn.store(turn, Ordering::SeqCst);
            let error = ask(&client);
            let Some(said) = self.said.lock().unwrap().take() else { return turn };
            assert_eq!(error.peer_code(), Some("invalid_request"), "{error:?}");
            let message = error.peer_message().unwrap();
            assert!(message.starts_with("got (not shown); xxx"), "{said}: {message}");
            for text in [message, &error.to_string(), &format!("{error:?}")] {
                let start: String = said.chars().take(8).collect();
                assert!(!text.contains(&start), "{said}: {text}");
            }
        }
        unreachable!("a request has few secrets")
    }
}

/// What asks the server for something.
type Ask<'a> = &'a dyn Fn(&OAuthClient, &Authority) -> Error;

const ODD: &str = "8xLO+xBt/Zp8 k=é";

fn tokens(authority: &Authority) -> OAuthTokens {
    let mut tokens = OAuthTokens::from_refresh_token(
        &*authority.server.url,
        Secret::from("8xLO+xBt/Zp8k=".to_owned()),
    )
    .unwrap();
    tokens.access_token = Secret::from("an-access/token".to_owned());
    tokens.subject = Some("alice".to_owned());
    tokens
}

#[test]
fn the_token_endpoint() {
    let odd = || Secret::from(ODD.to_owned());
    for status in [200, 400, 401, 500] {
        let parrot = Parrot::at("/token", status);
        let authority = &parrot.authority;
        let key = Key::generate(Alg::Es256).unwrap();
        let methods = [
            authority.config(),
            authority.config().auth_method(AuthMethod::SecretPost),
            authority.config().auth_method(AuthMethod::SecretJwt),
            authority.config().auth_method(AuthMethod::PrivateKeyJwt).private_key(&key),
        ];
        for config in methods {
            let grant = TokenGrant::new().parameter("password", "correct horse/battery");
            let found = parrot.repeats(config, |client| {
                client.client_credentials(&grant).unwrap().run(&http()).unwrap_err()
            });
            assert!(found >= 4, "{found}");
        }
        let old = tokens(authority);
        let found = parrot.repeats(authority.config(), |client| {
            client.refresh(&old).unwrap().run(&http()).unwrap_err()
        });
        assert!(found >= 4, "{found}");
        let found = parrot.repeats(authority.config(), |client| {
            let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
            client.finish(&callback(&begun), &cookies(&begun)).unwrap().run(&http()).unwrap_err()
        });
        assert!(found >= 7, "a code, its verifier and a credential: {found}");
        parrot.repeats(authority.config(), |client| {
            let exchange = TokenExchange::new(odd(), TokenExchange::JWT);
            client.token_exchange(&exchange).unwrap().run(&http()).unwrap_err()
        });
        parrot.repeats(authority.config(), |client| {
            client.jwt_bearer(odd(), &TokenGrant::new()).unwrap().run(&http()).unwrap_err()
        });
    }
}

#[test]
fn the_device_is_asked_for() {
    let parrot = Parrot::at("/token", 400);
    let config = parrot.authority.config().auth_method(AuthMethod::SecretPost);
    let grant = TokenGrant::new();
    let codes =
        OAuthClient::new(config).unwrap().device_codes(&grant).unwrap().run(&http()).unwrap();
    // Each question waits for a second: the device's code, and the secret.
    let config = parrot.authority.config().client_secret(Secret::from(SECRET.to_owned()));
    let found = parrot.repeats(config, |client| client.poll(&codes).run(&http()).unwrap_err());
    assert!(found >= 4, "{found}");
}

#[test]
fn its_neighbours() {
    let odd = || Secret::from(ODD.to_owned());
    let ask: [(&'static str, Ask<'_>); 5] = [
        ("/introspect", &|client, _| client.introspect(&odd()).run(&http()).unwrap_err()),
        ("/revoke", &|client, _| client.revoke(&odd(), true).run(&http()).unwrap_err()),
        ("/device", &|client, _| {
            client.device_codes(&TokenGrant::new()).unwrap().run(&http()).unwrap_err()
        }),
        ("/par", &|client, _| {
            client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap_err()
        }),
        ("/userinfo", &|client, authority| {
            client.userinfo(&tokens(authority)).run(&http()).unwrap_err()
        }),
    ];
    for (path, ask) in ask {
        let status = if path == "/userinfo" { 403 } else { 400 };
        let parrot = Parrot::at(path, status);
        let config = parrot.authority.config();
        let config =
            if path == "/userinfo" { config } else { config.auth_method(AuthMethod::SecretPost) };
        let found = parrot.repeats(config, |client| ask(client, &parrot.authority));
        assert!(found >= 2, "{path}: {found}");
    }
}
