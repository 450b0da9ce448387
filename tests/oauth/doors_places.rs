//! A request with two credentials, and tenants: which one decides is the API's to say, and nothing falls back.

use crate::authority::{Authority, http, now};
use crate::forge;
use gatekey::apikey::{
    ApiKeyOptions, CredentialPlace, KeySpec, api_key_from_headers, api_key_from_headers_at,
};
use gatekey::open::open_api_keys;
use gatekey::pepper::PepperSource;
use gatekey::resource::{Access, AccessKind, Demand, Presented};
use gatekey::{Alg, ApiKeys, Error, ErrorKind, Key, KeySet, ResourceServer};
use serde_json::{Value, json};
use std::sync::Arc;

const API: &str = "https://api.example";
const ISSUER: &str = "https://auth.example";
const TOKEN: CredentialPlace = CredentialPlace::Authorization;
const KEY: CredentialPlace = CredentialPlace::ApiKey;

struct World {
    signs: Key,
    keys: ApiKeys,
    door: ResourceServer,
}

impl World {
    fn new() -> Self {
        let signs = Key::generate(Alg::Es256).unwrap();
        let opened = open_api_keys("memory:", &PepperSource::Beside, ApiKeyOptions::new());
        let keys = opened.unwrap().keys;
        let of_issuer = Arc::new(KeySet::new([signs.public().unwrap()]).unwrap());
        let builder = ResourceServer::builder(API).issuer(ISSUER, of_issuer);
        let door = builder.api_keys(keys.clone()).tenant_claim("tid").build().unwrap();
        Self { signs, keys, door }
    }

    fn bearer(&self, alter: impl Fn(&mut Value)) -> String {
        let mut claims = json!({
            "iss": ISSUER, "sub": "alice", "aud": API, "client_id": "app", "scope": "read",
            "iat": now(), "exp": now() + 300,
        });
        alter(&mut claims);
        let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, self.signs.kid());
        format!("Bearer {}", forge::sign(&self.signs, header, claims.to_string()))
    }

    fn key(&self, scope: &str, tenant: &str) -> String {
        let mut spec = KeySpec::new("acme");
        spec.scopes = vec![scope.to_owned()];
        spec.tenant = tenant.to_owned();
        self.keys.create(&spec).unwrap().secret.expose_str().to_owned()
    }

    fn knock(
        &self,
        authorization: Option<&str>,
        api_key: Option<&str>,
        demand: Demand<'_>,
    ) -> Result<Access, Error> {
        self.door.check_presented(&Presented { authorization, api_key }, &demand)
    }
}

#[test]
fn exactly_one_unless_said() {
    let world = World::new();
    let (token, key) = (world.bearer(|_| {}), world.key("write", ""));
    let knock = |token, key, demand| world.knock(token, key, demand).map(|access| access.kind);
    let demand = Demand::new;
    assert_eq!(knock(Some(&token), None, demand()), Ok(AccessKind::Jwt));
    assert_eq!(knock(None, Some(&key), demand()), Ok(AccessKind::ApiKey));
    let two = knock(Some(&token), Some(&key), demand()).unwrap_err();
    assert_eq!((two.kind(), two.kind().http_status()), (ErrorKind::SeveralCredentials, 400));
    assert!(two.message().contains("decided_by"), "{two}");
    assert_eq!(knock(None, None, demand()).unwrap_err().kind(), ErrorKind::MissingCredentials);
    // Another scheme is not this door's; an empty key is there, and so is a token that a bearer cannot prove.
    assert_eq!(knock(Some("Basic YTpi"), Some(&key), demand()), Ok(AccessKind::ApiKey));
    let spaced = format!(" {key}\t");
    assert_eq!(knock(Some(""), Some(&spaced), demand()), Ok(AccessKind::ApiKey));
    for (token, key, kind) in [
        (Some(&*token), Some(""), ErrorKind::MalformedApiKey),
        (Some("DPoP a.b.c"), Some(&*key), ErrorKind::MissingCredentials),
        (Some("Bearer "), Some(&*key), ErrorKind::SeveralCredentials),
        (Some("Bearer"), None, ErrorKind::MissingCredentials),
    ] {
        assert_eq!(knock(token, key, demand()).unwrap_err().kind(), kind, "{token:?}");
    }
    // A scheme of API keys alone, as another package's clients send it.
    let kind = |token: Option<&str>, key: Option<&str>, demand: Demand<'_>| {
        world.knock(token, key, demand).map(|access| access.kind)
    };
    for scheme in ["Api-Key", "api-key", "ApiKey"] {
        let own = format!("{scheme} {key}");
        assert_eq!(kind(Some(&own), None, demand()), Ok(AccessKind::ApiKey), "{scheme}");
        let two = world.knock(Some(&own), Some(&key), demand()).unwrap_err();
        assert_eq!(two.kind(), ErrorKind::SeveralCredentials, "{scheme}");
        let decides = demand().decided_by(TOKEN);
        assert_eq!(kind(Some(&own), None, decides), Ok(AccessKind::ApiKey), "{scheme}");
        let token = token.replacen("Bearer", scheme, 1);
        let no_key = world.knock(Some(&token), None, demand()).unwrap_err();
        assert_eq!(no_key.kind(), ErrorKind::MalformedApiKey, "a token is no API key");
        let empty = world.knock(Some(scheme), None, demand()).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::MalformedApiKey, "{scheme}");
    }
    // What is neither is called neither; what looks like an API key is called one.
    let neither = knock(Some("Bearer a-session-cookie"), None, demand()).unwrap_err();
    assert_eq!(neither.kind(), ErrorKind::MalformedToken);
    assert!(neither.message().contains("neither"), "{neither}");
    let typo = format!("Bearer {}x", &key[..key.len() - 1]);
    let typo = world.knock(Some(&typo), None, demand()).unwrap_err();
    assert_eq!(typo.kind(), ErrorKind::MalformedApiKey);
    // Nothing but an API key is looked for in its place, and API keys go on to work as bearer tokens.
    let bare = token.strip_prefix("Bearer ").unwrap();
    assert_eq!(knock(None, Some(bare), demand()).unwrap_err().kind(), ErrorKind::MalformedApiKey);
    assert_eq!(knock(Some(&format!("Bearer {key}")), None, demand()), Ok(AccessKind::ApiKey));
    let keyless = ResourceServer::builder(API)
        .issuer(ISSUER, Arc::new(KeySet::new([world.signs.public().unwrap()]).unwrap()));
    let error =
        keyless.build().unwrap().check_presented(&Presented::new().api_key(&key), &demand());
    assert_eq!(error.unwrap_err().kind(), ErrorKind::UnknownApiKey);
}

#[test]
fn one_decides_and_both_must_be_valid() {
    let world = World::new();
    let (token, key) = (world.bearer(|_| {}), world.key("write", ""));
    let knock = |token, key, demand| world.knock(token, key, demand);
    let (by_token, by_key) = (Demand::new().decided_by(TOKEN), Demand::new().decided_by(KEY));
    let access = knock(Some(&token), Some(&key), by_token).unwrap();
    assert_eq!((access.kind, access.subject.as_deref()), (AccessKind::Jwt, Some("alice")));
    assert_eq!(access.scopes, ["read"], "nothing of the other");
    let access = knock(Some(&token), Some(&key), by_key).unwrap();
    assert_eq!((access.kind, access.subject.as_deref()), (AccessKind::ApiKey, Some("acme")));
    assert_eq!(access.scopes, ["write"]);
    // Each scope is there, and not of the one that decides.
    for demand in
        [by_token.scopes(&["write"]), by_key.scopes(&["read"]), by_token.scopes(&["read", "write"])]
    {
        let error = knock(Some(&token), Some(&key), demand).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InsufficientScope);
    }
    // Nothing falls back on the one that is there.
    let missing = [(Some(&*token), None, by_key), (None, Some(&*key), by_token)];
    for (token, key, demand) in missing {
        let error = knock(token, key, demand).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingCredentials);
        assert!(error.message().contains("decided_by"), "{error}");
    }
    // The one that decides is enough where it is alone.
    knock(Some(&token), None, by_token).unwrap();
    knock(None, Some(&key), by_key).unwrap();
    // The other is verified, whatever it is.
    let expired = world.bearer(|claims| claims["exp"] = json!(now() - 60));
    let id_token = world.bearer(|claims| claims["nonce"] = json!("n"));
    for bad in [&*expired, &id_token, "Bearer a.b.c", "Bearer "] {
        for demand in [by_key, by_token] {
            assert!(knock(Some(bad), Some(&key), demand).unwrap_err().is_rejected(), "{bad}");
        }
    }
    let revoked = world.key("write", "");
    let id = world.keys.verify(&revoked, &Default::default()).unwrap().key_id().to_owned();
    world.keys.revoke(&id, "").unwrap();
    for demand in [by_key, by_token] {
        let error = knock(Some(&token), Some(&revoked), demand).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ApiKeyRevoked);
    }
    // A bad token takes nothing of a key's uses.
    let uses = |key: &str| world.keys.verify(key, &Default::default()).unwrap().record().uses;
    let before = uses(&key);
    knock(Some(&expired), Some(&key), by_key).unwrap_err();
    knock(Some(&expired), Some(&key), by_token).unwrap_err();
    assert_eq!(uses(&key), before + 1, "our own look");
}

#[test]
fn tenants_of_keys() {
    let world = World::new();
    let (bank, mallory, none) =
        (world.key("read", "bank"), world.key("read", "mallory"), world.key("read", ""));
    let tenant = |key: &str| world.knock(None, Some(key), Demand::new()).unwrap().tenant;
    assert_eq!(tenant(&bank).as_deref(), Some("bank"));
    assert_eq!(tenant(&mallory).as_deref(), Some("mallory"));
    assert_eq!(tenant(&none), None);
    let demand = Demand::new().tenant("bank");
    world.knock(None, Some(&bank), demand).unwrap();
    for key in [&mallory, &none] {
        let error = world.knock(None, Some(key), demand).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownApiKey);
        let error = world.knock(Some(&format!("Bearer {key}")), None, demand).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownApiKey);
    }
    // Beside a credential that decides, a key of another tenant is not valid for this call; one without a tenant is.
    let token = world.bearer(|claims| claims["tid"] = json!("bank"));
    let by_token = demand.decided_by(TOKEN);
    let access = world.knock(Some(&token), Some(&none), by_token).unwrap();
    assert_eq!(access.tenant.as_deref(), Some("bank"));
    assert!(world.knock(Some(&token), Some(&mallory), by_token).unwrap_err().is_rejected());
    let other = world.bearer(|claims| claims["tid"] = json!("mallory"));
    assert!(world.knock(Some(&other), Some(&bank), demand.decided_by(KEY)).is_err());
    let text = gatekey::ToJson::to_json(&access);
    assert!(text.contains(r#""tenant":"bank""#) && text.contains(ISSUER), "{text}");
}

/// Among headers: one in each place, whichever is asked for.
#[test]
fn places_among_headers() {
    let both = [("authorization", "Bearer a.b.c"), ("X-API-Key", " k "), ("host", "h")];
    let presented = Presented::from_headers(both).unwrap();
    assert_eq!((presented.authorization, presented.api_key), (Some("Bearer a.b.c"), Some(" k ")));
    assert!(!format!("{presented:?}").contains("a.b.c"));
    for name in ["Authorization", "x-api-key"] {
        let error = Presented::from_headers([(name, "a"), (name, "a")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SeveralCredentials);
    }
    let error = api_key_from_headers(both).unwrap_err();
    assert!(error.message().contains("place"), "{error}");
    assert_eq!(api_key_from_headers_at(both, KEY), Ok(Some("k")));
    assert_eq!(api_key_from_headers_at(both, TOKEN), Ok(Some("a.b.c")));
    assert_eq!(api_key_from_headers_at([("Authorization", "Bearer k")], KEY), Ok(None));
    assert_eq!(api_key_from_headers_at([("X-API-Key", "k")], TOKEN), Ok(None));
    let twice = [("x-api-key", "k"), ("x-api-key", "k")];
    assert!(api_key_from_headers_at(twice, KEY).is_err());
    assert_eq!(api_key_from_headers_at(twice, TOKEN), Ok(None));
    let twice = [("authorization", "Basic x"), ("authorization", "Bearer k")];
    assert!(api_key_from_headers_at(twice, TOKEN).is_err());
    assert!(api_key_from_headers_at([("x-api-key", "")], KEY).is_err());
}

/// A key in its own place is never sent to the authorization server, whatever it looks like.
#[test]
fn keys_stay_here() {
    let authority = Authority::start();
    let opened = open_api_keys("memory:", &PepperSource::Beside, ApiKeyOptions::new()).unwrap();
    let builder = ResourceServer::builder(API).api_keys(opened.keys);
    let door = builder.introspection_by(authority.client(), Arc::new(http())).build().unwrap();
    for key in ["opaque", "a.b.c", "eyJ.e30.x", "gk_live_x"] {
        let error =
            door.check_presented(&Presented::new().api_key(key), &Demand::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MalformedApiKey, "{key}");
    }
    assert_eq!(authority.server.count("/introspect"), 0);
}
