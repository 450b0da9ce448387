//! Where a provider departs from the RFCs: data, never code that asks which provider it is. The
//! defaults are the RFCs themselves; `docs/oauth.md` says which preset sets what.

use crate::base::json::Value;
use crate::base::json::fields::Field;
use crate::error::{Error, ErrorKind, Result};

/// What a provider does otherwise.
#[derive(Clone, Debug)]
pub(super) struct Quirks {
    /// What stands between scopes: a space (RFC 6749 section 3.3), or a comma.
    pub(super) comma_scopes: bool,
    /// Scopes of answers may stand between commas, although spaces are sent (LinkedIn).
    pub(super) comma_scopes_answered: bool,
    /// Answers may be forms (GitHub, unless asked for JSON).
    pub(super) form_answers: bool,
    /// `token_type` may be missing.
    pub(super) untyped_tokens: bool,
    /// `expires_in` may be a string.
    pub(super) expires_in_text: bool,
    /// `scope` may be a list.
    pub(super) scope_list: bool,
    /// The tokens are in this member of the answer (Slack's apps).
    pub(super) nested_in: Option<String>,
    /// PKCE is not sent: the server refuses it (LinkedIn). State stays.
    pub(super) no_pkce: bool,
    /// No nonce is sent, none is expected.
    pub(super) no_nonce: bool,
    /// `response_mode`, for example `form_post`.
    pub(super) response_mode: Option<String>,
    /// More parameters of the authorization request.
    pub(super) authorize: Vec<(String, String)>,
    /// The scopes are sent again when refreshing (Microsoft).
    pub(super) scope_on_refresh: bool,
    /// Scopes that are always among those sent when refreshing (Entra: without it the next refresh
    /// token does not come).
    pub(super) refresh_scopes: Vec<String>,
    /// The member of an answer that holds the scopes (Bitbucket).
    pub(super) scope_member: String,
    /// The member of a refusal that says why, before `error` is looked at (Twitch).
    pub(super) error_member: Option<String>,
    /// The parameter that says where to go after a log-out (Cognito).
    pub(super) logout_redirect_parameter: String,
    /// The member of the user info that names the user; with dots, one inside of another.
    pub(super) subject_member: String,
    /// The member that holds the user's address.
    pub(super) email_member: String,
    /// Where the user's addresses are, and how they are written.
    pub(super) emails_endpoint: Option<String>,
    /// The member of that answer that holds the list; empty where the answer is the list.
    pub(super) emails_member: String,
    /// The flags of an address in the list: it is the user's first, and it is proven.
    pub(super) emails_flags: (String, String),
    /// The user info is asked for with `appsecret_proof` (Facebook).
    pub(super) app_secret_proof: bool,
    /// Other issuers that ID tokens may name.
    pub(super) issuer_aliases: Vec<String>,
    /// The issuer of ID tokens, with `{tenantid}` for their `tid`.
    pub(super) issuer_template: Option<String>,
    /// The client's secret is a token that it signs: the issuer (team) and audience of that token.
    pub(super) signed_secret: Option<(String, String)>,
    /// The provider's own names (or numbers) of errors, and the names that the RFCs have for them.
    pub(super) errors: Vec<(String, String)>,
    /// The member that says whether `email` is proven to be the user's; empty where none does.
    pub(super) verified_email_member: String,
    /// It issues no ID tokens; a log-in does not ask for `openid`.
    pub(super) no_id_token: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            comma_scopes: false,
            comma_scopes_answered: false,
            form_answers: false,
            untyped_tokens: false,
            expires_in_text: false,
            scope_list: false,
            nested_in: None,
            no_pkce: false,
            no_nonce: false,
            response_mode: None,
            authorize: Vec::new(),
            scope_on_refresh: false,
            refresh_scopes: Vec::new(),
            scope_member: "scope".to_owned(),
            error_member: None,
            logout_redirect_parameter: "post_logout_redirect_uri".to_owned(),
            subject_member: "sub".to_owned(),
            email_member: "email".to_owned(),
            emails_endpoint: None,
            emails_member: String::new(),
            emails_flags: ("primary".to_owned(), "verified".to_owned()),
            app_secret_proof: false,
            issuer_aliases: Vec::new(),
            issuer_template: None,
            signed_secret: None,
            errors: Vec::new(),
            verified_email_member: "email_verified".to_owned(),
            no_id_token: false,
        }
    }
}

impl Quirks {
    pub(super) fn member(&mut self, field: &Field<'_>) -> Result<()> {
        match field.name() {
            "comma_scopes" => self.comma_scopes = field.flag()?,
            "comma_scopes_answered" => self.comma_scopes_answered = field.flag()?,
            "form_answers" => self.form_answers = field.flag()?,
            "untyped_tokens" => self.untyped_tokens = field.flag()?,
            "expires_in_text" => self.expires_in_text = field.flag()?,
            "scope_list" => self.scope_list = field.flag()?,
            "nested_in" => self.nested_in = Some(field.text()?),
            "no_pkce" => self.no_pkce = field.flag()?,
            "no_nonce" => self.no_nonce = field.flag()?,
            "response_mode" => self.response_mode = Some(field.text()?),
            "authorize" => self.authorize = field.pairs()?,
            "scope_on_refresh" => self.scope_on_refresh = field.flag()?,
            "refresh_scopes" => self.refresh_scopes = field.texts()?,
            "scope_member" => self.scope_member = field.text()?,
            "error_member" => self.error_member = Some(field.text()?),
            "logout_redirect_parameter" => self.logout_redirect_parameter = field.text()?,
            "subject_member" => self.subject_member = field.text()?,
            "email_member" => self.email_member = field.text()?,
            "emails_endpoint" => self.emails_endpoint = Some(field.text()?),
            "emails_member" => self.emails_member = field.text()?,
            "emails_flags" => match <[String; 2]>::try_from(field.texts()?) {
                Ok([first, proven]) => self.emails_flags = (first, proven),
                Err(_) => return Err(field.refused(NOT_FLAGS)),
            },
            "app_secret_proof" => self.app_secret_proof = field.flag()?,
            "issuer_aliases" => self.issuer_aliases = field.texts()?,
            "issuer_template" => self.issuer_template = Some(field.text()?),
            "signed_secret" => match <[String; 2]>::try_from(field.texts()?) {
                Ok([team, audience]) => self.signed_secret = Some((team, audience)),
                Err(_) => return Err(field.refused(NOT_TWO)),
            },
            "errors" => self.errors = field.pairs()?,
            "verified_email_member" => self.verified_email_member = field.text()?,
            "no_id_token" => self.no_id_token = field.flag()?,
            _ => return Err(field.unknown()),
        }
        Ok(())
    }

    /// The name that the RFCs have for an error of the provider's.
    pub(super) fn error<'n>(&'n self, own: &'n str) -> &'n str {
        self.errors.iter().find(|(known, _)| known == own).map_or(own, |(_, name)| name)
    }

    /// What a refusal says is wrong, if it is one.
    pub(super) fn told<'a>(&self, refusal: &Value<'a>) -> Option<Value<'a>> {
        let own = self.error_member.as_ref().and_then(|name| refusal.given(name));
        own.or_else(|| refusal.given("error"))
    }

    /// The address in a user's claims, if they say that it is proven: `true`, or the text "true",
    /// which Apple and others write. One member says it, and no other makes up for it.
    pub(super) fn verified_email(&self, claims: &Value<'_>) -> Option<String> {
        let member = Some(&*self.verified_email_member).filter(|member| !member.is_empty())?;
        let proof = inside(claims, member)?;
        let is_proven =
            proof.as_bool() == Some(true) || proof.as_str().is_some_and(|text| text == "true");
        let email = inside(claims, &self.email_member).filter(|_| is_proven)?.as_str()?;
        (!email.is_empty()).then(|| email.into_owned())
    }

    /// Every text of it in which a preset's placeholders may stand.
    pub(super) fn texts(&mut self) -> Vec<&mut String> {
        let mut texts: Vec<&mut String> = self.issuer_aliases.iter_mut().collect();
        texts.extend(self.emails_endpoint.as_mut());
        texts.extend(self.issuer_template.as_mut());
        if let Some((team, audience)) = &mut self.signed_secret {
            texts.extend([team, audience]);
        }
        texts.extend(self.authorize.iter_mut().map(|(_, value)| value));
        texts
    }
}

/// A member by its name, or with dots by its path: `data.id` is `id` inside of `data`.
pub(super) fn inside<'a>(value: &Value<'a>, path: &str) -> Option<Value<'a>> {
    if let Some(own) = value.given(path) {
        return Some(own);
    }
    let (first, rest) = path.split_once('.')?;
    inside(&value.given(first)?, rest)
}

const NOT_FLAGS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The flags of an address are a list of two names: that it is the first one, and that it is proven.",
);
const NOT_TWO: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A signed secret needs a list of two strings: the team that signs it, and its audience.",
);
