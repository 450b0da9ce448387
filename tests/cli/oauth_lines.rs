//! What the words of an OAuth line do: a server of the project's own sees what was sent, and answers as it likes.

use super::evil::{Evil, Reply, parameter};
use super::{Desk, USAGE};
use gatekey::{Alg, Claims, Key, KeySet, Signer};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

/// What would retitle the window and clear it.
const EVIL_NAME: &str = "\u{1b}]0;pwned\u{7}\u{1b}[2Jroot";

/// A configuration with every endpoint at this server.
fn config(desk: &Desk, server: &Evil, more: &str) {
    let url = &server.url;
    let text = format!(
        r#"{{"client_id":"cli","issuer":"{url}","discover":false,"allow_loopback_http":true,
        "authorization_endpoint":"{url}/authorize","token_endpoint":"{url}/token","jwks_uri":"{url}/jwks"{more}}}"#
    );
    desk.write("config.json", &text);
}

#[test]
fn what_the_line_says_is_sent() {
    let server = Evil::start(|_| {
        Reply::json(200, r#"{"access_token":"a","token_type":"Bearer","expires_in":60}"#)
    });
    let desk = Desk::new("oauth-lines");
    desk.run("jwk generate --alg ES256 --out key.jwk").done();
    desk.run("jwk generate --alg ES256 --pem --out key.pem").done();
    desk.write("secret", "a-secret-of-the-tests-0123456789abcdef");
    config(&desk, &server, "");
    let token = "oauth token --config config.json --allow-loopback-http";
    let asked = "--resource https://one --resource https://two --param audience=x --param y=a=b";
    let secret = "--auth-method client_secret_post --client-secret-file secret";
    desk.run(&format!("{token} {asked} {secret}")).done();
    desk.run(&format!("{token} --private-key key.jwk")).done();
    desk.run(&format!("{token} --private-key key.pem --auth-method private_key_jwt")).done();
    let seen = server.seen("/token");
    let [posted, jwk, pem] = seen.as_slice() else { panic!("{seen:?}") };
    assert!(
        posted.form("client_secret").is_some() && !posted.headers.contains_key("authorization")
    );
    assert_eq!((posted.form("audience"), posted.form("y")), (Some("x".into()), Some("a=b".into())));
    let resources: Vec<&str> = posted.body.split('&').filter(|p| p.starts_with("res")).collect();
    assert_eq!(resources, ["resource=https%3A%2F%2Fone", "resource=https%3A%2F%2Ftwo"]);
    for signed in [jwk, pem] {
        assert!(signed.form("client_assertion").unwrap().starts_with("ey"), "{signed:?}");
    }
    for wrong in ["--auth-method password", "--auth-method private_key_jwt", "--param audience"] {
        desk.run(&format!("{token} {wrong}")).failed(USAGE);
    }
    assert!(desk.run(&format!("{token} --private-key secret")).err.contains("secret"));
    assert_eq!(server.count("/token"), 3);
}

/// A request to the door that the browser comes back to; what it answers.
fn knock(redirect_uri: &str, query: &str) -> String {
    let (place, path) = redirect_uri.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(place).unwrap();
    write!(stream, "GET /{path}?{query} HTTP/1.1\r\nhost: {place}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A server whose ID tokens name this user, with the nonce that the test has seen.
fn naming(subject: &'static str) -> (Evil, Arc<Mutex<String>>) {
    let key = Key::generate(Alg::Es256).unwrap().with_kid("one").unwrap();
    let keys = KeySet::new([key.public().unwrap()]).unwrap().to_jwks().unwrap();
    let nonce = Arc::new(Mutex::new(String::new()));
    let (own, issuer) = (Arc::clone(&nonce), Arc::new(Mutex::new(String::new())));
    let named = Arc::clone(&issuer);
    let server = Evil::start(move |request| {
        if request.path == "/jwks" {
            return Reply::json(200, &keys);
        }
        let claims = Claims::new().issuer(&named.lock().unwrap()).audience("cli").subject(subject);
        let claims = claims.claim_str("nonce", &own.lock().unwrap());
        let token = Signer::builder(&key).ttl(60).build().unwrap().sign(&claims).unwrap();
        let answer =
            format!(r#"{{"access_token":"a","token_type":"Bearer","id_token":"{token}"}}"#);
        Reply::json(200, answer)
    });
    issuer.lock().unwrap().clone_from(&server.url);
    (server, nonce)
}

/// Begins a log-in at this server, comes back with what `callbacks` makes of the state, and gives what was said.
fn log_in(
    subject: &'static str,
    callbacks: impl Fn(&str) -> Vec<String>,
) -> (bool, String, Vec<String>) {
    let (server, nonce) = naming(subject);
    let desk = Desk::new(&format!("oauth-own-{}", subject.len()));
    config(&desk, &server, r#","scopes":["openid"],"id_token_algorithms":["ES256"]"#);
    let line = "oauth login --config config.json --no-browser --allow-loopback-http --timeout 60";
    let mut program = desk.program();
    program.args(line.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut url = String::new();
    while !url.starts_with("http") {
        url.clear();
        assert!(said.read_line(&mut url).unwrap() > 0, "no address was shown");
    }
    let sent = |name: &str| parameter(url.trim(), name).unwrap();
    *nonce.lock().unwrap() = sent("nonce");
    let answers =
        callbacks(&sent("state")).iter().map(|q| knock(&sent("redirect_uri"), q)).collect();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    (child.wait().unwrap().success(), rest, answers)
}

#[test]
fn a_name_steers_no_terminal() {
    let (done, said, _) = log_in(EVIL_NAME, |state| vec![format!("code=c&state={state}")]);
    assert!(done && said.contains("\\u001b]0;pwned\\u0007"), "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\u{7}'), "{said:?}");
}

#[test]
fn only_its_own_state_ends_a_log_in() {
    let strays = ["x", "code=c", "state=", "code=c&state=a", "error=access_denied&state=a"];
    let (done, said, answers) = log_in("alice", |state| {
        let mut all: Vec<String> = strays.map(str::to_owned).to_vec();
        all.push(format!("code=c&state={state}&state={state}"));
        all.push(format!("code=c&state={state}"));
        all
    });
    assert!(done && said.contains("Signed in as alice"), "{said}");
    let fine: Vec<bool> = answers.iter().map(|a| a.contains("You are signed in")).collect();
    assert_eq!(fine, [false, false, false, false, false, false, true]);
    // Its own state, and nothing to go on with: over, and nobody waits.
    let (done, said, _) = log_in("bob", |state| vec![format!("state={state}")]);
    assert!(!done && said.contains("neither a code nor an error"), "{said}");
    let (done, said, _) =
        log_in("carol", |state| vec![format!("error=access_denied&state={state}")]);
    assert!(!done && !said.is_empty(), "{said}");
}
