// One decision for every door of a service. Include gatekey.hpp.
#ifndef GATEKEY_GUARD_HPP
#define GATEKEY_GUARD_HPP

#include "access.hpp"
#include "apikey.hpp"
#include "operation.hpp"
#include "resource_server.hpp"
#include "revocations.hpp"
#include "session.hpp"
#include "session_cookies.hpp"

namespace gatekey {

/// A request as the server has it: all of it is a view of what must live until the call returns,
/// and none of it is trusted. Nothing is split, joined or decoded.
class guard_request {
  public:
    /// The path is the one that the server routes by; it decides nothing.
    guard_request(std::string_view method, std::string_view path) noexcept {
        raw_.method = detail::named(method);
        raw_.path = detail::lent(path);
    }

    /// One header. A name that comes twice is given twice.
    guard_request &header(std::string_view name, std::string_view value) {
        headers_.push_back({detail::lent(name), detail::lent(value)});
        return *this;
    }
    /// All of a range of pairs of texts, such as a std::multimap of std::string.
    template <class Pairs> guard_request &headers(const Pairs &pairs) {
        using pair = decltype(*std::begin(pairs));
        using text = typename std::remove_reference_t<pair>::second_type;
        static_assert(std::is_lvalue_reference_v<pair> || std::is_trivially_destructible_v<text>,
                      "the range makes its texts on the way, and they would be gone");
        for (const auto &[name, value] : pairs) header(name, value);
        return *this;
    }
    /// Not of a container that is gone when the request is looked at.
    template <class Pairs, class = std::enable_if_t<!std::is_lvalue_reference_v<Pairs> &&
                                                    !std::is_const_v<Pairs>>>
    guard_request &headers(Pairs &&pairs) = delete;
    /// Whom the socket is connected to: an address, with or without a port. A Unix socket is empty,
    /// `@...`, `unix:...` or a path. Not known unless set.
    guard_request &peer(std::string_view peer) noexcept {
        raw_.peer = detail::named(peer);
        return *this;
    }
    /// The CSRF token of a form's field, for pages without scripts. The header goes first.
    guard_request &csrf_field(std::string_view token) noexcept {
        raw_.csrf_field = detail::named(token);
        return *this;
    }
    /// The request opens a websocket, or another protocol, as the server knows.
    guard_request &upgrade() noexcept {
        raw_.flags |= GK_GUARD_UPGRADE;
        return *this;
    }
    /// The server names headers as CGI does: `X-Forwarded-For` and `X_Forwarded_For` look the same.
    guard_request &collapsed_names() noexcept {
        raw_.flags |= GK_GUARD_COLLAPSED_NAMES;
        return *this;
    }
    /// As C has it; a view of this object.
    [[nodiscard]] gk_guard_request raw() const noexcept {
        gk_guard_request all = raw_;
        all.headers = headers_.data();
        all.headers_len = headers_.size();
        return all;
    }

  private:
    gk_guard_request raw_{};
    std::vector<gk_header> headers_;
};

/// What a route demands of its caller, for guard::check: made once, when the route is. Safe to
/// share between threads. (demand is that of resource_server::check.)
class guard_demand : public detail::handle<gk_guard_demand, gk_guard_demand_free> {
  public:
    using handle::handle;
    class builder;

    [[nodiscard]] guard_demand clone() const { return guard_demand(gk_guard_demand_clone(get())); }
    /// The same, of callers of this tenant: for one that the request names, such as in its path.
    [[nodiscard]] guard_demand in_tenant(std::string_view tenant) const {
        return guard_demand(detail::made<gk_guard_demand>([&](auto **out, auto *err) {
            return gk_guard_demand_in_tenant(get(), tenant.data(), tenant.size(), out, err);
        }));
    }
    /// Whether everybody is let in, without a look at credentials.
    [[nodiscard]] bool is_public() const noexcept { return gk_guard_demand_is_public(get()); }
};

/// A demand while it is put together: `guard_demand::builder().scope("orders:read").build()`.
class guard_demand::builder : public detail::builder<guard_demand::builder, gk_guard_demand_builder,
                                                     gk_guard_demand_builder_free> {
  public:
    builder()
        : detail::builder<builder, gk_guard_demand_builder, gk_guard_demand_builder_free>(
              gk_guard_demand_builder_new()) {}

    /// With several calls, several kinds; all unless set.
    builder &kind(access_kind kind) {
        return set(gk_guard_demand_builder_kind, static_cast<gk_access_kind>(kind));
    }
    /// With several calls, all of them.
    builder &scope(std::string_view scope) { return text(gk_guard_demand_builder_scope, scope); }
    /// With several calls, one of them.
    builder &any_scope(std::string_view scope) {
        return text(gk_guard_demand_builder_any_scope, scope);
    }
    builder &tenant(std::string_view tenant) {
        return text(gk_guard_demand_builder_tenant, tenant);
    }
    /// The value is JSON text; several calls of one name mean any of the values.
    builder &claim(std::string_view name, std::string_view json) {
        return pair(gk_guard_demand_builder_claim, name, json);
    }
    /// How the user must have signed in (RFC 9470); with several calls, one of them.
    builder &acr_value(std::string_view acr) {
        return text(gk_guard_demand_builder_acr_value, acr);
    }
    /// The user must have signed in within this many seconds.
    builder &max_age(std::uint64_t seconds) {
        return set(gk_guard_demand_builder_max_age, seconds);
    }
    /// The token must be of the sign-in itself, and not of a refresh.
    builder &fresh() { return set(gk_guard_demand_builder_fresh); }
    /// How many units of an API key's rate and credits the call takes; 1 unless set.
    builder &cost(std::uint32_t units) { return set(gk_guard_demand_builder_cost, units); }
    /// How often this may be done from one address, such as `5/min`. Limits of one name count
    /// together.
    builder &limit(std::string_view name, std::string_view rate) {
        return pair(gk_guard_demand_builder_limit, name, rate);
    }
    /// A CSRF token of a cookie's request with every method.
    builder &csrf_always() { return set(gk_guard_demand_builder_csrf_always); }
    /// No check for forged requests.
    builder &danger_no_csrf() { return set(gk_guard_demand_builder_danger_no_csrf); }
    /// Lets in who brings no credential; one that is there must be good.
    builder &optional() { return set(gk_guard_demand_builder_optional); }
    /// Lets in everybody, and looks at no credential. Limits hold.
    builder &make_public() { return set(gk_guard_demand_builder_public); }
    /// Callers who are not known change something from our own pages alone: for the forms of
    /// log-ins. For demands that are public or optional.
    builder &own_pages() { return set(gk_guard_demand_builder_own_pages); }
    /// A second credential of this kind must be there; with several calls, of one of them.
    builder &pair(access_kind kind) {
        return set(gk_guard_demand_builder_pair, static_cast<gk_access_kind>(kind));
    }
    /// Both credentials of a pair belong to one tenant, and neither to none.
    builder &same_tenant() { return set(gk_guard_demand_builder_same_tenant); }
    /// Both credentials of a pair name one subject.
    builder &same_subject() { return set(gk_guard_demand_builder_same_subject); }
    /// Throws what was wrong first, or what can never be met.
    [[nodiscard]] guard_demand build() const {
        return guard_demand(detail::made<gk_guard_demand>(
            [&](auto **out, auto *err) { return gk_guard_demand_builder_build(get(), out, err); }));
    }

  private:
    using detail::builder<builder, gk_guard_demand_builder, gk_guard_demand_builder_free>::pair;
};

/// What a guard has decided: the whole answer of a refusal; or who calls, and the headers that are
/// added to the application's own. Views of it live as long as it does.
class guard_decision : public detail::handle<gk_guard_decision, gk_guard_decision_free> {
  public:
    using handle::handle;

    /// Whether the application goes on.
    [[nodiscard]] bool is_allowed() const noexcept { return gk_guard_decision_is_allowed(get()); }
    [[nodiscard]] explicit operator bool() const noexcept { return is_allowed(); }
    /// 200 if the application goes on, which then answers with its own.
    [[nodiscard]] std::uint16_t http_status() const noexcept {
        return gk_guard_decision_http_status(get());
    }
    /// Names and values, with a NUL behind each. `Vary` joins the application's own, `Set-Cookie`
    /// comes several times.
    [[nodiscard]] std::vector<std::pair<std::string_view, std::string_view>> headers() const {
        std::vector<std::pair<std::string_view, std::string_view>> all(
            gk_guard_decision_headers_len(get()));
        for (std::size_t i = 0; i < all.size(); i++) {
            const gk_header header = gk_guard_decision_header_at(get(), i);
            all[i] = {detail::view(header.name), detail::view(header.value)};
        }
        return all;
    }
    /// The first of this name, in any case.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept {
        return detail::maybe(gk_guard_decision_header(get(), name.data(), name.size()));
    }
    /// Of a refusal: application/problem+json, with a NUL behind it; else empty.
    [[nodiscard]] std::string_view body() const noexcept {
        return detail::view(gk_guard_decision_body(get()));
    }
    /// Why, for the log; says nothing if the application goes on.
    [[nodiscard]] error reason() const noexcept {
        gk_error err;
        gk_guard_decision_error(get(), &err);
        return error(err);
    }
    /// Who calls; throws the reason of a refusal.
    [[nodiscard]] gatekey::access access() const {
        const gk_access *who = gk_guard_decision_access(get());
        if (who == nullptr) throw reason();
        return gatekey::access(who);
    }
    /// The session's new tokens, after guard::log_in and guard::refresh; throws if there are none.
    [[nodiscard]] session_tokens tokens() const {
        session_tokens tokens;
        detail::done([&](auto *err) { return gk_guard_decision_tokens(get(), &tokens.raw_, err); });
        return tokens;
    }
};

namespace detail {

/// Calls what decides. A refusal is not exceptional: it is returned.
template <class Call> guard_decision decision(Call call) {
    gk_error err;
    gk_guard_decision *raw = nullptr;
    if (call(&raw, &err) != GK_STATUS_OK && raw == nullptr) throw error(err);
    return guard_decision(raw);
}

/// The same; nothing if it cannot be decided yet.
template <class Call> std::optional<guard_decision> maybe_decision(Call call) {
    gk_error err;
    gk_guard_decision *raw = nullptr;
    const gk_status status = call(&raw, &err);
    if (raw != nullptr) return guard_decision(raw);
    if (status == GK_STATUS_STORE_UNAVAILABLE) return std::nullopt;
    throw error(err);
}

} // namespace detail

/// A CSRF token for a page with a form of a caller who is not known yet.
struct form_token {
    /// For the form's field or the header.
    std::string token;
    /// The value of a `Set-Cookie` header that the page's answer must have; nothing if the browser
    /// has the cookie already.
    std::optional<std::string> set_cookie;
};

/// The access tokens of what a service had before, taken until a date (seconds since 1970), of
/// users whom the program looks up: guard::former_user. At least one claim is needed.
class former_tokens
    : public detail::builder<former_tokens, gk_former_tokens, gk_former_tokens_free> {
  public:
    using builder::builder;
    former_tokens(const key_set &keys, std::string_view user_claim, std::uint64_t until)
        : builder(gk_former_tokens_new(keys.get(), user_claim.data(), user_claim.size(), until)) {}

    /// What tells access tokens from refresh tokens and others; the value is JSON text.
    former_tokens &claim(std::string_view name, std::string_view json) {
        return pair(gk_former_tokens_claim, name, json);
    }
    /// Without, they have none.
    former_tokens &issuer(std::string_view issuer) { return text(gk_former_tokens_issuer, issuer); }
    /// Without, they have none; with several calls, one of several.
    former_tokens &audience(std::string_view audience) {
        return text(gk_former_tokens_audience, audience);
    }
    former_tokens &leeway(std::uint64_t seconds) { return set(gk_former_tokens_leeway, seconds); }

  private:
    using detail::builder<former_tokens, gk_former_tokens, gk_former_tokens_free>::pair;
};

/// Whose former token a request brings, and what the program grants to it. Of that request only;
/// views of it live as long as it does.
class former_user : public detail::builder<former_user, gk_former_user, gk_former_user_free> {
  public:
    using builder::builder;

    /// A number in decimal.
    [[nodiscard]] std::string_view subject() const noexcept {
        return detail::view(gk_former_user_subject(get()));
    }
    /// The token's.
    [[nodiscard]] std::string_view claims_json() const noexcept {
        return detail::view(gk_former_user_claims_json(get()));
    }
    /// Grants a scope, to a user whom the program knows to be active; with several calls, several.
    former_user &scope(std::string_view scope) { return text(gk_former_user_scope, scope); }
};

/// One decision for every door of a service: who calls, by an API key, a session in a cookie or
/// behind `Bearer`, or a token of another issuer. Safe to share between threads.
class guard : public detail::handle<gk_guard, gk_guard_free> {
  public:
    using handle::handle;
    class builder;

    [[nodiscard]] guard clone() const { return guard(gk_guard_clone(get())); }

    /// May wait for the store or another server.
    [[nodiscard]] guard_decision check(const guard_request &request,
                                       const guard_demand &demand) const {
        const gk_guard_request raw = request.raw();
        return detail::decision([&](auto **out, auto *err) {
            return gk_guard_check(get(), &raw, demand.get(), out, err);
        });
    }
    /// Whose former token a request brings, from memory alone; nothing if it brings none that is
    /// good. Look the user up: if it is active, grant scopes and decide with it; else decide
    /// without.
    [[nodiscard]] std::optional<gatekey::former_user>
    former_user(const guard_request &request) const {
        const gk_guard_request raw = request.raw();
        gk_former_user *user = nullptr;
        detail::done([&](auto *err) { return gk_guard_former_user(get(), &raw, &user, err); });
        if (user == nullptr) return std::nullopt;
        return gatekey::former_user(user);
    }
    /// The same, for a user whom the program has looked up.
    [[nodiscard]] guard_decision check(const guard_request &request, const guard_demand &demand,
                                       const gatekey::former_user &user) const {
        const gk_guard_request raw = request.raw();
        return detail::decision([&](auto **out, auto *err) {
            return gk_guard_check_user(get(), &raw, user.get(), demand.get(), out, err);
        });
    }
    /// As try_check, for a user whom the program has looked up.
    [[nodiscard]] std::optional<guard_decision> try_check(const guard_request &request,
                                                          const guard_demand &demand,
                                                          const gatekey::former_user &user) const {
        const gk_guard_request raw = request.raw();
        return detail::maybe_decision([&](auto **out, auto *err) {
            return gk_guard_try_check_user(get(), &raw, user.get(), demand.get(), out, err);
        });
    }
    /// From memory alone, for event loops. Nothing if memory is not enough, and then nothing was
    /// taken: let check decide in a thread that may wait, or drive a guard_attempt.
    [[nodiscard]] std::optional<guard_decision> try_check(const guard_request &request,
                                                          const guard_demand &demand) const {
        const gk_guard_request raw = request.raw();
        return detail::maybe_decision([&](auto **out, auto *err) {
            return gk_guard_try_check(get(), &raw, demand.get(), out, err);
        });
    }
    /// Throws if no caller of this guard can ever meet a demand; the error's claim names what is
    /// demanded. For services that make their routes before they take requests.
    void check_demand(const guard_demand &demand) const {
        detail::done([&](auto *err) { return gk_guard_check_demand(get(), demand.get(), err); });
    }
    /// A refusal that the program decides itself, in the form of all others.
    [[nodiscard]] guard_decision refuse(status reason, const guard_demand &demand) const {
        return detail::decision([&](auto **out, auto *err) {
            return gk_guard_refuse(get(), static_cast<gk_status>(reason), demand.get(), out, err);
        });
    }
    /// Starts a session for the subject that has logged in; the decision's headers set its cookies.
    [[nodiscard]] guard_decision log_in(std::string_view subject,
                                        const session_spec &spec = session_spec()) const {
        return detail::decision([&](auto **out, auto *err) {
            return gk_guard_log_in(get(), subject.data(), subject.size(), spec.get(), out, err);
        });
    }
    /// Exchanges the refresh cookie for new cookies: a route of its own, which is POST.
    [[nodiscard]] guard_decision refresh(const guard_request &request) const {
        return refreshed(request, nullptr);
    }
    /// The same; access tokens say these claims from now on.
    [[nodiscard]] guard_decision refresh(const guard_request &request, const claims &claims) const {
        return refreshed(request, claims.get());
    }
    /// Ends the session of the request and clears its cookies: a route of its own, which is POST.
    [[nodiscard]] guard_decision log_out(const guard_request &request) const {
        const gk_guard_request raw = request.raw();
        return detail::decision(
            [&](auto **out, auto *err) { return gk_guard_log_out(get(), &raw, out, err); });
    }
    /// A CSRF token for the page of a request, whose form goes to a route with own_pages.
    [[nodiscard]] gatekey::form_token form_token(const guard_request &request) const {
        const gk_guard_request raw = request.raw();
        detail::buffer token, cookie;
        detail::done([&](gk_error *err) {
            return gk_guard_form_token(get(), &raw, &token.raw, &cookie.raw, err);
        });
        gatekey::form_token made{std::string(token.raw.data, token.raw.len), std::nullopt};
        if (cookie.raw.data != nullptr)
            made.set_cookie = std::string(cookie.raw.data, cookie.raw.len);
        return made;
    }
    /// What this process knows of the server that the limits are counted in together with other
    /// machines, as JSON; nothing if each counts for itself. Asks nothing.
    [[nodiscard]] std::optional<std::string> limits_state() const {
        return detail::maybe_text(
            [&](auto *out, auto *err) { return gk_guard_limits_state(get(), out, err); });
    }
    /// The metadata of the API (RFC 9728), to be served as JSON at metadata_path.
    [[nodiscard]] std::string metadata() const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_guard_metadata(get(), out, err); });
    }
    /// Nothing if the API's identifier is no address.
    [[nodiscard]] std::optional<std::string> metadata_path() const {
        return detail::maybe_text(
            [&](auto *out, auto *err) { return gk_guard_metadata_path(get(), out, err); });
    }

  private:
    guard_decision refreshed(const guard_request &request, const gk_claims *claims) const {
        const gk_guard_request raw = request.raw();
        return detail::decision(
            [&](auto **out, auto *err) { return gk_guard_refresh(get(), &raw, claims, out, err); });
    }
};

/// A guard while it is put together: `guard::builder().api_keys(keys).build()`. What it is given is
/// shared or copied, and need not outlive it.
class guard::builder
    : public detail::builder<guard::builder, gk_guard_builder, gk_guard_builder_free> {
  public:
    builder()
        : detail::builder<builder, gk_guard_builder, gk_guard_builder_free>(
              gk_guard_builder_new()) {}

    builder &api_keys(const gatekey::api_keys &keys) {
        return set(gk_guard_builder_api_keys, keys.get());
    }
    /// Their access tokens, as their signer makes them.
    builder &sessions(const gatekey::sessions &sessions) {
        return set(gk_guard_builder_sessions, sessions.get());
    }
    /// The tokens of others, as this resource server would take them.
    builder &tokens(const resource_server::builder &tokens) {
        return set(gk_guard_builder_tokens, tokens.get());
    }
    /// Until their date, of users whom the program looks up: see guard::former_user.
    builder &former_tokens(const gatekey::former_tokens &former) {
        return set(gk_guard_builder_former_tokens, former.get());
    }
    /// Of tokens of others.
    builder &revocations(const gatekey::revocations &list) {
        return set(gk_guard_builder_revocations, list.get());
    }
    /// The sessions are in these cookies, too.
    builder &cookies(const session_cookies &cookies) {
        return set(gk_guard_builder_cookies, cookies.get());
    }
    /// Of our own pages, such as `https://shop.example`; several calls, several.
    builder &origin(std::string_view origin) { return text(gk_guard_builder_origin, origin); }
    /// A network, an address, or `unix`; several calls, several.
    builder &trusted_proxy(std::string_view network) {
        return text(gk_guard_builder_trusted_proxy, network);
    }
    /// The one header by which the proxies say whom they speak for.
    builder &forwarded_header(std::string_view name) {
        return text(gk_guard_builder_forwarded_header, name);
    }
    /// The server drops headers with an underscore in their name.
    builder &exact_names() { return set(gk_guard_builder_exact_names); }
    /// Instead of `X-API-Key`.
    builder &api_key_header(std::string_view name) {
        return text(gk_guard_builder_api_key_header, name);
    }
    /// Instead of `X-CSRF-Token`.
    builder &csrf_header(std::string_view name) { return text(gk_guard_builder_csrf_header, name); }
    /// What challenges name.
    builder &realm(std::string_view realm) { return text(gk_guard_builder_realm, realm); }
    /// Where the metadata are served, for challenges.
    builder &metadata_url(std::string_view url) { return text(gk_guard_builder_metadata_url, url); }
    /// How many bits of an IPv6 address make one caller of limits: 64 unless set.
    builder &ipv6_prefix(std::uint8_t bits) { return set(gk_guard_builder_ipv6_prefix, bits); }
    /// Where the limits of demands are counted together with other machines: see
    /// store_options::limits, which holds for a guard over what is in that store.
    builder &limits(std::string_view url) { return text(gk_guard_builder_limits, url); }
    builder &clock(clock_function now) { return callback(gk_guard_builder_clock, std::move(now)); }
    /// Throws what was wrong first, or a setting that is not acceptable.
    [[nodiscard]] guard build() const {
        return guard(detail::made<gk_guard>(
            [&](auto **out, auto *err) { return gk_guard_builder_build(get(), out, err); }));
    }
};

/// A request that an event loop decides without waiting. Of one request; not to be used by two
/// threads at once.
class guard_attempt : public detail::handle<gk_guard_attempt, gk_guard_attempt_free> {
  public:
    using handle::handle;
    guard_attempt() : handle(gk_guard_attempt_new()) {}

    /// Whether check may wait for the store: where it is called in a thread that may.
    guard_attempt &may_wait(bool may_wait = true) noexcept {
        gk_guard_attempt_may_wait(get(), may_wait);
        return *this;
    }
    /// For a user whom the program has looked up (guard::former_user); copied.
    guard_attempt &user(const former_user &user) noexcept {
        gk_guard_attempt_user(get(), user.get());
        return *this;
    }
    /// Nothing if it cannot be decided yet: drive the question if there is one (about), and call
    /// this again with its outcome (told); else call this again in a thread, with may_wait.
    [[nodiscard]] std::optional<guard_decision>
    check(const guard &guard, const guard_request &request, const guard_demand &demand) {
        const gk_guard_request raw = request.raw();
        return detail::maybe_decision([&](auto **out, auto *err) {
            return gk_guard_attempt_check(get(), guard.get(), &raw, demand.get(), out, err);
        });
    }
    /// What another server is to be asked about; empty if there is no question. Attempts about the
    /// same can share one operation.
    [[nodiscard]] std::string_view about() const noexcept {
        return detail::view(gk_guard_attempt_about(get()));
    }
    /// The question, to be driven.
    [[nodiscard]] gatekey::operation operation() {
        return gatekey::operation(detail::made<gk_operation>(
            [&](auto **out, auto *err) { return gk_guard_attempt_operation(get(), out, err); }));
    }
    /// The outcome of an operation, which is over or has failed.
    void told(const gatekey::operation &operation) {
        detail::done([&](auto *err) { return gk_guard_attempt_told(get(), operation.get(), err); });
    }
};

} // namespace gatekey

#endif // GATEKEY_GUARD_HPP
