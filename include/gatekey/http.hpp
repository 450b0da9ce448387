// The built-in transport. Include gatekey.hpp.
#ifndef GATEKEY_HTTP_HPP
#define GATEKEY_HTTP_HPP

#include "handle.hpp"

namespace gatekey {

/// How the built-in transport connects: https to any address but those of the link itself, with
/// Mozilla's authorities, 10 seconds in all.
class http_options : public detail::builder<http_options, gk_http_options, gk_http_options_free> {
  public:
    using builder::builder;
    http_options() : builder(gk_http_options_new()) {}

    /// The members of one JSON object, by the names of these setters.
    http_options &json(std::string_view json) { return text(gk_http_options_json, json); }
    /// Allows plain http to this very machine, for tests.
    http_options &allow_loopback_http(bool allow = true) {
        return set(gk_http_options_allow_loopback_http, allow);
    }
    /// Reaches only public addresses: for addresses that others may have chosen.
    http_options &public_only(bool only = true) { return set(gk_http_options_public_only, only); }
    /// The most that a request may take in all: 10000 unless set.
    http_options &deadline_ms(std::uint64_t milliseconds) {
        return set(gk_http_options_deadline_ms, milliseconds);
    }
    /// The most that connecting may take: 5000 unless set.
    http_options &connect_ms(std::uint64_t milliseconds) {
        return set(gk_http_options_connect_ms, milliseconds);
    }
    /// Sends https requests through a proxy: `http://[user[:password]@]host[:port]`, or
    /// `environment`; never together with public_only.
    http_options &proxy(std::string_view proxy) { return text(gk_http_options_proxy, proxy); }
    /// Trusts these certificate authorities instead of Mozilla's.
    http_options &ca_pem(std::string_view pem) { return text(gk_http_options_ca_pem, pem); }
    /// Presents this certificate, with its private key, to servers that ask for one (RFC 8705).
    http_options &client_certificate_pem(std::string_view chain, std::string_view key) {
        return pair(gk_http_options_client_certificate_pem, chain, key);
    }
};

/// The built-in transport: blocking, HTTPS only, no redirects, no proxy unless it is asked for.
/// Safe to share between threads.
class http : public detail::handle<gk_http, gk_http_free> {
  public:
    using handle::handle;
    explicit http(const http_options &options = http_options())
        : handle(detail::made<gk_http>(
              [&](auto **out, auto *err) { return gk_http_new(options.get(), out, err); })) {}
    [[nodiscard]] http clone() const { return http(gk_http_clone(get())); }
};

} // namespace gatekey

#endif // GATEKEY_HTTP_HPP
