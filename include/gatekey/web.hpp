// Cookies that hold secrets, and requests that were not forged. Include gatekey.hpp.
#ifndef GATEKEY_WEB_HPP
#define GATEKEY_WEB_HPP

#include "handle.hpp"

#include <optional>

namespace gatekey {

/// When a browser sends a cookie with requests that other sites cause.
enum class same_site : gk_same_site {
    lax = GK_SAME_SITE_LAX,
    strict = GK_SAME_SITE_STRICT,
    none = GK_SAME_SITE_NONE,
};

/// The attributes of a cookie, without its name; as they stand, `Path=/; HttpOnly; Secure;
/// SameSite=Lax`.
struct cookie_attributes {
    std::string_view path = "/";
    /// Empty: the host that sets it and no other.
    std::string_view domain = {};
    /// Seconds, at most 400 days; 0: until the browser ends.
    std::uint64_t max_age = 0;
    gatekey::same_site same_site = gatekey::same_site::lax;
    bool for_scripts = false;
    bool partitioned = false;
    /// Leaves Secure out, for development without HTTPS.
    bool danger_allow_http = false;
};

/// A cookie of one name: how it is set, cleared and read (RFC 6265bis).
class cookie : public detail::handle<gk_cookie, gk_cookie_free> {
  public:
    using handle::handle;
    /// The name should begin with `__Host-`. What a browser would refuse throws.
    explicit cookie(std::string_view name, const cookie_attributes &is = {})
        : handle(detail::made<gk_cookie>([&](auto **out, auto *err) {
              gk_cookie_attributes all{};
              all.path = {is.path.data(), is.path.size()};
              all.domain = {is.domain.data(), is.domain.size()};
              all.max_age = is.max_age;
              all.same_site = static_cast<gk_same_site>(is.same_site);
              all.flags = (is.for_scripts ? GK_COOKIE_FOR_SCRIPTS : 0u) |
                          (is.partitioned ? GK_COOKIE_PARTITIONED : 0u) |
                          (is.danger_allow_http ? GK_COOKIE_DANGER_ALLOW_HTTP : 0u);
              return gk_cookie_new(name.data(), name.size(), &all, out, err);
          })) {}

    /// The value of a Set-Cookie header that sets it.
    [[nodiscard]] std::string set(std::string_view value) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_cookie_set(get(), value.data(), value.size(), out, err);
        });
    }
    /// The value of a Set-Cookie header that makes the browser forget it.
    [[nodiscard]] std::string clear() const {
        return detail::text([&](auto *out, auto *err) { return gk_cookie_clear(get(), out, err); });
    }
    /// What a Cookie header says it is: a part of the header. A name that comes twice throws.
    [[nodiscard]] std::optional<std::string_view> read(std::string_view header) const {
        gk_str value{};
        detail::done([&](auto *err) {
            return gk_cookie_read(get(), header.data(), header.size(), &value, err);
        });
        if (value.data == nullptr) return std::nullopt;
        return std::string_view(value.data, value.len);
    }
};

/// What is known of a request; without a value, the header is not there.
struct csrf_request {
    std::string_view method;
    std::optional<std::string_view> sec_fetch_site = {};
    std::optional<std::string_view> origin = {};
    std::optional<std::string_view> host = {};
};

/// Makes and checks CSRF tokens, which are bound to a session, under a secret of 32 bytes or more.
class csrf : public detail::handle<gk_csrf, gk_csrf_free> {
  public:
    using handle::handle;
    /// `flags`: GK_CSRF_ALLOW_SAME_SITE, GK_CSRF_DANGER_ALLOW_HTTP.
    explicit csrf(bytes_view secret, std::uint32_t flags = 0)
        : handle(detail::made<gk_csrf>([&](auto **out, auto *err) {
              return gk_csrf_new(secret.data(), secret.size(), flags, out, err);
          })) {}

    [[nodiscard]] std::string issue(std::string_view session_id) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_csrf_issue(get(), session_id.data(), session_id.size(), out, err);
        });
    }
    /// Throws status::csrf_rejected unless the request is harmless, or comes from here with a
    /// token.
    void check(std::string_view session_id, std::string_view token,
               const csrf_request &request) const {
        const auto header = [](const std::optional<std::string_view> &value) {
            return value ? detail::named(*value) : gk_str{nullptr, 0};
        };
        const gk_csrf_request known{detail::lent(token), header(request.method),
                                    header(request.sec_fetch_site), header(request.origin),
                                    header(request.host)};
        detail::done([&](auto *err) {
            return gk_csrf_check(get(), session_id.data(), session_id.size(), &known, err);
        });
    }
};

} // namespace gatekey

#endif // GATEKEY_WEB_HPP
