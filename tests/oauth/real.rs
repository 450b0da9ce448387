//! Against the certified authorization server `oidc-provider`, over the built-in transport. Skipped by name where it
//! cannot be installed.

use crate::authority::{cookies, http};
use crate::provider::{API, CALLBACK, Provider, SECRET, browse};
use gatekey::oauth::{
    AuthMethod, FinishedLogin, LoginOptions, OAuthConfig, OAuthTokens, RemoteKeySet,
    RemoteKeySetOptions, TokenGrant, TokenManager,
};
use gatekey::resource::{AccessKind, Demand, IntrospectionOptions};
use gatekey::store::MemoryTokenStore;
use gatekey::transport::{HttpOptions, HttpTransport};
use gatekey::{Alg, ErrorKind, Key, OAuthClient, ResourceServer, Secret};
use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// The provider, or the test ends here, skipped.
macro_rules! provider {
    ($name:literal, $environment:expr) => {
        match Provider::or_skip(concat!("real::", $name), $environment) {
            Some(provider) => provider,
            None => return,
        }
    };
}

fn config(provider: &Provider, id: &str) -> OAuthConfig {
    OAuthConfig::new(id)
        .issuer(&*provider.issuer)
        .client_secret(Secret::from(SECRET.to_owned()))
        .redirect_uri(CALLBACK)
        .scopes(&["openid", "email", "offline_access"])
        .allow_loopback_http(true)
}

fn client(provider: &Provider, id: &str) -> OAuthClient {
    OAuthClient::new(config(provider, id)).unwrap()
}

fn sign_in(client: &OAuthClient, options: &LoginOptions) -> FinishedLogin {
    let begun = client.begin(options, "").unwrap().run(&http()).unwrap();
    let callback = browse(&["login", &begun.url, CALLBACK]);
    client.finish(&callback, &cookies(&begun)).unwrap().run(&http()).unwrap()
}

/// Refresh tokens are given only to those who ask for consent.
fn consent() -> LoginOptions {
    LoginOptions::new().prompt("consent")
}

#[test]
fn sign_in_refresh_and_sign_out() {
    let provider = provider!("sign_in_refresh_and_sign_out", &[]);
    let client = client(&provider, "web-logout");
    let begun = client.begin(&consent().return_to("/orders"), "").unwrap().run(&http()).unwrap();
    let callback = browse(&["login", &begun.url, CALLBACK]);
    let login = client.finish(&callback, &cookies(&begun)).unwrap().run(&http()).unwrap();
    assert_eq!((login.subject.as_deref(), &*login.return_to), (Some("alice"), "/orders"));
    let info = client.userinfo(&login.tokens).run(&http()).unwrap();
    assert_eq!(
        (&*info.subject, info.verified_email.as_deref()),
        ("alice", Some("alice@example.test"))
    );

    // The code is good once; using it again ends what came of it.
    let again = client.finish(&callback, &cookies(&begun)).unwrap().run(&http()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::OauthInvalidGrant);
    let dead = client.userinfo(&login.tokens).run(&http()).unwrap_err();
    assert_eq!(dead.kind(), ErrorKind::OauthInvalidGrant);

    // Rotation, and the end of everything when an old refresh token comes back.
    let first = sign_in(&client, &consent()).tokens;
    let second = client.refresh(&first).unwrap().run(&http()).unwrap();
    assert_ne!(
        first.refresh_token.as_ref().unwrap().expose(),
        second.refresh_token.as_ref().unwrap().expose()
    );
    assert_eq!(second.subject.as_deref(), Some("alice"));
    let third = client.refresh(&second).unwrap().run(&http()).unwrap();
    for old in [&first, &third] {
        let error = client.refresh(old).unwrap().run(&http()).unwrap_err();
        assert_eq!(
            (error.kind(), error.peer_code()),
            (ErrorKind::OauthInvalidGrant, Some("invalid_grant"))
        );
    }

    // Revocation.
    let tokens = sign_in(&client, &consent()).tokens;
    client.revoke(tokens.refresh_token.as_ref().unwrap(), true).run(&http()).unwrap();
    assert_eq!(
        client.refresh(&tokens).unwrap().run(&http()).unwrap_err().kind(),
        ErrorKind::OauthInvalidGrant
    );

    // Signing out there.
    let url = client
        .logout_url(tokens.id_token.as_ref(), Some("http://127.0.0.1:9999/bye"), Some("st"))
        .unwrap();
    let end = browse(&["logout", &url.run(&http()).unwrap(), "http://127.0.0.1:9999/bye"]);
    assert_eq!(end, "http://127.0.0.1:9999/bye?state=st");
}

#[test]
fn the_user_says_no() {
    let provider = provider!("the_user_says_no", &[]);
    let client = client(&provider, "web-basic");
    let begun = client.begin(&consent(), "").unwrap().run(&http()).unwrap();
    let callback = browse(&["deny", &begun.url, CALLBACK]);
    let error = client.finish(&callback, &cookies(&begun)).unwrap_err();
    assert_eq!(
        (error.kind(), error.peer_code()),
        (ErrorKind::OauthAccessDenied, Some("access_denied"))
    );
    // Nobody is signed in, and nobody may be asked.
    let silent =
        client.begin(&LoginOptions::new().prompt("none"), "").unwrap().run(&http()).unwrap();
    let callback = browse(&["login", &silent.url, CALLBACK]);
    let error = client.finish(&callback, &cookies(&silent)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OauthInteractionRequired);
}

#[test]
fn every_way_to_authenticate_a_client() {
    let folder = folder("clients");
    let file = folder.join("rp.jwk");
    let provider =
        provider!("every_way_to_authenticate_a_client", &[("RP_KEY", file.to_str().unwrap())]);
    let key = Key::from_jwk(&std::fs::read(&file).unwrap(), None).unwrap();
    let odd = Secret::from("p@ss w0rd:/+%=a-secret-of-the-tests".to_owned());
    for (what, config) in [
        ("basic", config(&provider, "web-basic").auth_method(AuthMethod::SecretBasic)),
        ("basic, odd characters", config(&provider, "web+odd:id").client_secret(odd)),
        ("post", config(&provider, "web-post").auth_method(AuthMethod::SecretPost)),
        ("secret jwt", config(&provider, "web-csjwt").auth_method(AuthMethod::SecretJwt)),
        ("private key jwt", config(&provider, "web-pkjwt").private_key(&key)),
        ("none", config(&provider, "web-public").auth_method(AuthMethod::None)),
        (
            "pushed",
            config(&provider, "par-only")
                .endpoint(
                    "pushed_authorization_request_endpoint",
                    format!("{}/request", provider.issuer),
                )
                .unwrap(),
        ),
        ("es256", config(&provider, "es256").id_token_algorithms([Alg::Es256])),
        ("ed25519", config(&provider, "eddsa").id_token_algorithms([Alg::Ed25519])),
    ] {
        eprintln!("client authentication: {what}");
        let login = sign_in(&OAuthClient::new(config).unwrap(), &LoginOptions::new());
        assert_eq!(login.subject.as_deref(), Some("alice"), "{what}");
    }
    let wrong = config(&provider, "web-basic").client_secret(Secret::from("wrong".to_owned()));
    let wrong = OAuthClient::new(wrong).unwrap();
    let error = wrong.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap_err();
    assert_eq!(
        (error.kind(), error.peer_code()),
        (ErrorKind::OauthInvalidClient, Some("invalid_client"))
    );
    // Signed with another algorithm than the registered one.
    let registered =
        OAuthClient::new(config(&provider, "es256").id_token_algorithms([Alg::Rs256])).unwrap();
    let begun = registered.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let callback = browse(&["login", &begun.url, CALLBACK]);
    let error = registered.finish(&callback, &cookies(&begun)).unwrap().run(&http()).unwrap_err();
    assert!(error.is_rejected(), "{error:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// A native program: no secret, and whatever port of this machine is free.
#[test]
fn a_native_program() {
    let provider = provider!("a_native_program", &[]);
    let uri = "http://127.0.0.1:41234/cb";
    let config = OAuthConfig::new("native")
        .issuer(&*provider.issuer)
        .redirect_uri(uri)
        .scopes(&["openid"])
        .allow_loopback_http(true);
    let client = OAuthClient::new(config).unwrap();
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let callback = browse(&["login", &begun.url, "http://127.0.0.1:41234"]);
    let login = client.finish(&callback, &cookies(&begun)).unwrap().run(&http()).unwrap();
    assert_eq!(login.subject.as_deref(), Some("alice"));
}

#[test]
fn a_device() {
    let provider = provider!("a_device", &[]);
    let client = OAuthClient::new(
        OAuthConfig::new("device").issuer(&*provider.issuer).allow_loopback_http(true),
    )
    .unwrap();
    let codes = client
        .device_codes(&TokenGrant::new().scopes(&["openid", "email"]))
        .unwrap()
        .run(&http())
        .unwrap();
    assert_eq!((codes.interval, codes.verification_uri.starts_with(&provider.issuer)), (5, true));
    let page = browse(&["device", codes.verification_uri_complete.as_deref().unwrap()]);
    assert!(page.contains("Sign-in Success"), "{page}");
    let tokens = client.poll(&codes).run(&http()).unwrap();
    assert_eq!(tokens.subject.as_deref(), Some("alice"));
    // The codes are good once.
    assert_eq!(client.poll(&codes).run(&http()).unwrap_err().kind(), ErrorKind::OauthInvalidGrant);
}

/// Tokens for machines, an API that accepts them by their signature, and one that asks.
#[test]
fn machines_and_an_api() {
    let provider = provider!("machines_and_an_api", &[]);
    let machine = client(&provider, "m2m");
    let grant = TokenGrant::new().scopes(&["api:read"]).resource(API);
    let tokens = machine.client_credentials(&grant).unwrap().run(&http()).unwrap();
    let options = || RemoteKeySetOptions::new().allow_loopback_http(true);
    let keys =
        RemoteKeySet::of_issuer(&*provider.issuer, options()).unwrap().over(Arc::new(http()));
    let asking = client(&provider, "rs");
    // This server names no audience of opaque tokens.
    let options = IntrospectionOptions::new().require_audience(false);
    let api = ResourceServer::builder(API)
        .issuer(&*provider.issuer, Arc::new(keys))
        .introspection(asking.clone(), Arc::new(http()), options)
        .build()
        .unwrap();
    let header = |tokens: &OAuthTokens| format!("Bearer {}", tokens.access_token.expose_str());
    let access = api.check(Some(&header(&tokens)), &Demand::new().scopes(&["api:read"])).unwrap();
    assert_eq!((access.kind, access.client_id.as_deref()), (AccessKind::Jwt, Some("m2m")));
    let error =
        api.check(Some(&header(&tokens)), &Demand::new().scopes(&["api:write"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InsufficientScope);

    let opaque = machine.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap();
    let access = api.check(Some(&header(&opaque)), &Demand::new()).unwrap();
    assert_eq!((access.kind, access.client_id.as_deref()), (AccessKind::Opaque, Some("m2m")));
    machine.revoke(&opaque.access_token, false).run(&http()).unwrap();
    assert!(!asking.introspect(&opaque.access_token).run(&http()).unwrap().active);
    assert_eq!(
        api.check(Some("Bearer nonsense"), &Demand::new()).unwrap_err().kind(),
        ErrorKind::TokenInactive
    );

    let wrong = TokenGrant::new().resource("https://other.example.test");
    let error = machine.client_credentials(&wrong).unwrap().run(&http()).unwrap_err();
    assert_eq!(
        (error.kind(), error.peer_code()),
        (ErrorKind::OauthRefused, Some("invalid_target"))
    );

    // A log-in for this API: its token is let in, also after a refresh.
    let own = client(&provider, "web-basic");
    let options = consent().scopes(&["openid", "offline_access", "api:read"]).resource(API);
    let login = sign_in(&own, &options);
    let again = own.refresh(&login.tokens).unwrap().run(&http()).unwrap();
    for tokens in [&login.tokens, &again] {
        let access =
            api.check(Some(&header(tokens)), &Demand::new().scopes(&["api:read"])).unwrap();
        assert_eq!((access.kind, access.subject.as_deref()), (AccessKind::Jwt, Some("alice")));
    }

    // An ID token is not let in.
    let login = sign_in(&client(&provider, "web-basic"), &LoginOptions::new());
    let id_token = format!("Bearer {}", login.tokens.id_token.unwrap().expose_str());
    assert!(api.check(Some(&id_token), &Demand::new()).unwrap_err().is_rejected());
}

/// Row 329: the server restarts with other keys on the same port.
#[test]
fn keys_that_rotate() {
    let provider = provider!("keys_that_rotate", &[]);
    let port = provider.port();
    let machine = client(&provider, "m2m");
    let grant = TokenGrant::new().scopes(&["api:read"]).resource(API);
    let token = |client: &OAuthClient| {
        format!(
            "Bearer {}",
            client
                .client_credentials(&grant)
                .unwrap()
                .run(&http())
                .unwrap()
                .access_token
                .expose_str()
        )
    };
    let options = RemoteKeySetOptions::new().allow_loopback_http(true);
    let keys = RemoteKeySet::of_issuer(&*provider.issuer, options).unwrap().over(Arc::new(http()));
    let api =
        ResourceServer::builder(API).issuer(&*provider.issuer, Arc::new(keys)).build().unwrap();
    let old = token(&machine);
    api.check(Some(&old), &Demand::new()).unwrap();
    drop(provider);
    let provider = Provider::start(&[("PORT", &port), ("KID", "2")]).unwrap();
    api.check(Some(&token(&client(&provider, "m2m"))), &Demand::new()).unwrap();
    assert_eq!(api.check(Some(&old), &Demand::new()).unwrap_err().kind(), ErrorKind::KeyNotFound);
}

/// Row 337: eight threads, tokens that live for two seconds, refresh tokens that are good once.
#[test]
fn eight_threads_at_a_rotating_server() {
    let provider = provider!("eight_threads_at_a_rotating_server", &[("AT_TTL", "2")]);
    let client = client(&provider, "web-basic");
    let tokens = sign_in(&client, &consent()).tokens;
    let manager = TokenManager::new(client, Arc::new(MemoryTokenStore::new()), Arc::new(http()));
    manager.put("alice", &tokens).unwrap();
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(2100));
        let got: HashSet<Vec<u8>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| manager.access_token("alice", 0).unwrap().expose().to_vec())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(got.len(), 1, "one token for all, and nobody was logged out");
    }
}

/// Row 336: TLS: an authority that is not trusted, another host, a client's certificate.
#[test]
fn certificates() {
    let folder = folder("tls");
    if !make_certificates(&folder) {
        let _ =
            writeln!(std::io::stderr(), "oauth: SKIPPED real::certificates: openssl is missing");
        return;
    }
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let environment = [
        ("TLS_CERT", path("server.crt")),
        ("TLS_KEY", path("server.key")),
        ("MTLS_JWKS", path("client.jwks")),
    ];
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, &**value)).collect();
    let provider = provider!("certificates", &environment);
    let ask = |options: HttpOptions, issuer: &str| {
        let http = HttpTransport::new(options)?;
        let config = OAuthConfig::new("mtls").issuer(issuer).auth_method(AuthMethod::Tls);
        let grant = TokenGrant::new().scopes(&["api:read"]).resource(API);
        OAuthClient::new(config)?.client_credentials(&grant)?.run(&http)
    };
    let trusting = || HttpOptions::new().ca_pem(&read("ca.crt"));
    let mine = trusting().client_certificate_pem(&read("client.crt"), &read("client.key"));
    ask(mine.clone(), &provider.issuer).unwrap();
    for (what, options, issuer) in [
        ("an unknown authority", HttpOptions::new(), provider.issuer.clone()),
        (
            "another authority",
            HttpOptions::new().ca_pem(&read("client.crt")),
            provider.issuer.clone(),
        ),
        ("another host", mine.clone(), provider.issuer.replace("localhost", "127.0.0.1")),
    ] {
        assert_eq!(ask(options, &issuer).unwrap_err().kind(), ErrorKind::TlsFailed, "{what}");
    }
    assert_eq!(
        ask(trusting(), &provider.issuer).unwrap_err().kind(),
        ErrorKind::OauthInvalidClient,
        "no certificate"
    );
    for (certificate, key) in
        [("client.crt", "server.key"), ("client.key", "client.key"), ("client.crt", "client.crt")]
    {
        let options = trusting().client_certificate_pem(&read(certificate), &read(key));
        assert_eq!(
            HttpTransport::new(options).unwrap_err().kind(),
            ErrorKind::InvalidConfiguration
        );
    }
    let none = HttpTransport::new(HttpOptions::new().ca_pem(b"nothing")).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::InvalidConfiguration);
    let expired = [("TLS_CERT", path("expired.crt")), ("TLS_KEY", path("server.key"))];
    let expired: Vec<(&str, &str)> =
        expired.iter().map(|(name, value)| (*name, &**value)).collect();
    let provider = Provider::start(&expired).unwrap();
    assert_eq!(ask(mine, &provider.issuer).unwrap_err().kind(), ErrorKind::TlsFailed, "expired");
    std::fs::remove_dir_all(folder).unwrap();
}

/// An authority, a server's certificate for `localhost` and one that has expired, and a client's own.
fn make_certificates(folder: &Path) -> bool {
    let script = r#"
        set -e
        ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        openssl req -x509 $ec -keyout ca.key -out ca.crt -days 30 -subj /CN=ca -addext basicConstraints=critical,CA:TRUE
        openssl req $ec -keyout server.key -out server.csr -subj /CN=localhost
        printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' > server.ext
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext -out server.crt
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days -1 -extfile server.ext -out expired.crt
        openssl req -x509 $ec -keyout client.key -out client.crt -days 30 -subj /CN=client
        openssl x509 -in client.crt -outform DER -out client.der
    "#;
    let ran = Command::new("bash").arg("-c").arg(script).current_dir(folder).output();
    let Ok(output) = ran else { return false };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD
        .encode(std::fs::read(folder.join("client.der")).unwrap());
    let key = Key::from_pem(&std::fs::read(folder.join("client.key")).unwrap(), Some(Alg::Es256))
        .unwrap();
    let mut jwk: serde_json::Value =
        serde_json::from_str(&key.public().unwrap().to_jwk().unwrap()).unwrap();
    jwk["x5c"] = serde_json::json!([der]);
    std::fs::write(folder.join("client.jwks"), serde_json::json!({ "keys": [jwk] }).to_string())
        .unwrap();
    true
}

fn folder(test: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("gatekey-real-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}
