// An open store, which hands out everything that is kept there. Include gatekey.hpp.
#ifndef GATEKEY_STORE_HPP
#define GATEKEY_STORE_HPP

#include "apikey.hpp"
#include "keyring.hpp"
#include "revocations.hpp"
#include "session.hpp"

namespace gatekey {

/// Where the peppers of a store come from, and what holds for all that it hands out, unless options
/// of that say otherwise. Without a pepper, the file `<path>.pepper` is used and made with the
/// store. Losing the pepper is losing everything that is in the store.
class store_options : public detail::handle<gk_store_options, gk_store_options_free> {
  public:
    using handle::handle;
    store_options() : handle(gk_store_options_new()) {}

    /// Adds a pepper of 16 bytes or more; several go from the oldest to the active one.
    store_options &pepper(std::uint32_t number, bytes_view pepper) {
        return set(gk_store_options_pepper, number, pepper.data(), pepper.size());
    }
    /// Takes the peppers from a file that only its owner may read.
    store_options &pepper_file(std::string_view path) {
        return set(gk_store_options_pepper_file, path.data(), path.size());
    }
    /// Takes the peppers from the environment variable of this name, written as in a file.
    store_options &pepper_env(std::string_view name) {
        return set(gk_store_options_pepper_env, name.data(), name.size());
    }
    /// Whether a store that is not there is made: true unless set. False where another process
    /// keeps it, so that a wrong path is an error, and not an empty store.
    store_options &create(bool create) { return set(gk_store_options_create, create); }
    store_options &clock(clock_function now) {
        return set(gk_store_options_clock, detail::read_clock, detail::given(std::move(now)),
                   detail::drop<clock_function>);
    }
    /// Looks for what other processes have changed at every API key and token, not within 50 ms.
    store_options &strict(bool strict = true) { return set(gk_store_options_strict, strict); }
    /// For how many seconds everything works from memory while the store is out of reach: 30 unless
    /// set.
    store_options &max_stale(std::uint64_t seconds) {
        return set(gk_store_options_max_stale, seconds);
    }
    /// Where the rates of API keys and the limits of guards over this store are counted together
    /// with other machines: `redis://127.0.0.1:6379`, `rediss://user:password@host:6379` with TLS,
    /// `unix:/path/of/socket` (docs/many-machines.md). Unless set, each machine, or each process
    /// where a store has no file, counts for itself.
    store_options &limits(std::string_view url) {
        return set(gk_store_options_limits, url.data(), url.size());
    }

  private:
    template <class Set, class... Value> store_options &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
};

/// How it is with a store.
struct store_health {
    /// Whether it answers, and is accepted as it is.
    bool reachable = false;
    /// All that is known, as JSON; see gk_store_health.
    std::string json;
};

/// A store: API keys, sessions, revocations and key rings over one pool of connections, one pepper
/// setting and one clock. What it hands out stays usable when the handle is destroyed. Closing the
/// store ends it: each of its calls gives `status::invalid_argument` from then on. Safe to share
/// between threads.
class store : public detail::handle<gk_store, gk_store_free> {
  public:
    using handle::handle;
    /// `memory:`, `sqlite:///relative/path`, `sqlite:////absolute/path` or a path, which is a
    /// SQLite file as well; `folder:/path` is a folder that holds key rings only. `?mark=FILE` at
    /// its end says where its mark is (docs/backups.md). Nothing else in the process may open the
    /// file with a SQLite of its own, not even to read (docs/processes.md).
    [[nodiscard]] static store open(std::string_view url,
                                    const store_options &options = store_options()) {
        return store(detail::made<gk_store>([&](auto **out, auto *err) {
            return gk_store_open(url.data(), url.size(), options.get(), out, err);
        }));
    }
    [[nodiscard]] gatekey::api_keys
    api_keys(const api_key_options &options = api_key_options()) const {
        return gatekey::api_keys(detail::made<gk_api_keys>([&](auto **out, auto *err) {
            return gk_store_api_keys(get(), options.get(), out, err);
        }));
    }
    [[nodiscard]] gatekey::sessions
    sessions(const signer &signer, const session_options &options = session_options()) const {
        return opened(signer.get(), options);
    }
    /// Without a signer: to look at sessions and to end them, and nothing else.
    [[nodiscard]] gatekey::sessions
    sessions(const session_options &options = session_options()) const {
        return opened(nullptr, options);
    }
    [[nodiscard]] gatekey::revocations
    revocations(const revocation_options &options = revocation_options()) const {
        return gatekey::revocations(detail::made<gk_revocations>([&](auto **out, auto *err) {
            return gk_store_revocations(get(), options.get(), out, err);
        }));
    }
    /// The ring of this name, which is made if it is not there; an empty name is that of the
    /// options.
    [[nodiscard]] gatekey::key_ring
    key_ring(std::string_view name = {},
             const key_ring_options &options = key_ring_options()) const {
        return gatekey::key_ring(detail::made<gk_key_ring>([&](auto **out, auto *err) {
            return gk_store_key_ring(get(), name.data(), name.size(), options.get(), out, err);
        }));
    }
    /// Whether opening made a pepper file, which should be backed up.
    [[nodiscard]] bool made_pepper_file() const noexcept {
        return gk_store_made_pepper_file(get());
    }
    /// What this process knows of the server of `limits`, as JSON; nothing without one. Asks
    /// nothing.
    [[nodiscard]] std::optional<std::string> limits_state() const {
        return detail::maybe_text(
            [&](auto *out, auto *err) { return gk_store_limits_state(get(), out, err); });
    }
    /// How it is with the store, for an end point such as /healthz: gk_store_health. That it is out
    /// of reach is no error.
    [[nodiscard]] store_health health() const {
        store_health found;
        found.json = detail::text([&](auto *out, auto *err) {
            return gk_store_health(get(), &found.reachable, out, err);
        });
        return found;
    }
    [[nodiscard]] store clone() const { return store(gk_store_clone(get())); }
    /// Writes down what is pending, and ends everything that was handed out. A second call does
    /// nothing.
    void close() const {
        detail::done([&](auto *err) { return gk_store_close(get(), err); });
    }

  private:
    [[nodiscard]] gatekey::sessions opened(const gk_signer *signer,
                                           const session_options &options) const {
        return gatekey::sessions(detail::made<gk_sessions>([&](auto **out, auto *err) {
            return gk_store_sessions(get(), signer, options.get(), out, err);
        }));
    }
};

} // namespace gatekey

#endif // GATEKEY_STORE_HPP
