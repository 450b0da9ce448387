// The check of an API's incoming requests. Include gatekey.hpp.
#ifndef GATEKEY_RESOURCE_SERVER_HPP
#define GATEKEY_RESOURCE_SERVER_HPP

#include "apikey.hpp"
#include "keyring.hpp"
#include "oauth_client.hpp"
#include "remote_key_set.hpp"
#include "revocations.hpp"

namespace gatekey {

/// What of a request says who calls, as it came: all of it is untrusted.
struct caller {
    /// The value of the one Authorization header; empty for a request without.
    std::string_view authorization;
    /// The value of the one X-API-Key header, or of the program's own for API keys.
    std::optional<std::string_view> api_key;
    /// The caller's address as text; empty for unknown.
    std::string_view address;
};

/// What a route demands of its caller: made once, shared by all threads.
class demand : public detail::handle<gk_demand, gk_demand_free> {
  public:
    using handle::handle;
    demand() : handle(gk_demand_new()) {}

    /// With several calls, all of them.
    demand &scope(std::string_view scope) {
        gk_demand_scope(get(), scope.data(), scope.size());
        return *this;
    }
    /// How the user must have signed in (RFC 9470); with several calls, one of them.
    demand &acr_value(std::string_view acr) {
        gk_demand_acr_value(get(), acr.data(), acr.size());
        return *this;
    }
    /// The user must have signed in within this many seconds.
    demand &max_age(std::uint64_t seconds) {
        gk_demand_max_age(get(), seconds);
        return *this;
    }
    /// An API key's own tenant, or that of a token's claim
    /// (resource_server::builder::tenant_claim).
    demand &tenant(std::string_view tenant) {
        gk_demand_tenant(get(), tenant.data(), tenant.size());
        return *this;
    }
    /// A request may bring two credentials. This one must be there and decides alone; the other, if
    /// it is there, must be valid.
    demand &decided_by(credential_place place) {
        gk_demand_decided_by(get(), static_cast<std::int32_t>(place));
        return *this;
    }
};

/// What a door accepts of one issuer's tokens instead of what it accepts of all; what is not set is
/// as the door has it.
class door_rule : public detail::builder<door_rule, gk_door_rule, gk_door_rule_free> {
  public:
    using builder::builder;
    door_rule() : builder(gk_door_rule_new()) {}

    /// With several calls, one of several.
    door_rule &audience(std::string_view audience) { return text(gk_door_rule_audience, audience); }
    /// Only with clients that are named, here or for the whole door.
    door_rule &any_audience() { return set(gk_door_rule_any_audience); }
    door_rule &client(std::string_view client_id) { return text(gk_door_rule_client, client_id); }
    door_rule &token_type(std::string_view typ) { return text(gk_door_rule_token_type, typ); }
    door_rule &allow_missing_type() { return set(gk_door_rule_allow_missing_type); }
    /// Its claim has a value, given as JSON text; several calls of one name mean any of the values.
    door_rule &claim(std::string_view name, std::string_view json) {
        return set(gk_door_rule_claim, name.data(), name.size(), json.data(), json.size());
    }
    door_rule &algorithms(const std::vector<alg> &algs) {
        const auto codes = detail::codes(algs);
        return set(gk_door_rule_algorithms, codes.data(), codes.size());
    }
    door_rule &leeway(std::uint64_t seconds) { return set(gk_door_rule_leeway, seconds); }
    door_rule &tenant_claim(std::string_view name) { return text(gk_door_rule_tenant_claim, name); }
};

/// The check of an API's incoming requests: JWTs of an issuer, opaque tokens and API keys, in one
/// call. Safe to share between threads.
class resource_server : public detail::handle<gk_resource_server, gk_resource_server_free> {
  public:
    using handle::handle;

    class builder;
    [[nodiscard]] resource_server clone() const {
        return resource_server(gk_resource_server_clone(get()));
    }

    /// Who calls, or why not.
    struct outcome {
        /// status::ok, or the reason; http_status() of it is what to answer.
        gatekey::status status;
        /// Who calls, as JSON; empty for a refusal.
        std::string access;
        /// The value of the WWW-Authenticate header for a refusal; empty where none is due.
        std::string challenge;
        /// Why, for the log; retry_after_ms() is for the header Retry-After. Says nothing if the
        /// caller is let in.
        error reason;
        explicit operator bool() const noexcept { return status == gatekey::status::ok; }
    };
    /// A refusal is not exceptional: it is returned.
    [[nodiscard]] outcome check(std::string_view authorization, const demand &wanted = {},
                                std::string_view address = {}) const {
        return check(caller{authorization, {}, address}, wanted);
    }
    /// Who calls, by both places where a request may bring a credential: exactly one of them,
    /// unless the demand says which decides.
    [[nodiscard]] outcome check(const caller &who, const demand &wanted = {}) const {
        const std::string_view key = who.api_key.value_or(std::string_view());
        // An empty key is there, and wrong.
        const char *key_data = who.api_key && key.empty() ? "" : key.data();
        const gk_caller raw{who.authorization.data(),
                            who.authorization.size(),
                            who.address.data(),
                            who.address.size(),
                            key_data,
                            key.size()};
        detail::buffer access, challenge;
        gk_error err;
        const gk_status answer =
            gk_resource_server_check(get(), &raw, wanted.get(), &access.raw, &challenge.raw, &err);
        return {static_cast<gatekey::status>(answer), text(access), text(challenge), error(err)};
    }
    /// The metadata of the API (RFC 9728), to be served as JSON.
    [[nodiscard]] std::string metadata() const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_resource_server_metadata(get(), out, err); });
    }

  private:
    static std::string text(const detail::buffer &from) {
        if (from.raw.data == nullptr) return {};
        return {from.raw.data, from.raw.len};
    }
};

/// A door while it is put together: `resource_server::builder("https://api.example").issuer(name,
/// keys).build()`. What it is given is shared, and need not outlive it.
class resource_server::builder
    : public detail::handle<gk_resource_server_builder, gk_resource_server_builder_free> {
  public:
    using handle::handle;
    /// The audience is what tokens must name: the API's identifier.
    explicit builder(std::string_view audience)
        : handle(gk_resource_server_builder_new(audience.data(), audience.size())) {}
    /// The members are those of gk_resource_server_builder_from_json.
    [[nodiscard]] static builder from_json(std::string_view json) {
        return builder(detail::made<gk_resource_server_builder>([&](auto **out, auto *err) {
            return gk_resource_server_builder_from_json(json.data(), json.size(), out, err);
        }));
    }

    /// Accepts the JWTs of an issuer, verified with its keys. Several calls, several issuers: the
    /// keys of each verify its own tokens and no others.
    builder &issuer(std::string_view issuer, const remote_key_set &of) {
        return set(gk_resource_server_builder_issuer_keys, issuer.data(), issuer.size(), of.get());
    }
    /// The same, of our own.
    builder &issuer(std::string_view issuer, const key_ring &ring) {
        return set(gk_resource_server_builder_issuer_key_ring, issuer.data(), issuer.size(),
                   ring.get());
    }
    /// The same, that stay as they are, such as those of a file.
    builder &issuer(std::string_view issuer, const key_set &keys) {
        return set(gk_resource_server_builder_issuer_key_set, issuer.data(), issuer.size(),
                   keys.get());
    }
    /// Accepts of this issuer's tokens what the rule says, instead of what the door says of all.
    builder &issuer_rule(std::string_view issuer, const door_rule &rule) {
        return set(gk_resource_server_builder_issuer_rule, issuer.data(), issuer.size(),
                   rule.get());
    }
    /// Accepts tokens for any audience and for none, of the clients that are named.
    builder &any_audience() { return set(gk_resource_server_builder_any_audience); }
    /// Accepts the tokens of this client alone; several calls, several clients.
    builder &client(std::string_view client_id) {
        return set(gk_resource_server_builder_client, client_id.data(), client_id.size());
    }
    /// The keys of the one issuer that the JSON has named.
    builder &keys(const remote_key_set &of) {
        return set(gk_resource_server_builder_keys, of.get());
    }
    builder &keys(const key_ring &ring) {
        return set(gk_resource_server_builder_key_ring, ring.get());
    }
    /// Instead of `at+jwt`; several calls, several types.
    builder &token_type(std::string_view typ) {
        return set(gk_resource_server_builder_token_type, typ.data(), typ.size());
    }
    /// Instead of `at+jwt`, or beside the types that are named: tokens without one.
    builder &allow_missing_type() { return set(gk_resource_server_builder_allow_missing_type); }
    /// A token's claim must have a value, given as JSON text; several calls of one name mean any of
    /// the values. Of opaque tokens, the answer's member.
    builder &claim(std::string_view name, std::string_view json) {
        return set(gk_resource_server_builder_claim, name.data(), name.size(), json.data(),
                   json.size());
    }
    /// The claim that names a token's tenant.
    builder &tenant_claim(std::string_view name) {
        return set(gk_resource_server_builder_tenant_claim, name.data(), name.size());
    }
    builder &algorithms(const std::vector<alg> &algs) {
        const auto codes = detail::codes(algs);
        return set(gk_resource_server_builder_algorithms, codes.data(), codes.size());
    }
    builder &leeway(std::uint64_t seconds) {
        return set(gk_resource_server_builder_leeway, seconds);
    }
    builder &metadata_url(std::string_view url) {
        return set(gk_resource_server_builder_metadata_url, url.data(), url.size());
    }
    /// Separated by spaces.
    builder &scopes_supported(std::string_view scopes) {
        return set(gk_resource_server_builder_scopes_supported, scopes.data(), scopes.size());
    }
    builder &revocations(const gatekey::revocations &list) {
        return set(gk_resource_server_builder_revocations, list.get());
    }
    builder &api_keys(const gatekey::api_keys &keys) {
        return set(gk_resource_server_builder_api_keys, keys.get());
    }
    /// Asks the client's server about other tokens (RFC 7662).
    builder &introspection(const oauth_client &client, const http &transport) {
        return set(gk_resource_server_builder_introspection, client.get(), transport.get());
    }
    /// How many tokens that the server does not know it is asked about at once; a tenth of it again
    /// each second. 100 unless set, 0 for any number.
    builder &unknown_tokens(std::uint32_t most) {
        return set(gk_resource_server_builder_unknown_tokens, most);
    }
    /// For how many seconds its answers are remembered.
    builder &introspection_ttl(std::uint64_t seconds, std::uint64_t negative_seconds) {
        return set(gk_resource_server_builder_introspection_ttl, seconds, negative_seconds);
    }
    builder &require_audience(bool required = true) {
        return set(gk_resource_server_builder_require_audience, required);
    }
    builder &clock(clock_function now) {
        return set(gk_resource_server_builder_clock, detail::read_clock,
                   detail::given(std::move(now)), detail::drop<clock_function>);
    }
    [[nodiscard]] resource_server build() const {
        return resource_server(detail::made<gk_resource_server>([&](auto **out, auto *err) {
            return gk_resource_server_builder_build(get(), out, err);
        }));
    }

  private:
    template <class Set, class... Value> builder &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
};

} // namespace gatekey

#endif // GATEKEY_RESOURCE_SERVER_HPP
