//! Escapes: of JSON, of C and the languages after it (`\\n`, `\\x41`, `\\101`), of shells (a
//! backslash before anything), of URLs (`%41`) and of HTML (`&#65;`, `&quot;`).

use zeroize::Zeroizing;

/// The text with one layer of escapes undone; `None` if it has none.
pub(super) fn undone(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let first = text.iter().position(|byte| matches!(byte, b'\\' | b'%' | b'&'))?;
    let (before, mut rest) = text.split_at(first);
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    out.extend_from_slice(before);
    let mut is_changed = false;
    while let [byte, after @ ..] = rest {
        let escape = match byte {
            b'\\' => Some(backslash(after)),
            b'%' => number(after, 16, 2, 2).map(|(value, after)| (Some(value), after)),
            b'&' => entity(after),
            _ => None,
        };
        is_changed |= escape.is_some();
        let (value, after) = escape.unwrap_or_else(|| (Some(u32::from(*byte)), after));
        // What is no byte is no part of a key.
        out.extend(value.and_then(|value| u8::try_from(value).ok()));
        rest = after;
    }
    is_changed.then_some(out)
}

/// A character, if the escape stands for one, and what follows it.
type Escape<'t> = (Option<u32>, &'t [u8]);

/// What follows a backslash.
fn backslash(after: &[u8]) -> Escape<'_> {
    let numbered = match after {
        [b'x', rest @ ..] => number(rest, 16, 2, 2),
        [b'u', b'{', rest @ ..] => closed(number(rest, 16, 1, 6), b'}'),
        [b'u', rest @ ..] => number(rest, 16, 4, 4),
        [b'U', rest @ ..] => number(rest, 16, 8, 8),
        _ => number(after, 8, 1, 3),
    };
    if let Some((value, rest)) = numbered {
        return (Some(value), rest);
    }
    let Some((first, rest)) = after.split_first() else { return (None, after) };
    let value = match first {
        b'a' => 7,
        b'b' => 8,
        b't' => 9,
        b'n' => 10,
        b'v' => 11,
        b'f' => 12,
        b'r' => 13,
        other => *other,
    };
    (Some(value.into()), rest)
}

/// What follows an ampersand.
fn entity(after: &[u8]) -> Option<Escape<'_>> {
    const NAMES: [(&[u8], u8); 5] =
        [(b"quot;", b'"'), (b"apos;", b'\''), (b"amp;", b'&'), (b"lt;", b'<'), (b"gt;", b'>')];
    let numbered = match after {
        [b'#', b'x' | b'X', rest @ ..] => closed(number(rest, 16, 1, 6), b';'),
        [b'#', rest @ ..] => closed(number(rest, 10, 1, 7), b';'),
        _ => NAMES.iter().find_map(|(name, value)| {
            after.strip_prefix(*name).map(|rest| (u32::from(*value), rest))
        }),
    };
    numbered.map(|(value, rest)| (Some(value), rest))
}

/// A number that `end` must follow.
fn closed(found: Option<(u32, &[u8])>, end: u8) -> Option<(u32, &[u8])> {
    let (value, rest) = found?;
    rest.split_first().filter(|(first, _)| **first == end).map(|(_, rest)| (value, rest))
}

/// A number of `least` to `most` digits.
fn number(text: &[u8], base: u32, least: usize, most: usize) -> Option<(u32, &[u8])> {
    let digit = |byte: &u8| char::from(*byte).to_digit(base);
    let len = text.iter().take(most).map_while(digit).count();
    let (digits, rest) = text.split_at_checked(len).filter(|_| len >= least)?;
    let value = digits.iter().filter_map(digit);
    Some((value.fold(0, |sum: u32, digit| sum.wrapping_mul(base).wrapping_add(digit)), rest))
}
