// OAuth 2.0 and OpenID Connect as a client, remote keys, an API's door. Include gatekey.hpp.
#ifndef GATEKEY_OAUTH_HPP
#define GATEKEY_OAUTH_HPP

#include "apikey.hpp"
#include "handle.hpp"
#include "keyring.hpp"
#include "revocations.hpp"
#include "verifier.hpp"

namespace gatekey {

/// The built-in transport: blocking, HTTPS only, no redirects, no proxies. Safe to share between
/// threads.
class http : public detail::handle<gk_http, gk_http_free> {
  public:
    using handle::handle;
    /// The members of the options are those of gk_http_new.
    explicit http(std::string_view options_json = {})
        : handle(detail::made<gk_http>([&](auto **out, auto *err) {
              return gk_http_new(options_json.data(), options_json.size(), out, err);
          })) {}
    [[nodiscard]] http clone() const { return http(gk_http_clone(get())); }
};

/// What takes requests to another server: run it over a transport, or drive it from an event loop.
/// Not to be used by two threads at once.
class operation : public detail::handle<gk_operation, gk_operation_free> {
  public:
    using handle::handle;

    /// Takes it to its end and gives its result as JSON, as gatekey.h says of the call that made
    /// it.
    secret run(const http &transport) {
        detail::done([&](auto *err) { return gk_operation_run(get(), transport.get(), err); });
        return result();
    }
    /// What it wants: see GK_STEP_REQUEST and its siblings.
    gk_step next() {
        gk_step step;
        detail::done([&](auto *err) { return gk_operation_next(get(), &step, err); });
        return step;
    }
    /// The request that it wants; its texts live until the answer is fed.
    [[nodiscard]] gk_request request() const {
        gk_request wanted;
        detail::done([&](auto *err) { return gk_operation_request(get(), &wanted, err); });
        return wanted;
    }
    /// A header of the request, its name and its value.
    [[nodiscard]] std::pair<std::string_view, std::string_view> header(std::size_t index) const {
        const gk_header header = gk_operation_header(get(), index);
        return {detail::view(header.name), detail::view(header.value)};
    }
    using headers = std::vector<std::pair<std::string, std::string>>;
    void feed(std::uint16_t status, const headers &given, std::string_view body) {
        std::vector<gk_header> raw;
        raw.reserve(given.size());
        for (const auto &[name, value] : given)
            raw.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
        detail::done([&](auto *err) {
            return gk_operation_feed(get(), status, raw.data(), raw.size(), body.data(),
                                     body.size(), err);
        });
    }
    /// There is no answer: one of the 7000s.
    void fail(status reason) {
        detail::done([&](auto *err) {
            return gk_operation_fail(get(), static_cast<gk_status>(reason), err);
        });
    }
    [[nodiscard]] secret result() const {
        return secret(detail::filled(
            [&](auto *out, auto *err) { return gk_operation_result(get(), out, err); }));
    }
    /// The authorization server's own name of the error that it has ended with; empty without one.
    [[nodiscard]] std::string_view peer_code() const noexcept {
        return detail::view(gk_operation_peer_code(get()));
    }
    /// Milliseconds before the same is worth another try; 0 where waiting is no remedy.
    [[nodiscard]] std::uint64_t retry_after() const noexcept {
        return gk_operation_retry_after(get());
    }
};

/// One registration at one authorization server. Results are JSON, as gatekey.h says. Safe to share
/// between threads.
class oauth_client : public detail::handle<gk_oauth_client, gk_oauth_client_free> {
  public:
    using handle::handle;
    /// The members of the configuration are those of docs/oauth.md.
    explicit oauth_client(std::string_view config_json)
        : handle(detail::made<gk_oauth_client>([&](auto **out, auto *err) {
              return gk_oauth_client_new(config_json.data(), config_json.size(), out, err);
          })) {}
    [[nodiscard]] oauth_client clone() const { return oauth_client(gk_oauth_client_clone(get())); }

    [[nodiscard]] operation begin(std::string_view options_json = {},
                                  std::string_view cookies = {}) const {
        return two(gk_oauth_client_begin, options_json, cookies);
    }
    [[nodiscard]] operation finish(std::string_view callback, std::string_view cookies) const {
        return two(gk_oauth_client_finish, callback, cookies);
    }
    /// The Set-Cookie value that ends the log-in of a callback, whatever became of it.
    [[nodiscard]] std::string end_login(std::string_view callback) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_oauth_client_end_login(get(), callback.data(), callback.size(), out, err);
        });
    }
    [[nodiscard]] operation refresh(std::string_view tokens_json) const {
        return one(gk_oauth_client_refresh, tokens_json);
    }
    [[nodiscard]] operation client_credentials(std::string_view grant_json = {}) const {
        return one(gk_oauth_client_client_credentials, grant_json);
    }
    [[nodiscard]] operation jwt_bearer(std::string_view assertion,
                                       std::string_view grant_json = {}) const {
        return two(gk_oauth_client_jwt_bearer, assertion, grant_json);
    }
    [[nodiscard]] operation token_exchange(std::string_view exchange_json) const {
        return one(gk_oauth_client_token_exchange, exchange_json);
    }
    [[nodiscard]] operation device_codes(std::string_view grant_json = {}) const {
        return one(gk_oauth_client_device_codes, grant_json);
    }
    /// Goes on with the operation of device_codes, which has ended.
    [[nodiscard]] operation poll(const operation &codes) const {
        return operation(detail::made<gk_operation>([&](auto **out, auto *err) {
            return gk_oauth_client_poll(get(), codes.get(), out, err);
        }));
    }
    [[nodiscard]] operation userinfo(std::string_view tokens_json) const {
        return one(gk_oauth_client_userinfo, tokens_json);
    }
    [[nodiscard]] operation introspect(std::string_view token) const {
        return one(gk_oauth_client_introspect, token);
    }
    [[nodiscard]] operation revoke(std::string_view token, bool is_refresh_token) const {
        return operation(detail::made<gk_operation>([&](auto **out, auto *err) {
            return gk_oauth_client_revoke(get(), token.data(), token.size(), is_refresh_token, out,
                                          err);
        }));
    }
    [[nodiscard]] operation logout_url(std::string_view id_token, std::string_view redirect_uri,
                                       std::string_view state = {}) const {
        return operation(detail::made<gk_operation>([&](auto **out, auto *err) {
            return gk_oauth_client_logout_url(get(), id_token.data(), id_token.size(),
                                              redirect_uri.data(), redirect_uri.size(),
                                              state.data(), state.size(), out, err);
        }));
    }
    [[nodiscard]] operation logout_notice(std::string_view logout_token) const {
        return one(gk_oauth_client_logout_notice, logout_token);
    }

  private:
    template <class Call> operation one(Call call, std::string_view text) const {
        return operation(detail::made<gk_operation>([&](auto **out, auto *err) {
            return call(get(), text.data(), text.size(), out, err);
        }));
    }
    template <class Call>
    operation two(Call call, std::string_view first, std::string_view second) const {
        return operation(detail::made<gk_operation>([&](auto **out, auto *err) {
            return call(get(), first.data(), first.size(), second.data(), second.size(), out, err);
        }));
    }
};

/// The keys that an issuer publishes. Safe to share between threads.
class remote_key_set : public detail::handle<gk_remote_key_set, gk_remote_key_set_free> {
  public:
    using handle::handle;
    /// The members of the options are those of gk_remote_key_set_new.
    remote_key_set(std::string_view options_json, const http &transport)
        : remote_key_set(options_json, transport.get()) {}
    /// Keys whose verifiers never block: whoever runs refresh() keeps them fresh.
    explicit remote_key_set(std::string_view options_json)
        : remote_key_set(options_json, static_cast<const gk_http *>(nullptr)) {}
    [[nodiscard]] remote_key_set clone() const {
        return remote_key_set(gk_remote_key_set_clone(get()));
    }
    [[nodiscard]] bool wants_refresh() const noexcept {
        return gk_remote_key_set_wants_refresh(get());
    }
    [[nodiscard]] operation refresh() const {
        return operation(detail::made<gk_operation>(
            [&](auto **out, auto *err) { return gk_remote_key_set_refresh(get(), out, err); }));
    }
    /// The rule of one issuer, whose keys are as they are at each token.
    [[nodiscard]] issuer_rule rule(std::string_view issuer) const {
        return issuer_rule(detail::made<gk_issuer_rule>([&](auto **out, auto *err) {
            return gk_issuer_rule_following_remote(issuer.data(), issuer.size(), get(), out, err);
        }));
    }
    /// A verifier that trusts the keys as they are at each token.
    [[nodiscard]] verifier following(const policy &wanted) const {
        return verifier(detail::made<gk_verifier>([&](auto **out, auto *err) {
            return gk_verifier_following_remote(get(), wanted.get(), out, err);
        }));
    }

  private:
    remote_key_set(std::string_view options_json, const gk_http *transport)
        : handle(detail::made<gk_remote_key_set>([&](auto **out, auto *err) {
              return gk_remote_key_set_new(options_json.data(), options_json.size(), transport, out,
                                           err);
          })) {}
};

/// The tokens of other servers, kept and refreshed once for all threads and processes. Safe to
/// share between threads.
class token_manager : public detail::handle<gk_token_manager, gk_token_manager_free> {
  public:
    using handle::handle;
    /// In memory if the folder is empty; `grant_json` is what a name gets without a token.
    token_manager(const oauth_client &client, const http &transport, std::string_view folder = {},
                  std::string_view grant_json = {},
                  bytes_view seal = bytes_view(nullptr, std::size_t{0}))
        : handle(detail::made<gk_token_manager>([&](auto **out, auto *err) {
              return gk_token_manager_new(client.get(), transport.get(), folder.data(),
                                          folder.size(), grant_json.data(), grant_json.size(),
                                          seal.data(), seal.size(), out, err);
          })) {}
    [[nodiscard]] token_manager clone() const {
        return token_manager(gk_token_manager_clone(get()));
    }
    void put(std::string_view name, std::string_view tokens_json) const {
        detail::done([&](auto *err) {
            return gk_token_manager_put(get(), name.data(), name.size(), tokens_json.data(),
                                        tokens_json.size(), err);
        });
    }
    void remove(std::string_view name) const {
        detail::done([&](auto *err) {
            return gk_token_manager_remove(get(), name.data(), name.size(), err);
        });
    }
    /// Good for at least so many seconds, refreshed if need be.
    [[nodiscard]] secret access_token(std::string_view name, std::uint64_t min_ttl = 60) const {
        return secret(detail::filled([&](auto *out, auto *err) {
            return gk_token_manager_access_token(get(), name.data(), name.size(), min_ttl, out,
                                                 err);
        }));
    }
    [[nodiscard]] secret tokens(std::string_view name, std::uint64_t min_ttl = 60) const {
        return secret(detail::filled([&](auto *out, auto *err) {
            return gk_token_manager_tokens(get(), name.data(), name.size(), min_ttl, out, err);
        }));
    }
    /// Another token, because an API has refused this one, unless there is one by now.
    [[nodiscard]] secret replace(std::string_view name, std::string_view refused) const {
        return secret(detail::filled([&](auto *out, auto *err) {
            return gk_token_manager_replace(get(), name.data(), name.size(), refused.data(),
                                            refused.size(), out, err);
        }));
    }
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
};

/// An API's door: JWTs of an issuer, opaque tokens and API keys behind one call. Safe to share
/// between threads.
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
        explicit operator bool() const noexcept { return status == gatekey::status::ok; }
    };
    /// A refusal is not exceptional: it is returned.
    [[nodiscard]] outcome check(std::string_view authorization, const demand &wanted = {},
                                std::string_view address = {}) const {
        const gk_caller caller{authorization.data(), authorization.size(), address.data(),
                               address.size()};
        detail::buffer access, challenge;
        const gk_status answer = gk_resource_server_check(get(), &caller, wanted.get(), &access.raw,
                                                          &challenge.raw, nullptr);
        return {static_cast<gatekey::status>(answer), text(access), text(challenge)};
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

    /// Accepts the JWTs of an issuer, verified with its keys.
    builder &issuer(std::string_view issuer, const remote_key_set &of) {
        return set(gk_resource_server_builder_issuer, issuer.data(), issuer.size()).keys(of);
    }
    /// The same, of our own.
    builder &issuer(std::string_view issuer, const key_ring &ring) {
        return set(gk_resource_server_builder_issuer, issuer.data(), issuer.size()).keys(ring);
    }
    /// The keys of the issuer that the JSON has named.
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

#endif // GATEKEY_OAUTH_HPP
