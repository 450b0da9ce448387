// A service on cpp-httplib, behind a guard: API keys for machines, bearer tokens of its sessions
// with -DCOOKIES, which needs cpp-httplib 0.44 or later, cookies for browsers.
//
// usage: service STORE CSRF_FILE [PORT]      the file: 32 random bytes; prints the port
#include <csignal>
#include <fstream>
#include <gatekey.hpp>
#include <gatekey/httplib.hpp>
#include <iostream>
#include <iterator>
#include <thread>

using httplib::Request, httplib::Response;
using demand = gatekey::guard_demand::builder;

static void routes(gatekey::httplib::server &server, const gatekey::sessions &sessions) {
    server.Get("/health", demand().make_public().build(),
               [](const Request &, Response &answer, const gatekey::access &) {
                   answer.set_content("up\n", "text/plain");
               });
    server.Get("/orders", demand().scope("orders:read").build(),
               [](const Request &, Response &answer, const gatekey::access &who) {
                   answer.headers.emplace("Vary", "Accept");
                   answer.set_content("orders of " + std::string(who.subject().value_or("?")) +
                                          ", " + std::string(who.kind_name()) + ", " +
                                          who.address().value_or("?") + "\n",
                                      "text/plain");
               });
    server.Post("/orders", demand().scope("orders:write").build(),
                [](const Request &request, Response &answer, const gatekey::access &) {
                    answer.status = 201;
                    answer.set_content(std::to_string(request.body.size()) + " bytes\n",
                                       "text/plain");
                });
    server.Post("/log-out-everywhere",
                demand().kind(gatekey::access_kind::session).limit("log-out", "5/min").build(),
                [&](const Request &, Response &answer, const gatekey::access &who) {
                    sessions.end_all(who.subject().value());
                    answer.status = 204;
                });
#ifdef COOKIES
    server.refresh_at("/refresh");
    server.log_out_at("/log-out");
#endif
}

int main(int argc, char **argv) {
    if (argc < 3) return std::cerr << "usage: service STORE CSRF_FILE [PORT]\n", 2;
    sigset_t signals;
    sigemptyset(&signals), sigaddset(&signals, SIGTERM), sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr); // for sigwait below
    const auto store = gatekey::store::open(argv[1]);
    const auto signer = gatekey::signer::builder::following(store.key_ring()).build();
    const auto sessions = store.sessions(signer);
    gatekey::httplib::guard::builder guarding;
    guarding.api_keys(store.api_keys()).sessions(sessions).realm("shop");
#ifdef COOKIES
    std::ifstream file(argv[2], std::ios::binary);
    const gatekey::csrf csrf(std::string(std::istreambuf_iterator<char>(file), {}));
    guarding.cookies(gatekey::session_cookies::builder(csrf).build());
    guarding.origin("https://shop.example");
#endif
    gatekey::httplib::server server(guarding.build());
    routes(server, sessions);
    const int port = argc > 3 ? std::atoi(argv[3]) : server.bind_to_any_port("127.0.0.1");
    if (argc > 3 && !server.bind_to_port("127.0.0.1", port)) return 1;
    std::cout << port << std::endl;
    std::thread listening([&] { server.listen_after_bind(); });
    int signal = 0;
    sigwait(&signals, &signal), server.stop(), listening.join();
}
