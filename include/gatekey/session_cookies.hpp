// The cookies of a session in a browser. Include gatekey.hpp.
#ifndef GATEKEY_SESSION_COOKIES_HPP
#define GATEKEY_SESSION_COOKIES_HPP

#include "web.hpp"

namespace gatekey {

/// One of a session's cookies.
enum class session_cookie : gk_session_cookie {
    access = GK_SESSION_COOKIE_ACCESS,
    refresh = GK_SESSION_COOKIE_REFRESH,
    csrf = GK_SESSION_COOKIE_CSRF,
};

/// The cookies of a session in a browser: `__Host-access`, `__Host-refresh` and `__Host-csrf`.
/// guard::log_in and guard::refresh set them, guard::log_out clears them.
class session_cookies : public detail::handle<gk_session_cookies, gk_session_cookies_free> {
  public:
    using handle::handle;
    class builder;

    /// The whole name, such as `__Host-csrf`: where scripts of our own pages find the CSRF token.
    [[nodiscard]] std::string_view name(session_cookie which) const noexcept {
        return detail::view(gk_session_cookies_name(get(), static_cast<gk_session_cookie>(which)));
    }
    /// The value of a Set-Cookie header that makes the browser forget it: for an answer after
    /// sessions::end_all. guard::log_out says all three itself.
    [[nodiscard]] std::string clear(session_cookie which) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_session_cookies_clear(get(), static_cast<gk_session_cookie>(which), out, err);
        });
    }
};

/// Cookies while they are put together: `session_cookies::builder(csrf).build()`.
class session_cookies::builder
    : public detail::builder<session_cookies::builder, gk_session_cookies_builder,
                             gk_session_cookies_builder_free> {
  public:
    using detail::builder<session_cookies::builder, gk_session_cookies_builder,
                          gk_session_cookies_builder_free>::builder;
    explicit builder(const csrf &tokens)
        : builder(detail::made<gk_session_cookies_builder>([&](auto **out, auto *err) {
              return gk_session_cookies_builder_new(tokens.get(), out, err);
          })) {}

    /// What one of them is called, behind `__Host-`.
    builder &name(session_cookie which, std::string_view name) {
        return set(gk_session_cookies_builder_name, static_cast<gk_session_cookie>(which),
                   name.data(), name.size());
    }
    /// Sends the refresh token under this path alone, such as `/auth`; its name begins with
    /// `__Secure-` then.
    builder &refresh_path(std::string_view path) {
        return text(gk_session_cookies_builder_refresh_path, path);
    }
    /// When the access token is sent with requests that other sites cause.
    builder &same_site(gatekey::same_site when) {
        return set(gk_session_cookies_builder_same_site, static_cast<gk_same_site>(when));
    }
    /// For development without HTTPS.
    builder &danger_allow_http() { return set(gk_session_cookies_builder_danger_allow_http); }
    [[nodiscard]] session_cookies build() const {
        return session_cookies(detail::made<gk_session_cookies>([&](auto **out, auto *err) {
            return gk_session_cookies_builder_build(get(), out, err);
        }));
    }
};

} // namespace gatekey

#endif // GATEKEY_SESSION_COOKIES_HPP
