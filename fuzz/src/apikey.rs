//! What a caller presents as an API key: accepted if and only if it is, byte for byte, one that was
//! issued; and what a request's headers hold.

use gatekey::apikey::{
    ApiKeyOptions, Check, ImportRow, ImportScheme, KeySpec, api_key_from_headers,
    api_key_from_query,
};
use gatekey::store::MemoryStore;
use gatekey::{ApiKeys, ErrorKind, Peppers, Secret};
use std::sync::{Arc, LazyLock};

/// The keys there are: of our own format, and of two others.
pub const KEYS: [&str; 4] = [
    "gk_live_000000000001_0123456789ABCDEFGHIJKLMNOPQRST4YUCFf",
    "acme_x_live_000000000002_abcdefghijklmnopqrstuvwxyz01232gO9XE",
    "abcd1234.SecretPartOfTheLegacyKey42",
    "sk-legacy_0123-4567:89~ab",
];

static STORE: LazyLock<ApiKeys> = LazyLock::new(|| {
    let peppers = Peppers::new(&[(1, Secret::new(vec![7; 32]))]).expect("a pepper");
    let keys = ApiKeys::open(Arc::new(MemoryStore::new()), peppers, ApiKeyOptions::new());
    let keys = keys.expect("an empty store");
    let rows = KEYS.map(|key| ImportRow {
        spec: KeySpec::new(key),
        credential: Secret::new(key.as_bytes().to_vec()),
        lookup: None,
    });
    let report = keys.import(ImportScheme::Plaintext, &rows).expect("an import");
    assert_eq!(report.imported, 4, "{:?}", report.rejected);
    keys
});

/// Presents the data; if it holds a line break, also what is before with its checksum mended, and what
/// is behind as a header.
pub fn run(data: &[u8]) -> bool {
    let as_it_is = present(data);
    let Some(at) = data.iter().position(|&byte| byte == b'\n') else { return as_it_is };
    let (body, rest) = (&data[..at], &data[at + 1..]);
    headers(rest);
    let mended = [body, &checksum(body)].concat();
    present(&mended) || present(body) || as_it_is
}

fn present(data: &[u8]) -> bool {
    let known = KEYS.iter().find(|key| key.as_bytes() == data);
    match STORE.verify(data, &Check::new()) {
        Ok(grant) => {
            assert_eq!(Some(&grant.owner()), known, "another key was accepted");
            true
        }
        Err(error) => {
            assert!(known.is_none(), "{error:?}");
            if data.is_empty() {
                assert_eq!(error.kind(), ErrorKind::MissingCredentials);
                return false;
            }
            let kinds =
                [ErrorKind::MalformedApiKey, ErrorKind::UnknownApiKey, ErrorKind::BadApiKeySecret];
            assert!(kinds.contains(&error.kind()), "{error:?}");
            assert_eq!(error.public_message(), "The API key is not valid.");
            // What its form says is no secret; which keys there are is.
            let by_form = ["{", "`", "'", "\"", " ", "JWT", "another `prefix`", "PEM", "empty"];
            let says_form = by_form.iter().any(|word| error.message().contains(word));
            let is_known = error.kind() == ErrorKind::BadApiKeySecret;
            assert!(
                error.message() == error.kind().summary() || (says_form && !is_known),
                "{error:?}"
            );
            false
        }
    }
}

/// The checksum of a text, as the format has it: CRC-32 in six digits of base 62.
pub(crate) fn checksum(body: &[u8]) -> [u8; 6] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut crc = !0_u32;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    let mut left = !crc;
    let mut digits = [0; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(left % 62) as usize];
        left /= 62;
    }
    digits
}

/// A key that is found among headers is a part of one, and there is one only.
fn headers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pairs: Vec<(&str, &str)> =
        text.lines().map(|line| line.split_once(':').unwrap_or((line, ""))).collect();
    if let Ok(Some(key)) = api_key_from_headers(pairs.iter().copied()) {
        assert!(
            !key.is_empty() && key.trim_start_matches(' ').trim_end_matches([' ', '\t']) == key
        );
        // A tab behind the scheme stays, so that no store accepts what follows it.
        assert!(!key.starts_with('\t') || STORE.verify(key.as_bytes(), &Check::new()).is_err());
        assert!(pairs.iter().any(|(_, value)| value.contains(key)));
        let again = pairs.iter().copied().chain([("X-API-Key", "another")]);
        assert!(api_key_from_headers(again).is_err(), "two keys in one request");
    }
    if let Ok(Some(key)) = api_key_from_query(text, "key") {
        assert!(text.contains(key) && !key.is_empty());
    }
}
