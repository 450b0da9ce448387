//! PEM as people have it: after editors, environment variables, JSON and YAML, with other text and
//! with certificates.

use super::*;

/// The base64 of a fixture.
fn base64(name: &str) -> String {
    fixture(name).lines().filter(|line| !line.starts_with('-')).collect()
}

/// Every way that a text of PEM comes in, by what happened to it.
pub(super) fn written(text: &str) -> Vec<(&'static str, String)> {
    let (begin, rest) = text.split_once('\n').unwrap();
    let (body, end) = rest.trim_end().rsplit_once('\n').unwrap();
    let base64: String = body.lines().collect();
    let lines = |widths: &[usize]| {
        let (mut out, mut rest) = (String::new(), base64.as_str());
        for width in widths.iter().cycle() {
            let (line, after) = rest.split_at((*width).min(rest.len()));
            out.push_str(line);
            out.push('\n');
            rest = after;
            if rest.is_empty() {
                return out;
            }
        }
        unreachable!()
    };
    vec![
        ("as it is", text.to_owned()),
        ("byte order mark", format!("\u{feff}{text}")),
        ("CRLF", text.replace('\n', "\r\n")),
        ("CR", text.replace('\n', "\r")),
        ("spaces at the ends of lines", text.replace('\n', "  \t\n")),
        ("empty lines", text.replace('\n', "\n\n")),
        ("empty line after the header", format!("{begin}\n\n{body}\n{end}")),
        ("indented", format!("    {}", text.replace('\n', "\n    "))),
        ("lines of unequal length", format!("{begin}\n{}{end}", lines(&[10, 64, 7]))),
        ("lines of 76", format!("{begin}\n{}{end}\n", lines(&[76]))),
        ("one long line", format!("{begin}\n{base64}\n{end}")),
        ("no line breaks", format!("{begin}{base64}{end}")),
        ("spaces for line breaks", text.trim_end().replace('\n', " ")),
        ("\\n", text.replace('\n', r"\n")),
        ("\\r\\n", text.replace('\n', r"\r\n")),
        ("\\n twice escaped", text.replace('\n', r"\\n")),
        ("\\n and a line break", text.replace('\n', "\\n\n")),
        ("lines that go on", text.replace('\n', "\\\n")),
        ("quotes", format!("'{text}'")),
        ("\\n in quotes", format!("\"{}\"", text.replace('\n', r"\n"))),
        ("slashes of PHP", text.replace('/', r"\/").replace('\n', r"\n")),
        ("plus signs of .NET", text.replace('+', r"\u002B").replace('\n', r"\u000A")),
        (
            "in JSON",
            format!(
                r#"{{"type":"service_account","private_key":"{}","n":1}}"#,
                text.replace('\n', r"\n")
            ),
        ),
        ("in Python", format!("b'{}'", text.replace('\n', r"\n"))),
        ("in YAML", format!("key: |\n  {}\nother: 1\n", text.trim_end().replace('\n', "\n  "))),
        ("in a shell", format!("export KEY=\"{text}\"\n")),
        (
            "bag attributes",
            format!("Bag Attributes\n    localKeyID: 01\nKey Attributes: <none>\n{text}"),
        ),
        ("text on both sides", format!("RSA Private-Key: (2048 bit)\n{text}\nthe end\n")),
    ]
}

#[test]
fn whatever_happened_to_the_text_it_is_the_same_key() {
    for (name, alg) in [
        ("rsa.pkcs8", Some(Alg::Rs256)),
        ("rsa.pkcs1public", Some(Alg::Ps256)),
        ("rsa.certificate", Some(Alg::Rs256)),
        ("p256.pkcs8", None),
        ("p384.sec1", None),
        ("p521.spki", None),
        ("ed25519.pkcs8", None),
        ("mldsa44.spki", None),
    ] {
        let expected = load(name, alg).unwrap();
        for (what, text) in written(fixture(name)) {
            let key = Key::from_pem(text.as_bytes(), alg);
            let key = key.unwrap_or_else(|error| panic!("{name}, {what}: {error}\n{text}"));
            assert_eq!(key.thumbprint(), expected.thumbprint(), "{name}, {what}");
            assert_eq!(key.is_private(), expected.is_private(), "{name}, {what}");
        }
    }
}

#[test]
fn what_changes_the_base64_is_refused() {
    let (begin, end) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
    let base64 = base64("p256.spki");
    let half = base64.len() / 2;
    let (left, right) = base64.split_at(half);
    for body in [
        String::new(),
        "=".to_owned(),
        base64[1..].to_owned(),
        base64[..base64.len() - 1].to_owned(),
        base64.trim_end_matches('=').to_owned(),
        format!("{base64}="),
        format!("{base64}AAAA"),
        format!("{left}*{right}"),
        format!("{left}-{right}"),
        format!("{left}.{right}"),
        format!("{left}={right}"),
        format!("{left}\u{a0}{right}"),
        format!("{left}\0{right}"),
        format!("{left}\\{right}"),
        format!("{left}\\x41{right}"),
        format!("{left}\\u2028{right}"),
        format!("{left}\\u00zz{right}"),
        format!("{right}{left}"),
        format!("# {left}\n# {right}"),
        format!("Comment: me\n\n{base64}"),
        base64.replace('+', "-").replace('/', "_") + "-",
    ] {
        let text = format!("{begin}\n{body}\n{end}\n");
        refused(Key::from_pem(text.as_bytes(), None), ErrorKind::InvalidKey);
        refused(Key::from_pem(text.replace('\n', r"\n").as_bytes(), None), ErrorKind::InvalidKey);
    }
    for text in [
        format!("{begin}\n{base64}\n"),
        format!("{begin}\n{base64}\n-----END"),
        format!("{begin}\n{base64}\n-----END PUBLIC KEY"),
        format!("{begin}\n{base64}\n-----END PRIVATE KEY-----"),
        format!("{begin}\n{base64}\n-----END public key-----"),
        format!("{begin}\n{begin}\n{base64}\n{end}"),
        format!("{base64}\n{end}"),
        format!("-----BEGIN \n{base64}\n-----END -----"),
        format!("-----BEGIN PUBLIC KEY\n-----\n{base64}\n{end}"),
    ] {
        refused(Key::from_pem(text.as_bytes(), None), ErrorKind::InvalidKey);
    }
}

/// Whatever is done to a text, it never panics, and it loads as the key that it was or not at all:
/// unless the change is in the numbers of a public key, which nothing protects.
#[test]
fn changes_of_a_text_never_make_another_private_key() {
    use crate::base::random::SecureRandom as _;
    let random = |below: usize| {
        let mut bytes = [0; 8];
        crate::crypto::random::SystemRandom.fill(&mut bytes).unwrap();
        usize::try_from(u64::from_le_bytes(bytes) % below as u64).unwrap()
    };
    const BYTES: &[u8] = b"\n\r\t \\nrtu/-=+AZaz09\"'{}:\0\xEF\xBB\xBF\xFF";
    for name in ["p256.pkcs8", "p384.sec1", "ed25519.v2", "p256.with-parameters"] {
        let expected = load(name, None).unwrap().thumbprint();
        for (_, text) in written(fixture(name)) {
            for _ in 0..40 {
                let mut text = text.clone().into_bytes();
                for _ in 0..=random(2) {
                    let at = random(text.len());
                    match random(4) {
                        0 => drop(text.remove(at)),
                        1 => text.insert(at, BYTES[random(BYTES.len())]),
                        2 => text[at] = BYTES[random(BYTES.len())],
                        _ => drop(text.splice(at..at, b"-----END ".iter().copied())),
                    }
                }
                if let Ok(key) = Key::from_pem(&text, None) {
                    let text = String::from_utf8_lossy(&text);
                    assert_eq!(key.thumbprint(), expected, "{name}: {text}");
                }
            }
        }
    }
}

#[test]
fn a_key_may_have_its_own_certificate_and_public_half_beside_it() {
    let (key, certificate) = (fixture("p256.pkcs8"), fixture("p256.certificate"));
    let (public, other) = (fixture("p256.spki"), fixture("p384.certificate"));
    let expected = load("p256.pkcs8", None).unwrap().thumbprint();
    for text in [
        format!("{key}\n{certificate}"),
        format!("{certificate}\n{key}"),
        format!("{certificate}\n{other}\n{key}"),
        format!("{key}\n{certificate}\n{other}"),
        format!("Bag Attributes\n{certificate}\nBag Attributes\n{key}\n"),
        format!("{key}\n{public}"),
        format!("{public}\n{key}\n{certificate}"),
        format!("{}\n{certificate}", fixture("p256.with-parameters")),
        format!("{}\n{certificate}", fixture("p256.sec1")),
        format!("{key}{certificate}"),
        format!("{key}\n{}", certificate.replace("CERTIFICATE", "X509 CERTIFICATE")),
    ] {
        let loaded = Key::from_pem(text.as_bytes(), None).unwrap();
        assert_eq!(loaded.thumbprint(), expected);
        assert!(loaded.is_private());
        let line = text.replace('\n', r"\n");
        assert_eq!(Key::from_pem(line.as_bytes(), None).unwrap().thumbprint(), expected);
    }
    for text in [
        format!("{key}\n{other}"),
        format!("{other}\n{key}"),
        format!("{key}\n{}", fixture("p384.spki")),
        format!("{key}\n{certificate}\n{}", fixture("p384.spki")),
        format!("{key}\n{}", fixture("rsa.certificate")),
        format!("{key}\n{}", pem("CERTIFICATE", b"\x30\0")),
    ] {
        refused(Key::from_pem(text.as_bytes(), None), ErrorKind::KeyPairMismatch);
    }
    let rsa = format!("{}\n{}", fixture("rsa.certificate"), fixture("rsa.pkcs1"));
    assert!(Key::from_pem(rsa.as_bytes(), Some(Alg::Rs256)).unwrap().is_private());
}

#[test]
fn chains_are_short() {
    let chain = |count: usize| format!("{}\n", fixture("p256.certificate")).repeat(count);
    assert!(Key::from_pem(chain(32).as_bytes(), None).is_ok());
    refused(Key::from_pem(chain(33).as_bytes(), None), ErrorKind::InvalidKey);
}
