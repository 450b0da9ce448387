// From a token to claims: policy, verifier, verified. Include gatekey.hpp.
#ifndef GATEKEY_VERIFIER_HPP
#define GATEKEY_VERIFIER_HPP

#include "key.hpp"
#include "keyring.hpp"
#include "revocations.hpp"

namespace gatekey {

/// What a verifier demands of a token beyond its signature. Fails closed: what it says nothing
/// about must be absent (`iss`, `aud`) or usual (`typ`), what it expects is required, and so is
/// `exp`.
class policy : public detail::handle<gk_policy, gk_policy_free> {
  public:
    using handle::handle;
    policy() : handle(gk_policy_new()) {}
    [[nodiscard]] policy clone() const { return policy(gk_policy_clone(get())); }

    /// Several calls of expect_issuer, expect_audience or expect_type mean any of the values.
    policy &expect_issuer(std::string_view issuer) { return text(gk_policy_expect_issuer, issuer); }
    policy &ignore_issuer() { return flag(gk_policy_ignore_issuer); }
    policy &expect_audience(std::string_view audience) {
        return text(gk_policy_expect_audience, audience);
    }
    policy &ignore_audience() { return flag(gk_policy_ignore_audience); }
    policy &expect_type(std::string_view typ) { return text(gk_policy_expect_type, typ); }
    policy &ignore_type() { return flag(gk_policy_ignore_type); }
    policy &expect_subject(std::string_view subject) {
        return text(gk_policy_expect_subject, subject);
    }
    /// 7 is another subject than "7"; allows numbers, too.
    policy &expect_numeric_subject(std::int64_t subject) {
        return number(gk_policy_expect_numeric_subject, subject);
    }
    /// Accepts a `sub` that is a whole number; see verified::numeric_subject.
    policy &allow_numeric_subject() { return flag(gk_policy_allow_numeric_subject); }
    /// Accepts a token whose parts are padded with `=`, as AWS load balancers sign them.
    policy &allow_padding() { return flag(gk_policy_allow_padding); }
    /// Demands that a claim has a value, given as JSON text; several calls of one name mean any of
    /// the values.
    policy &expect_claim(std::string_view name, std::string_view json) {
        return set(gk_policy_expect_claim, name.data(), name.size(), json.data(), json.size());
    }
    policy &require_claim(std::string_view name) { return text(gk_policy_require_claim, name); }
    /// Refuses tokens issued more than this many seconds ago; `iat` is then required.
    policy &max_age(std::uint64_t seconds) { return number(gk_policy_max_age, seconds); }
    /// Forgives clocks that disagree by up to this many seconds, at most 600.
    policy &leeway(std::uint64_t seconds) { return number(gk_policy_leeway, seconds); }
    policy &allow_missing_exp() { return flag(gk_policy_allow_missing_exp); }
    /// Uses only keys of these algorithms.
    policy &algorithms(const std::vector<alg> &algs) {
        const auto codes = detail::codes(algs);
        return set(gk_policy_algorithms, codes.data(), codes.size());
    }
    policy &max_token_bytes(std::size_t bytes) { return number(gk_policy_max_token_bytes, bytes); }
    policy &max_header_bytes(std::size_t bytes) {
        return number(gk_policy_max_header_bytes, bytes);
    }
    policy &clock(clock_function now) {
        return set(gk_policy_clock, detail::read_clock, detail::given(std::move(now)),
                   detail::drop<clock_function>);
    }
    /// Refuses tokens that have been revoked, and every token while that cannot be known.
    policy &revocations(const gatekey::revocations &list) {
        return set(gk_policy_revocations, list.get());
    }
    /// Tries up to four keys on a token without `kid`.
    policy &try_keys_without_kid() { return flag(gk_policy_try_keys_without_kid); }

  private:
    template <class Set, class... Value> policy &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
    template <class Set> policy &flag(Set set_flag) { return set(set_flag); }
    template <class Set, class Number> policy &number(Set set_number, Number value) {
        return set(set_number, value);
    }
    template <class Set> policy &text(Set set_text, std::string_view value) {
        return set(set_text, value.data(), value.size());
    }
};

/// The claims of a token that was found good; there is no other way to get one. Text that it lends
/// lives as long as it does.
class verified : public detail::handle<gk_verified, gk_verified_free> {
  public:
    using handle::handle;
    [[nodiscard]] verified clone() const { return verified(gk_verified_clone(get())); }

    /// All claims, exactly as they were signed. Nothing is copied.
    [[nodiscard]] std::string_view claims_json() const noexcept {
        return detail::view(gk_verified_claims_json(get()));
    }
    [[nodiscard]] std::string header_json() const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_verified_header_json(get(), out, err); });
    }
    /// Algorithm and `kid` of the key that verified the token.
    [[nodiscard]] gatekey::alg alg() const noexcept {
        return static_cast<gatekey::alg>(gk_verified_alg(get()));
    }
    [[nodiscard]] std::string_view key_id() const noexcept {
        return detail::view(gk_verified_key_id(get()));
    }

    [[nodiscard]] std::optional<std::string_view> issuer() const noexcept {
        return detail::maybe(gk_verified_issuer(get()));
    }
    [[nodiscard]] std::optional<std::string_view> subject() const noexcept {
        return detail::maybe(gk_verified_subject(get()));
    }
    /// `sub`, if it is a number (policy::allow_numeric_subject); 7 is another subject than "7".
    [[nodiscard]] std::optional<std::int64_t> numeric_subject() const noexcept {
        return number(gk_verified_numeric_subject);
    }
    [[nodiscard]] std::optional<std::string_view> token_id() const noexcept {
        return detail::maybe(gk_verified_token_id(get()));
    }
    [[nodiscard]] std::vector<std::string_view> audience() const {
        std::vector<std::string_view> all(gk_verified_audience_len(get()));
        for (std::size_t i = 0; i < all.size(); i++) {
            all[i] = detail::view(gk_verified_audience_at(get(), i));
        }
        return all;
    }
    /// Dates are in seconds since 1970-01-01T00:00:00Z.
    [[nodiscard]] std::optional<std::int64_t> expires_at() const noexcept {
        return number(gk_verified_expires_at);
    }
    [[nodiscard]] std::optional<std::int64_t> not_before() const noexcept {
        return number(gk_verified_not_before);
    }
    [[nodiscard]] std::optional<std::int64_t> issued_at() const noexcept {
        return number(gk_verified_issued_at);
    }

    /// Any claim as JSON text. Nothing is copied.
    [[nodiscard]] std::optional<std::string_view> claim_json(std::string_view name) const noexcept {
        return detail::maybe(gk_verified_claim_json(get(), name.data(), name.size()));
    }
    /// Throws status::missing_claim, or status::invalid_claim if the claim is of another kind.
    [[nodiscard]] std::string claim_str(std::string_view name) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_verified_claim_str(get(), name.data(), name.size(), out, err);
        });
    }
    [[nodiscard]] std::int64_t claim_i64(std::string_view name) const {
        std::int64_t value = 0;
        detail::done([&](gk_error *err) {
            return gk_verified_claim_i64(get(), name.data(), name.size(), &value, err);
        });
        return value;
    }
    [[nodiscard]] bool claim_bool(std::string_view name) const {
        bool value = false;
        detail::done([&](gk_error *err) {
            return gk_verified_claim_bool(get(), name.data(), name.size(), &value, err);
        });
        return value;
    }

  private:
    template <class Get> std::optional<std::int64_t> number(Get get_number) const noexcept {
        std::int64_t value = 0;
        return get_number(get(), &value) ? std::optional(value) : std::nullopt;
    }
};

/// One issuer of verifier::for_issuers: its name and its keys, which verify no other issuer's
/// tokens.
class issuer_rule : public detail::handle<gk_issuer_rule, gk_issuer_rule_free> {
  public:
    using handle::handle;
    issuer_rule(std::string_view issuer, const key_set &keys)
        : handle(detail::made<gk_issuer_rule>([&](auto **out, auto *err) {
              return gk_issuer_rule_new(issuer.data(), issuer.size(), keys.get(), out, err);
          })) {}
    [[nodiscard]] issuer_rule clone() const { return issuer_rule(gk_issuer_rule_clone(get())); }

    issuer_rule &expect_audience(std::string_view audience) {
        gk_issuer_rule_expect_audience(get(), audience.data(), audience.size());
        return *this;
    }
    /// Accepts any `aud` of the issuer's tokens and none.
    issuer_rule &ignore_audience() {
        gk_issuer_rule_ignore_audience(get());
        return *this;
    }
    issuer_rule &algorithms(const std::vector<alg> &algs) {
        const auto codes = detail::codes(algs);
        gk_issuer_rule_algorithms(get(), codes.data(), codes.size());
        return *this;
    }
};

/// Keys and a policy, checked once. Immutable; make one when the program starts, use it from every
/// thread.
class verifier : public detail::handle<gk_verifier, gk_verifier_free> {
  public:
    using handle::handle;

    /// Trusts the keys of a set; a token's `kid` selects among them.
    verifier(const key_set &keys, const policy &policy)
        : handle(detail::made<gk_verifier>([&](auto **out, auto *err) {
              return gk_verifier_new(keys.get(), policy.get(), out, err);
          })) {}
    /// Trusts one key.
    [[nodiscard]] static verifier with_key(const key &key, const policy &policy) {
        return verifier(detail::made<gk_verifier>([&](auto **out, auto *err) {
            return gk_verifier_with_key(key.get(), policy.get(), out, err);
        }));
    }
    /// Trusts the keys of a ring as they are at each token.
    [[nodiscard]] static verifier following(const key_ring &ring, const policy &policy) {
        return verifier(detail::made<gk_verifier>([&](auto **out, auto *err) {
            return gk_verifier_following(ring.get(), policy.get(), out, err);
        }));
    }
    /// Trusts several issuers, each with its own keys; the token's `iss` selects.
    [[nodiscard]] static verifier for_issuers(const std::vector<issuer_rule> &rules,
                                              const policy &policy) {
        const auto raw = detail::handles<gk_issuer_rule, std::vector<issuer_rule>>(rules);
        return verifier(detail::made<gk_verifier>([&](auto **out, auto *err) {
            return gk_verifier_for_issuers(raw.data(), raw.size(), policy.get(), out, err);
        }));
    }
    /// Another handle to the same verifier.
    [[nodiscard]] verifier clone() const { return verifier(gk_verifier_clone(get())); }

    /// The token's claims; throws if it is refused.
    [[nodiscard]] verified verify(std::string_view token) const {
        return verified(detail::made<gk_verified>([&](auto **out, auto *err) {
            return gk_verifier_verify(get(), token.data(), token.size(), out, err);
        }));
    }
    /// The token's claims, or why it is refused. A refusal allocates nothing.
    [[nodiscard]] result<verified> try_verify(std::string_view token) const noexcept {
        gk_verified *raw = nullptr;
        gk_error err;
        if (gk_verifier_verify(get(), token.data(), token.size(), &raw, &err) != GK_STATUS_OK) {
            return error(err);
        }
        return verified(raw);
    }
    /// Whether every key is symmetric, so that a verification takes about a microsecond.
    [[nodiscard]] bool is_symmetric() const noexcept { return gk_verifier_is_symmetric(get()); }
};

/// The parts of a token that was NOT verified: anyone may have written them.
class unverified : public detail::handle<gk_unverified, gk_unverified_free> {
  public:
    using handle::handle;
    [[nodiscard]] std::string_view header_json() const noexcept {
        return detail::view(gk_unverified_header_json(get()));
    }
    [[nodiscard]] std::string_view claims_json() const noexcept {
        return detail::view(gk_unverified_claims_json(get()));
    }
};

/// DANGER: decodes a token without verifying anything but its form. The result proves nothing.
[[nodiscard]] inline unverified danger_decode_unverified(std::string_view token) {
    return unverified(detail::made<gk_unverified>([&](auto **out, auto *err) {
        return gk_danger_decode_unverified(token.data(), token.size(), out, err);
    }));
}

} // namespace gatekey

#endif // GATEKEY_VERIFIER_HPP
