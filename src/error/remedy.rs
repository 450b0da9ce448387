//! What to do, in the words of the reader's language: where a call of Rust, a function of C, an
//! argument of Python and an option of the command line have nothing but the meaning in common.

/// Whose words say what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Words {
    /// Rust's; what `Display` uses.
    Rust,
    /// C's and C++'s.
    C,
    /// Python's.
    Python,
    /// The command line's.
    CommandLine,
}

/// The columns: the name, and the sentence for Rust, C, Python and the command line.
macro_rules! remedies {
    ($($name:ident: $rust:literal, $c:literal, $python:literal, $line:literal;)+) => {
        /// What to do about an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Remedy {
            $($name,)+
        }

        impl Remedy {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            pub(super) const fn text(self, words: Words) -> &'static str {
                match (self, words) {
                    $(
                        (Self::$name, Words::Rust) => $rust,
                        (Self::$name, Words::C) => $c,
                        (Self::$name, Words::Python) => $python,
                        (Self::$name, Words::CommandLine) => $line,
                    )+
                }
            }
        }
    };
}

remedies! {
    SayIssuer:
        "Name it with `expect_issuer`, or accept any with `ignore_issuer`.",
        "Name it with gk_policy_expect_issuer, or accept any with gk_policy_ignore_issuer.",
        "Name it with `issuer=`, or accept any with `issuer=gatekey.ANY`.",
        "Name it with --issuer, or accept any with --any-issuer.";
    SayAudience:
        "Name it with `expect_audience`, or accept any with `ignore_audience`.",
        "Name it with gk_policy_expect_audience, or accept any with gk_policy_ignore_audience.",
        "Name it with `audience=`, or accept any with `audience=gatekey.ANY`.",
        "Name it with --audience, or accept any with --any-audience.";
    SayType:
        "Name it with `expect_type`, or accept any with `ignore_type`.",
        "Name it with gk_policy_expect_type, or accept any with gk_policy_ignore_type.",
        "Name it with `typ=`, or accept any with `typ=gatekey.ANY`.",
        "Name it with --typ.";
    AllowLeeway:
        "Set the clocks right, or allow for a few seconds with `leeway`.",
        "Set the clocks right, or allow for a few seconds with gk_policy_leeway (`leeway`).",
        "Set the clocks right, or allow for a few seconds with `leeway=`.",
        "Set the clocks right, or allow for a few seconds with --leeway (`leeway`).";
    GetNewToken:
        "Get a new one; if it is a second or two, set the clocks right or allow for them with `leeway`.",
        "Get a new one; if it is a second or two, set the clocks right or allow for them with gk_policy_leeway (`leeway`).",
        "Get a new one; if it is a second or two, set the clocks right or allow for them with `leeway=`.",
        "Get a new one; if it is a second or two, set the clocks right or allow for them with --leeway (`leeway`).";
    AllowMissingExp:
        "Have the issuer set one, or accept tokens without end with `allow_missing_exp`.",
        "Have the issuer set one, or accept tokens without end with gk_policy_allow_missing_exp.",
        "Have the issuer set one, or accept tokens without end with `allow_missing_exp=True`.",
        "Have the issuer set one, or accept tokens without end with --allow-missing-exp.";
    AllowNumericSubject:
        "Have the issuer write it as a string, or accept whole numbers with `allow_numeric_subject`.",
        "Have the issuer write it as a string, or accept whole numbers with gk_policy_allow_numeric_subject.",
        "Have the issuer write it as a string, or accept whole numbers with `allow_numeric_subject=True`.",
        "Have the issuer write it as a string, or accept whole numbers with --allow-numeric-subject.";
    AllowPadding:
        "If the issuer pads its tokens, as AWS load balancers do, accept that with `allow_padding`.",
        "If the issuer pads its tokens, as AWS load balancers do, accept that with gk_policy_allow_padding.",
        "If the issuer pads its tokens, as AWS load balancers do, accept that with `allow_padding=True`.",
        "If the issuer pads its tokens, as AWS load balancers do, accept that with --allow-padding.";
    Generate:
        "Make a key with `Key::generate`.",
        "Make a key with gk_key_generate.",
        "Make a key with gatekey.Key.generate.",
        "Make a key with `gatekey jwk generate`.";
    NameIssuerKeys:
        "Give the issuer a rule of its own with `IssuerRule`.",
        "Give the issuer a rule of its own with gk_verifier_new_for_issuers.",
        "Name it, with its keys, in Verifier.for_issuers.",
        "Name it with --issuer.";
    ExportPrivately:
        "Export it with `to_private_jwk` if you mean to give the secret away.",
        "Export it with gk_key_to_private_jwk if you mean to give the secret away.",
        "Export it with to_jwk(private=True) if you mean to give the secret away.",
        "Export it with --private if you mean to give the secret away.";
    AllowHttp:
        "To develop without HTTPS, set `danger_allow_http`.",
        "To develop without HTTPS, call the function of this setting that ends in danger_allow_http.",
        "To develop without HTTPS, pass `danger_allow_http=True`.",
        "To develop without HTTPS, allow it (danger_allow_http).";
    NameOrigin:
        "If it was a page of yours, name its origin with `origin`.",
        "If it was a page of yours, name its origin with gk_guard_builder_origin.",
        "If it was a page of yours, name its origin with `public_url=` or `origins=`.",
        "If it was a page of yours, name its origin.";
    TrustProxy:
        "Name the proxies with `trusted_proxy`, or leave the header out.",
        "Name the proxies with gk_guard_builder_trusted_proxy, or leave the header out.",
        "Name the proxies with `trusted_proxies=`, or leave the header out.",
        "Name the proxies, or leave the header out.";
    GiveTokens:
        "Give these with `tokens`, or leave the list out.",
        "Give these with gk_guard_builder_tokens, or leave the list out.",
        "Give these with `issuers=` or `tokens=`, or leave the list out.",
        "Give these, or leave the list out.";
    GiveSource:
        "Give the guard `api_keys`, `sessions` or `tokens`, or name other kinds.",
        "Give the guard gk_guard_builder_api_keys, _sessions or _tokens, or name other kinds.",
        "Give the guard `store=`, `issuer=`, `issuers=` or `tokens=`, or name other kinds.",
        "Give the guard keys, sessions or issuers, or name other kinds.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_is_one_and_in_the_words_of_its_language() {
        for &remedy in Remedy::ALL {
            for words in [Words::Rust, Words::C, Words::Python, Words::CommandLine] {
                let text = remedy.text(words);
                assert!(text.ends_with('.') && text.len() <= 120, "{text}");
                assert!(words == Words::Rust || !text.contains("::"), "{text}");
                assert!(words == Words::C || !text.contains("gk_"), "{text}");
                assert!(words == Words::CommandLine || !text.contains("--"), "{text}");
            }
        }
    }
}
