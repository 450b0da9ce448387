//! Keys whose private half lies in a KMS or HSM: `gk_key_with_callback`.

use super::alg::gk_alg;
use super::boundary::{Fault, Outcome, create, given, look, release, share};
use super::callback::{User, gk_release_fn};
use super::error::gk_error;
use super::key::gk_key;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::Key;
use crate::jwk::{ExternalSigner, SignRequest};
use libc::c_void;
use std::error::Error;
use std::sync::Arc;

/// What a gk_sign_fn is asked for. All of it is lent for the call.
#[repr(C)]
pub struct gk_sign_request {
    /// The key's algorithm: one of the GK_ALG_ constants. RSA with PSS (PS256, PS384, PS512) has a
    /// salt as long as the digest.
    pub alg: gk_alg,
    /// What is to be signed: for interfaces that compute the digest themselves, and for Ed25519 and
    /// ML-DSA.
    pub message: *const u8,
    /// Its length in bytes.
    pub message_len: usize,
    /// The algorithm's SHA-2 digest of the message, for interfaces that want that.
    pub digest: *const u8,
    /// Its length in bytes; 0 for Ed25519 and ML-DSA, which have none.
    pub digest_len: usize,
}

/// Signs with a key of a KMS or HSM; see gk_key_with_callback. Called from any thread that signs,
/// from several at once, and with no lock held; must not throw or jump out. In the child of a fork
/// it is called like in its parent: sessions and connections of before are its own to renew.
///
/// @param user The pointer that the callback was registered with.
/// @param request What is to be signed.
/// @param signature Where to write the signature: ECDSA's as r and s side by side (RFC 7518 section
/// 3.4, PKCS#11) or as DER (what AWS, Google and OpenSSL give); others as they are.
/// @param capacity How many bytes there is room for: 8192.
/// @return The signature's length in bytes; 0 if there is none, and the call that signs fails with
/// GK_STATUS_KEY_UNAVAILABLE.
pub type gk_sign_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        request: *const gk_sign_request,
        signature: *mut u8,
        capacity: usize,
    ) -> usize,
>;

/// How a key is signed with that lies in a KMS or HSM.
pub struct gk_key_callback(Sticky<Callback>);

#[derive(Clone)]
struct Callback {
    /// None if the function was NULL.
    signer: Option<Arc<dyn ExternalSigner>>,
    deadline_ms: Option<u64>,
}

/// A callback that signs, without a deadline.
///
/// @param sign The callback. It must not sign by a callback itself.
/// @param user Handed to `sign`; may be NULL.
/// @param release Releases `user` when neither the callback nor any key of it is left; may be NULL.
/// @return The callback, to be freed with gk_key_callback_free; gk_key_with_callback refuses one
/// without `sign`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_callback_new(
    sign: gk_sign_fn,
    user: *mut c_void,
    release: gk_release_fn,
) -> Option<Box<gk_key_callback>> {
    let signer = signer(sign, user, release).ok(); // released in any case
    share(|| Some(gk_key_callback(Sticky::new(Callback { signer, deadline_ms: None }))))
}

/// Frees a callback; keys that were made with it are not affected.
///
/// @param callback The callback, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_callback_free(callback: Option<Box<gk_key_callback>>) {
    release(callback);
}

/// Sets how long a signature may take: then the callback has a thread of its own at each call, and
/// what comes later is thrown away. Unless set, the thread that signs waits for it.
///
/// Another number is refused by gk_key_with_callback.
///
/// @param callback The callback.
/// @param milliseconds 1 to 300000.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_callback_deadline_ms(
    callback: Option<&mut gk_key_callback>,
    milliseconds: u64,
) {
    sticky::set(callback.map(|callback| &mut callback.0), |callback| {
        Ok(Callback { deadline_ms: Some(milliseconds), ..callback })
    });
}

/// A key whose private half lies in a KMS or an HSM, where the callback lets it sign: for signers,
/// sessions, rings and client assertions, as if it were here. Each signature is verified before it
/// leaves; the first is made at once, of a text that is no token.
///
/// @param public_key The public half, which is shared; its `key_ops` may permit `verify` alone.
/// @param callback The callback, which is shared.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE if `public_key` is private or symmetric;
/// GK_STATUS_INVALID_ARGUMENT for a deadline of 0 or more than 300 seconds;
/// GK_STATUS_KEY_UNAVAILABLE if the callback has failed; GK_STATUS_KEY_PAIR_MISMATCH if it has
/// signed with another key, hash or padding.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_with_callback(
    public_key: Option<&gk_key>,
    callback: Option<&gk_key_callback>,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let public = &given(public_key, "public_key")?.0;
        let Callback { signer, deadline_ms } = given(callback, "callback")?.0.built()?.clone();
        let signer = signer.ok_or(Fault::Null("sign"))?;
        Ok(gk_key(Key::with_callback(public, signer, deadline_ms)?))
    })
}

/// Whether a callback signs, because the private half is not here.
///
/// @param key The key.
/// @return False for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_signs_by_callback(key: Option<&gk_key>) -> bool {
    look(false, || Some(key?.0.signs_by_callback()))
}

struct CallbackSigner {
    sign: unsafe extern "C" fn(
        user: *mut c_void,
        request: *const gk_sign_request,
        signature: *mut u8,
        capacity: usize,
    ) -> usize,
    user: User,
}

impl ExternalSigner for CallbackSigner {
    fn sign(&self, request: &SignRequest<'_>) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let (message, digest) = (request.message(), request.digest());
        let asked = gk_sign_request {
            alg: request.alg().code(),
            message: message.as_ptr(),
            message_len: message.len(),
            digest: digest.as_ptr(),
            digest_len: digest.len(),
        };
        let mut out = vec![0; 8192];
        // SAFETY: registered together with this pointer, which is not released yet; the request is
        // readable, and `out` writable for its length.
        let len =
            unsafe { (self.sign)(self.user.data, &raw const asked, out.as_mut_ptr(), out.len()) };
        if len == 0 || len > out.len() {
            return Err("the callback gave no signature".into());
        }
        out.truncate(len);
        Ok(out)
    }
}

/// The callback that signs; takes the pointer over in any case.
fn signer(
    sign: gk_sign_fn,
    data: *mut c_void,
    release: gk_release_fn,
) -> Outcome<Arc<dyn ExternalSigner>> {
    let user = User { data, release };
    let sign = sign.ok_or(Fault::Null("sign"))?;
    Ok(Arc::new(CallbackSigner { sign, user }))
}
