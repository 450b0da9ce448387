// A guard at every route of a server of cpp-httplib. Include gatekey.hpp, httplib.h and this, which
// gatekey.hpp does not.
//
// Before 0.44, cpp-httplib decodes `%41` in the values of headers: `theme=1%3B%20__Host-access=B`
// arrives as two cookies, and two addresses of X-Forwarded-For may be one that a client made up.
// With such a version there are API keys and bearer tokens, whose characters need no `%`; cookies
// and trusted proxies do not compile. With a later one, it is tried once before they are used.
#ifndef GATEKEY_HTTPLIB_HPP
#define GATEKEY_HTTPLIB_HPP

#include "guard.hpp"

#include <httplib.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

/// 1 if the values of headers arrive as they were sent. Define it as 1 before this header where an
/// older version has the correction of 0.44: it is tried when a guard with cookies is built.
#ifndef GATEKEY_HTTPLIB_AS_SENT
#define GATEKEY_HTTPLIB_AS_SENT ::gatekey::httplib::detail::as_sent(CPPHTTPLIB_VERSION)
#endif

namespace gatekey::httplib {

namespace detail {

using namespace gatekey::detail;

/// Whether the version is 0.44 or later.
constexpr bool as_sent(std::string_view version) noexcept {
    unsigned numbers[2] = {0, 0};
    std::size_t at = 0;
    for (unsigned &number : numbers) {
        for (; at < version.size() && version[at] >= '0' && version[at] <= '9'; at++)
            number = number * 10 + static_cast<unsigned>(version[at] - '0');
        at++;
    }
    return numbers[0] > 0 || numbers[1] >= 44;
}

/// The same, looked at only where it is asked for.
template <class> inline constexpr bool values_as_sent = GATEKEY_HTTPLIB_AS_SENT;
template <class> inline constexpr bool never = false;

[[noreturn]] inline void misused(status status, const char *message) {
    gk_error raw{};
    raw.status = static_cast<gk_status>(status);
    std::snprintf(raw.message, sizeof raw.message, "%s", message);
    throw error(raw);
}

/// Asks a server of its own, over the loopback device, what becomes of a `%`.
inline bool tried_as_sent() {
    ::httplib::Server server;
    bool same = false;
    server.Get("/", [&](const ::httplib::Request &request, ::httplib::Response &answer) {
        for (const auto &[name, value] : request.headers)
            if (name == "X-Tried") same = value == "%41%3B%20";
        answer.set_content("tried", "text/plain");
    });
    const int port = server.bind_to_any_port("127.0.0.1");
    if (port <= 0) return false;
    std::thread serving([&] { server.listen_after_bind(); });
    bool answered = false;
    for (int tries = 0; tries < 500 && !answered; tries++) {
        ::httplib::Client client("127.0.0.1", port);
        answered = bool(client.Get("/", ::httplib::Headers{{"X-Tried", "%41%3B%20"}}));
        if (!answered) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    server.stop();
    serving.join();
    return answered && same;
}

inline bool has_control(std::string_view text) noexcept {
    for (const char each : text) {
        const auto byte = static_cast<unsigned char>(each);
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return true;
    }
    return false;
}

inline bool has_control(const ::httplib::Request &request) noexcept {
    if (has_control(request.path)) return true;
    for (const auto &[name, value] : request.headers)
        if (has_control(name) || has_control(value)) return true;
    return false;
}

inline void problem(::httplib::Response &answer, int status, const char *title) {
    answer.status = status;
    answer.headers.erase("Cache-Control");
    answer.headers.emplace("Cache-Control", "no-store");
    answer.set_content("{\"type\":\"about:blank\",\"title\":\"" + std::string(title) +
                           "\",\"status\":" + std::to_string(status) + "}",
                       "application/problem+json");
}

/// Adds a decision's headers: `Vary` joins, `Set-Cookie` comes several times, others replace.
inline void add_headers(const guard_decision &decision, ::httplib::Response &answer) {
    for (const auto &[name_view, value_view] : decision.headers()) {
        const std::string name(name_view);
        std::string value(value_view);
        if (name == "Vary") {
            const auto all = answer.headers.equal_range(name);
            for (auto one = all.first; one != all.second; ++one) value += ", " + one->second;
        }
        if (name != "Set-Cookie") answer.headers.erase(name);
        answer.headers.emplace(name, std::move(value));
    }
}

} // namespace detail

/// Answers as decided: the whole of a refusal. Of what is allowed, such as guard::log_in, the
/// headers; the application answers with the rest.
inline void answer(const guard_decision &decision, ::httplib::Response &answer) {
    if (!decision) {
        answer.status = decision.http_status();
        // The type is among the headers.
        answer.set_content(std::string(decision.body()), "application/problem+json");
    }
    detail::add_headers(decision, answer);
}

/// A guard that is safe with this version of cpp-httplib: what takes cookies or believes proxies is
/// built only where headers arrive as they were sent.
class guard {
  public:
    class builder;
    /// Gives what is granted to the user of a former token, if it is active; else nothing.
    using look_up = std::function<std::optional<std::vector<std::string>>(const former_user &)>;

    [[nodiscard]] const gatekey::guard &get() const noexcept { return guard_; }
    /// As gatekey::guard::check; the user of a former token is looked up.
    [[nodiscard]] guard_decision check(const guard_request &request,
                                       const guard_demand &demand) const {
        auto user = look_up_ ? guard_.former_user(request) : std::nullopt;
        const auto scopes = user ? look_up_(*user) : std::nullopt;
        if (!scopes) return guard_.check(request, demand);
        for (const std::string &scope : *scopes) user->scope(scope);
        return guard_.check(request, demand, *user);
    }

  private:
    guard(gatekey::guard inner, look_up found) noexcept
        : guard_(std::move(inner)), look_up_(std::move(found)) {}
    gatekey::guard guard_;
    look_up look_up_;
};

/// The settings of gatekey::guard::builder.
class guard::builder {
  public:
    builder &api_keys(const gatekey::api_keys &keys) { return inner_.api_keys(keys), *this; }
    builder &sessions(const gatekey::sessions &all) { return inner_.sessions(all), *this; }
    builder &tokens(const resource_server::builder &all) { return inner_.tokens(all), *this; }
    builder &revocations(const gatekey::revocations &list) {
        return inner_.revocations(list), *this;
    }
    /// The look-up is called with each such token that is good, by several threads at once.
    builder &former_tokens(const gatekey::former_tokens &former, look_up found) {
        look_up_ = std::move(found);
        return inner_.former_tokens(former), *this;
    }
    builder &origin(std::string_view origin) { return inner_.origin(origin), *this; }
    builder &api_key_header(std::string_view name) { return inner_.api_key_header(name), *this; }
    builder &csrf_header(std::string_view name) { return inner_.csrf_header(name), *this; }
    builder &realm(std::string_view realm) { return inner_.realm(realm), *this; }
    builder &metadata_url(std::string_view url) { return inner_.metadata_url(url), *this; }
    builder &ipv6_prefix(std::uint8_t bits) { return inner_.ipv6_prefix(bits), *this; }
    builder &limits(std::string_view url) { return inner_.limits(url), *this; }
    builder &clock(clock_function now) { return inner_.clock(std::move(now)), *this; }

    /// From 0.44 on.
    template <class Cookies> builder &cookies(const Cookies &cookies) {
        static_assert(detail::values_as_sent<Cookies>,
                      "gatekey: cookies need cpp-httplib 0.44 or later: earlier versions decode "
                      "`%3B` in headers, so that a cookie of another host can plant a session; use "
                      "API keys and bearer tokens, or a later version");
        careful_ = true;
        return inner_.cookies(cookies), *this;
    }
    /// From 0.44 on.
    template <class Network> builder &trusted_proxy(const Network &network) {
        static_assert(detail::values_as_sent<Network>,
                      "gatekey: trusted proxies need cpp-httplib 0.44 or later: earlier versions "
                      "decode `%2C` in headers, so that a client can make up its address; leave "
                      "them out, or use a later version");
        careful_ = true;
        return inner_.trusted_proxy(network), *this;
    }
    /// Goes with trusted_proxy.
    builder &forwarded_header(std::string_view name) {
        return inner_.forwarded_header(name), *this;
    }

    /// Throws what was wrong first; or, of a guard with cookies or trusted proxies, that this
    /// cpp-httplib decodes headers, whatever its version says.
    [[nodiscard]] guard build() const {
        if (careful_ && !detail::tried_as_sent())
            detail::misused(status::invalid_configuration,
                            "cookies and trusted proxies need a cpp-httplib that leaves the values "
                            "of headers as they were sent, and this one was tried over 127.0.0.1 "
                            "and did not; use version 0.44 or later, or API keys and bearer tokens "
                            "alone");
        return guard(inner_.build(), look_up_);
    }

  private:
    gatekey::guard::builder inner_;
    look_up look_up_;
    bool careful_ = false;
};

/// A server all of whose routes have a demand. Base is httplib::Server or httplib::SSLServer, whose
/// other ways to a route (mount points, handlers before the routing) are not offered. What no route
/// takes is 404. The routes are made before it listens; one whose demand no caller of the guard can
/// ever meet throws (guard::check_demand).
template <class Base> class basic_server : private Base {
  public:
    /// The application; who calls is a view that lives until it returns.
    using application = std::function<void(const ::httplib::Request &, ::httplib::Response &,
                                           const gatekey::access &)>;

    /// More arguments are Base's.
    template <class... More>
    explicit basic_server(guard guard, More &&...more)
        : Base(std::forward<More>(more)...), guard_(std::move(guard)) {
        Base::set_payload_max_length(std::size_t{8} << 20);
        // Headers and body are two packets, and the second would wait for the client's word.
        Base::set_tcp_nodelay(true);
        Base::set_exception_handler([](const auto &, ::httplib::Response &answer, const auto &) {
            answer = ::httplib::Response();
            detail::problem(answer, 500, "Internal Server Error");
        });
        Base::set_error_handler([](const ::httplib::Request &, ::httplib::Response &answer) {
            if (answer.status == 404 && answer.body.empty())
                detail::problem(answer, 404, "Not Found");
        });
    }

    /// Paths are regular expressions, or as this version of cpp-httplib has them. HEAD goes here,
    /// too, and no body is sent then.
    void Get(const std::string &path, const guard_demand &demand, application handler) {
        Base::Get(path, guarded(demand, std::move(handler)));
    }
    void Post(const std::string &path, const guard_demand &demand, application handler) {
        Base::Post(path, guarded(demand, std::move(handler)));
    }
    void Put(const std::string &path, const guard_demand &demand, application handler) {
        Base::Put(path, guarded(demand, std::move(handler)));
    }
    void Patch(const std::string &path, const guard_demand &demand, application handler) {
        Base::Patch(path, guarded(demand, std::move(handler)));
    }
    void Delete(const std::string &path, const guard_demand &demand, application handler) {
        Base::Delete(path, guarded(demand, std::move(handler)));
    }
    void Options(const std::string &path, const guard_demand &demand, application handler) {
        Base::Options(path, guarded(demand, std::move(handler)));
    }
    template <class Handler> void Get(const std::string &, Handler) { lacks_demand<Handler>(); }
    template <class Handler> void Post(const std::string &, Handler) { lacks_demand<Handler>(); }
    template <class Handler> void Put(const std::string &, Handler) { lacks_demand<Handler>(); }
    template <class Handler> void Patch(const std::string &, Handler) { lacks_demand<Handler>(); }
    template <class Handler> void Delete(const std::string &, Handler) { lacks_demand<Handler>(); }
    template <class Handler> void Options(const std::string &, Handler) { lacks_demand<Handler>(); }

    /// Exchanges the refresh cookie, by POST.
    void refresh_at(const std::string &path) {
        Base::Post(path, by_guard([this](const guard_request &request) {
                       return guard_.get().refresh(request);
                   }));
    }
    /// Ends the session and clears its cookies, by POST.
    void log_out_at(const std::string &path) {
        Base::Post(path, by_guard([this](const guard_request &request) {
                       return guard_.get().log_out(request);
                   }));
    }

    /// A Unix socket with AF_UNIX, where this version has them.
    void set_address_family(int family) {
        Base::set_address_family(family);
        unix_ = family == AF_UNIX;
    }
    using Base::bind_to_any_port;
    using Base::bind_to_port;
    using Base::is_running;
    using Base::is_valid;
    using Base::listen;
    using Base::listen_after_bind;
    using Base::new_task_queue;
    using Base::set_default_headers;
    using Base::set_keep_alive_max_count;
    using Base::set_keep_alive_timeout;
    using Base::set_logger;
    using Base::set_payload_max_length; // 8 MiB unless set
    using Base::set_read_timeout;
    using Base::set_socket_options;
    using Base::set_tcp_nodelay; // on unless set
    using Base::set_write_timeout;
    using Base::stop;

  private:
    using routed = ::httplib::Server::Handler;

    template <class Handler> static void lacks_demand() {
        static_assert(detail::never<Handler>,
                      "gatekey: a route needs a demand: server.Get(path, demand, handler); "
                      "guard_demand::builder().make_public().build() lets everybody in");
    }

    /// The peer is what the socket says: a client may send a header REMOTE_ADDR.
    guard_request asked(const ::httplib::Request &request) const {
        guard_request asked(request.method, request.path);
        asked.headers(request.headers);
        if (unix_)
            asked.peer("");
        else if (!request.remote_addr.empty())
            asked.peer(request.remote_addr);
        return asked;
    }

    routed guarded(const guard_demand &demand, application handler) {
        if (demand.get() == nullptr || !handler)
            detail::misused(status::invalid_argument,
                            "a route needs a demand and a handler, and one was empty; a "
                            "guard_demand that was moved from is");
        guard_.get().check_demand(demand);
        const auto kept = std::make_shared<const guard_demand>(demand.clone());
        return [this, kept, handler = std::move(handler)](const ::httplib::Request &request,
                                                          ::httplib::Response &response) {
            const guard_decision decision =
                detail::has_control(request) ? guard_.get().refuse(status::malformed_request, *kept)
                                             : guard_.check(asked(request), *kept);
            if (!decision) return refuse(decision, request, response);
            handler(request, response, decision.access());
            detail::add_headers(decision, response);
        };
    }

    /// A client's `Range` would cut the answer. The request is the server's own, and not constant.
    static void refuse(const guard_decision &decision, const ::httplib::Request &request,
                       ::httplib::Response &response) {
        const_cast<::httplib::Request &>(request).ranges.clear();
        answer(decision, response);
    }

    template <class Decide> routed by_guard(Decide decide) {
        return [this, decide](const ::httplib::Request &request, ::httplib::Response &response) {
            if (detail::has_control(request)) return detail::problem(response, 400, "Bad Request");
            const guard_decision decision = decide(asked(request));
            if (!decision) return refuse(decision, request, response);
            answer(decision, response);
            response.status = 204;
        };
    }

    guard guard_;
    bool unix_ = false;
};

using server = basic_server<::httplib::Server>;
#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
using ssl_server = basic_server<::httplib::SSLServer>;
#endif

} // namespace gatekey::httplib

#endif // GATEKEY_HTTPLIB_HPP
