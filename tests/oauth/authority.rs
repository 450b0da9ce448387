//! An authorization server that behaves, but for what a test alters.

use crate::evil::{Evil, Reply, Request, parameter};
use crate::forge;
use gatekey::oauth::{BegunLogin, FinishedLogin, LoginOptions, OAuthConfig};
use gatekey::transport::{HttpOptions, HttpTransport};
use gatekey::{Alg, Key, KeySet, OAuthClient, Secret};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const CLIENT: &str = "client";
pub(crate) const SECRET: &str = "a client secret of 32 bytes, or more";
pub(crate) const CALLBACK: &str = "https://app.example/callback";

/// What a test may alter: an answer of its own, or `None` for the good one.
type Alter = Box<dyn Fn(&Request, &World) -> Option<Reply> + Send + Sync>;

/// What the server knows.
pub(crate) struct World {
    pub(crate) url: Mutex<String>,
    pub(crate) key: Mutex<Key>,
    alter: Alter,
}

impl World {
    pub(crate) fn url(&self) -> String {
        self.url.lock().unwrap().clone()
    }

    pub(crate) fn key(&self) -> Key {
        self.key.lock().unwrap().clone()
    }

    pub(crate) fn metadata(&self) -> Value {
        let url = self.url();
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "userinfo_endpoint": format!("{url}/userinfo"),
            "jwks_uri": format!("{url}/jwks"),
            "introspection_endpoint": format!("{url}/introspect"),
            "revocation_endpoint": format!("{url}/revoke"),
            "device_authorization_endpoint": format!("{url}/device"),
            "end_session_endpoint": format!("{url}/logout"),
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        })
    }

    /// The claims of a good ID token; the code is the nonce.
    pub(crate) fn claims(&self, request: &Request) -> Value {
        json!({
            "iss": self.url(), "sub": "alice", "aud": CLIENT, "iat": now(), "exp": now() + 300,
            "nonce": request.form("code").unwrap_or_default(),
        })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(claims, "")
    }

    /// With further members of the header, for example `"typ":"at+jwt",`.
    pub(crate) fn sign_as(&self, claims: &Value, header: &str) -> String {
        let key = self.key();
        let header = format!(r#"{{{header}"alg":"{}","kid":"{}"}}"#, key.alg().name(), key.kid());
        forge::sign(&key, header, claims.to_string())
    }

    pub(crate) fn tokens(&self, id_token: &str) -> Value {
        json!({
            "access_token": "an-access-token", "token_type": "Bearer", "expires_in": 300,
            "refresh_token": "a-refresh-token", "id_token": id_token,
        })
    }
}

pub(crate) struct Authority {
    pub(crate) server: Evil,
    pub(crate) world: Arc<World>,
}

impl Authority {
    pub(crate) fn start() -> Self {
        Self::with(|_, _| None)
    }

    pub(crate) fn with(
        alter: impl Fn(&Request, &World) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let key = Key::generate(Alg::Es256).unwrap().with_kid("one").unwrap();
        let (url, key) = (Mutex::default(), Mutex::new(key));
        let world = Arc::new(World { url, key, alter: Box::new(alter) });
        let own = Arc::clone(&world);
        let server = Evil::start(move |request| {
            (own.alter)(request, &own).unwrap_or_else(|| good(request, &own))
        });
        *world.url.lock().unwrap() = server.url.clone();
        Self { server, world }
    }

    /// A server that answers token requests with this body.
    pub(crate) fn giving(status: u16, body: impl ToString + Send + Sync + 'static) -> Self {
        let body = body.to_string();
        Self::with(move |request, _| (request.path == "/token").then(|| Reply::json(status, &body)))
    }

    /// A server whose ID tokens have altered claims.
    pub(crate) fn claiming(alter: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::identifying(move |request, world| {
            let mut claims = world.claims(request);
            alter(&mut claims);
            world.sign(&claims)
        })
    }

    /// A server whose ID tokens are these.
    pub(crate) fn identifying(
        make: impl Fn(&Request, &World) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::with(move |request, world| {
            (request.path == "/token")
                .then(|| Reply::json(200, world.tokens(&make(request, world))))
        })
    }

    pub(crate) fn config(&self) -> OAuthConfig {
        OAuthConfig::new(CLIENT)
            .issuer(&*self.server.url)
            .client_secret(Secret::from(SECRET.to_owned()))
            .redirect_uri(CALLBACK)
            .scopes(&["openid", "email"])
            .allow_loopback_http(true)
            .deadline_ms(5_000)
    }

    pub(crate) fn client(&self) -> OAuthClient {
        OAuthClient::new(self.config()).unwrap()
    }

    /// A log-in from beginning to end.
    pub(crate) fn sign_in(&self) -> gatekey::Result<FinishedLogin> {
        self.sign_in_with(&self.client())
    }

    pub(crate) fn sign_in_with(&self, client: &OAuthClient) -> gatekey::Result<FinishedLogin> {
        let begun = client.begin(&LoginOptions::new(), "")?.run(&http())?;
        client.finish(&callback(&begun), &cookies(&begun))?.run(&http())
    }
}

fn good(request: &Request, world: &World) -> Reply {
    match &*request.path {
        "/.well-known/openid-configuration" => Reply::json(200, world.metadata()),
        "/jwks" => Reply::json(
            200,
            KeySet::new([world.key().public().unwrap()]).unwrap().to_jwks().unwrap(),
        ),
        "/token" => Reply::json(200, world.tokens(&world.sign(&world.claims(request)))),
        "/userinfo" => Reply::json(
            200,
            json!({ "sub": "alice", "email": "a@example", "email_verified": true }),
        ),
        "/introspect" => Reply::json(
            200,
            json!({ "active": true, "sub": "alice", "scope": "read", "client_id": "app" }),
        ),
        "/revoke" => Reply::json(200, ""),
        _ => Reply::json(404, json!({ "error": "not_found" })),
    }
}

pub(crate) fn http() -> HttpTransport {
    HttpTransport::new(HttpOptions::new().allow_loopback_http(true)).unwrap()
}

/// What the server would send the browser back with; the code is the nonce, so that the server need not remember it.
pub(crate) fn callback(begun: &BegunLogin) -> String {
    let (state, nonce) = (parameter(&begun.url, "state").unwrap(), parameter(&begun.url, "nonce"));
    format!("{CALLBACK}?state={state}&code={}", nonce.unwrap_or_else(|| "a-code".to_owned()))
}

/// The `Cookie` header that a browser sends after it has been told to set these.
pub(crate) fn cookies(begun: &BegunLogin) -> String {
    let pairs = begun.set_cookies.iter().map(|cookie| cookie.split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
