// A service behind one guard: API keys for machines, sessions in cookies for browsers. What a
// library for HTTP has of a request goes in; what it is to answer comes out.
#include <gatekey.hpp>
#include <iostream>
#include <map>

using headers = std::multimap<std::string, std::string>; // as cpp-httplib has them

// GET /orders, as a server would answer it.
static void orders(const gatekey::guard &guard, const gatekey::guard_demand &read,
                   const headers &sent) {
    gatekey::guard_request request("GET", "/orders");
    request.headers(sent).peer("192.0.2.7"); // of the socket
    const auto decision = guard.check(request, read);
    if (decision) {
        const auto who = decision.access();
        std::cout << "200, the orders of " << who.subject().value_or("?") << ", known by "
                  << who.kind_name() << '\n';
        return;
    }
    std::cout << decision.http_status() << ", for the log: " << decision.reason().what() << '\n';
    for (const auto &[name, value] : decision.headers())
        std::cout << "    " << name << ": " << value << '\n';
    std::cout << "    " << decision.body() << '\n';
}

int main(int argc, char **argv) {
    const auto store = gatekey::store::open(argc > 1 ? argv[1] : "sqlite:///guard.sqlite");
    const auto keys = store.api_keys();
    const auto signer = gatekey::signer::builder::following(store.key_ring()).build();
    const auto sessions = store.sessions(signer);
    const gatekey::csrf csrf(std::string(32, 7)); // random bytes, from a file, in production
    const auto guard = gatekey::guard::builder()
                           .api_keys(keys)
                           .sessions(sessions)
                           .cookies(gatekey::session_cookies::builder(csrf).build())
                           .origin("https://shop.example")
                           .build();
    // Once, where the route is made.
    const auto read = gatekey::guard_demand::builder().scope("orders:read").build();

    const auto issued = keys.create(gatekey::api_key_spec().owner("acme").scope("orders:read"));
    orders(guard, read, {{"X-API-Key", std::string(issued.secret.view())}});
    orders(guard, read, {});

    // POST /log-in, once the password was right.
    const auto claims = std::move(gatekey::claims().claim_str("scope", "orders:read"));
    const auto begun = guard.log_in("alice", gatekey::session_spec().claims(claims));
    const auto cookie = begun.header("Set-Cookie").value();
    orders(guard, read, {{"Cookie", std::string(cookie.substr(0, cookie.find(';')))}});
}
