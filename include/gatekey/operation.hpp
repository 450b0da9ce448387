// What takes requests to another server. Include gatekey.hpp.
#ifndef GATEKEY_OPERATION_HPP
#define GATEKEY_OPERATION_HPP

#include "http.hpp"
#include "oauth_tokens.hpp"

namespace gatekey {

/// What takes requests to another server: run it over a transport, or drive it from an event loop.
/// Not to be used by two threads at once.
class operation : public detail::handle<gk_operation, gk_operation_free> {
  public:
    using handle::handle;

    /// Takes it to its end and gives its result, as gatekey.h says of the call that made it.
    gatekey::json run(const http &transport) {
        detail::done([&](auto *err) { return gk_operation_run(get(), transport.get(), err); });
        return json();
    }
    /// What it wants: see GK_STEP_REQUEST and its siblings.
    gk_step next() {
        gk_step step;
        detail::done([&](auto *err) { return gk_operation_next(get(), &step, err); });
        return step;
    }
    /// The request that it wants; its texts live until the answer is fed.
    [[nodiscard]] gk_request request() const {
        gk_request wanted;
        detail::done([&](auto *err) { return gk_operation_request(get(), &wanted, err); });
        return wanted;
    }
    /// A header of the request, its name and its value.
    [[nodiscard]] std::pair<std::string_view, std::string_view> header(std::size_t index) const {
        const gk_header header = gk_operation_header(get(), index);
        return {detail::view(header.name), detail::view(header.value)};
    }
    using headers = std::vector<std::pair<std::string, std::string>>;
    void feed(std::uint16_t status, const headers &given, std::string_view body) {
        std::vector<gk_header> raw;
        raw.reserve(given.size());
        for (const auto &[name, value] : given)
            raw.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
        const gk_response response{status, raw.data(), raw.size(), body.data(), body.size()};
        detail::done([&](auto *err) { return gk_operation_feed(get(), &response, err); });
    }
    /// There is no answer: one of the 7000s.
    void fail(status reason) {
        detail::done([&](auto *err) {
            return gk_operation_fail(get(), static_cast<gk_status>(reason), err);
        });
    }
    /// What it has ended with, to be looked into; `null` if that is nothing.
    [[nodiscard]] gatekey::json json() const {
        return gatekey::json(detail::made<gk_json>(
            [&](auto **out, auto *err) { return gk_operation_json(get(), out, err); }));
    }
    /// The tokens that it has ended with, those of a log-in included; of a refresh that has failed,
    /// those to keep, if the server had given a new refresh token by then.
    [[nodiscard]] oauth_tokens tokens() const {
        return oauth_tokens(detail::made<gk_oauth_tokens>(
            [&](auto **out, auto *err) { return gk_operation_tokens(get(), out, err); }));
    }
    /// What it has ended with as text, to be passed on.
    [[nodiscard]] secret result() const {
        return secret(detail::filled(
            [&](auto *out, auto *err) { return gk_operation_result(get(), out, err); }));
    }
    /// The authorization server's own name of the error that it has ended with; empty without one.
    [[nodiscard]] std::string_view peer_code() const noexcept {
        return detail::view(gk_operation_peer_code(get()));
    }
    /// Milliseconds before the same is worth another try; 0 where waiting is no remedy.
    [[nodiscard]] std::uint64_t retry_after() const noexcept {
        return gk_operation_retry_after(get());
    }
};

} // namespace gatekey

#endif // GATEKEY_OPERATION_HPP
