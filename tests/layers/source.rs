//! Rust source as text: comments and literals blanked, words with their places.

/// The text with comments, strings and character literals blanked.
pub(crate) fn code(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            closing(rest, 1)
        } else if c == 'r'
            && !out.ends_with(|before: char| before.is_alphanumeric() || before == '_')
            && is_raw(rest)
        {
            let hashes = rest[1..].bytes().take_while(|&b| b == b'#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            let body = 2 + hashes;
            rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
        } else if c == '\'' {
            char_literal(rest)
        } else {
            0
        };
        if skipped > 0 {
            out.push(' ');
            rest = &rest[skipped..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn is_raw(rest: &str) -> bool {
    rest[1..].trim_start_matches('#').starts_with('"')
}

/// The length of a string literal up to its closing quote.
fn closing(rest: &str, from: usize) -> usize {
    let bytes = rest.as_bytes();
    let mut at = from;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The length of a character literal; 0 for a lifetime.
fn char_literal(rest: &str) -> usize {
    if let Some(escape) = rest.strip_prefix("'\\") {
        return escape[1..].find('\'').map_or(0, |end| end + 4);
    }
    let mut chars = rest.char_indices().skip(2);
    match chars.next() {
        Some((at, '\'')) => at + 1,
        _ => 0,
    }
}

/// The identifiers and keywords of code, with the place of each.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (&str, usize)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + code[at..].find(is_word)?;
        let len = code[start..].find(|c| !is_word(c)).unwrap_or(code.len() - start);
        at = start + len;
        Some((&code[start..at], start))
    })
}
