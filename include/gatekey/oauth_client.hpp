// Users who sign in elsewhere, and tokens of other servers. Include gatekey.hpp.
#ifndef GATEKEY_OAUTH_CLIENT_HPP
#define GATEKEY_OAUTH_CLIENT_HPP

#include "oauth_config.hpp"
#include "operation.hpp"

namespace gatekey {

/// What one log-in asks for.
class login_options
    : public detail::builder<login_options, gk_login_options, gk_login_options_free> {
  public:
    using builder::builder;
    login_options() : builder(gk_login_options_new()) {}

    /// The members of one JSON object, by the names of gk_login_options_json.
    login_options &json(std::string_view json) { return text(gk_login_options_json, json); }
    /// Separated by spaces, instead of the configuration's.
    login_options &scopes(std::string_view scopes) { return text(gk_login_options_scopes, scopes); }
    /// The page of this site to go to afterwards.
    login_options &return_to(std::string_view path) {
        return text(gk_login_options_return_to, path);
    }
    /// `none`, `login`, `consent` or `select_account`.
    login_options &prompt(std::string_view prompt) { return text(gk_login_options_prompt, prompt); }
    login_options &login_hint(std::string_view hint) {
        return text(gk_login_options_login_hint, hint);
    }
    /// How strongly the user is to sign in, the best first, separated by spaces.
    login_options &acr_values(std::string_view values) {
        return text(gk_login_options_acr_values, values);
    }
    /// The user must have signed in within this many seconds.
    login_options &max_age(std::uint64_t seconds) { return set(gk_login_options_max_age, seconds); }
    /// An API that the access token is for (RFC 8707).
    login_options &resource(std::string_view resource) {
        return text(gk_login_options_resource, resource);
    }
    /// A parameter of the server's own.
    login_options &parameter(std::string_view name, std::string_view value) {
        return pair(gk_login_options_parameter, name, value);
    }
};

/// Whom to sign out at the server, and where to go then.
class logout_options
    : public detail::builder<logout_options, gk_logout_options, gk_logout_options_free> {
  public:
    using builder::builder;
    logout_options() : builder(gk_logout_options_new()) {}

    logout_options &id_token(std::string_view token) {
        return text(gk_logout_options_id_token, token);
    }
    logout_options &post_logout_redirect_uri(std::string_view uri) {
        return text(gk_logout_options_post_logout_redirect_uri, uri);
    }
    /// What to come back with.
    logout_options &state(std::string_view state) { return text(gk_logout_options_state, state); }
};

/// What a token is asked for.
class token_grant : public detail::builder<token_grant, gk_token_grant, gk_token_grant_free> {
  public:
    using builder::builder;
    token_grant() : builder(gk_token_grant_new()) {}

    /// The members of one JSON object: `scopes`, `resources` and `parameters`.
    token_grant &json(std::string_view json) { return text(gk_token_grant_json, json); }
    /// Separated by spaces.
    token_grant &scopes(std::string_view scopes) { return text(gk_token_grant_scopes, scopes); }
    /// An API that the token is for (RFC 8707).
    token_grant &resource(std::string_view resource) {
        return text(gk_token_grant_resource, resource);
    }
    /// A parameter of the server's own.
    token_grant &parameter(std::string_view name, std::string_view value) {
        return pair(gk_token_grant_parameter, name, value);
    }
};

/// A token that is exchanged for another (RFC 8693).
class token_exchange
    : public detail::builder<token_exchange, gk_token_exchange, gk_token_exchange_free> {
  public:
    using builder::builder;
    token_exchange() : builder(gk_token_exchange_new()) {}

    /// The members of one JSON object, by the names of gk_token_exchange_json.
    token_exchange &json(std::string_view json) { return text(gk_token_exchange_json, json); }
    /// On behalf of whom; an access token unless a type is named.
    token_exchange &subject(std::string_view token, std::string_view token_type = {}) {
        return pair(gk_token_exchange_subject, token, token_type);
    }
    /// Who acts for them.
    token_exchange &actor(std::string_view token, std::string_view token_type = {}) {
        return pair(gk_token_exchange_actor, token, token_type);
    }
    /// The type of token that is wanted.
    token_exchange &requested_type(std::string_view token_type) {
        return text(gk_token_exchange_requested_type, token_type);
    }
    token_exchange &audience(std::string_view audience) {
        return text(gk_token_exchange_audience, audience);
    }
    /// Scopes, resources and further parameters.
    token_exchange &grant(const token_grant &grant) {
        return set(gk_token_exchange_grant, grant.get());
    }
};

/// One registration at one authorization server. What an operation ends with, gatekey.h says of the
/// call that makes it. Safe to share between threads.
class oauth_client : public detail::handle<gk_oauth_client, gk_oauth_client_free> {
  public:
    using handle::handle;
    explicit oauth_client(const oauth_config &config)
        : handle(detail::made<gk_oauth_client>([&](auto **out, auto *err) {
              return gk_oauth_client_new(config.get(), out, err);
          })) {}
    [[nodiscard]] oauth_client clone() const { return oauth_client(gk_oauth_client_clone(get())); }

    /// `cookies` is the request's Cookie header.
    [[nodiscard]] operation begin(const login_options &options = login_options(),
                                  std::string_view cookies = {}) const {
        return made(gk_oauth_client_begin, options.get(), cookies.data(), cookies.size());
    }
    /// `callback` is the callback's address, its query, or the form that was posted.
    [[nodiscard]] operation finish(std::string_view callback, std::string_view cookies) const {
        const gk_login_callback came{callback.data(), callback.size(), cookies.data(),
                                     cookies.size()};
        return made(gk_oauth_client_finish, &came);
    }
    /// With more to say in the request for the tokens.
    [[nodiscard]] operation finish(std::string_view callback, std::string_view cookies,
                                   const token_grant &grant) const {
        const gk_login_callback came{callback.data(), callback.size(), cookies.data(),
                                     cookies.size()};
        return made(gk_oauth_client_finish_with, &came, grant.get());
    }
    /// The Set-Cookie value that ends the log-in of a callback, whatever became of it.
    [[nodiscard]] std::string end_login(std::string_view callback) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_oauth_client_end_login(get(), callback.data(), callback.size(), out, err);
        });
    }
    [[nodiscard]] operation refresh(const oauth_tokens &tokens) const {
        return made(gk_oauth_client_refresh, tokens.get());
    }
    /// With other scopes or resources, or parameters of the server's own.
    [[nodiscard]] operation refresh(const oauth_tokens &tokens, const token_grant &grant) const {
        return made(gk_oauth_client_refresh_with, tokens.get(), grant.get());
    }
    [[nodiscard]] operation client_credentials(const token_grant &grant = token_grant()) const {
        return made(gk_oauth_client_client_credentials, grant.get());
    }
    [[nodiscard]] operation jwt_bearer(std::string_view assertion,
                                       const token_grant &grant = token_grant()) const {
        return made(gk_oauth_client_jwt_bearer, assertion.data(), assertion.size(), grant.get());
    }
    [[nodiscard]] operation token_exchange(const gatekey::token_exchange &exchange) const {
        return made(gk_oauth_client_token_exchange, exchange.get());
    }
    [[nodiscard]] operation device_codes(const token_grant &grant = token_grant()) const {
        return made(gk_oauth_client_device_codes, grant.get());
    }
    /// Continues with the operation of device_codes, which has ended.
    [[nodiscard]] operation poll(const operation &codes) const {
        return made(gk_oauth_client_poll, codes.get());
    }
    [[nodiscard]] operation poll(const operation &codes, const token_grant &grant) const {
        return made(gk_oauth_client_poll_with, codes.get(), grant.get());
    }
    [[nodiscard]] operation userinfo(const oauth_tokens &tokens) const {
        return made(gk_oauth_client_userinfo, tokens.get());
    }
    /// By an access token alone: look at the subject.
    [[nodiscard]] operation userinfo(std::string_view access_token) const {
        return made(gk_oauth_client_userinfo_by_token, access_token.data(), access_token.size());
    }
    /// What the server says about itself, as one JSON object.
    [[nodiscard]] operation metadata() const { return made(gk_oauth_client_metadata); }
    [[nodiscard]] operation introspect(std::string_view token) const {
        return made(gk_oauth_client_introspect, token.data(), token.size());
    }
    [[nodiscard]] operation introspect(std::string_view token, const token_grant &grant) const {
        return made(gk_oauth_client_introspect_with, token.data(), token.size(), grant.get());
    }
    [[nodiscard]] operation revoke(std::string_view token, bool is_refresh_token) const {
        return made(gk_oauth_client_revoke, token.data(), token.size(), is_refresh_token);
    }
    [[nodiscard]] operation logout_url(const logout_options &options = logout_options()) const {
        return made(gk_oauth_client_logout_url, options.get());
    }
    [[nodiscard]] operation logout_notice(std::string_view logout_token) const {
        return made(gk_oauth_client_logout_notice, logout_token.data(), logout_token.size());
    }

  private:
    template <class Call, class... Value> operation made(Call call, Value... value) const {
        return operation(detail::made<gk_operation>(
            [&](auto **out, auto *err) { return call(get(), value..., out, err); }));
    }
};

} // namespace gatekey

#endif // GATEKEY_OAUTH_CLIENT_HPP
