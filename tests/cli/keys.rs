//! Keys as people have them, on the command line: what the library reads, it reads, and names what it does not.

use super::{Desk, INPUT, USAGE, member};

#[test]
fn text_around_a_key_and_lost_line_breaks_are_read() {
    let desk = Desk::new("texts");
    desk.run("jwk generate --alg ES256 --out key.jwk").done();
    let expected = member(&desk.run("jwk thumbprint key.jwk --json").done(), "thumbprint");
    let pem = desk.run("jwk convert key.jwk --to pem").done();
    let line = pem.replace('\n', r"\n");
    for (what, text) in [
        ("bag attributes", format!("Bag Attributes\n    localKeyID: 01\n{pem}")),
        ("a text dump", format!("Private-Key: (256 bit)\npriv:\n    00:01\n{pem}\nthe end\n")),
        ("\\n", line.clone()),
        ("quotes", format!("\"{line}\"\n")),
        ("BOM", format!("\u{feff}{pem}")),
        ("no line breaks", pem.replace('\n', "")),
        ("a service account", format!(r#"{{"type":"service_account","private_key":"{line}"}}"#)),
    ] {
        desk.write("key.txt", &text);
        let ran = desk.run("jwk thumbprint key.txt --json");
        assert_eq!(member(&ran.done(), "thumbprint"), expected, "{what}");
        let ran = desk.run_with(&["jwk", "thumbprint", "-", "--json"], text.as_bytes());
        assert_eq!(member(&ran.done(), "thumbprint"), expected, "{what}, from standard input");
        desk.run("token sign --key key.txt --subject alice").done();
        desk.run("jwks key.txt").done();
    }
}

#[test]
fn what_is_no_key_is_named() {
    let desk = Desk::new("named");
    for (text, words) in [
        (&b"\xFE\xED\xFE\xED\0\0\0\x02"[..], "keytool"),
        (b"\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x02\x30\x00", "PKCS#7"),
        (b"\xFF\xFE-\0-\0-\0-\0-\0", "UTF-16"),
        (b"/etc/ssl/key.pem\n", "path of a file"),
        (b"https://example.com/key.pem", "URL"),
        (b"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", "from_pem|PEM block|base64"),
        (b"\xEF\xBB\xBF{\"kty\":\"EC\"}", "byte order mark"),
        (b"<html>", "HTML"),
        (b"", "Nothing was given"),
    ] {
        std::fs::write(desk.0.join("key"), text).unwrap();
        for line in ["jwk thumbprint key --alg ES256", "token sign --key key --alg ES256"] {
            let told = desk.run(line).failed(INPUT);
            assert!(words.split('|').any(|word| told.contains(word)), "{told}, without {words}");
            assert!(told.contains("key"), "{told}");
        }
    }
}

#[test]
fn passphrases_come_from_a_file_or_the_environment_and_never_from_an_argument() {
    let desk = Desk::new("passphrases");
    let vectors = include_str!("../vectors/encrypted_keys.txt");
    for name in ["pkcs8.scrypt", "ssh.ecdsa256.encrypted"] {
        let (_, text) = vectors.split_once(&format!("\n== {name}\n")).unwrap();
        desk.write("key.pem", text.split("\n== ").next().unwrap());
        desk.write("right", "correct horse\n");
        desk.write("wrong", "wrong horse");
        for line in ["jwk thumbprint key.pem", "token sign --key key.pem", "jwks key.pem"] {
            let told = desk.run(line).failed(INPUT);
            assert!(
                told.contains("--passphrase-file") && told.contains("--passphrase-env"),
                "{told}"
            );
            let right = desk.run(&format!("{line} --passphrase-file right")).done();
            let told = desk.run(&format!("{line} --passphrase-file wrong")).failed(INPUT);
            assert!(told.contains("passphrase") && told.contains("key.pem"), "{told}");
            assert!(!told.contains("horse"), "{told}");
            let run = |variable: &str| {
                let mut program = desk.program();
                program.args(line.split(' ')).args(["--passphrase-env", "OURS"]);
                let output = program.env(variable, "correct horse").output().unwrap();
                (output.status.success(), String::from_utf8(output.stdout).unwrap())
            };
            if !line.starts_with("token") {
                assert_eq!(run("OURS"), (true, right.clone()));
            }
            assert!(run("OURS").0 && !run("THEIRS").0);
        }
        desk.run("jwk thumbprint key.pem --passphrase horse").failed(USAGE);
        desk.run("jwk thumbprint key.pem --passphrase-file missing").failed(INPUT);
    }
    // What is not encrypted asks for nothing.
    desk.run("jwk generate --alg ES256 --out plain.jwk").done();
    desk.run("jwk thumbprint plain.jwk --passphrase-file missing").done();
}

#[test]
fn whatever_can_be_read_is_refused_as_a_secret() {
    let desk = Desk::new("disguised");
    for entry in include_str!("../vectors/encrypted_keys.txt").split("\n== ").skip(1).step_by(5) {
        let (name, text) = entry.split_once('\n').unwrap();
        desk.write("secret", text);
        let told = desk.run("token sign --secret-file secret --alg HS256").failed(INPUT);
        assert!(told.contains("load it as that"), "{name}: {told}");
    }
}
