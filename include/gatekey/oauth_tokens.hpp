// What a token endpoint has given. Include gatekey.hpp.
#ifndef GATEKEY_OAUTH_TOKENS_HPP
#define GATEKEY_OAUTH_TOKENS_HPP

#include "json.hpp"

namespace gatekey {

/// What a token endpoint has given (RFC 6749 section 5.1). Views live as long as the object, which
/// wipes them in the end.
class oauth_tokens : public detail::handle<gk_oauth_tokens, gk_oauth_tokens_free> {
  public:
    using handle::handle;
    /// Tokens that were kept.
    [[nodiscard]] static oauth_tokens from_json(std::string_view json) {
        return oauth_tokens(detail::made<gk_oauth_tokens>([&](auto **out, auto *err) {
            return gk_oauth_tokens_from_json(json.data(), json.size(), out, err);
        }));
    }
    /// Tokens of a refresh token that was got in another way; the first use refreshes.
    [[nodiscard]] static oauth_tokens from_refresh_token(std::string_view issuer,
                                                         std::string_view refresh_token) {
        return oauth_tokens(detail::made<gk_oauth_tokens>([&](auto **out, auto *err) {
            return gk_oauth_tokens_from_refresh_token(
                issuer.data(), issuer.size(), refresh_token.data(), refresh_token.size(), out, err);
        }));
    }
    /// To be kept in a safe place: who reads it is the user.
    [[nodiscard]] secret to_json() const {
        return secret(detail::filled(
            [&](auto *out, auto *err) { return gk_oauth_tokens_to_json(get(), out, err); }));
    }
    [[nodiscard]] oauth_tokens clone() const { return oauth_tokens(gk_oauth_tokens_clone(get())); }

    /// Who gave them: the issuer, or the token endpoint of a server without one.
    [[nodiscard]] std::string_view issuer() const noexcept {
        return detail::view(gk_oauth_tokens_issuer(get()));
    }
    [[nodiscard]] std::string_view access_token() const noexcept {
        return detail::view(gk_oauth_tokens_access_token(get()));
    }
    [[nodiscard]] std::optional<std::string_view> refresh_token() const noexcept {
        return detail::maybe(gk_oauth_tokens_refresh_token(get()));
    }
    /// Who signed in, as a token, which was verified.
    [[nodiscard]] std::optional<std::string_view> id_token() const noexcept {
        return detail::maybe(gk_oauth_tokens_id_token(get()));
    }
    /// The claims of the ID token: `tokens.claims()["email"].text()`. `null` without one.
    [[nodiscard]] json claims() const {
        return json(detail::maybe(gk_oauth_tokens_claims_json(get())).value_or("null"));
    }
    /// The ID token's `sub`.
    [[nodiscard]] std::optional<std::string_view> subject() const noexcept {
        return detail::maybe(gk_oauth_tokens_subject(get()));
    }
    /// The ID token's `email`, where the provider says that it is the user's and proven.
    [[nodiscard]] std::optional<std::string_view> verified_email() const noexcept {
        return detail::maybe(gk_oauth_tokens_verified_email(get()));
    }
    /// The APIs that the access token was asked for.
    [[nodiscard]] std::vector<std::string_view> resources() const {
        std::vector<std::string_view> all;
        const std::size_t count = gk_oauth_tokens_resources_len(get());
        for (std::size_t i = 0; i < count; i++)
            all.push_back(detail::view(gk_oauth_tokens_resource_at(get(), i)));
        return all;
    }
    /// What kind of token an exchange has given.
    [[nodiscard]] std::optional<std::string_view> issued_token_type() const noexcept {
        return detail::maybe(gk_oauth_tokens_issued_token_type(get()));
    }
    /// Seconds since 1970-01-01T00:00:00Z, if the server said so.
    [[nodiscard]] std::optional<std::uint64_t> expires_at() const noexcept {
        std::uint64_t seconds = 0;
        if (!gk_oauth_tokens_expires_at(get(), &seconds)) return std::nullopt;
        return seconds;
    }
    [[nodiscard]] std::vector<std::string_view> scopes() const {
        std::vector<std::string_view> all;
        const std::size_t count = gk_oauth_tokens_scopes_len(get());
        for (std::size_t i = 0; i < count; i++)
            all.push_back(detail::view(gk_oauth_tokens_scope_at(get(), i)));
        return all;
    }
};

} // namespace gatekey

#endif // GATEKEY_OAUTH_TOKENS_HPP
