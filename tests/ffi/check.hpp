// What the C++ programs of this directory share: a check that counts, and calls that must throw.
#ifndef GATEKEY_TESTS_CHECK_HPP
#define GATEKEY_TESTS_CHECK_HPP

#include <gatekey.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

std::atomic<int> checks_made{0};

void check(bool holds, const char *what, const char *file, int line) {
    checks_made++;
    if (holds) return;
    std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    std::exit(EXIT_FAILURE);
}

// Ends the program where a condition does not hold.
#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

// The call must throw a gatekey::error of this status, which is handed back.
template <class Call>
gatekey::error thrown(gatekey::status wanted, Call call, const char *file, int line) {
    try {
        call();
    } catch (const gatekey::error &error) {
        if (error.status() != wanted) std::fprintf(stderr, "  got: %s\n", error.what());
        check(error.status() == wanted, "another error was expected", file, line);
        check(error.name() == gatekey::name(wanted), "the error has its status's name", file, line);
        check(*error.what() != 0, "the error has a message", file, line);
        check(error.number() == static_cast<gk_status>(wanted) && !error.code().empty() &&
                  error.http_status() == gatekey::http_status(wanted) &&
                  error.public_message() == gatekey::public_message(wanted),
              "the error has a number, a code and an answer", file, line);
        check(error.claim().empty() ||
                  std::string_view(error.what()).find(error.claim()) != std::string_view::npos,
              "the message names what it is about", file, line);
        return error;
    }
    check(false, "an error was expected", file, line);
    std::abort();
}

#define THROWS(wanted, expression)                                                                 \
    thrown(                                                                                        \
        wanted, [&] { static_cast<void>(expression); }, __FILE__, __LINE__)

[[maybe_unused]] bool holds(const std::string &text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

int passed(const char *program) {
    std::printf("  %-12s %d checks\n", program, checks_made.load());
    return checks_made > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

#endif // GATEKEY_TESTS_CHECK_HPP
