//! OAuth on the command line: against the certified authorization server, and what a wrong line gets.

use super::provider::{API, Provider, browse, servers};
use super::{Desk, REFUSED, Ran, STORE, USAGE, member};

const SECRET: &str = "a-secret-of-the-tests-0123456789abcdef";

struct Line<'a> {
    desk: &'a Desk,
    issuer: &'a str,
}

impl Line<'_> {
    /// Runs `gatekey oauth` with these words, as this client.
    fn run(&self, words: &str, client: &str, more: &[&str], input: &str) -> Ran {
        let mut line: Vec<&str> = vec!["oauth"];
        line.extend(words.split(' '));
        line.extend(["--issuer", self.issuer, "--client-id", client, "--allow-loopback-http"]);
        line.extend(more);
        self.desk.run_with(&line, input.as_bytes())
    }
}

#[test]
fn tokens_are_got_asked_about_and_ended() {
    let Some(provider) = Provider::or_skip("cli oauth::tokens_are_got_asked_about_and_ended", &[])
    else {
        return;
    };
    let desk = Desk::new("oauth");
    desk.write("secret", SECRET);
    let line = Line { desk: &desk, issuer: &provider.issuer };
    let secret = ["--client-secret-file", "secret"];
    let jwt = ["--scope", "api:read", "--resource", API, "--client-secret-file", "secret"];
    let token = line.run("token", "m2m", &jwt, "").done();
    assert_eq!(token.trim().matches('.').count(), 2, "one token on one line: {token}");
    let json = line.run("token --json", "m2m", &jwt, "").done();
    assert_eq!(
        (member(&json, "scopes"), member(&json, "resources")),
        (r#"["api:read"]"#.to_owned(), format!(r#"["{API}"]"#))
    );

    let opaque = line.run("token", "m2m", &secret, "").done();
    let told = line.run("introspect --json", "rs", &secret, &opaque).done();
    assert_eq!(
        (member(&told, "active"), member(&told, "client_id")),
        ("true".to_owned(), "m2m".to_owned())
    );
    line.run("revoke --access-token", "m2m", &secret, &opaque).done();
    let gone = line.run("introspect", "rs", &secret, &opaque);
    assert_eq!(gone.code, REFUSED);
    assert!(gone.err.contains("not active"), "{gone:?}");

    // Kept, and the same again while it is good.
    let kept = ["--client-secret-file", "secret", "--folder", "tokens", "--name", "api"];
    let first = line.run("token", "m2m", &kept, "").done();
    assert_eq!(line.run("token", "m2m", &kept, "").done(), first);
    assert!(desk.names().contains(&"tokens".to_owned()));

    desk.write("wrong", "not the secret at all");
    let refused = line.run("token", "m2m", &["--client-secret-file", "wrong"], "");
    let said = refused.failed(USAGE);
    assert!(
        said.contains("does not accept this client") && !said.contains("not the secret"),
        "{said}"
    );
}

/// A browser that the program opens, after another program has called the door that it comes back to.
const STRAY: &str = r#"
import subprocess, sys, urllib.parse, urllib.request
uri = urllib.parse.parse_qs(urllib.parse.urlsplit(sys.argv[2]).query)["redirect_uri"][0]
for query in ("code=stray&state=stray", "error=access_denied&state=stray", "x", "code=c&state=a&state=b"):
    with urllib.request.urlopen(f"{uri}?{query}") as answer:
        assert b"did not work" in answer.read(), query
sys.exit(subprocess.call([sys.executable, sys.argv[1], "visit", sys.argv[2]]))
"#;

/// A browser that the program opens, and its own door that the browser comes back to.
#[test]
fn a_log_in_with_a_browser() {
    let Some(provider) = Provider::or_skip("cli oauth::a_log_in_with_a_browser", &[]) else {
        return;
    };
    let desk = Desk::new("oauth-login");
    let browser = servers("browser.py");
    desk.write("stray.py", STRAY);
    let path = std::env::var("PATH").unwrap();
    let output = desk
        .program()
        .env("PATH", path)
        .args(["oauth", "login", "--issuer", &provider.issuer, "--client-id", "native", "--json"])
        .args(["--scope", "openid", "--allow-loopback-http", "--timeout", "60"])
        .args(["--browser", &format!("python3 stray.py {}", browser.display())])
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{err}");
    assert_eq!(
        (member(&out, "subject"), member(&out, "claims.sub")),
        ("alice".to_owned(), "alice".to_owned())
    );
    let token = member(&out, "access_token");
    assert!(token.len() > 20 && err.is_empty(), "{err}");
}

#[test]
fn nobody_comes_back() {
    let Some(provider) = Provider::or_skip("cli oauth::nobody_comes_back", &[]) else { return };
    let desk = Desk::new("oauth-nobody");
    let line = Line { desk: &desk, issuer: &provider.issuer };
    let ran = line.run("login --no-browser --timeout 1", "native", &["--scope", "openid"], "");
    let said = ran.failed(REFUSED);
    assert!(said.contains("Open this address") && said.contains("did not come back"), "{said}");
}

#[test]
fn a_device() {
    let Some(provider) = Provider::or_skip("cli oauth::a_device", &[]) else { return };
    let desk = Desk::new("oauth-device");
    let mut child = desk
        .program()
        .args(["oauth", "device", "--issuer", &provider.issuer, "--client-id", "device"])
        .args(["--scope", "openid", "--allow-loopback-http"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap());
    let uri = loop {
        said.clear();
        assert!(
            std::io::BufRead::read_line(&mut lines, &mut said).unwrap() > 0,
            "no address was shown"
        );
        if let Some(uri) = said.trim().strip_prefix("or open ") {
            break uri.to_owned();
        }
    };
    browse(&["device", &uri]);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.len() > 20);
}

#[test]
fn wrong_lines() {
    let desk = Desk::new("oauth-wrong");
    for (line, code) in [
        ("oauth token --client-id c", USAGE),
        ("oauth token --issuer https://h", USAGE),
        ("oauth token --issuer http://h --client-id c", USAGE),
        ("oauth token --preset myspace --client-id c", USAGE),
        ("oauth token --preset keycloak --client-id c", USAGE),
        ("oauth token --preset keycloak --client-id c --set realm", USAGE),
        ("oauth token --issuer https://h --client-id c --folder x", USAGE),
        ("oauth token --issuer http://127.0.0.1:1 --client-id c --allow-loopback-http", STORE),
        ("oauth token --issuer https://h --client-id c --proxy socks5://h:1", USAGE),
        ("oauth token --issuer https://h --client-id c --proxy http://127.0.0.1:1", STORE),
    ] {
        let ran = desk.run(line);
        assert_eq!((ran.code, &*ran.out), (code, ""), "{line}: {ran:?}");
    }
    desk.write("config.json", r#"{"client_id":"c","isuer":"https://h"}"#);
    let said = desk.run("oauth token --config config.json").failed(USAGE);
    assert!(said.contains("no option of this name") && said.contains("`isuer`"), "{said}");
}
