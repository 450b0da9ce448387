// What examples/cpp-service answers at GET /orders, by the same server without a guard.
//
// usage: open_httplib PORT
#include <httplib.h>

#include <cstdlib>

int main(int argc, char **argv) {
    httplib::Server server;
    server.set_tcp_nodelay(true);
    server.Get("/orders", [](const httplib::Request &, httplib::Response &answer) {
        answer.set_content("orders of acme, api_key, 127.0.0.1\n", "text/plain");
    });
    return argc == 2 && server.listen("127.0.0.1", std::atoi(argv[1])) ? 0 : 1;
}
