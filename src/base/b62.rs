//! Base62 (digits, capital letters, small letters) of fixed lengths, and the CRC-32 checksum
//! written in it: what the texts of API keys and refresh tokens are made of.

use super::random::SecureRandom;
use crate::error::Result;
use zeroize::Zeroize as _;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The digits of a checksum.
pub(crate) const CRC: usize = 6;

/// The checksum of `body` (CRC-32/ISO-HDLC). It tells typos and cut lines from the real thing; it
/// is no secret.
#[inline]
pub(crate) fn checksum(body: &[u8]) -> u32 {
    crc32fast::hash(body)
}

/// The value of a checksum's digits; `None` if they are malformed or say more than 32 bits can.
#[inline]
pub(crate) fn read_checksum(digits: &[u8]) -> Option<u32> {
    let mut value = 0_u64;
    for digit in digits {
        value = value * 62 + u64::from(value_of(*digit)?);
    }
    u32::try_from(value).ok()
}

/// The value of digits; `None` if they are malformed or say more than 128 bits can.
pub(crate) fn read(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |value, digit| {
        value.checked_mul(62)?.checked_add(u128::from(value_of(*digit)?))
    })
}

/// The last `N` digits of the value, with zeros in front.
pub(crate) fn write<const N: usize>(mut value: u128) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET.get((value % 62) as usize).copied().unwrap_or(b'0');
        value /= 62;
    }
    digits
}

/// Random letters and digits, each as likely as the other: six bits at a time, the two values too
/// many thrown away.
pub(crate) fn random<const N: usize>(random: &dyn SecureRandom) -> Result<[u8; N]> {
    let (mut out, mut filled) = ([0; N], 0);
    let mut bytes = [0; 64];
    while filled < N {
        random.fill(&mut bytes)?;
        for byte in bytes {
            if let (Some(letter), Some(slot)) =
                (ALPHABET.get(usize::from(byte & 63)), out.get_mut(filled))
            {
                *slot = *letter;
                filled += 1;
            }
        }
    }
    bytes.zeroize();
    Ok(out)
}

#[inline]
const fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'Z' => Some(digit - b'A' + 10),
        b'a'..=b'z' => Some(digit - b'a' + 36),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for value in [0, 1, 61, 62, 3843, u128::from(u32::MAX), u128::MAX - 1, u128::MAX] {
            assert_eq!(read(&write::<22>(value)), Some(value));
        }
        assert_eq!(&write::<6>(u128::from(u32::MAX)), b"4gfFC3");
        assert_eq!(read_checksum(b"4gfFC3"), Some(u32::MAX));
    }

    #[test]
    fn what_says_too_much_or_is_no_digit_is_refused() {
        assert_eq!(read_checksum(b"4gfFC4"), None);
        assert_eq!(read_checksum(b"zzzzzz"), None);
        assert_eq!(read(b"zzzzzzzzzzzzzzzzzzzzzz"), None);
        for not_a_digit in [b'_', b'-', b'/', b':', b'@', b'[', b'`', b'{', 0, 0xff] {
            assert_eq!(read(&[b'0', not_a_digit]), None, "{not_a_digit}");
        }
    }
}
