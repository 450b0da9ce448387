//! The body of a refusal: `application/problem+json` (RFC 9457) of fixed sentences. Nothing of the
//! request, a token or a setting gets into it.

use crate::error::ErrorKind;

/// The media type.
pub(super) const TYPE: &str = "application/problem+json";

/// The body for a refusal of this kind. `code` is for programs ([`ErrorKind::public_code`]).
pub(super) fn body(kind: ErrorKind) -> String {
    let status = kind.http_status();
    let [a, b, c] = [status / 100 % 10, status / 10 % 10, status % 10].map(digit);
    // Fixed sentences of letters: at once, and as a writer of JSON would have it.
    [
        r#"{"type":"about:blank","title":""#,
        title(status),
        r#"","status":"#,
        a,
        b,
        c,
        r#","detail":""#,
        kind.public_message(),
        r#"","code":""#,
        kind.public_code(),
        r#""}"#,
    ]
    .concat()
}

fn digit(number: u16) -> &'static str {
    "0123456789".get(usize::from(number)..=usize::from(number)).unwrap_or_default()
}

/// The name of a status (RFC 9110 section 15, RFC 6585).
const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json::ObjectWriter;

    #[test]
    fn a_body_is_what_a_writer_of_json_writes() {
        for &kind in ErrorKind::ALL {
            let status = kind.http_status();
            let mut out = ObjectWriter::new();
            out.text("type", "about:blank");
            out.text("title", title(status));
            out.number("status", u64::from(status));
            out.text("detail", kind.public_message());
            out.text("code", kind.public_code());
            assert_eq!(body(kind), out.end(), "{kind:?}");
        }
    }

    #[test]
    fn every_status_of_a_kind_has_its_title() {
        for kind in ErrorKind::ALL {
            let status = kind.http_status();
            assert_eq!(title(status) == "Internal Server Error", status == 500, "{kind:?}");
        }
    }
}
