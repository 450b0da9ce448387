//! The private numbers of an RSA key that a file leaves out: its primes where there are only `n`,
//! `e` and `d` (NIST SP 800-56B revision 2, appendix C), and the numbers that are computed from the
//! primes (RFC 8017 section 3.2).
//!
//! Bounded by the size of the modulus (8192 bits) and 32 attempts. What is found is checked against
//! the rest like any other key, by [`super::rsa::PrivateKey`].

use super::rsa::{check_numbers, contradicting_parts, too_short, without_leading_zeros};
use crate::base::secret::Secret;
use crate::error::Result;
use crypto_bigint::{BoxedUint, ConcatenatingMul as _, NonZero, Odd, Resize as _};
use zeroize::Zeroizing;

type Number = Zeroizing<BoxedUint>;

/// Each attempt fails with a chance of at most one half, unless the numbers are no key.
const ATTEMPTS: u32 = 32;

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

/// `e * d - 1` is a multiple of every order modulo n, so its odd part, doubled again and again,
/// leads any base to 1: and a root of 1 that is neither 1 nor -1 shares a prime with n.
fn find_primes(n: &[u8], e: &[u8], d: &[u8]) -> Option<[Secret; 2]> {
    let (e, d) = (number(e), number(d));
    let modulus = BoxedUint::from_be_slice_vartime(n);
    let bits = modulus.bits_precision();
    let one = BoxedUint::one_with_precision(bits);
    let minus_one = modulus.wrapping_sub(&one);
    let n = Odd::new(modulus).into_option()?;
    let multiple = Zeroizing::new(e.concatenating_mul(&*d).wrapping_sub(BoxedUint::one()));
    let twos = multiple.trailing_zeros();
    if twos == 0 || bool::from(multiple.is_zero()) {
        return None;
    }
    let odd_part = Zeroizing::new(multiple.shr(twos));
    for base in (2..).take(ATTEMPTS as usize) {
        let base = BoxedUint::from(base as u64).resize(bits);
        let mut power = Zeroizing::new(base.pow_mod(&odd_part, &n));
        for _ in 0..twos {
            let square = Zeroizing::new(power.square_mod(n.as_nz_ref()));
            let is_trivial = *power == one || *power == minus_one;
            if *square == one && !is_trivial {
                return split(&power, &n);
            }
            if is_trivial {
                break;
            }
            power = square;
        }
        if *power != one && *power != minus_one {
            return None; // no key has such an exponent
        }
    }
    None
}

/// The primes, given a root of 1.
fn split(root: &BoxedUint, n: &Odd<BoxedUint>) -> Option<[Secret; 2]> {
    use crypto_bigint::Gcd as _;
    let less = Zeroizing::new(root.wrapping_sub(BoxedUint::one()));
    let divisor = n.gcd(&*less).into_nz();
    let one = Zeroizing::new(divisor.as_ref().clone());
    let (other, _) = n.as_ref().div_rem(&divisor);
    let other = Zeroizing::new(other);
    let [one, other] = [secret(&one), secret(&other)];
    let is_larger = (one.expose().len(), one.expose()) > (other.expose().len(), other.expose());
    Some(if is_larger { [one, other] } else { [other, one] })
}

fn number(octets: &[u8]) -> Number {
    Zeroizing::new(BoxedUint::from_be_slice_vartime(octets))
}

fn secret(number: &BoxedUint) -> Secret {
    Secret::new(number.to_be_bytes_trimmed_vartime().into_vec())
}
