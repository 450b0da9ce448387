// Who calls, as a guard has found. Include gatekey.hpp.
#ifndef GATEKEY_ACCESS_HPP
#define GATEKEY_ACCESS_HPP

#include "handle.hpp"

namespace gatekey {

/// What kind of credential let a caller in.
enum class access_kind : gk_access_kind {
    /// No credential: the route is public, or one is optional and there was none.
    anonymous = GK_ACCESS_ANONYMOUS,
    api_key = GK_ACCESS_API_KEY,
    /// The access token of a session of this service's own.
    session = GK_ACCESS_SESSION,
    jwt = GK_ACCESS_JWT,
    /// A token that the authorization server was asked about.
    opaque = GK_ACCESS_OPAQUE,
};

/// What of a request proved who calls.
enum class proved_by : gk_proved_by {
    nothing = GK_PROVED_BY_NOTHING,
    /// Which browsers send with requests of other sites, too.
    cookie = GK_PROVED_BY_COOKIE,
    key = GK_PROVED_BY_KEY,
    bearer = GK_PROVED_BY_BEARER,
};

/// Who calls, and what they may do: a view of a guard_decision, and valid as long as that.
class access {
  public:
    explicit access(const gk_access *raw) noexcept : raw_(raw) {}
    [[nodiscard]] const gk_access *get() const noexcept { return raw_; }

    [[nodiscard]] access_kind kind() const noexcept {
        return static_cast<access_kind>(gk_access_kind_of(raw_));
    }
    /// For logs: `api_key`, `session`, `jwt`, `opaque`; empty of an anonymous caller.
    [[nodiscard]] std::string_view kind_name() const noexcept {
        return detail::view(gk_access_kind_name(raw_));
    }
    [[nodiscard]] gatekey::proved_by proved_by() const noexcept {
        return static_cast<gatekey::proved_by>(gk_access_proved_by(raw_));
    }
    [[nodiscard]] bool is_anonymous() const noexcept { return gk_access_is_anonymous(raw_); }
    /// Who says so. Subjects are names of this issuer's: the same name at another one is another
    /// user.
    [[nodiscard]] std::optional<std::string_view> issuer() const noexcept {
        return detail::maybe(gk_access_issuer(raw_));
    }
    /// A token's `sub`, an API key's owner.
    [[nodiscard]] std::optional<std::string_view> subject() const noexcept {
        return detail::maybe(gk_access_subject(raw_));
    }
    [[nodiscard]] std::optional<std::string_view> tenant() const noexcept {
        return detail::maybe(gk_access_tenant(raw_));
    }
    /// A token's client, an API key's id.
    [[nodiscard]] std::optional<std::string_view> client_id() const noexcept {
        return detail::maybe(gk_access_client_id(raw_));
    }
    [[nodiscard]] std::vector<std::string_view> scopes() const {
        std::vector<std::string_view> all(gk_access_scopes_len(raw_));
        for (std::size_t i = 0; i < all.size(); i++)
            all[i] = detail::view(gk_access_scope_at(raw_, i));
        return all;
    }
    [[nodiscard]] bool has_scope(std::string_view scope) const noexcept {
        return gk_access_has_scope(raw_, scope.data(), scope.size());
    }
    /// In seconds since 1970-01-01T00:00:00Z.
    [[nodiscard]] std::optional<std::uint64_t> expires_at() const noexcept {
        std::uint64_t seconds = 0;
        return gk_access_expires_at(raw_, &seconds) ? std::optional(seconds) : std::nullopt;
    }

    /// The token's claims, or the server's answer; `{}` of others.
    [[nodiscard]] std::string_view claims_json() const noexcept {
        return detail::view(gk_access_claims_json(raw_));
    }
    /// Any claim as JSON text. Nothing is copied.
    [[nodiscard]] std::optional<std::string_view> claim_json(std::string_view name) const noexcept {
        return detail::maybe(gk_access_claim_json(raw_, name.data(), name.size()));
    }
    /// Throws status::missing_claim, or status::invalid_claim if the claim is of another kind.
    [[nodiscard]] std::string claim_str(std::string_view name) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_access_claim_str(raw_, name.data(), name.size(), out, err);
        });
    }
    [[nodiscard]] std::int64_t claim_i64(std::string_view name) const {
        std::int64_t value = 0;
        detail::done([&](auto *err) {
            return gk_access_claim_i64(raw_, name.data(), name.size(), &value, err);
        });
        return value;
    }
    [[nodiscard]] bool claim_bool(std::string_view name) const {
        bool value = false;
        detail::done([&](auto *err) {
            return gk_access_claim_bool(raw_, name.data(), name.size(), &value, err);
        });
        return value;
    }

    /// The id of the API key.
    [[nodiscard]] std::optional<std::string_view> key_id() const noexcept {
        return detail::maybe(gk_access_key_id(raw_));
    }
    /// The API key's record as JSON, with its name and `meta`.
    [[nodiscard]] std::optional<std::string> key_record() const {
        return optional_text(gk_access_key_record);
    }
    /// The id of the session of our own.
    [[nodiscard]] std::optional<std::string_view> session() const noexcept {
        return detail::maybe(gk_access_session(raw_));
    }
    /// The second credential's, where the demand pairs two.
    [[nodiscard]] std::optional<access> other() const noexcept {
        const gk_access *second = gk_access_other(raw_);
        return second == nullptr ? std::nullopt : std::optional(access(second));
    }
    /// The caller's address, past the proxies that are trusted.
    [[nodiscard]] std::optional<std::string> address() const {
        return optional_text(gk_access_address);
    }

  private:
    template <class Get> std::optional<std::string> optional_text(Get get_text) const {
        return detail::maybe_text([&](auto *out, auto *err) { return get_text(raw_, out, err); });
    }

    const gk_access *raw_;
};

} // namespace gatekey

#endif // GATEKEY_ACCESS_HPP
