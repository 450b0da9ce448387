//! AES-256-GCM (NIST SP 800-38D) with a random nonce in front: what lies in a store and must be
//! read again.

use super::library_failed;
use crate::base::random::SecureRandom;
use crate::error::Result;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// nonce || ciphertext || tag. `context` is what it belongs to, and is not in it.
pub(crate) fn seal(
    key: &[u8; 32],
    context: &[u8],
    text: &[u8],
    random: &dyn SecureRandom,
) -> Result<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce)?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| library_failed())?);
    // What grows would leave copies of the text behind.
    let mut sealed = Vec::with_capacity(NONCE_LEN + text.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(&nonce);
    let mut body = Zeroizing::new(Vec::with_capacity(text.len() + AES_256_GCM.tag_len()));
    body.extend_from_slice(text);
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(context),
        &mut *body,
    )
    .map_err(|_| library_failed())?;
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

/// The text; `None` if it was not sealed under this key for this context, or was altered.
pub(crate) fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let mut text = Zeroizing::new(body.to_vec());
    let len = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut text)
        .ok()?
        .len();
    text.truncate(len);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;

    #[test]
    fn opens_what_was_sealed_and_nothing_else() {
        let key = [7; 32];
        for text in [&b""[..], b"x", &[0xa5; 1000]] {
            let sealed = seal(&key, b"here", text, &SystemRandom).unwrap();
            assert_ne!(
                sealed,
                seal(&key, b"here", text, &SystemRandom).unwrap(),
                "one nonce twice"
            );
            assert_eq!(**open(&key, b"here", &sealed).unwrap(), *text);
            assert!(open(&key, b"there", &sealed).is_none());
            assert!(open(&[8; 32], b"here", &sealed).is_none());
            for at in 0..sealed.len() {
                let mut altered = sealed.clone();
                altered[at] ^= 1;
                assert!(open(&key, b"here", &altered).is_none(), "byte {at}");
                assert!(open(&key, b"here", &sealed[..at]).is_none(), "cut to {at}");
            }
        }
    }

    /// NIST GCM test vectors, "The Galois/Counter Mode of Operation" (McGrew, Viega), test case 14.
    #[test]
    fn published_values() {
        let mut sealed = vec![0; 12];
        sealed.extend([
            0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3,
            0x9d, 0x18, 0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5,
            0xd4, 0x8a, 0xb9, 0x19,
        ]);
        assert_eq!(**open(&[0; 32], b"", &sealed).unwrap(), [0; 16]);
    }
}
