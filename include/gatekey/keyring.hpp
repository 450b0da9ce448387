// The keys of a signer over time. Include gatekey.hpp.
#ifndef GATEKEY_KEYRING_HPP
#define GATEKEY_KEYRING_HPP

#include "key.hpp"

namespace gatekey {

/// How a ring is kept and followed.
class key_ring_options : public detail::handle<gk_key_ring_options, gk_key_ring_options_free> {
  public:
    using handle::handle;
    key_ring_options() : handle(gk_key_ring_options_new()) {}

    /// The ring's name in its store or folder: `default` unless set.
    key_ring_options &name(std::string_view name) { return text(gk_key_ring_options_name, name); }
    /// The algorithm of new keys: ES256 unless set.
    key_ring_options &alg(gatekey::alg alg) {
        return set(gk_key_ring_options_alg, static_cast<gk_alg>(alg));
    }
    /// A key that was not made here, such as one with a callback: the first key of a ring that is
    /// not there, and a callback that this process has for one that is.
    key_ring_options &key(const gatekey::key &key) {
        return set(gk_key_ring_options_key, key.get());
    }
    /// How many seconds the tokens live, at most, that signers of this handle sign. The ring
    /// remembers the longest, and keeps retired keys for that long; unless set, it is what the ring
    /// remembers (900 if it is new).
    key_ring_options &token_ttl(std::uint64_t seconds) {
        return set(gk_key_ring_options_token_ttl, seconds);
    }
    /// For how many seconds the keys are used while their store is out of reach: 30 unless set.
    key_ring_options &max_stale(std::uint64_t seconds) {
        return set(gk_key_ring_options_max_stale, seconds);
    }
    key_ring_options &clock(clock_function now) {
        return set(gk_key_ring_options_clock, detail::read_clock, detail::given(std::move(now)),
                   detail::drop<clock_function>);
    }

  private:
    template <class Set, class... Value> key_ring_options &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
    template <class Set> key_ring_options &text(Set set_text, std::string_view value) {
        return set(set_text, value.data(), value.size());
    }
};

/// The keys of a signer over time: one is active and signs, the next one is published already, and
/// retired ones are good until their last token has expired. signer::builder::following and
/// verifier::following go along with it without a restart. Safe to share between threads.
class key_ring : public detail::handle<gk_key_ring, gk_key_ring_free> {
  public:
    using handle::handle;
    /// The short way for a program that keeps nothing else there: store::open and store::key_ring.
    [[nodiscard]] static key_ring open(std::string_view url,
                                       const key_ring_options &options = key_ring_options()) {
        return key_ring(detail::made<gk_key_ring>([&](auto **out, auto *err) {
            return gk_key_ring_open(url.data(), url.size(), options.get(), out, err);
        }));
    }
    [[nodiscard]] key_ring clone() const { return key_ring(gk_key_ring_clone(get())); }

    /// The next key becomes the active one, and a new next one is made. The active one as JSON.
    std::string rotate() const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_key_ring_rotate(get(), out, err); });
    }
    /// Makes a key that was not made here the next one: one with a callback, or one that the ring
    /// takes over. While one with a callback is active, the ring makes no keys of its own. The key
    /// as JSON.
    std::string add(const key &key) const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_key_ring_add(get(), key.get(), out, err); });
    }
    /// Takes a key out at once: for the day that it has leaked.
    void remove(std::string_view kid) const {
        detail::done(
            [&](auto *err) { return gk_key_ring_remove(get(), kid.data(), kid.size(), err); });
    }
    /// The keys of the ring as JSON, as gatekey.h says.
    [[nodiscard]] std::string keys_json() const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_key_ring_keys(get(), out, err); });
    }
    /// The longest life of a token, in seconds, that the ring was ever opened with. A retired key
    /// stays good for that long and 600 seconds more.
    [[nodiscard]] std::uint64_t token_ttl() const {
        std::uint64_t seconds = 0;
        detail::done([&](auto *err) { return gk_key_ring_token_ttl(get(), &seconds, err); });
        return seconds;
    }
    /// The public keys as a JWK Set, to be published.
    [[nodiscard]] std::string to_jwks() const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_key_ring_to_jwks(get(), out, err); });
    }
    /// Looks now at what other processes have changed, however recent the last look.
    void refresh() const {
        detail::done([&](auto *err) { return gk_key_ring_refresh(get(), err); });
    }
};

} // namespace gatekey

#endif // GATEKEY_KEYRING_HPP
