//! Operations driven by hand: what they want, in which order, and what a wrong order gets.

use gatekey::oauth::{LoginOptions, OAuthConfig, TokenGrant};
use gatekey::transport::{HttpResponse, Purpose, Step};
use gatekey::{ErrorKind, OAuthClient, Secret};

fn client() -> OAuthClient {
    OAuthClient::new(
        OAuthConfig::new("c")
            .issuer("https://auth.example")
            .client_secret(Secret::from("s".to_owned()))
            .redirect_uri("https://app.example/cb"),
    )
    .unwrap()
}

fn response(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Secret::from(body.to_owned()) }
}

const METADATA: &str = r#"{"issuer":"https://auth.example","authorization_endpoint":"https://auth.example/a?x=1",
    "token_endpoint":"https://auth.example/t","device_authorization_endpoint":"https://auth.example/d"}"#;

#[test]
fn step_by_step() {
    let mut operation =
        client().client_credentials(&TokenGrant::new().scopes(&["a", "b"])).unwrap();
    let Step::Request(request) = operation.next().unwrap() else { panic!("metadata first") };
    assert_eq!((request.method, request.purpose), ("GET", Purpose::Metadata));
    assert_eq!(request.url, "https://auth.example/.well-known/openid-configuration");
    assert_eq!((request.deadline_ms, request.max_body), (10_000, 512 * 1024));
    assert_eq!(
        operation.next().unwrap_err().kind(),
        ErrorKind::InvalidArgument,
        "not answered yet"
    );
    operation.feed(response(200, METADATA));
    let Step::Request(request) = operation.next().unwrap() else { panic!("then the token") };
    assert_eq!(
        (request.method, request.purpose, request.max_body),
        ("POST", Purpose::Token, 1 << 20)
    );
    assert_eq!(
        request.body.as_ref().unwrap().expose_str(),
        "grant_type=client_credentials&scope=a%20b"
    );
    assert_eq!(format!("{request:?}"), "HttpRequest(POST https://auth.example/t for token)");
    operation.feed(response(200, r#"{"access_token":"x","token_type":"Bearer"}"#));
    // Only the first answer counts.
    operation.feed(response(500, ""));
    let Step::Done(tokens) = operation.next().unwrap() else { panic!("done") };
    assert_eq!(tokens.scopes, ["a", "b"]);
    assert_eq!(operation.next().unwrap_err().kind(), ErrorKind::InvalidArgument, "over");
    assert_eq!(format!("{operation:?}"), "Operation(over)");
}

/// A body that is longer than what was allowed is refused, whoever carries it.
#[test]
fn a_transport_that_reads_too_much() {
    let mut operation = client().client_credentials(&TokenGrant::new()).unwrap();
    let Step::Request(_) = operation.next().unwrap() else { panic!("a request") };
    operation.feed(response(200, &" ".repeat(512 * 1024 + 1)));
    let Step::Request(_) = operation.next().unwrap() else { panic!("the other place") };
    operation.feed(response(404, ""));
    assert_eq!(operation.next().unwrap_err().kind(), ErrorKind::ResponseTooLarge);
}

#[test]
fn a_transport_that_fails() {
    let mut operation = client().begin(&LoginOptions::new(), "").unwrap();
    let Step::Request(_) = operation.next().unwrap() else { panic!("a request") };
    operation.fail(ErrorKind::TlsFailed.into());
    assert_eq!(operation.next().unwrap_err().kind(), ErrorKind::TlsFailed);
}

/// Row 340: five seconds if the server does not say, five more when it wants that, twice as long after failures.
#[test]
fn a_device_waits_as_it_is_told() {
    let client = client();
    let mut operation = client.device_codes(&TokenGrant::new()).unwrap();
    let Step::Request(_) = operation.next().unwrap() else { panic!("metadata") };
    operation.feed(response(200, METADATA));
    let Step::Request(request) = operation.next().unwrap() else { panic!("codes") };
    assert_eq!(request.purpose, Purpose::DeviceAuthorization);
    operation.feed(response(200, r#"{"device_code":"d","user_code":"U","verification_uri":"https://v.example","expires_in":900}"#));
    let Step::Done(codes) = operation.next().unwrap() else { panic!("done") };
    assert_eq!(codes.interval, 5);

    let mut operation = client.poll(&codes);
    let mut pause = |wanted: u64| {
        let Step::Wait(pause) = operation.next().unwrap() else { panic!("a pause") };
        assert_eq!(pause, wanted);
        let Step::Request(request) = operation.next().unwrap() else { panic!("a question") };
        assert!(request.body.unwrap().expose_str().contains("device_code=d"));
        operation.feed(match pause {
            5000 => response(400, r#"{"error":"slow_down"}"#),
            10_000 => response(503, ""),
            20_000 => response(400, r#"{"error":"authorization_pending"}"#),
            _ => response(400, r#"{"error":"access_denied"}"#),
        });
    };
    pause(5000);
    pause(10_000);
    pause(20_000);
    let Step::Wait(20_000) = operation.next().unwrap() else { panic!("as before") };
    let Step::Request(_) = operation.next().unwrap() else { panic!("a question") };
    operation.feed(response(400, r#"{"error":"access_denied"}"#));
    assert_eq!(operation.next().unwrap_err().kind(), ErrorKind::OauthAccessDenied);
}

/// Row 340: what a device shows is an address, and nothing else.
#[test]
fn device_addresses() {
    for (uri, kind) in [
        ("javascript:alert(1)", ErrorKind::RequestBlocked),
        ("http://v.example", ErrorKind::RequestBlocked),
        ("https://user@v.example", ErrorKind::RequestBlocked),
    ] {
        let mut operation = client().device_codes(&TokenGrant::new()).unwrap();
        let Step::Request(_) = operation.next().unwrap() else { panic!("metadata") };
        operation.feed(response(200, METADATA));
        let Step::Request(_) = operation.next().unwrap() else { panic!("codes") };
        let body = format!(
            r#"{{"device_code":"d","user_code":"U","verification_uri":"{uri}","expires_in":9}}"#
        );
        operation.feed(response(200, &body));
        assert_eq!(operation.next().unwrap_err().kind(), kind, "{uri}");
    }
}

#[test]
fn a_query_that_is_there_already() {
    let mut operation = client().begin(&LoginOptions::new(), "").unwrap();
    let Step::Request(_) = operation.next().unwrap() else { panic!("metadata") };
    operation.feed(response(200, METADATA));
    let Step::Done(begun) = operation.next().unwrap() else { panic!("done") };
    assert!(
        begun.url.starts_with("https://auth.example/a?x=1&response_type=code&"),
        "{}",
        begun.url
    );
}
