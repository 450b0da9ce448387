// The matrix behind cpp-httplib, with gatekey/httplib.hpp; with cookies where it has them.
#include "door.h"

#include <gatekey.hpp>
#include <gatekey/httplib.hpp>

#include <memory>
#include <thread>

namespace {

#ifdef COOKIES
constexpr bool with_cookies = true;
#else
constexpr bool with_cookies = false;
#endif

using served = gatekey::httplib::server;

std::unique_ptr<served> serving;
std::thread listening;

/// A guard of handles that the world keeps: those of a builder are lent.
template <class Lent> struct lent {
    Lent handle;
    template <class Raw> explicit lent(Raw *raw) noexcept : handle(raw) {}
    ~lent() { (void)handle.release(); }
};

gatekey::httplib::guard guard_of(const guarded &all) {
    const lent<gatekey::resource_server::builder> tokens(all.tokens);
    gatekey::httplib::guard::builder builder;
    builder.api_keys(gatekey::api_keys(gk_api_keys_clone(all.keys)))
        .sessions(gatekey::sessions(gk_sessions_clone(all.sessions)))
        .revocations(gatekey::revocations(gk_revocations_clone(all.revocations)))
        .tokens(tokens.handle)
        .metadata_url(all.metadata_url)
        .clock([now = all.now] { return now(nullptr); });
#ifdef COOKIES
    const lent<gatekey::session_cookies> cookies(all.cookies);
    builder.cookies(cookies.handle).origin(all.origin);
#endif
    return builder.build();
}

void who(const httplib::Request &, httplib::Response &answer, const gatekey::access &access) {
    char json[1024];
    const auto length = says_who(access.get(), json, sizeof json);
    answer.set_content(json, length, "application/json");
}

} // namespace

// Later versions refuse them before they call.
bool door_lets_controls_in() { return !with_cookies; }
bool door_has_cookies() { return with_cookies; }

int door_open(const guarded *all, const char *unix_path) {
    serving = std::make_unique<served>(guard_of(*all));
    for (std::size_t i = 0; i < all->routes_len; i++) {
        const std::string path = all->routes[i].path;
        const gatekey::guard_demand demand(gk_guard_demand_clone(all->routes[i].demand));
        serving->Get(path, demand, who);
        serving->Post(path, demand, who);
        serving->Options(path, demand, who);
    }
    int port = 0;
    if (unix_path == nullptr) {
        port = serving->bind_to_any_port("127.0.0.1");
    } else {
        serving->set_address_family(AF_UNIX);
        if (!serving->bind_to_port(unix_path, 80)) return -1;
    }
    listening = std::thread([] { serving->listen_after_bind(); });
    return port;
}

void door_close() {
    while (!serving->is_running()) std::this_thread::yield();
    serving->stop();
    listening.join();
    serving.reset();
}
