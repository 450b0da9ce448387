// How a client is registered at its authorization server. Include gatekey.hpp.
#ifndef GATEKEY_OAUTH_CONFIG_HPP
#define GATEKEY_OAUTH_CONFIG_HPP

#include "key.hpp"
#include "revocations.hpp"

namespace gatekey {

/// How a client is registered at its authorization server:
/// `oauth_config().issuer("https://a.example") .client_id("c").client_secret(s)`. What is wrong is
/// reported by the client that is made of it.
class oauth_config : public detail::builder<oauth_config, gk_oauth_config, gk_oauth_config_free> {
  public:
    using builder::builder;
    oauth_config() : builder(gk_oauth_config_new()) {}

    /// The members of one JSON object, by the names of docs/oauth.md.
    oauth_config &json(std::string_view json) { return text(gk_oauth_config_json, json); }
    oauth_config &client_id(std::string_view id) { return text(gk_oauth_config_client_id, id); }
    oauth_config &client_secret(std::string_view secret) {
        return text(gk_oauth_config_client_secret, secret);
    }
    /// For `private_key_jwt` (RFC 7523), or a secret that the client signs itself.
    oauth_config &private_key(const key &key) {
        return set(gk_oauth_config_private_key, key.get());
    }
    /// Whom client assertions are for: `issuer`, unless set, or `token_endpoint`.
    oauth_config &assertion_audience(std::string_view name) {
        return text(gk_oauth_config_assertion_audience, name);
    }
    /// A header member of client assertions, given as JSON text: `x5t` for Entra ID.
    oauth_config &assertion_header(std::string_view name, std::string_view json) {
        return set(gk_oauth_config_assertion_header, name.data(), name.size(), json.data(),
                   json.size());
    }
    /// By its name in `token_endpoint_auth_method` (RFC 7591); otherwise the best that there is.
    oauth_config &auth_method(std::string_view name) {
        return text(gk_oauth_config_auth_method, name);
    }
    /// The server, whose metadata are fetched.
    oauth_config &issuer(std::string_view issuer) { return text(gk_oauth_config_issuer, issuer); }
    /// Whether they are.
    oauth_config &discover(bool discover) { return set(gk_oauth_config_discover, discover); }
    /// Where they are, if the issuer's address does not lead to them.
    oauth_config &metadata_url(std::string_view url) {
        return text(gk_oauth_config_metadata_url, url);
    }
    /// What is known about a provider, for example `google`; later calls override it.
    oauth_config &preset(std::string_view name) { return text(gk_oauth_config_preset, name); }
    /// A value for a placeholder of the preset.
    oauth_config &variable(std::string_view name, std::string_view value) {
        return pair(gk_oauth_config_variable, name, value);
    }
    /// One endpoint by its name in metadata (RFC 8414), for example `token_endpoint`.
    oauth_config &endpoint(std::string_view name, std::string_view url) {
        return pair(gk_oauth_config_endpoint, name, url);
    }
    /// Where the server departs from the RFCs: one JSON object, as in docs/oauth.md.
    oauth_config &quirks(std::string_view json) { return text(gk_oauth_config_quirks, json); }
    oauth_config &redirect_uri(std::string_view uri) {
        return text(gk_oauth_config_redirect_uri, uri);
    }
    /// Separated by spaces.
    oauth_config &scopes(std::string_view scopes) { return text(gk_oauth_config_scopes, scopes); }
    oauth_config &id_token_algorithms(const std::vector<alg> &algs) {
        const auto codes = detail::codes(algs);
        return set(gk_oauth_config_id_token_algorithms, codes.data(), codes.size());
    }
    /// May stand beside this client in an ID token's `aud`.
    oauth_config &trusted_audience(std::string_view audience) {
        return text(gk_oauth_config_trusted_audience, audience);
    }
    /// Whose users may sign in, where the preset has tenants.
    oauth_config &allowed_tenant(std::string_view tenant) {
        return text(gk_oauth_config_allowed_tenant, tenant);
    }
    /// Adds a secret of 16 bytes or more that seals the cookies of log-ins; several go from the
    /// oldest to the active one.
    oauth_config &flow_key(std::uint32_t number, bytes_view key) {
        return set(gk_oauth_config_flow_key, number, key.data(), key.size());
    }
    /// Refuses callbacks that have been seen, even if the cookie was kept.
    oauth_config &replay(const revocations &seen) {
        return set(gk_oauth_config_replay, seen.get());
    }
    /// Refuses a server that does not say that it knows PKCE with S256.
    oauth_config &require_pkce(bool require = true) {
        return set(gk_oauth_config_require_pkce, require);
    }
    /// Allows plain http to this very machine, for tests.
    oauth_config &allow_loopback_http(bool allow = true) {
        return set(gk_oauth_config_allow_loopback_http, allow);
    }
    /// How many seconds the server's clock may be off: 60 unless set.
    oauth_config &leeway(std::uint64_t seconds) { return set(gk_oauth_config_leeway, seconds); }
    /// How many milliseconds each request may take in all: 10000 unless set.
    oauth_config &deadline_ms(std::uint64_t milliseconds) {
        return set(gk_oauth_config_deadline_ms, milliseconds);
    }
    oauth_config &clock(clock_function now) {
        return callback(gk_oauth_config_clock, std::move(now));
    }
    oauth_config &random(random_function fill) {
        return set(gk_oauth_config_random, detail::read_random, detail::given(std::move(fill)),
                   detail::drop<random_function>);
    }
};

} // namespace gatekey

#endif // GATEKEY_OAUTH_CONFIG_HPP
