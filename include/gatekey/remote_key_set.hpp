// The keys that an issuer publishes. Include gatekey.hpp.
#ifndef GATEKEY_REMOTE_KEY_SET_HPP
#define GATEKEY_REMOTE_KEY_SET_HPP

#include "operation.hpp"
#include "verifier.hpp"

namespace gatekey {

/// Where keys are, or whose they are, how they are fetched and for how long they are believed.
class remote_key_set_options
    : public detail::builder<remote_key_set_options, gk_remote_key_set_options,
                             gk_remote_key_set_options_free> {
  public:
    using builder::builder;
    remote_key_set_options() : builder(gk_remote_key_set_options_new()) {}

    /// The members of one JSON object, by the names of gk_remote_key_set_options_json.
    remote_key_set_options &json(std::string_view json) {
        return text(gk_remote_key_set_options_json, json);
    }
    /// Where the keys are, instead of an issuer.
    remote_key_set_options &url(std::string_view url) {
        return text(gk_remote_key_set_options_url, url);
    }
    /// Whose keys they are: its metadata say where.
    remote_key_set_options &issuer(std::string_view issuer) {
        return text(gk_remote_key_set_options_issuer, issuer);
    }
    /// Where its metadata are, if its address does not lead to them.
    remote_key_set_options &metadata_url(std::string_view url) {
        return text(gk_remote_key_set_options_metadata_url, url);
    }
    /// For how many seconds keys are fresh if the issuer does not say: 3600 unless set.
    remote_key_set_options &ttl(std::uint64_t seconds) {
        return set(gk_remote_key_set_options_ttl, seconds);
    }
    /// The least and the most of what `Cache-Control: max-age` may say.
    remote_key_set_options &ttl_between(std::uint64_t least, std::uint64_t most) {
        return set(gk_remote_key_set_options_ttl_between, least, most);
    }
    /// A look for an unknown key at most once in this many seconds: 30 unless set.
    remote_key_set_options &cooldown(std::uint64_t seconds) {
        return set(gk_remote_key_set_options_cooldown, seconds);
    }
    /// For how many seconds keys are used although the issuer is out of reach: a day unless set.
    remote_key_set_options &max_stale(std::uint64_t seconds) {
        return set(gk_remote_key_set_options_max_stale, seconds);
    }
    /// The algorithm of RSA keys that name none: RS256 unless set.
    remote_key_set_options &rsa_alg(alg alg) {
        return set(gk_remote_key_set_options_rsa_alg, static_cast<gk_alg>(alg));
    }
    /// Allows plain http to this very machine, for tests.
    remote_key_set_options &allow_loopback_http(bool allow = true) {
        return set(gk_remote_key_set_options_allow_loopback_http, allow);
    }
    remote_key_set_options &deadline_ms(std::uint64_t milliseconds) {
        return set(gk_remote_key_set_options_deadline_ms, milliseconds);
    }
    remote_key_set_options &clock(clock_function now) {
        return callback(gk_remote_key_set_options_clock, std::move(now));
    }
};

/// The keys that an issuer publishes. Safe to share between threads.
class remote_key_set : public detail::handle<gk_remote_key_set, gk_remote_key_set_free> {
  public:
    using handle::handle;
    remote_key_set(const remote_key_set_options &options, const http &transport)
        : remote_key_set(options, transport.get()) {}
    /// Keys whose verifiers never block: run refresh() to keep them fresh.
    explicit remote_key_set(const remote_key_set_options &options)
        : remote_key_set(options, static_cast<const gk_http *>(nullptr)) {}
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
    /// The keys as they are now, fetched if need be, with what was skipped of them.
    [[nodiscard]] key_set keys() const {
        return key_set(detail::made<gk_key_set>(
            [&](auto **out, auto *err) { return gk_remote_key_set_keys(get(), out, err); }));
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
    remote_key_set(const remote_key_set_options &options, const gk_http *transport)
        : handle(detail::made<gk_remote_key_set>([&](auto **out, auto *err) {
              return gk_remote_key_set_new(options.get(), transport, out, err);
          })) {}
};

} // namespace gatekey

#endif // GATEKEY_REMOTE_KEY_SET_HPP
