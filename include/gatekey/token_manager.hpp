// The tokens of other servers, kept and refreshed. Include gatekey.hpp.
#ifndef GATEKEY_TOKEN_MANAGER_HPP
#define GATEKEY_TOKEN_MANAGER_HPP

#include "oauth_client.hpp"

namespace gatekey {

/// Where tokens are kept, and what a name without tokens gets.
class token_manager_options
    : public detail::builder<token_manager_options, gk_token_manager_options,
                             gk_token_manager_options_free> {
  public:
    using builder::builder;
    token_manager_options() : builder(gk_token_manager_options_new()) {}

    /// In this folder, which processes may share, instead of in memory.
    token_manager_options &folder(std::string_view path) {
        return text(gk_token_manager_options_folder, path);
    }
    /// A name without a token gets one for the client itself.
    token_manager_options &client_credentials(const token_grant &grant = token_grant()) {
        return set(gk_token_manager_options_client_credentials, grant.get());
    }
    /// What each refresh says in addition to the refresh token.
    token_manager_options &refresh_with(const token_grant &grant) {
        return set(gk_token_manager_options_refresh_with, grant.get());
    }
    /// Adds a pepper of 16 bytes or more that seals what is kept; several go from the oldest to the
    /// active one.
    token_manager_options &pepper(std::uint32_t number, bytes_view pepper) {
        return set(gk_token_manager_options_pepper, number, pepper.data(), pepper.size());
    }
};

/// The tokens of other servers, kept and refreshed once for all threads and processes. Safe to
/// share between threads.
class token_manager : public detail::handle<gk_token_manager, gk_token_manager_free> {
  public:
    using handle::handle;
    token_manager(const oauth_client &client, const http &transport,
                  const token_manager_options &options = token_manager_options())
        : handle(detail::made<gk_token_manager>([&](auto **out, auto *err) {
              return gk_token_manager_new(client.get(), transport.get(), options.get(), out, err);
          })) {}
    /// For an event loop, which drives `renewal` and `replacement`: no call waits or asks a server.
    explicit token_manager(const oauth_client &client,
                           const token_manager_options &options = token_manager_options())
        : handle(detail::made<gk_token_manager>([&](auto **out, auto *err) {
              return gk_token_manager_new(client.get(), nullptr, options.get(), out, err);
          })) {}
    [[nodiscard]] token_manager clone() const {
        return token_manager(gk_token_manager_clone(get()));
    }
    void put(std::string_view name, const oauth_tokens &tokens) const {
        detail::done([&](auto *err) {
            return gk_token_manager_put(get(), name.data(), name.size(), tokens.get(), err);
        });
    }
    void remove(std::string_view name) const {
        detail::done([&](auto *err) {
            return gk_token_manager_remove(get(), name.data(), name.size(), err);
        });
    }
    /// Good for at least `min_ttl` seconds, refreshed if need be.
    [[nodiscard]] secret access_token(std::string_view name, std::uint64_t min_ttl = 60) const {
        return secret(detail::filled([&](auto *out, auto *err) {
            return gk_token_manager_access_token(get(), name.data(), name.size(), min_ttl, out,
                                                 err);
        }));
    }
    /// All that came with it.
    [[nodiscard]] oauth_tokens tokens(std::string_view name, std::uint64_t min_ttl = 60) const {
        return oauth_tokens(detail::made<gk_oauth_tokens>([&](auto **out, auto *err) {
            return gk_token_manager_tokens(get(), name.data(), name.size(), min_ttl, out, err);
        }));
    }
    /// Another token, because an API has refused this one, unless there is one by now.
    [[nodiscard]] secret replace(std::string_view name, std::string_view refused) const {
        const gk_refused_token token{name.data(), name.size(), refused.data(), refused.size()};
        return secret(detail::filled([&](auto *out, auto *err) {
            return gk_token_manager_replace(get(), &token, out, err);
        }));
    }
    /// What is known without asking a server, if it is good for at least `min_ttl` seconds.
    [[nodiscard]] std::optional<oauth_tokens> known(std::string_view name,
                                                    std::uint64_t min_ttl = 60) const {
        gk_oauth_tokens *tokens;
        detail::done([&](auto *err) {
            return gk_token_manager_known(get(), name.data(), name.size(), min_ttl, &tokens, err);
        });
        if (tokens == nullptr) return std::nullopt;
        return oauth_tokens(tokens);
    }
    /// `tokens` as an operation, for event loops; its `tokens()` are what it ends with. One
    /// operation of a name asks, and the others wait for it.
    [[nodiscard]] operation renewal(std::string_view name, std::uint64_t min_ttl = 60) const {
        return operation(detail::made<gk_operation>([&](auto **out, auto *err) {
            return gk_token_manager_renewal(get(), name.data(), name.size(), min_ttl, out, err);
        }));
    }
    /// `replace` as an operation, for event loops.
    [[nodiscard]] operation replacement(std::string_view name, std::string_view refused) const {
        const gk_refused_token token{name.data(), name.size(), refused.data(), refused.size()};
        return operation(detail::made<gk_operation>([&](auto **out, auto *err) {
            return gk_token_manager_replacement(get(), &token, out, err);
        }));
    }
};

} // namespace gatekey

#endif // GATEKEY_TOKEN_MANAGER_HPP
