//! Whether 32 bytes encode a point of edwards25519 (RFC 8032 section 5.1.3).
//!
//! The crypto library finds that out at each verification, but not at load; a key that can verify
//! nothing must not load. Public keys are not secret, so nothing here is constant-time.

/// Whether there is a point with this ordinate; the top bit, the sign of x, does not matter.
pub(super) fn is_point(encoded: &[u8; 32]) -> bool {
    let y = Field::from_bytes(encoded);
    let yy = y.times(y);
    // x^2 = (y^2 - 1) / (d y^2 + 1); the denominator is never zero, because -1/d is no square.
    let numerator = yy.minus(Field::ONE);
    let denominator = D.times(yy).plus(Field::ONE);
    // A quotient is a square exactly if the product is one.
    numerator.times(denominator).is_square()
}

/// An integer modulo p = 2^255 - 19: five digits to the base 2^51, each a little longer at times.
#[derive(Clone, Copy)]
struct Field([u64; 5]);

const MASK: u64 = (1 << 51) - 1;

/// The curve's constant -121665 / 121666.
const D: Field = Field([
    929_955_233_495_203,
    466_365_720_129_213,
    1_662_059_464_998_953,
    2_033_849_074_728_123,
    1_442_794_654_840_575,
]);

impl Field {
    const ONE: Self = Self([1, 0, 0, 0, 0]);

    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let digit = |from_bit: usize| {
            let window = bytes.iter().skip(from_bit / 8).take(8).rev();
            let word = window.fold(0, |word, &byte| word << 8 | u64::from(byte));
            word >> (from_bit % 8) & MASK
        };
        Self([digit(0), digit(51), digit(102), digit(153), digit(204)])
    }

    fn plus(self, other: Self) -> Self {
        let ([a, b, c, d, e], [f, g, h, i, j]) = (self.0, other.0);
        Self::carry([a + f, b + g, c + h, d + i, e + j].map(u128::from))
    }

    fn minus(self, other: Self) -> Self {
        // 2p is added first, so that no digit becomes negative.
        const P0: u64 = 2 * (MASK - 18);
        const P1: u64 = 2 * MASK;
        let ([a, b, c, d, e], [f, g, h, i, j]) = (self.0, other.0);
        let digits = [a + P0 - f, b + P1 - g, c + P1 - h, d + P1 - i, e + P1 - j];
        Self::carry(digits.map(u128::from))
    }

    fn times(self, other: Self) -> Self {
        let ([a, b, c, d, e], [f, g, h, i, j]) = (self.0.map(u128::from), other.0.map(u128::from));
        // Digits past the fifth are worth 19 times as much in the place 255 bits below.
        Self::carry([
            a * f + 19 * (b * j + c * i + d * h + e * g),
            a * g + b * f + 19 * (c * j + d * i + e * h),
            a * h + b * g + c * f + 19 * (d * j + e * i),
            a * i + b * h + c * g + d * f + 19 * (e * j),
            a * j + b * i + c * h + d * g + e * f,
        ])
    }

    /// Brings every digit below 2^52.
    fn carry([a, b, c, d, e]: [u128; 5]) -> Self {
        let mask = u128::from(MASK);
        let b = b + (a >> 51);
        let c = c + (b >> 51);
        let d = d + (c >> 51);
        let e = e + (d >> 51);
        let a = (a & mask) + 19 * (e >> 51);
        let b = (b & mask) + (a >> 51);
        Self([a & mask, b, c & mask, d & mask, e & mask].map(|digit| digit as u64))
    }

    /// Euler's criterion: x^((p - 1) / 2) is 0 or 1. The exponent is 2^254 - 10, in binary all ones
    /// except for the bits 0 and 3.
    fn is_square(self) -> bool {
        let mut power = Self::ONE;
        for bit in (0..254).rev() {
            power = power.times(power);
            if bit != 0 && bit != 3 {
                power = power.times(self);
            }
        }
        matches!(power.canonical(), [0 | 1, 0, 0, 0, 0])
    }

    /// The digits of the one representative below p.
    fn canonical(self) -> [u64; 5] {
        let [a, b, c, d, e] = Self::carry(self.0.map(u128::from)).0;
        // Whether adding 19 reaches 2^255, that is, whether the number is at least p.
        let over = [b, c, d, e].iter().fold((a + 19) >> 51, |carry, digit| (digit + carry) >> 51);
        let a = a + 19 * over;
        let b = b + (a >> 51);
        let c = c + (b >> 51);
        let d = d + (c >> 51);
        let e = e + (d >> 51);
        [a, b, c, d, e].map(|digit| digit & MASK)
    }
}
