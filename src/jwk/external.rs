//! Keys whose private half lies in a KMS or an HSM: a callback signs, and each of its signatures is
//! brought into its JWS form and verified before it leaves.

use super::alg::{Alg, Family};
use super::key::Key;
use crate::base::process::{Own, lock};
use crate::base::reach::beyond_memory;
use crate::crypto::hash::{sha256, sha384, sha512};
use crate::crypto::{Curve, Hash};
use crate::error::{Error, ErrorKind, Result};
use der::asn1::AnyRef;
use der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Signs with a private key that never leaves a KMS or an HSM; see [`Key::with_callback`].
///
/// Called from any thread that signs, from several at once, and with no lock held. In a child of a
/// fork it is called like in its parent: sessions and connections of before are its own to renew.
pub trait ExternalSigner: Send + Sync {
    /// The signature. ECDSA's is taken as `r || s` (RFC 7518 section 3.4, PKCS#11) and as DER (RFC
    /// 3279, what AWS, Google and OpenSSL give); RSA's, Ed25519's and ML-DSA's as they are.
    ///
    /// # Errors
    /// Whatever kept it from being made. The call that signs ends with `KeyUnavailable`, which has
    /// it as its [`source`](std::error::Error::source).
    fn sign(
        &self,
        request: &SignRequest<'_>,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;
}

impl<F, E> ExternalSigner for F
where
    F: Fn(&SignRequest<'_>) -> Result<Vec<u8>, E> + Send + Sync,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn sign(
        &self,
        request: &SignRequest<'_>,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        self(request).map_err(Into::into)
    }
}

/// What an [`ExternalSigner`] is asked for.
#[derive(Clone, Copy)]
pub struct SignRequest<'a> {
    key: &'a Key,
    message: &'a [u8],
    digest: &'a [u8],
}

impl<'a> SignRequest<'a> {
    /// The public half of the key that is to sign.
    #[must_use]
    pub const fn key(&self) -> &'a Key {
        self.key
    }

    /// The algorithm. RSA with `PS256`, `PS384` and `PS512` has a salt as long as the digest.
    #[must_use]
    pub fn alg(&self) -> Alg {
        self.key.alg()
    }

    /// What is to be signed, for interfaces that compute the digest themselves, and for Ed25519 and
    /// ML-DSA.
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }

    /// The algorithm's SHA-2 digest of the message, for interfaces that want that; empty for
    /// Ed25519 and ML-DSA, which have none.
    #[must_use]
    pub const fn digest(&self) -> &'a [u8] {
        self.digest
    }
}

/// The callback of a key.
pub(super) struct External {
    /// The public half, which verifies what the callback gives.
    key: Key,
    signer: Arc<dyn ExternalSigner>,
    /// How long a signature may take; `None`: it is made on the thread that wants it.
    deadline: Option<Duration>,
    /// How many calls are under way on threads of their own: of this process, because a child of a
    /// fork has none of those threads.
    waiting: Own<Arc<AtomicUsize>>,
}

/// The most calls of one key that are under way with a deadline: a KMS that is silent costs no more
/// threads.
const MOST: usize = 64;
/// The longest deadline: a caller of an API does not wait longer.
const LONGEST: Duration = Duration::from_secs(300);

impl External {
    /// Asks for a first signature, of a text that is no token.
    pub(super) fn new(
        key: Key,
        signer: Arc<dyn ExternalSigner>,
        deadline_ms: Option<u64>,
    ) -> Result<Self> {
        let deadline = deadline_ms.map(Duration::from_millis);
        if deadline.is_some_and(|deadline| deadline.is_zero() || deadline > LONGEST) {
            return Err(BAD_DEADLINE.about_claim("deadline"));
        }
        let external = Self { key, signer, deadline, waiting: Own::new() };
        external.sign(b"gatekey asks whether this key signs")?;
        Ok(external)
    }

    /// The signature in its JWS form, verified.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        beyond_memory()?;
        let key = &self.key;
        let once = Once::begin()?;
        let given = match self.deadline {
            None => ask(&*self.signer, key, message)?,
            Some(deadline) => self.ask_within(deadline, message)?,
        };
        drop(once);
        let mut forms = jws_form(key, &given).peekable();
        if forms.peek().is_none() {
            let expected = ("exactly", key.signature_len());
            return Err(MISSHAPEN.sized("signature", given.len(), expected));
        }
        forms.find(|signature| key.check_own_signature(message, signature).is_ok()).ok_or(NOT_OURS)
    }

    /// The callback's answer, unless it comes too late: then it is thrown away when it comes.
    fn ask_within(&self, deadline: Duration, message: &[u8]) -> Result<Vec<u8>> {
        let place = Place::take(&self.waiting.get_or(Arc::default)).ok_or(BUSY)?;
        let answer = Arc::new(Answer::default());
        let told = Arc::clone(&answer);
        let (signer, key, message) = (Arc::clone(&self.signer), self.key.clone(), message.to_vec());
        let work = move || {
            let asked = catch_unwind(AssertUnwindSafe(|| ask(&*signer, &key, &message)));
            drop((signer, key, place));
            told.tell(asked.unwrap_or(Err(FAILED)));
        };
        std::thread::Builder::new()
            .name("gatekey".to_owned())
            .spawn(work)
            .map_err(|error| FAILED.caused_by(Arc::new(error)))?;
        answer.within(deadline).ok_or(SILENT)?
    }
}

/// What one thread waits for and another tells. Not a channel: that one's waiting leaves a block
/// behind on the main thread, which leak checkers of C programs report.
#[derive(Default)]
struct Answer {
    told: Mutex<Option<Result<Vec<u8>>>>,
    bell: Condvar,
}

impl Answer {
    fn tell(&self, answer: Result<Vec<u8>>) {
        *lock(&self.told) = Some(answer);
        self.bell.notify_one();
    }

    fn within(&self, deadline: Duration) -> Option<Result<Vec<u8>>> {
        let is_missing = |told: &mut Option<_>| told.is_none();
        let waited = self.bell.wait_timeout_while(lock(&self.told), deadline, is_missing);
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

fn ask(signer: &dyn ExternalSigner, key: &Key, message: &[u8]) -> Result<Vec<u8>> {
    let mut digest = [0; 64];
    let digest: &[u8] = match key.alg().hash() {
        None => &[],
        Some(hash) => {
            let out = digest.get_mut(..hash.len()).unwrap_or_default();
            match hash {
                Hash::Sha256 => out.copy_from_slice(&sha256(message)),
                Hash::Sha384 => out.copy_from_slice(&sha384(message)),
                Hash::Sha512 => out.copy_from_slice(&sha512(message)),
            }
            out
        }
    };
    signer
        .sign(&SignRequest { key, message, digest })
        .map_err(|cause| FAILED.caused_by(Arc::from(cause)))
}

/// What a signature may be in its JWS form: as it is, if it has that length, and read from DER.
pub(super) fn jws_form(key: &Key, given: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let as_it_is = (given.len() == key.signature_len()).then(|| given.to_vec());
    let of_der = match key.alg().family() {
        Family::Ec(curve) => of_der(given, curve),
        _ => None,
    };
    as_it_is.into_iter().chain(of_der)
}

/// `r || s` of an ECDSA signature in DER (RFC 3279 section 2.2.3). Some HSMs pad the numbers with
/// zeros that DER does not want, or leave out the one that it does; what they mean is verified.
fn of_der(der: &[u8], curve: Curve) -> Option<Vec<u8>> {
    let sequence = AnyRef::from_der(der).ok().filter(|outer| outer.tag() == Tag::Sequence)?;
    let mut inside = SliceReader::new(sequence.value()).ok()?;
    let len = curve.coordinate_len();
    let mut out = vec![0; curve.signature_len()];
    for part in out.chunks_exact_mut(len) {
        let number = AnyRef::decode(&mut inside).ok().filter(|n| n.tag() == Tag::Integer)?;
        let zeros = number.value().iter().take_while(|byte| **byte == 0).count();
        let number = number.value().get(zeros..)?;
        let start = len.checked_sub(number.len())?;
        part.get_mut(start..)?.copy_from_slice(number);
    }
    inside.is_finished().then_some(out)
}

thread_local! {
    /// Whether a callback is signing on this thread.
    static SIGNING: Cell<bool> = const { Cell::new(false) };
}

/// That a callback is signing on this thread, which cannot want another signature for that.
struct Once;

impl Once {
    fn begin() -> Result<Self> {
        if SIGNING.replace(true) { Err(WITHIN) } else { Ok(Self) }
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        SIGNING.set(false);
    }
}

/// A place among the calls that are under way.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(waiting)); // gives back what the next line takes
        (waiting.fetch_add(1, Ordering::Relaxed) < MOST).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

const BAD_DEADLINE: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The `deadline` of a callback must be more than 0 and at most 300 seconds.",
);
pub(super) const NOT_PUBLIC: Error = Error::new(
    ErrorKind::KeyUsage,
    "A key with a callback is made of the public half alone; export that from the KMS.",
);
const WITHIN: Error = Error::new(
    ErrorKind::InvalidArgument,
    "A callback that signs has asked for another signature by a callback; use a key of this process for that.",
);
const FAILED: Error = Error::new(
    ErrorKind::KeyUnavailable,
    "The callback that signs has failed; see its own error. Check that the KMS or HSM can be reached, and try again.",
);
const SILENT: Error = Error::new(
    ErrorKind::KeyUnavailable,
    "The callback has given no signature within the `deadline`; check that the KMS or HSM can be reached, and try again.",
);
const BUSY: Error = Error::new(
    ErrorKind::KeyUnavailable,
    "64 signatures of this key are still under way; the KMS or HSM does not answer. Try again later.",
);
const NOT_OURS: Error = Error::new(
    ErrorKind::KeyPairMismatch,
    "The callback's signature is not one of this key: check the key's version in the KMS, the hash and the padding.",
);
const MISSHAPEN: Error = Error::new(
    ErrorKind::KeyPairMismatch,
    "The callback's signature does not have the length of this key's; check which key of the KMS has signed.",
);
