// What is not good any more, although its signature and its dates are. Include gatekey.hpp.
#ifndef GATEKEY_REVOCATIONS_HPP
#define GATEKEY_REVOCATIONS_HPP

#include "handle.hpp"

namespace gatekey {

/// How what is revoked is kept and followed.
class revocation_options
    : public detail::handle<gk_revocation_options, gk_revocation_options_free> {
  public:
    using handle::handle;
    revocation_options() : handle(gk_revocation_options_new()) {}

    /// Looks for what other processes have revoked at every token, not within 50 ms.
    revocation_options &strict(bool strict = true) {
        return set(gk_revocation_options_strict, strict);
    }
    /// For how many seconds tokens are accepted while the store is out of reach: 30 unless set.
    revocation_options &max_stale(std::uint64_t seconds) {
        return set(gk_revocation_options_max_stale, seconds);
    }
    /// How many seconds tokens live at the most; others are refused. 30 days unless set.
    revocation_options &max_token_ttl(std::uint64_t seconds) {
        return set(gk_revocation_options_max_token_ttl, seconds);
    }
    /// The claim that names a token's tenant: `tenant` unless set.
    revocation_options &tenant_claim(std::string_view name) {
        return set(gk_revocation_options_tenant_claim, name.data(), name.size());
    }
    /// Whether a store that is not there is made: true unless set. False where another process
    /// keeps it, so that a wrong path is an error, and not an empty store.
    revocation_options &create(bool create) { return set(gk_revocation_options_create, create); }
    revocation_options &clock(clock_function now) {
        return set(gk_revocation_options_clock, detail::read_clock, detail::given(std::move(now)),
                   detail::drop<clock_function>);
    }

  private:
    template <class Set, class... Value> revocation_options &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
};

/// Whose tokens revocations::revoke_before means.
class revoke_scope {
  public:
    /// Those of all subjects.
    [[nodiscard]] static revoke_scope all() noexcept {
        return {{{nullptr, 0}, {nullptr, 0}, nullptr}};
    }
    /// Those of this subject (`sub`), from any issuer; the text must live on.
    [[nodiscard]] static revoke_scope subject(std::string_view subject) noexcept {
        return {{detail::named(subject), {nullptr, 0}, nullptr}};
    }
    /// Those whose `sub` is this number, which is another subject than its text; the number must
    /// live on.
    [[nodiscard]] static revoke_scope numeric_subject(const std::int64_t &subject) noexcept {
        return {{{nullptr, 0}, {nullptr, 0}, &subject}};
    }
    static revoke_scope numeric_subject(std::int64_t &&) = delete;
    /// Those of this tenant; the text must live on.
    [[nodiscard]] static revoke_scope tenant(std::string_view tenant) noexcept {
        return {{{nullptr, 0}, detail::named(tenant), nullptr}};
    }

  private:
    friend class revocations;
    revoke_scope(const gk_revoke_scope &raw) noexcept : raw_(raw) {}
    gk_revoke_scope raw_;
};

/// Tokens, sessions, subjects and keys that have been revoked, for policy::revocations. What was
/// revoked is durable when the call returns, and in force in other processes within 50 ms. Safe to
/// share between threads.
class revocations : public detail::handle<gk_revocations, gk_revocations_free> {
  public:
    using handle::handle;
    /// The short way for a program that keeps nothing else there: store::open and
    /// store::revocations.
    [[nodiscard]] static revocations
    open(std::string_view url, const revocation_options &options = revocation_options()) {
        return revocations(detail::made<gk_revocations>([&](auto **out, auto *err) {
            return gk_revocations_open(url.data(), url.size(), options.get(), out, err);
        }));
    }
    [[nodiscard]] revocations clone() const { return revocations(gk_revocations_clone(get())); }

    /// One token, by its `iss`, its `jti` and its `exp`; with an empty `iss`, whatever the token's.
    void revoke_token(std::string_view issuer, std::string_view token_id,
                      std::uint64_t expires_at) const {
        const gk_token_identity token{detail::lent(issuer), detail::lent(token_id), expires_at};
        detail::done([&](auto *err) { return gk_revocations_revoke_token(get(), &token, err); });
    }
    /// The tokens of one session, by their `sid`; its next refresh is refused and ends it.
    void revoke_session(std::string_view session_id) const {
        named(gk_revocations_revoke_session, session_id);
    }
    /// The tokens that a subject has now; those of a later log-in, from the next second on, are
    /// good.
    void revoke_subject(std::string_view subject) const {
        named(gk_revocations_revoke_subject, subject);
    }
    /// The same for a subject that is a number: 7 is another one than "7".
    void revoke_numeric_subject(std::int64_t subject) const {
        detail::done([&](gk_error *err) {
            return gk_revocations_revoke_numeric_subject(get(), subject, err);
        });
    }
    /// The tokens of one key, for ever.
    void revoke_key(std::string_view key_id) const { named(gk_revocations_revoke_key, key_id); }
    /// The tokens that were issued before this time, in seconds since 1970.
    void revoke_before(std::uint64_t at, const revoke_scope &scope) const {
        detail::done(
            [&](auto *err) { return gk_revocations_revoke_before(get(), at, &scope.raw_, err); });
    }
    /// Whether a token that is good for one use has not been used yet; from now on it has.
    [[nodiscard]] bool seen_once(std::string_view issuer, std::string_view token_id,
                                 std::uint64_t expires_at) const {
        bool first = false;
        const gk_token_identity token{detail::lent(issuer), detail::lent(token_id), expires_at};
        detail::done(
            [&](auto *err) { return gk_revocations_seen_once(get(), &token, &first, err); });
        return first;
    }
    /// Looks now at what other processes have revoked, however recent the last look.
    void refresh() const {
        detail::done([&](auto *err) { return gk_revocations_refresh(get(), err); });
    }
    /// Forgets what has become needless; how many entries.
    std::uint64_t purge() const {
        std::uint64_t purged = 0;
        detail::done([&](auto *err) { return gk_revocations_purge(get(), &purged, err); });
        return purged;
    }
    /// How many entries there are.
    [[nodiscard]] std::size_t size() const noexcept { return gk_revocations_len(get()); }

  private:
    template <class Call> void named(Call revoke, std::string_view name) const {
        detail::done([&](gk_error *err) { return revoke(get(), name.data(), name.size(), err); });
    }
};

} // namespace gatekey

#endif // GATEKEY_REVOCATIONS_HPP
