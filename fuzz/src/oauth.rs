//! What an authorization server answers, and what comes back with a browser: whatever is taken for tokens can be sent in
//! a header, nothing that a server says gets into a message, and a callback leads nowhere without its cookie.

use gatekey::oauth::{OAuthConfig, OAuthTokens, TokenGrant};
use gatekey::transport::{HttpResponse, Operation, Step};
use gatekey::{OAuthClient, Secret};
use std::sync::LazyLock;

/// GitHub's quirks are the most lenient ones, but for those of Slack's apps.
static CLIENTS: LazyLock<[OAuthClient; 3]> = LazyLock::new(|| {
    let plain = OAuthConfig::new("c").endpoint("token_endpoint", "https://a.example/t");
    let plain =
        plain.and_then(|config| config.endpoint("introspection_endpoint", "https://a.example/i"));
    let preset = |name| {
        OAuthConfig::new("c")
            .preset(name)
            .map(|config| config.client_secret(Secret::new(vec![b's'; 32])))
    };
    [plain, preset("github"), preset("slack_apps")]
        .map(|config| OAuthClient::new(config.expect("a configuration")).expect("a client"))
});

/// A digit that says what it is, a digit of the status, and the answer; or a callback.
pub fn run(data: &[u8]) -> bool {
    let Some((&[what, status], body)) = data.split_first_chunk::<2>() else { return false };
    let [plain, github, slack] = &*CLIENTS;
    let status = match status {
        b'4' => 400,
        b'5' => 503,
        _ => 200,
    };
    match what {
        b'0' => tokens(plain, status, body),
        b'1' => tokens(github, status, body),
        b'2' => tokens(slack, status, body),
        b'3' => {
            let told = answered(plain.introspect(&Secret::new(b"t".to_vec())), status, body);
            told.is_ok_and(|told| told.active)
        }
        b'4' => {
            let text = String::from_utf8_lossy(body);
            assert!(github.finish(&text, "").is_err(), "a callback without a cookie");
            github.end_login(&text).is_some()
        }
        _ => OAuthTokens::from_secret_json(body).is_ok_and(|tokens| {
            let text = tokens.to_secret_json();
            let again = OAuthTokens::from_secret_json(text.expose()).expect("what was written");
            assert_eq!(again.to_secret_json().expose(), text.expose());
            true
        }),
    }
}

fn tokens(client: &OAuthClient, status: u16, body: &[u8]) -> bool {
    let operation = client.client_credentials(&TokenGrant::new()).expect("a grant");
    match answered(operation, status, body) {
        Ok(tokens) => {
            // A refresh token is sent in a form, and may have spaces (RFC 6749 appendix A.17).
            let refresh = tokens.refresh_token.iter().map(|token| (token, b' '));
            for (token, first) in refresh.chain([(&tokens.access_token, b'!')]) {
                let is_plain = token.expose().iter().all(|byte| (first..=b'~').contains(byte));
                assert!(is_plain && !token.expose().is_empty() && status == 200);
            }
            true
        }
        Err(error) => {
            let said = error.peer_message().unwrap_or_default();
            assert!(
                said.len() <= 200
                    && said.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'<')
            );
            assert!(error.peer_code().unwrap_or_default().len() <= 64);
            false
        }
    }
}

/// What an operation makes of this answer.
fn answered<T>(mut operation: Operation<T>, status: u16, body: &[u8]) -> gatekey::Result<T> {
    let form = body.first() != Some(&b'{');
    let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    loop {
        match operation.next()? {
            Step::Done(done) => return Ok(done),
            Step::Request(_) => operation.feed(HttpResponse {
                status,
                headers: vec![("content-type".to_owned(), kind.to_owned())],
                body: Secret::new(body.to_vec()),
            }),
            _ => {}
        }
    }
}
