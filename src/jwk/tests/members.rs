//! What a JWK must look like: every member, missing, of the wrong type, length or value.

use super::*;
use crate::base::{b64, json};
use crate::jwk::KeyOptions;

/// A JWK with one member set to this JSON text, or removed.
fn with(text: &str, name: &str, value: Option<&str>) -> String {
    let jwk = json::parse(text.as_bytes()).unwrap();
    let mut members: Vec<(String, String)> =
        jwk.members().map(|(n, v)| (n.decode().into_owned(), v.raw().to_owned())).collect();
    members.retain(|(n, _)| n != name);
    members.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    let members: Vec<_> = members.iter().map(|(n, v)| format!("{n:?}:{v}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The octets of a member.
fn octets(text: &str, name: &str) -> Vec<u8> {
    let jwk = json::parse(text.as_bytes()).unwrap();
    b64::decode(jwk.member(name).unwrap().as_str().unwrap().as_bytes()).unwrap()
}

fn with_octets(text: &str, name: &str, octets: &[u8]) -> String {
    with(text, name, Some(&format!("{:?}", b64::encode(octets))))
}

/// A private JWK of each type, with the members that it cannot do without.
fn examples() -> Vec<(String, &'static [&'static str], &'static [&'static str])> {
    let export =
        |alg| Key::generate(alg).unwrap().to_private_jwk().unwrap().expose_str().to_owned();
    vec![
        (export(Alg::Hs256), &["k"], &[]),
        (export(Alg::Rs256), &["n", "e"], &["d", "p", "q", "dp", "dq", "qi"]),
        (export(Alg::Es256), &["crv", "x", "y"], &["d"]),
        (export(Alg::Es512), &["crv", "x", "y"], &["d"]),
        (export(Alg::EdDsa), &["crv", "x"], &["d"]),
        (export(Alg::MlDsa44), &["alg", "pub"], &["priv"]),
    ]
}

#[test]
fn every_member_must_be_there_and_a_string() {
    for (text, public, private) in examples() {
        for name in public.iter().chain(&["kty"]) {
            refused(jwk(&with(&text, name, None)), ErrorKind::InvalidKey);
        }
        for name in public.iter().chain(private).chain(&["kty", "alg", "use", "kid"]) {
            for value in ["null", "1", "true", "[]", "{}", r#"["x"]"#] {
                refused(jwk(&with(&text, name, Some(value))), ErrorKind::InvalidKey);
            }
        }
    }
}

#[test]
fn every_number_must_be_canonical_base64url() {
    for (text, public, private) in examples() {
        for name in public.iter().chain(private).filter(|name| !["crv", "alg"].contains(name)) {
            let value = b64::encode(&octets(&text, name));
            for bad in [
                format!("{value}="),
                format!("{value}{}", "A".repeat((5 - value.len() % 4) % 4)), // 4n + 1 characters
                format!(" {value}"),
                format!("{value}\\n"),
                format!("+{}", &value[1..]),
                format!("/{}", &value[1..]),
                format!("é{}", &value[1..]),
                format!("\\u{:04x}{}", value.as_bytes()[0], &value[1..]), // legal, but a disguise
            ] {
                let text = with(&text, name, Some(&format!("\"{bad}\"")));
                let error = jwk(&text).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidKey, "{name} {bad:.8}");
            }
        }
    }
}

#[test]
fn coordinates_scalars_and_seeds_have_their_own_length() {
    for (text, _, _) in examples() {
        for name in ["x", "y", "pub", "priv", "d"] {
            let member = json::parse(text.as_bytes()).unwrap().member(name).is_some();
            if !member || text.contains("RSA") {
                continue;
            }
            let value = octets(&text, name);
            let longer = [&[0], &value[..]].concat();
            for wrong in [&value[1..], &value[..value.len() - 1], &longer, &[], &[7]] {
                refused(jwk(&with_octets(&text, name, wrong)), ErrorKind::InvalidKey);
            }
        }
    }
}

#[test]
fn points_must_be_on_their_curve() {
    for alg in [Alg::Es256, Alg::Es384, Alg::Es512, Alg::Es256k] {
        let key = Key::generate(alg).unwrap();
        let text = key.to_jwk().unwrap();
        let mut y = octets(&text, "y");
        *y.last_mut().unwrap() ^= 1;
        refused(jwk(&with_octets(&text, "y", &y)), ErrorKind::InvalidKey);
        let zero = vec![0; y.len()];
        let at_zero = with_octets(&with_octets(&text, "x", &zero), "y", &zero);
        refused(jwk(&at_zero), ErrorKind::InvalidKey);
        let full = vec![0xFF; y.len()];
        refused(jwk(&with_octets(&text, "x", &full)), ErrorKind::InvalidKey);
        let private = key.to_private_jwk().unwrap();
        for d in [&zero, &full] {
            refused(jwk(&with_octets(private.expose_str(), "d", d)), ErrorKind::InvalidKey);
        }
    }
    let ed25519 = Key::generate(Alg::EdDsa).unwrap().to_jwk().unwrap();
    // Computed with Python's integers: which of these are ordinates of points.
    let ordinates = [
        3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 19, 21, 23, 24, 25, 26, 27, 28, 29, 30, 32, 33, 35, 37,
        39,
    ];
    for y in 2..40 {
        for sign in [0, 0x80] {
            let mut point = [0; 32];
            (point[0], point[31]) = (y, sign);
            let outcome = jwk(&with_octets(&ed25519, "x", &point));
            assert_eq!(outcome.is_ok(), ordinates.contains(&y), "{y}");
            if let Err(error) = outcome {
                assert_eq!(error.kind(), ErrorKind::InvalidKey);
            }
        }
    }
}

#[test]
fn private_parts_must_belong_to_the_public_ones() {
    for &alg in Alg::ALL.iter().filter(|alg| !alg.is_symmetric()) {
        let name = match alg {
            Alg::MlDsa44 | Alg::MlDsa65 | Alg::MlDsa87 => "priv",
            _ => "d",
        };
        let one = Key::generate(alg).unwrap().to_private_jwk().unwrap();
        let other = Key::generate(alg).unwrap().to_private_jwk().unwrap();
        let mixed = with_octets(one.expose_str(), name, &octets(other.expose_str(), name));
        refused(jwk(&mixed), ErrorKind::KeyPairMismatch);
    }
}

#[test]
fn each_number_of_an_rsa_key_is_checked() {
    let key = load("rsa.pkcs8", Some(Alg::Rs256)).unwrap().to_private_jwk().unwrap();
    let text = key.expose_str();
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        let mut number = octets(text, name);
        *number.last_mut().unwrap() ^= 2;
        refused(jwk(&with_octets(text, name, &number)), ErrorKind::KeyPairMismatch);
        let error = jwk(&with(text, name, None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{name}");
        if name != "d" {
            // Without `d` the others are strays.
            let public = Key::from_jwk(key.expose(), None).unwrap().to_jwk().unwrap();
            let stray = with_octets(&public, name, &octets(text, name));
            refused(jwk(&stray), ErrorKind::InvalidKey);
        }
    }
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let padded = [&[0, 0], &octets(text, name)[..]].concat();
        refused(jwk(&with_octets(text, name, &padded)), ErrorKind::InvalidKey);
        for nothing in [&[][..], &[0], &[0, 0]] {
            refused(jwk(&with_octets(text, name, nothing)), ErrorKind::InvalidKey);
        }
    }
    let padded = [&[0], &octets(text, "e")[..]].concat();
    refused(jwk(&with_octets(text, "e", &padded)), ErrorKind::InvalidKey);
    refused(jwk(&with(text, "oth", Some("[]"))), ErrorKind::UnsupportedKey);
}

#[test]
fn the_primes_of_a_key_by_itself_are_computed() {
    let whole = load("rsa.pkcs8", Some(Alg::Rs256)).unwrap();
    let text = whole.to_private_jwk().unwrap();
    let text = text.expose_str();
    let without = |text: &str| {
        ["p", "q", "dp", "dq", "qi"]
            .iter()
            .fold(text.to_owned(), |text, name| with(&text, name, None))
    };
    let short = without(text);
    let key = jwk(&short).unwrap();
    assert_eq!(key.thumbprint(), whole.thumbprint());
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let written = key.to_private_jwk().unwrap();
        assert_eq!(octets(written.expose_str(), name), octets(text, name), "{name}");
    }
    assert_works_with(&key, &whole.public().unwrap());
    let e3 = load("rsa-e3.pkcs8", Some(Alg::Ps256)).unwrap();
    let small = without(e3.to_private_jwk().unwrap().expose_str());
    assert_works_with(&jwk(&small).unwrap(), &e3);
    for bits in [2048, 3072] {
        let new = Key::generate_rsa(Alg::Ps384, bits).unwrap();
        let short = without(new.to_private_jwk().unwrap().expose_str());
        assert_works_with(&jwk(&short).unwrap(), &new);
    }
    // Numbers that are no key cost no more: a modulus that is a prime (RFC 3526 section 3) or a
    // power of one.
    let prime = modp_2048();
    let mut below = prime.clone();
    *below.last_mut().unwrap() ^= 1;
    let sham = with_octets(&with_octets(&short, "n", &prime), "d", &below[..]);
    refused(jwk(&sham), ErrorKind::KeyPairMismatch);
    // Never for what may come from a server: sets skip such a member and say why.
    let set = crate::jwk::KeySet::from_jwks(format!(r#"{{"keys":[{short}]}}"#).as_bytes()).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (0, 1));
    assert!(set.skipped()[0].reason().message().contains("by itself"));
    // Numbers that are no key.
    let d = octets(text, "d");
    let other = Key::generate_rsa(Alg::Rs256, 2048).unwrap().to_private_jwk().unwrap();
    let mut longer = d.clone();
    longer.insert(0, 1);
    let mut even = d.clone();
    *even.last_mut().unwrap() ^= 1;
    let mut wrong = d;
    wrong[100] ^= 1;
    for bad in [&[1][..], &[3], &even, &wrong, &longer, &octets(other.expose_str(), "d")] {
        refused(jwk(&with_octets(&short, "d", bad)), ErrorKind::KeyPairMismatch);
    }
    let n = octets(other.expose_str(), "n");
    refused(jwk(&with_octets(&short, "n", &n)), ErrorKind::KeyPairMismatch);
    refused(jwk(&with_octets(&short, "e", &[1])), ErrorKind::WeakKey);
    refused(jwk(&with_octets(&short, "n", &[0xFF; 128])), ErrorKind::WeakKey);
    refused(jwk(&with_octets(&short, "n", &[0xFF; 1025])), ErrorKind::UnsupportedKey);
}

#[test]
fn one_zero_octet_before_a_number_of_an_rsa_key_changes_nothing() {
    let key = load("rsa.pkcs8", Some(Alg::Rs256)).unwrap();
    let (private, public) = (key.to_private_jwk().unwrap(), key.to_jwk().unwrap());
    let signed = with_octets(&public, "n", &[&[0], &octets(&public, "n")[..]].concat());
    let again = jwk(&signed).unwrap();
    assert_eq!(again.thumbprint(), key.thumbprint());
    assert_eq!(again.to_jwk().unwrap(), public, "the zero is not written again");
    assert_works_with(&key, &again);
    let set =
        crate::jwk::KeySet::from_jwks(format!(r#"{{"keys":[{signed}]}}"#).as_bytes()).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (1, 0));
    let mut all = private.expose_str().to_owned();
    for name in ["n", "d", "p", "q", "dp", "dq", "qi"] {
        let padded = [&[0], &octets(private.expose_str(), name)[..]].concat();
        let one = with_octets(private.expose_str(), name, &padded);
        assert_eq!(jwk(&one).unwrap().to_private_jwk().unwrap().expose(), private.expose());
        all = with_octets(&all, name, &padded);
    }
    assert_eq!(jwk(&all).unwrap().to_private_jwk().unwrap().expose(), private.expose());
}

#[test]
fn the_names_of_key_vault_mean_the_same() {
    let rsa = Key::generate(Alg::Rs256).unwrap().to_private_jwk().unwrap();
    let ec = Key::generate(Alg::Es256).unwrap().to_private_jwk().unwrap();
    let koblitz = Key::generate(Alg::Es256k).unwrap().to_private_jwk().unwrap();
    for (text, changes) in [
        (&rsa, [("RSA", "RSA-HSM"), ("RSA", "RSA")]),
        (&ec, [("EC", "EC-HSM"), ("EC", "EC")]),
        (&koblitz, [("EC", "EC-HSM"), ("secp256k1", "P-256K")]),
    ] {
        let mut changed = text.expose_str().to_owned();
        for (from, to) in changes {
            changed = changed.replace(&format!("\"{from}\""), &format!("\"{to}\""));
        }
        assert_eq!(jwk(&changed).unwrap().to_private_jwk().unwrap().expose(), text.expose());
    }
    for kty in ["oct-HSM", "OKP-HSM", "AKP-HSM", "-HSM", "RSA-HSM-HSM", "rsa-hsm"] {
        let text = with(ec.expose_str(), "kty", Some(&format!("{kty:?}")));
        refused(jwk(&text), ErrorKind::UnsupportedKey);
    }
}

#[test]
fn key_types_and_curves_that_are_not_implemented() {
    let ec = Key::generate(Alg::Es256).unwrap().to_jwk().unwrap();
    for crv in ["P-224", "p-256", "BP-256", "Ed25519", "secp256r1", "P-256k", ""] {
        refused(jwk(&with(&ec, "crv", Some(&format!("{crv:?}")))), ErrorKind::UnsupportedKey);
    }
    let okp = Key::generate(Alg::EdDsa).unwrap().to_jwk().unwrap();
    for crv in ["Ed448", "X25519", "X448", "ed25519", "P-256"] {
        refused(jwk(&with(&okp, "crv", Some(&format!("{crv:?}")))), ErrorKind::UnsupportedKey);
    }
    for kty in ["oct ", "OCT", "rsa", "", "none", "DSA", "MLWE"] {
        refused(jwk(&with(&ec, "kty", Some(&format!("{kty:?}")))), ErrorKind::UnsupportedKey);
    }
    // The members of one type under the name of another.
    for kty in ["oct", "RSA", "AKP"] {
        refused(jwk(&with(&ec, "kty", Some(&format!("{kty:?}")))), ErrorKind::InvalidKey);
    }
}

#[test]
fn a_curve_belongs_to_one_algorithm() {
    let algs = [Alg::Es256, Alg::Es384, Alg::Es512, Alg::Es256k, Alg::EdDsa, Alg::MlDsa65];
    for alg in algs {
        let own = Key::generate(alg).unwrap();
        let silent = with(&own.to_jwk().unwrap(), "alg", None);
        for &other in Alg::ALL.iter().filter(|other| !alg.same_algorithm(**other)) {
            let claiming = with(&silent, "alg", Some(&format!("{:?}", other.name())));
            let kind = jwk(&claiming).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::InvalidKey, "{alg} key claims {other}");
            let kind = Key::from_jwk(silent.as_bytes(), Some(other)).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::InvalidKey, "{alg} key asked for {other}");
            let text = own.to_jwk().unwrap();
            let kind = Key::from_jwk(text.as_bytes(), Some(other)).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::KeyUsage, "{alg} key with alg asked for {other}");
            let pem = own.to_pem().unwrap();
            let kind = Key::from_pem(pem.as_bytes(), Some(other)).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::InvalidKey, "{alg} PEM asked for {other}");
        }
    }
}

#[test]
fn algorithms_are_required_where_several_fit() {
    let silent =
        |alg| with(Key::generate(alg).unwrap().to_private_jwk().unwrap().expose_str(), "alg", None);
    for alg in [Alg::Hs256, Alg::Rs256, Alg::Ps512] {
        let text = silent(alg);
        refused(jwk(&text), ErrorKind::AlgorithmRequired);
        assert_eq!(Key::from_jwk(text.as_bytes(), Some(alg)).unwrap().alg(), alg);
    }
    refused(jwk(&silent(Alg::MlDsa44)), ErrorKind::InvalidKey);
    refused(
        Key::from_jwk(silent(Alg::MlDsa44).as_bytes(), Some(Alg::MlDsa44)),
        ErrorKind::InvalidKey,
    );
    refused(load("rsa.pkcs8", None), ErrorKind::AlgorithmRequired);
    assert_eq!(jwk(&silent(Alg::Es384)).unwrap().alg(), Alg::Es384);
    assert_eq!(jwk(&silent(Alg::Ed25519)).unwrap().alg(), Alg::EdDsa);
    for name in ["none", "es256", "RSA-OAEP", "A128GCM", "ES256 ", "dir", ""] {
        let text = with(&silent(Alg::Es256), "alg", Some(&format!("{name:?}")));
        refused(jwk(&text), ErrorKind::UnsupportedKey);
    }
}

#[test]
fn both_names_of_ed25519_are_one_algorithm() {
    let text = Key::generate(Alg::EdDsa).unwrap().to_private_jwk().unwrap();
    let key = Key::from_jwk(text.expose(), Some(Alg::Ed25519)).unwrap();
    assert_eq!(key.alg(), Alg::Ed25519);
    assert!(key.to_jwk().unwrap().contains(r#""alg":"Ed25519""#));
    assert_works_with(&key, &jwk(text.expose_str()).unwrap());
}

#[test]
fn the_text_must_be_one_strict_json_object() {
    let text = Key::generate(Alg::Es256).unwrap().to_jwk().unwrap();
    let inside = &text[1..text.len() - 1];
    for bad in [
        format!("{{{inside},\"kty\":\"EC\"}}"),
        format!("{{{inside},\"\\u006bty\":\"EC\"}}"),
        format!("{{{inside},\"ext\":{{\"a\":1,\"a\":2}}}}"),
        format!("{text}x"),
        format!("{text}{text}"),
        format!("\u{feff}{text}"),
        format!("[{text}]"),
        format!("{{\"keys\":[{text}]}}"),
        text.replace('"', "'"),
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        format!("{{{inside},\"ext\":{}1{}}}", "[".repeat(100), "]".repeat(100)),
        format!("{{{inside},\"pad\":\"{}\"}}", "x".repeat(600 * 1024)),
    ] {
        refused(jwk(&bad), ErrorKind::InvalidKey);
    }
    refused(Key::from_jwk(b"\xff\xfe{\0}\0", None), ErrorKind::InvalidKey);
    let roomy = format!(" {{ {inside} , \"x5c\":[\"ignored\"], \"ext\":{{\"any\":[1]}} }}\n");
    assert!(jwk(&roomy).is_ok());
}

#[test]
fn names_have_1_to_256_bytes() {
    let text = Key::generate(Alg::Es256).unwrap().to_jwk().unwrap();
    for kid in [String::new(), "k".repeat(257), "é".repeat(129)] {
        refused(jwk(&with(&text, "kid", Some(&format!("{kid:?}")))), ErrorKind::InvalidKey);
        let key = jwk(&text).unwrap();
        refused(key.with_kid(&kid), ErrorKind::InvalidArgument);
        let options = KeyOptions::new().alg(Alg::Es256).kid(kid);
        refused(options.from_jwk(text.as_bytes()), ErrorKind::InvalidArgument);
        refused(options.generate(), ErrorKind::InvalidArgument);
    }
    for kid in ["k".repeat(256), "../../etc/passwd".into(), "' or 1=1".into()] {
        let named = jwk(&text).unwrap().with_kid(&kid).unwrap();
        let again = jwk(&named.to_jwk().unwrap()).unwrap();
        assert_eq!(again.kid(), kid);
        assert!(again.has_explicit_kid());
        let options = KeyOptions::new().kid(kid.clone());
        assert_eq!(options.from_jwk(text.as_bytes()).unwrap().kid(), kid);
    }
}

/// The prime of RFC 3526 section 3.
fn modp_2048() -> Vec<u8> {
    let digits = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD\
        3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1F\
        E649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D67\
        0C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718399549\
        7CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF";
    let digits: String = digits.split_whitespace().collect();
    crate::base::hex::decode(&digits, 256).unwrap()
}
