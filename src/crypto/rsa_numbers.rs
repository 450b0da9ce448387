//! The private numbers of an RSA key that a file leaves out: its primes where there are only `n`,
//! `e` and `d`, and the numbers that are computed from the primes (RFC 8017 section 3.2).
//!
//! The primes are found by arithmetic alone and not by trying bases (NIST SP 800-56B revision 2,
//! appendix C.1): numbers that are no key cost no more than those of a key. Bounded by the size of
//! the modulus (8192 bits). What is found is checked against the rest like any other key, by
//! [`super::rsa::PrivateKey`].

use super::rsa::{check_numbers, contradicting_parts, too_short, without_leading_zeros};
use crate::base::secret::Secret;
use crate::error::Result;
use crypto_bigint::{BoxedUint, ConcatenatingMul as _, NonZero, Odd, Resize as _};
use zeroize::Zeroizing;

type Number = Zeroizing<BoxedUint>;

/// The primes of a key, the larger one first.
///
/// # Errors
/// As [`super::rsa::PrivateKey::from_pkcs1`].
pub(crate) fn primes(n: &[u8], e: &[u8], d: &[u8]) -> Result<[Secret; 2]> {
    let (n, e, d) = (without_leading_zeros(n), without_leading_zeros(e), without_leading_zeros(d));
    if check_numbers(n, e)? < 2048 {
        return Err(too_short());
    }
    if d.len() > n.len() {
        return Err(contradicting_parts());
    }
    find_primes(n, e, d).ok_or_else(contradicting_parts)
}

/// `d mod (p - 1)`, `d mod (q - 1)` and `q^-1 mod p`.
///
/// # Errors
/// `KeyPairMismatch` for numbers that have none.
pub(crate) fn exponents(d: &[u8], p: &[u8], q: &[u8]) -> Result<[Secret; 3]> {
    if [d, p, q].iter().any(|number| number.len() > super::rsa::MAX_MODULUS_LEN) {
        return Err(contradicting_parts());
    }
    let (d, p, q) = (number(d), number(p), number(q));
    let find = || {
        let below = |prime: &Number| {
            let less = NonZero::new(prime.wrapping_sub(BoxedUint::one())).into_option()?;
            Some(secret(&Zeroizing::new(d.rem(&less))))
        };
        let odd = Odd::new((*p).clone()).into_option()?;
        let reduced = Zeroizing::new(q.rem(odd.as_nz_ref()));
        let inverse = Zeroizing::new(reduced.invert_odd_mod(&odd).into_option()?);
        Some([below(&p)?, below(&q)?, secret(&inverse)])
    };
    find().ok_or_else(contradicting_parts)
}

/// `e*d-1` is a multiple of `lcm(p-1, q-1)`, so it is `phi * k / g` for phi = `(p-1)(q-1)` and
/// some `k` and `g`, both far shorter than n. As phi is n but for its lower half, that fraction is
/// a convergent of `(e*d-1) / n` (Legendre; so Wiener, "Cryptanalysis of short RSA secret
/// exponents", 1990). Each convergent gives one phi at most, and phi the primes.
fn find_primes(n: &[u8], e: &[u8], d: &[u8]) -> Option<[Secret; 2]> {
    let n = number(n);
    let bits = n.bits_precision() + ROOM;
    let n = Zeroizing::new((&*n).resize(bits));
    let product = Zeroizing::new(number(e).concatenating_mul(&*number(d)));
    let multiple = Zeroizing::new((&*product).resize(bits).wrapping_sub(BoxedUint::one()));
    let (mut a, mut b) = (multiple.clone(), n.clone());
    let (mut last, mut fraction) = ((0_u64, 1_u64), (1_u64, 0_u64));
    // Both numbers of a fraction grow at least as Fibonacci's do: at most 94 fit into 64 bits.
    loop {
        let (quotient, rest) = a.div_rem_vartime(&NonZero::new((*b).clone()).into_option()?);
        let quotient = short(&Zeroizing::new(quotient))?;
        let next = |now: u64, last: u64| quotient.checked_mul(now)?.checked_add(last);
        let found = (next(fraction.0, last.0)?, next(fraction.1, last.1)?);
        (last, fraction) = (fraction, found);
        (a, b) = (b, Zeroizing::new(rest));
        if let Some(primes) = totient(&multiple, fraction).and_then(|phi| factors(&n, &phi)) {
            return Some(primes);
        }
    }
}

/// More bits than a 33-bit exponent and a 64-bit number add to those of n.
const ROOM: u32 = 192;

/// `multiple * g / k`, if it is a whole number.
fn totient(multiple: &BoxedUint, (k, g): (u64, u64)) -> Option<Number> {
    let k = NonZero::new(BoxedUint::from(k)).into_option()?;
    let (phi, rest) = Zeroizing::new(multiple.wrapping_mul(BoxedUint::from(g))).div_rem_vartime(&k);
    let phi = Zeroizing::new(phi);
    bool::from(rest.is_zero()).then_some(phi)
}

/// The primes of n, the larger one first, given (p - 1)(q - 1): their sum is `n + 1 - phi`, and the
/// square of their difference that of the sum less 4n.
fn factors(n: &BoxedUint, phi: &BoxedUint) -> Option<[Secret; 2]> {
    if phi >= n {
        return None;
    }
    let sum = Zeroizing::new(n.wrapping_sub(phi).wrapping_add(BoxedUint::one()));
    // Primes of about one length have a sum of half the bits. The square of what passes fits.
    if sum.bit_width() > n.bit_width() / 2 + ROOM / 2 - 8 {
        return None;
    }
    let square = Zeroizing::new(sum.wrapping_mul(&*sum));
    let four = Zeroizing::new(n.wrapping_mul(BoxedUint::from(4_u64)));
    if *square < *four {
        return None;
    }
    let difference =
        Zeroizing::new(Zeroizing::new(square.wrapping_sub(&*four)).checked_sqrt_vartime()?);
    let half = |number: BoxedUint| secret(&Zeroizing::new(Zeroizing::new(number).shr(1)));
    Some([half(sum.wrapping_add(&*difference)), half(sum.wrapping_sub(&*difference))])
}

/// A number of at most 64 bits.
fn short(number: &BoxedUint) -> Option<u64> {
    let octets = number.to_be_bytes_trimmed_vartime();
    (octets.len() <= 8).then(|| octets.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)))
}

fn number(octets: &[u8]) -> Number {
    Zeroizing::new(BoxedUint::from_be_slice_vartime(octets))
}

fn secret(number: &BoxedUint) -> Secret {
    Secret::new(number.to_be_bytes_trimmed_vartime().into_vec())
}
