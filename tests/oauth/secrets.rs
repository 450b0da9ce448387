//! Row 339 of the threat model: no code, verifier, state, token, secret or assertion in any error or `Debug`, whatever goes
//! wrong. Every part of a log-in is made to fail with answers that repeat what was sent.

use crate::authority::{Authority, SECRET, callback, cookies, http};
use crate::evil::{Reply, parameter};
use gatekey::oauth::{LoginOptions, TokenGrant};
use gatekey::{OAuthClient, Secret};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

#[test]
fn nothing_secret_is_ever_shown() {
    let mut shown = String::new();
    let mut secrets: Vec<String> = vec![SECRET.to_owned()];
    for (status, body) in [
        (200, "<html>ECHO</html>"),
        (400, r#"{"error":"invalid_grant"}"#),
        (400, "ECHO"),
        (401, "ECHO"),
        (500, "ECHO"),
        (200, r#"{"access_token":"secret-access-token","token_type":"ECHO"}"#),
        (302, "ECHO"),
        (200, "[\"ECHO\"]"),
        (
            200,
            r#"{"access_token":"secret-access-token","token_type":"Bearer","id_token":"secret.id.token","refresh_token":"secret-refresh-token"}"#,
        ),
        (
            200,
            r#"{"access_token":"secret-access-token","token_type":"Bearer","expires_in":"ECHO"}"#,
        ),
    ] {
        let sent = Arc::new(Mutex::new(String::new()));
        let own = Arc::clone(&sent);
        let authority = Authority::with(move |request, _| {
            let known = ["/token", "/introspect", "/revoke", "/userinfo", "/device"];
            known.contains(&&*request.path).then(|| {
                *own.lock().unwrap() = format!("{:?} {}", request.headers, request.body);
                Reply::text(status, "application/json", body.replace("ECHO", &request.body))
            })
        });
        let client = authority.client();
        let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
        let (callback, cookies) = (callback(&begun), cookies(&begun));
        let operation = client.finish(&callback, &cookies).unwrap();
        write!(shown, "{begun:?} {client:?} {operation:?} {:?}", authority.config()).unwrap();
        let error = operation.run(&http()).unwrap_err();
        write!(shown, "{error} {error:?} {:?} {:?}", error.peer_code(), error.peer_message())
            .unwrap();
        let form = sent.lock().unwrap().clone();
        for name in ["code", "code_verifier"] {
            secrets.extend(parameter(&form, name));
        }
        secrets.extend(parameter(&begun.url, "state"));
        secrets.extend(cookies.split('=').nth(1).map(str::to_owned));
        let tokens = Authority::start().sign_in().unwrap().tokens;
        secrets.extend([
            tokens.access_token.expose_str().to_owned(),
            tokens.refresh_token.as_ref().unwrap().expose_str().to_owned(),
        ]);
        write!(shown, "{tokens:?}").unwrap();
        let token = Secret::from("secret-presented-token".to_owned());
        for error in [
            client.userinfo(&tokens).run(&http()).map(|_| ()).err(),
            client.introspect(&token).run(&http()).map(|_| ()).err(),
            client.revoke(&token, true).run(&http()).err(),
            client.client_credentials(&TokenGrant::new()).unwrap().run(&http()).map(|_| ()).err(),
            client
                .jwt_bearer(Secret::from("secret-assertion".to_owned()), &TokenGrant::new())
                .unwrap()
                .run(&http())
                .map(|_| ())
                .err(),
        ]
        .into_iter()
        .flatten()
        {
            write!(shown, "{error} {error:?} {:?} {:?}", error.peer_code(), error.peer_message())
                .unwrap();
        }
        let wrong = OAuthClient::new(
            authority
                .config()
                .client_secret(Secret::from("short".to_owned()))
                .auth_method(gatekey::oauth::AuthMethod::SecretJwt),
        );
        write!(shown, "{:?}", wrong.unwrap_err()).unwrap();
    }
    secrets.extend(
        [
            "secret-access-token",
            "secret-refresh-token",
            "secret.id.token",
            "secret-presented-token",
            "secret-assertion",
        ]
        .map(str::to_owned),
    );
    assert!(
        secrets.len() > 40 && secrets.iter().all(|secret| secret.len() > 8),
        "{}",
        secrets.len()
    );
    for secret in &secrets {
        assert!(!shown.contains(&**secret), "a secret of {} bytes is shown", secret.len());
    }
    assert!(shown.len() > 5000 && !json!(shown).to_string().contains("\\r"));
}
