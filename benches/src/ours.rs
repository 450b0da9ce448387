//! gatekey through its Rust API, as a service would use it.

use crate::fixtures::{AUDIENCE, Claims, Fixtures, ISSUER};
use crate::serve::{self, Case};
use gatekey::{Alg, Key, Policy, Signer, Verifier};

pub(crate) fn cases(fixtures: &Fixtures, cases: &mut Vec<Case>) {
    let alg = Alg::from_name(fixtures.alg).expect("an algorithm of gatekey");
    let key = |data: &[u8]| match fixtures.alg {
        "HS256" => Key::from_secret(data, alg),
        _ => Key::from_pem(data, Some(alg)),
    };
    let (private, public) =
        (key(&fixtures.private).expect("a key"), key(&fixtures.public).expect("a key"));
    let policy = Policy::new().expect_issuer(ISSUER).expect_audience(AUDIENCE);
    let verifier = Verifier::with_key(&public, policy).expect("a verifier");
    serve::verify("gatekey (Rust)", fixtures, cases, move |token| verifier.verify(token).is_ok());

    let signer =
        Signer::builder(&private).no_ttl().kid(false).token_ids(false).build().expect("a signer");
    let claims = serde_json::to_vec(&Claims::sample(0)).expect("claims are JSON");
    let claims = gatekey::Claims::from_json(&claims).expect("claims");
    serve::sign("gatekey (Rust)", fixtures, cases, move || signer.sign(&claims).expect("a token"));
}
