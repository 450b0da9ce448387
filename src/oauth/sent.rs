//! What a request has told another server in confidence, and an error made of its answer must not
//! show: some servers repeat in `error_description` what they were sent, and errors go to logs.

use crate::base::secret::Secret;
use crate::base::url::encode_into;
use crate::transport::HttpResponse;
use std::borrow::Cow;
use std::ops::Deref;
use zeroize::Zeroizing;

/// An answer, and the secrets of the request that it is for.
pub(super) struct Answer {
    response: HttpResponse,
    sent: Vec<Secret>,
}

impl Deref for Answer {
    type Target = HttpResponse;

    fn deref(&self) -> &HttpResponse {
        &self.response
    }
}

impl Answer {
    pub(super) fn new(response: HttpResponse, mut sent: Vec<Secret>) -> Self {
        // A longer one may hold a shorter one.
        sent.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        Self { response, sent }
    }

    /// A text of the answer without what was sent, as it was and percent-encoded.
    pub(super) fn without_sent<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let text = (0..=MOST.min(text.len())).rev().find_map(|end| text.get(..end));
        let text = text.unwrap_or_default();
        let sent = self.sent.iter().map(Secret::expose_str).filter(|sent| sent.len() >= SHORTEST);
        sent.fold(Cow::Borrowed(text), |text, sent| {
            let mut encoded = Zeroizing::new(String::with_capacity(3 * sent.len()));
            encode_into(sent, &mut encoded);
            hide(hide(text, sent), &encoded)
        })
    }
}

/// Much more than is kept of a text, in bytes.
const MOST: usize = 16 * 1024;
/// What is shorter is in every text, and protects nothing.
const SHORTEST: usize = 4;

fn hide<'t>(text: Cow<'t, str>, secret: &str) -> Cow<'t, str> {
    // Escapes are written in capitals or in small letters (RFC 3986 section 2.1).
    let is_here = |at: usize| {
        text.get(at..at + secret.len()).is_some_and(|part| {
            part == secret || secret.contains('%') && part.eq_ignore_ascii_case(secret)
        })
    };
    let mut out = String::new();
    let mut from = 0;
    while let Some(at) = (from..text.len()).find(|&at| is_here(at)) {
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push_str(HIDDEN);
        from = at + secret.len();
    }
    if from == 0 {
        return text;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

const HIDDEN: &str = "(not shown)";

/// The secrets among the parameters of a request.
pub(super) fn secrets_of<'p>(parameters: impl Iterator<Item = (&'p str, &'p str)>) -> Vec<Secret> {
    let secrets = parameters.filter(|(name, _)| is_secret(name));
    secrets.map(|(_, value)| Secret::new(value.as_bytes().to_vec())).collect()
}

/// Whether a parameter of this name holds a secret: a code, a token, an assertion, a password.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let holds = ["secret", "password", "token", "assertion", "code", "verifier", "key", "proof"];
    let is_about = name.ends_with("_type")
        || name == "token_type_hint"
        || name.starts_with("code_challenge")
        || name.ends_with("_method");
    !is_about && holds.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(parameters: &[(&str, &str)]) -> Answer {
        let response =
            HttpResponse { status: 400, headers: Vec::new(), body: Secret::new(Vec::new()) };
        Answer::new(response, secrets_of(parameters.iter().copied()))
    }

    #[test]
    fn what_was_sent_is_not_shown() {
        let answer = answer(&[
            ("grant_type", "authorization_code"),
            ("client_id", "my-client"),
            ("client_secret", "s3cr+t/val ue"),
            ("code", "SplxlOBeZQQYbYS6WxSbIA"),
            ("code_verifier", "dBjftJeZ4CVP"),
            ("refresh_token", "8xLO"),
            ("token_type_hint", "refresh_token"),
        ]);
        for (text, shown) in [
            ("my-client may not", "my-client may not"),
            ("bad secret s3cr+t/val ue for my-client", "bad secret (not shown) for my-client"),
            ("got s3cr%2Bt%2Fval%20ue; s3cr%2bt%2fval%20ue", "got (not shown); (not shown)"),
            ("code=SplxlOBeZQQYbYS6WxSbIA&x", "code=(not shown)&x"),
            ("8xLO8xLO\u{e9}8xLO", "(not shown)(not shown)\u{e9}(not shown)"),
            ("refresh_token is over", "refresh_token is over"),
            ("dBjftJeZ4CVP", "(not shown)"),
        ] {
            assert_eq!(answer.without_sent(text), shown);
        }
    }
}
