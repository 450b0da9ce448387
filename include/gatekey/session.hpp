// Sessions: short access tokens, refresh tokens that rotate. Include gatekey.hpp.
#ifndef GATEKEY_SESSION_HPP
#define GATEKEY_SESSION_HPP

#include "filter.hpp"
#include "revocations.hpp"
#include "signer.hpp"

namespace gatekey {

/// How long sessions live, and how they are kept.
class session_options : public detail::handle<gk_session_options, gk_session_options_free> {
  public:
    using handle::handle;
    session_options() : handle(gk_session_options_new()) {}

    /// After how many seconds a session ends that is not refreshed: seven days unless set.
    session_options &refresh_ttl(std::uint64_t seconds) {
        return set(gk_session_options_refresh_ttl, seconds);
    }
    /// After how many seconds it ends however often it is refreshed: ninety days unless set.
    session_options &absolute_ttl(std::uint64_t seconds) {
        return set(gk_session_options_absolute_ttl, seconds);
    }
    /// For how many seconds a used refresh token gives the same answer again: 10 unless set.
    session_options &grace(std::uint64_t seconds) { return set(gk_session_options_grace, seconds); }
    /// These four are those of revocation_options, for sessions::revocations.
    session_options &strict(bool strict = true) { return set(gk_session_options_strict, strict); }
    session_options &max_stale(std::uint64_t seconds) {
        return set(gk_session_options_max_stale, seconds);
    }
    session_options &max_token_ttl(std::uint64_t seconds) {
        return set(gk_session_options_max_token_ttl, seconds);
    }
    session_options &tenant_claim(std::string_view name) {
        return text(gk_session_options_tenant_claim, name);
    }
    session_options &clock(clock_function now) {
        return set(gk_session_options_clock, detail::read_clock, detail::given(std::move(now)),
                   detail::drop<clock_function>);
    }

  private:
    template <class Set, class... Value> session_options &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
    template <class Set> session_options &text(Set set_text, std::string_view value) {
        return set(set_text, value.data(), value.size());
    }
};

/// What a session is to be like.
class session_spec : public detail::handle<gk_session_spec, gk_session_spec_free> {
  public:
    using handle::handle;
    session_spec() : handle(gk_session_spec_new()) {}

    /// What each access token says in addition.
    session_spec &claims(const gatekey::claims &claims) {
        gk_session_spec_claims(get(), claims.get());
        return *this;
    }
    /// What the subject logs in with, for people.
    session_spec &client(std::string_view client) {
        gk_session_spec_client(get(), client.data(), client.size());
        return *this;
    }
    /// The program's own notes: one JSON object of at most 4096 bytes.
    session_spec &meta(std::string_view json) {
        gk_session_spec_meta(get(), json.data(), json.size());
        return *this;
    }
};

/// What a client is given at a log-in and at each refresh. The tokens are wiped when it is
/// destroyed; views of them live as long as it does.
class session_tokens {
  public:
    session_tokens(session_tokens &&other) noexcept
        : raw_(std::exchange(other.raw_, gk_session_tokens{})) {}
    session_tokens &operator=(session_tokens &&other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    ~session_tokens() { gk_session_tokens_free(&raw_); }

    /// A JWT with `sub`, `sid` and the claims of the session.
    [[nodiscard]] std::string_view access_token() const noexcept {
        return {raw_.access_token.data, raw_.access_token.len};
    }
    /// To be used once, instead of the previous one.
    [[nodiscard]] std::string_view refresh_token() const noexcept {
        return {raw_.refresh_token.data, raw_.refresh_token.len};
    }
    /// For how many seconds the access token is good (RFC 6749 section 5.1).
    [[nodiscard]] std::uint64_t expires_in() const noexcept { return raw_.expires_in; }
    /// When the session ends unless it is refreshed before, in seconds since 1970.
    [[nodiscard]] std::uint64_t expires_at() const noexcept { return raw_.expires_at; }
    /// The id of the session: `sid` of its access tokens.
    [[nodiscard]] std::string_view family() const noexcept { return raw_.family; }

  private:
    friend class sessions;
    friend class guard_decision;
    session_tokens() noexcept = default;
    gk_session_tokens raw_{};
};

/// The sessions of a service, in memory or in a SQLite file. Safe to share between threads.
class sessions : public detail::handle<gk_sessions, gk_sessions_free> {
  public:
    using handle::handle;
    /// The short way for a program that keeps nothing else there: store::open and store::sessions.
    [[nodiscard]] static sessions open(std::string_view url, const signer &signer,
                                       const session_options &options = session_options()) {
        return opened(url, signer.get(), options);
    }
    /// Without a signer: to look at sessions and to end them, and nothing else.
    [[nodiscard]] static sessions open(std::string_view url,
                                       const session_options &options = session_options()) {
        return opened(url, nullptr, options);
    }
    [[nodiscard]] sessions clone() const { return sessions(gk_sessions_clone(get())); }

    /// Starts a session for a subject that has logged in.
    [[nodiscard]] session_tokens start(std::string_view subject,
                                       const session_spec &spec = session_spec()) const {
        session_tokens tokens;
        detail::done([&](auto *err) {
            return gk_sessions_start(get(), subject.data(), subject.size(), spec.get(),
                                     &tokens.raw_, err);
        });
        return tokens;
    }

    /// Exchanges a refresh token for new tokens, or throws: status::token_reuse, among others.
    [[nodiscard]] session_tokens refresh(std::string_view token) const {
        return refreshed(token, nullptr).value();
    }
    /// The same; access tokens say these claims from now on.
    [[nodiscard]] session_tokens refresh(std::string_view token, const claims &claims) const {
        return refreshed(token, claims.get()).value();
    }
    /// The new tokens, or why they were refused.
    [[nodiscard]] result<session_tokens> try_refresh(std::string_view token) const noexcept {
        return refreshed(token, nullptr);
    }
    [[nodiscard]] result<session_tokens> try_refresh(std::string_view token,
                                                     const claims &claims) const noexcept {
        return refreshed(token, claims.get());
    }

    /// Logs out, by any refresh token of the session, whose secret is checked; whether it had not
    /// been before.
    bool end(std::string_view token) const {
        bool ended = false;
        detail::done([&](auto *err) {
            return gk_sessions_end(get(), token.data(), token.size(), &ended, err);
        });
        return ended;
    }
    /// Ends the session of this id, which is public: a caller who chooses it must be allowed to.
    bool end_by_id(std::string_view family) const {
        return ended_by_id({detail::lent(family), {nullptr, 0}});
    }
    /// The same, only if it is a session of this subject; else throws status::session_not_found.
    bool end_by_id(std::string_view family, std::string_view subject) const {
        return ended_by_id({detail::lent(family), detail::named(subject)});
    }
    /// Ends what was made under an old pepper, for the day that it has leaked; how many sessions.
    std::uint64_t end_under_pepper(std::uint32_t pepper) const {
        std::uint64_t ended = 0;
        detail::done(
            [&](auto *err) { return gk_sessions_end_under_pepper(get(), pepper, &ended, err); });
        return ended;
    }
    /// Logs a subject out everywhere; how many sessions.
    std::uint64_t end_all(std::string_view subject) const {
        std::uint64_t ended = 0;
        detail::done([&](auto *err) {
            return gk_sessions_end_all(get(), subject.data(), subject.size(), &ended, err);
        });
        return ended;
    }

    /// Logs a subject out everywhere but in the session with this id; how many sessions.
    std::uint64_t end_others(std::string_view subject, std::string_view family) const {
        const gk_session_identity kept = {detail::lent(family), detail::lent(subject)};
        std::uint64_t ended = 0;
        detail::done([&](auto *err) { return gk_sessions_end_others(get(), &kept, &ended, err); });
        return ended;
    }

    /// Records and pages are JSON, as gatekey.h says. These are the live sessions of a subject.
    [[nodiscard]] std::string list_json(std::string_view subject) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_sessions_list(get(), subject.data(), subject.size(), out, err);
        });
    }
    /// One session, live or not.
    [[nodiscard]] std::string record_json(std::string_view family) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_sessions_get(get(), family.data(), family.size(), out, err);
        });
    }
    /// By subject and family.
    [[nodiscard]] std::string events_json(const filter &which = filter()) const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_sessions_events(get(), which.get(), out, err); });
    }
    /// Deletes sessions that ended before this time; how many.
    std::uint64_t purge(std::uint64_t before) const {
        std::uint64_t purged = 0;
        detail::done([&](auto *err) { return gk_sessions_purge(get(), before, &purged, err); });
        return purged;
    }
    /// What is revoked, for policy::revocations: what has ended has its access tokens there.
    [[nodiscard]] gatekey::revocations revocations() const {
        return gatekey::revocations(gk_sessions_revocations(get()));
    }

  private:
    bool ended_by_id(const gk_session_identity &session) const {
        bool ended = false;
        detail::done(
            [&](auto *err) { return gk_sessions_end_by_id(get(), &session, &ended, err); });
        return ended;
    }
    static sessions opened(std::string_view url, const gk_signer *signer,
                           const session_options &options) {
        return sessions(detail::made<gk_sessions>([&](auto **out, auto *err) {
            return gk_sessions_open(url.data(), url.size(), signer, options.get(), out, err);
        }));
    }
    result<session_tokens> refreshed(std::string_view token,
                                     const gk_claims *claims) const noexcept {
        session_tokens tokens;
        gk_error err;
        if (gk_sessions_refresh(get(), token.data(), token.size(), claims, &tokens.raw_, &err) !=
            GK_STATUS_OK) {
            return error(err);
        }
        return tokens;
    }
};

} // namespace gatekey

#endif // GATEKEY_SESSION_HPP
