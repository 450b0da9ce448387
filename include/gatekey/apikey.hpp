// API keys: issue, verify, rotate, revoke, limit. Include gatekey.hpp.
#ifndef GATEKEY_APIKEY_HPP
#define GATEKEY_APIKEY_HPP

#include "filter.hpp"

namespace gatekey {

/// How API keys are made and verified.
class api_key_options : public detail::handle<gk_api_key_options, gk_api_key_options_free> {
  public:
    using handle::handle;
    api_key_options() : handle(gk_api_key_options_new()) {}

    /// What new keys begin with: `gk` unless set.
    api_key_options &prefix(std::string_view prefix) {
        return text(gk_api_key_options_prefix, prefix);
    }
    /// The environment, the only one that is accepted: `live` unless set.
    api_key_options &env(std::string_view env) { return text(gk_api_key_options_env, env); }
    /// Looks for changes by other processes before every verification, not within 50 ms.
    api_key_options &strict(bool strict = true) { return set(gk_api_key_options_strict, strict); }
    /// For how many seconds keys are served from memory while the store is out of reach.
    api_key_options &max_stale(std::uint64_t seconds) {
        return set(gk_api_key_options_max_stale, seconds);
    }
    /// The folder in which the rates of keys are counted; unless set, where store_options::limits
    /// says, or a file beside a SQLite store. The processes of one machine that count in one place
    /// share each key's limit, over restarts. Or the URL of a server, for all machines. Empty: each
    /// process counts for itself.
    api_key_options &limits(std::string_view folder) {
        return text(gk_api_key_options_limits, folder);
    }
    api_key_options &clock(clock_function now) {
        return set(gk_api_key_options_clock, detail::read_clock, detail::given(std::move(now)),
                   detail::drop<clock_function>);
    }

  private:
    template <class Set, class... Value> api_key_options &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
    template <class Set> api_key_options &text(Set set_text, std::string_view value) {
        return set(set_text, value.data(), value.size());
    }
};

/// A limit or a list that an update takes away.
enum class api_key_field : gk_api_key_field {
    scopes = GK_API_KEY_FIELD_SCOPES,
    cidrs = GK_API_KEY_FIELD_CIDRS,
    not_before = GK_API_KEY_FIELD_NOT_BEFORE,
    expires_at = GK_API_KEY_FIELD_EXPIRES_AT,
    rate = GK_API_KEY_FIELD_RATE,
    credits = GK_API_KEY_FIELD_CREDITS,
};

/// What a key is to be like, or what is to change of one.
class api_key_spec : public detail::handle<gk_api_key_spec, gk_api_key_spec_free> {
  public:
    using handle::handle;
    api_key_spec() : handle(gk_api_key_spec_new()) {}

    /// Whose key it is; required for a new key.
    api_key_spec &owner(std::string_view who) { return text(gk_api_key_spec_owner, who); }
    api_key_spec &name(std::string_view name) { return text(gk_api_key_spec_name, name); }
    api_key_spec &tenant(std::string_view tenant) { return text(gk_api_key_spec_tenant, tenant); }
    /// One JSON object of at most 4096 bytes.
    api_key_spec &meta(std::string_view json) { return text(gk_api_key_spec_meta, json); }
    /// Several calls of scope and cidr add up.
    api_key_spec &scope(std::string_view scope) { return text(gk_api_key_spec_scope, scope); }
    api_key_spec &cidr(std::string_view cidr) { return text(gk_api_key_spec_cidr, cidr); }
    /// Dates are in seconds since 1970-01-01T00:00:00Z.
    api_key_spec &not_before(std::uint64_t seconds) {
        return set(gk_api_key_spec_not_before, seconds);
    }
    /// Of a new key: seconds from when it is made.
    api_key_spec &expires_in(std::uint64_t seconds) {
        return set(gk_api_key_spec_expires_in, seconds);
    }
    /// When it stops being valid: of a new key, a time to come; not with `expires_in`.
    api_key_spec &expires_at(std::uint64_t seconds) {
        return set(gk_api_key_spec_expires_at, seconds);
    }
    /// Another system has revoked it: for api_key_import::add.
    api_key_spec &revoked() { return set(gk_api_key_spec_revoked); }
    /// `burst` units at once, and in each period. The processes of one machine share the limit (see
    /// `api_key_options::limits`); each machine has a limit of its own, unless
    /// `store_options::limits` names a server for all.
    api_key_spec &rate(std::uint32_t burst, std::uint32_t period_seconds) {
        return set(gk_api_key_spec_rate, burst, period_seconds);
    }
    api_key_spec &credits(std::uint64_t amount, std::uint64_t refill = 0,
                          std::uint32_t every_seconds = 0) {
        return set(gk_api_key_spec_credits, amount, refill, every_seconds);
    }
    /// Takes a limit or a list away.
    api_key_spec &clear(api_key_field field) {
        return set(gk_api_key_spec_clear, static_cast<gk_api_key_field>(field));
    }

  private:
    template <class Set, class... Value> api_key_spec &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
    template <class Set> api_key_spec &text(Set set_text, std::string_view value) {
        return set(set_text, value.data(), value.size());
    }
};

/// What a route needs of a key: made once, shared by all threads.
class api_key_check : public detail::handle<gk_api_key_check, gk_api_key_check_free> {
  public:
    using handle::handle;
    api_key_check() : handle(gk_api_key_check_new()) {}

    /// Several calls demand all of them.
    api_key_check &scope(std::string_view scope) & {
        return set(gk_api_key_check_scope, scope.data(), scope.size());
    }
    api_key_check &&scope(std::string_view scope) && { return std::move(this->scope(scope)); }
    api_key_check &tenant(std::string_view tenant) & {
        return set(gk_api_key_check_tenant, tenant.data(), tenant.size());
    }
    api_key_check &&tenant(std::string_view tenant) && { return std::move(this->tenant(tenant)); }
    /// What the request takes from the rate and from the credits: 1 unless set.
    api_key_check &cost(std::uint32_t cost) & { return set(gk_api_key_check_cost, cost); }
    api_key_check &&cost(std::uint32_t cost) && { return std::move(this->cost(cost)); }

  private:
    template <class Set, class... Value> api_key_check &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
};

/// A key that was just made: the one time that its text is seen.
struct issued_api_key {
    gatekey::secret secret;
    std::string record_json;
    std::string key_id;
};

/// A key that may do what was asked, or why not. Nothing in it is on the heap.
class api_key_result {
  public:
    [[nodiscard]] bool ok() const noexcept { return raw_.status == GK_STATUS_OK; }
    [[nodiscard]] explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] gatekey::status status() const noexcept {
        return static_cast<gatekey::status>(raw_.status);
    }
    /// 200, 401, 403, 429 or 503.
    [[nodiscard]] std::uint16_t http_status() const noexcept { return raw_.http_status; }
    /// Milliseconds; 0 where waiting is no remedy.
    [[nodiscard]] std::uint32_t retry_after_ms() const noexcept { return raw_.retry_after_ms; }
    /// Of a key that was refused only if its secret was proved, else empty.
    [[nodiscard]] std::string_view key_id() const noexcept { return raw_.key_id; }
    /// These are empty, or none, if the key was refused.
    [[nodiscard]] std::string_view owner() const noexcept { return raw_.owner; }
    [[nodiscard]] std::string_view tenant() const noexcept { return raw_.tenant; }
    [[nodiscard]] std::optional<std::uint64_t> expires_at() const noexcept {
        if (raw_.expires_at == 0) return std::nullopt;
        return raw_.expires_at;
    }

  private:
    friend class api_keys;
    api_key_result() noexcept = default;
    gk_api_key_result raw_;
};

/// Keys of another system, to be imported.
class api_key_import : public detail::handle<gk_api_key_import, gk_api_key_import_free> {
  public:
    using handle::handle;
    api_key_import() : handle(gk_api_key_import_new()) {}

    /// The key itself, or what the other system kept of it; salted hashes need a look-up.
    /// api_keys::import reports what is wrong.
    api_key_import &add(const api_key_spec &spec, std::string_view credential,
                        std::string_view lookup = {}) {
        gk_api_key_import_add(get(), spec.get(), credential.data(), credential.size(),
                              lookup.data(), lookup.size());
        return *this;
    }
};

/// The API keys of a service, in memory or in a SQLite file. Safe to share between threads.
class api_keys : public detail::handle<gk_api_keys, gk_api_keys_free> {
  public:
    using handle::handle;
    /// The short way for a program that keeps nothing else there: store::open and store::api_keys.
    [[nodiscard]] static api_keys open(std::string_view url,
                                       const api_key_options &options = api_key_options()) {
        return api_keys(detail::made<gk_api_keys>([&](auto **out, auto *err) {
            return gk_api_keys_open(url.data(), url.size(), options.get(), out, err);
        }));
    }
    [[nodiscard]] api_keys clone() const { return api_keys(gk_api_keys_clone(get())); }
    /// The same keys; changes are noted in the audit as made by this actor.
    [[nodiscard]] api_keys acting_as(std::string_view actor) const {
        return api_keys(detail::made<gk_api_keys>([&](auto **out, auto *err) {
            return gk_api_keys_acting_as(get(), actor.data(), actor.size(), out, err);
        }));
    }
    /// The same keys, of which those of one owner alone are seen, made and changed: another owner's
    /// key is one that does not exist. Keys are verified as before.
    [[nodiscard]] api_keys owned_by(std::string_view owner, std::string_view tenant = {}) const {
        const gk_api_key_owner whose = {detail::lent(owner), detail::lent(tenant)};
        return api_keys(detail::made<gk_api_keys>(
            [&](auto **out, auto *err) { return gk_api_keys_owned_by(get(), &whose, out, err); }));
    }

    [[nodiscard]] issued_api_key create(const api_key_spec &spec) const {
        return issued(
            [&](auto *key, auto *err) { return gk_api_keys_create(get(), spec.get(), key, err); });
    }
    /// A new secret under the same id; the old one is accepted for this many more seconds, at most
    /// 90 days; 0 ends it now. A key has two secrets at the most: a second rotation within an
    /// overlap ends the first secret at once.
    [[nodiscard]] issued_api_key rotate(std::string_view id,
                                        std::uint64_t overlap_seconds = 0) const {
        return issued([&](auto *key, auto *err) {
            return gk_api_keys_rotate(get(), id.data(), id.size(), overlap_seconds, key, err);
        });
    }
    /// For good.
    void revoke(std::string_view id, std::string_view reason = {}) const {
        detail::done([&](auto *err) {
            return gk_api_keys_revoke(get(), id.data(), id.size(), reason.data(), reason.size(),
                                      err);
        });
    }
    void disable(std::string_view id, std::string_view reason = {}) const {
        detail::done([&](auto *err) {
            return gk_api_keys_disable(get(), id.data(), id.size(), reason.data(), reason.size(),
                                       err);
        });
    }
    void enable(std::string_view id) const {
        detail::done(
            [&](auto *err) { return gk_api_keys_enable(get(), id.data(), id.size(), err); });
    }
    void update(std::string_view id, const api_key_spec &spec) const {
        detail::done([&](auto *err) {
            return gk_api_keys_update(get(), id.data(), id.size(), spec.get(), err);
        });
    }

    /// The key may do what the check needs, or a gatekey::error is thrown.
    [[nodiscard]] api_key_result verify(std::string_view presented,
                                        const api_key_check &check = api_key_check(),
                                        std::string_view ip = {}) const {
        api_key_result result;
        const gk_api_key_request request{detail::lent(presented), detail::lent(ip)};
        detail::done([&](auto *err) {
            return gk_api_keys_verify(get(), &request, check.get(), &result.raw_, err);
        });
        return result;
    }
    /// Whether the key may, or why not. Allocates nothing.
    [[nodiscard]] api_key_result try_verify(std::string_view presented, const api_key_check &check,
                                            std::string_view ip = {}) const noexcept {
        api_key_result result;
        const gk_api_key_request request{detail::lent(presented), detail::lent(ip)};
        const gk_status told_by_the_result =
            gk_api_keys_verify(get(), &request, check.get(), &result.raw_, nullptr);
        static_cast<void>(told_by_the_result);
        return result;
    }

    /// Records and pages are JSON, as gatekey.h says.
    [[nodiscard]] std::string record_json(std::string_view id) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_api_keys_get(get(), id.data(), id.size(), out, err);
        });
    }
    /// By owner and tenant.
    [[nodiscard]] std::string list_json(const filter &which = filter()) const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_api_keys_list(get(), which.get(), out, err); });
    }
    /// By the id of a key.
    [[nodiscard]] std::string audit_json(const filter &which = filter()) const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_api_keys_audit(get(), which.get(), out, err); });
    }
    /// Deletes keys that ended before this time; how many.
    std::uint64_t purge(std::uint64_t before) const {
        std::uint64_t purged = 0;
        detail::done([&](auto *err) { return gk_api_keys_purge(get(), before, &purged, err); });
        return purged;
    }
    /// A report as JSON.
    [[nodiscard]] std::string import(std::string_view scheme, const api_key_import &rows) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_api_keys_import(get(), scheme.data(), scheme.size(), rows.get(), out, err);
        });
    }
    [[nodiscard]] std::string pepper_report_json() const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_api_keys_pepper_report(get(), out, err); });
    }
    std::uint64_t wrap_peppers() const {
        std::uint64_t wrapped = 0;
        detail::done([&](auto *err) { return gk_api_keys_wrap_peppers(get(), &wrapped, err); });
        return wrapped;
    }
    /// Looks now at what other processes have changed, however recent the last look.
    void refresh() const {
        detail::done([&](auto *err) { return gk_api_keys_refresh(get(), err); });
    }
    /// Throws, saying why, unless the rates of all keys are shared by the processes of this
    /// machine. Where they are not, each process counts for itself.
    void check_limits() const {
        detail::done([&](auto *err) { return gk_api_keys_check_limits(get(), err); });
    }
    void flush() const {
        detail::done([&](auto *err) { return gk_api_keys_flush(get(), err); });
    }
    /// Gives back credits that were not spent and closes the store, for all handles.
    void close() const {
        detail::done([&](auto *err) { return gk_api_keys_close(get(), err); });
    }

  private:
    template <class Call> static issued_api_key issued(Call call) {
        gk_issued_api_key raw{};
        detail::done([&](gk_error *err) { return call(&raw, err); });
        detail::buffer secret;
        detail::buffer record; // both own what they hold before a string is made
        std::swap(secret.raw, raw.secret);
        std::swap(record.raw, raw.record);
        return {gatekey::secret(std::move(secret)), {record.raw.data, record.raw.len}, raw.key_id};
    }
};

/// The places of a request that a credential can be in.
enum class credential_place : std::int32_t {
    /// `Authorization: Bearer`: tokens and API keys.
    authorization = GK_CREDENTIAL_AUTHORIZATION,
    /// `X-API-Key`: API keys alone.
    api_key = GK_CREDENTIAL_API_KEY,
};

/// The key of `Authorization: Bearer` or of `X-API-Key` among pairs of name and value; of one of
/// the two places alone, where the other may hold another kind of credential.
template <class Pairs>
[[nodiscard]] std::optional<std::string_view>
api_key_from_headers(const Pairs &pairs, std::optional<credential_place> place = {}) {
    std::vector<gk_str> names;
    std::vector<gk_str> values;
    for (const auto &[name, value] : pairs) {
        const std::string_view name_view(name);
        const std::string_view value_view(value);
        names.push_back({name_view.data(), name_view.size()});
        values.push_back({value_view.data(), value_view.size()});
    }
    gk_str key{nullptr, 0};
    detail::done([&](auto *err) {
        return place
                   ? gk_api_key_from_headers_at(names.data(), values.data(), names.size(),
                                                static_cast<std::int32_t>(*place), &key, err)
                   : gk_api_key_from_headers(names.data(), values.data(), names.size(), &key, err);
    });
    return detail::maybe(key);
}

/// A rule for secret scanners.
struct scan_rule {
    std::string regex;
    std::string gitleaks;

    [[nodiscard]] static scan_rule of(std::string_view prefix) {
        detail::buffer regex;
        detail::buffer gitleaks;
        detail::done([&](auto *err) {
            return gk_scan_rule(prefix.data(), prefix.size(), &regex.raw, &gitleaks.raw, err);
        });
        return {{regex.raw.data, regex.raw.len}, {gitleaks.raw.data, gitleaks.raw.len}};
    }
};

} // namespace gatekey

#endif // GATEKEY_APIKEY_HPP
