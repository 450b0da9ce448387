//! Where a browser goes after its log-in: a page of this very site, as every browser reads it, or
//! `/`.

use crate::base::text::argument;
use crate::error::{Error, Result};

/// The longest path, in bytes: with what protects the log-in it still fits one cookie.
const LONGEST: usize = 2048;

/// The path, if it leads to this very site; `/` otherwise.
///
/// # Errors
/// `InvalidArgument`: it would, and is too long.
pub(super) fn page(path: &str) -> Result<&str> {
    match safe_path(path) {
        page if page.len() > LONGEST => Err(TOO_LONG.about_claim("return_to")),
        page => Ok(page),
    }
}

fn safe_path(path: &str) -> &str {
    let mut bytes = path.bytes();
    let begins_well = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    let lower = path.to_ascii_lowercase();
    let fine = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'\\';
    let is_hidden =
        ["/%2f", "/%5c", "/%09", "/%0a", "/%0d"].iter().any(|start| lower.starts_with(start))
            || lower.starts_with("/./")
            || lower.starts_with("/../")
            || lower.starts_with("/%2e");
    if begins_well && !is_hidden && path.bytes().all(fine) { path } else { "/" }
}

const TOO_LONG: Error = argument(
    "The page to return to, `return_to`, has at most 2048 bytes; keep what is longer in a session or the store.",
);

#[cfg(test)]
mod tests {
    use super::{LONGEST, page, safe_path};

    #[test]
    fn returns_to_this_site_only() {
        for good in ["/", "/orders", "/a/b?c=d%2Fe&f=//x", "/a//b"] {
            assert_eq!(safe_path(good), good);
        }
        for bad in [
            "",
            "//evil",
            "/\\evil",
            "\\\\evil",
            "https:evil",
            "https://evil",
            "/%2f/evil",
            "/%2Fevil",
            "/%5Cevil",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x",
            "/a b",
            "evil",
            "/\t/evil",
            "/./\\evil",
            "/..//evil",
            "/%2e/",
            "/é",
        ] {
            assert_eq!(safe_path(bad), "/", "{bad:?}");
        }
    }

    #[test]
    fn a_long_page_is_refused_and_not_lost() {
        let path = |length: usize| format!("/{}", "x".repeat(length - 1));
        assert_eq!(page(&path(LONGEST)).unwrap(), path(LONGEST));
        assert_eq!(page(&path(LONGEST + 1)).unwrap_err().claim(), Some("return_to"));
        assert_eq!(page(&format!("/{}", path(LONGEST + 1))).unwrap(), "/");
    }
}
