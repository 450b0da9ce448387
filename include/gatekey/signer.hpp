// From claims to a token: claims, signer, and tokens that are signed elsewhere. Include
// gatekey.hpp.
#ifndef GATEKEY_SIGNER_HPP
#define GATEKEY_SIGNER_HPP

#include "key.hpp"
#include "keyring.hpp"

namespace gatekey {

/// What a token is to say. A member that is set twice keeps the later value.
class claims : public detail::handle<gk_claims, gk_claims_free> {
  public:
    using handle::handle;
    claims() : handle(gk_claims_new()) {}

    /// The claims of a JSON object; values keep their exact text.
    [[nodiscard]] static claims from_json(std::string_view json) {
        return claims(detail::made<gk_claims>([&](auto **out, auto *err) {
            return gk_claims_from_json(json.data(), json.size(), out, err);
        }));
    }
    [[nodiscard]] claims clone() const { return claims(gk_claims_clone(get())); }

    claims &issuer(std::string_view issuer) { return text(gk_claims_issuer, issuer); }
    claims &subject(std::string_view subject) { return text(gk_claims_subject, subject); }
    /// Adds to `aud`; several calls make a list.
    claims &audience(std::string_view audience) { return text(gk_claims_audience, audience); }
    claims &token_id(std::string_view id) { return text(gk_claims_token_id, id); }
    /// Dates are in seconds since 1970-01-01T00:00:00Z.
    claims &expires_at(std::int64_t seconds) { return date(gk_claims_expires_at, seconds); }
    claims &not_before(std::int64_t seconds) { return date(gk_claims_not_before, seconds); }
    claims &issued_at(std::int64_t seconds) { return date(gk_claims_issued_at, seconds); }

    claims &claim_str(std::string_view name, std::string_view value) {
        return set(gk_claims_claim_str, name.data(), name.size(), value.data(), value.size());
    }
    claims &claim_i64(std::string_view name, std::int64_t value) {
        return set(gk_claims_claim_i64, name.data(), name.size(), value);
    }
    claims &claim_bool(std::string_view name, bool value) {
        return set(gk_claims_claim_bool, name.data(), name.size(), value);
    }
    /// A claim of any kind, as JSON text that is kept exactly.
    claims &claim_json(std::string_view name, std::string_view json) {
        return set(gk_claims_claim_json, name.data(), name.size(), json.data(), json.size());
    }
    [[nodiscard]] std::string to_json() const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_claims_to_json(get(), out, err); });
    }

  private:
    template <class Set, class... Value> claims &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
    template <class Set> claims &text(Set set_text, std::string_view value) {
        return set(set_text, value.data(), value.size());
    }
    template <class Set> claims &date(Set set_date, std::int64_t seconds) {
        return set(set_date, seconds);
    }
};

/// A token that lacks its signature, which another machine makes.
class unsigned_token : public detail::handle<gk_unsigned, gk_unsigned_free> {
  public:
    using handle::handle;

    /// What the signature is computed over. Lives as long as this object.
    [[nodiscard]] std::string_view signing_input() const noexcept {
        return detail::view(gk_unsigned_signing_input(get()));
    }
    /// The token with its signature; throws status::invalid_signature if the key does not verify
    /// it.
    [[nodiscard]] std::string attach(bytes_view signature) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_unsigned_attach(get(), signature.data(), signature.size(), out, err);
        });
    }
};

/// A key and what every token of it says; immutable.
class signer : public detail::handle<gk_signer, gk_signer_free> {
  public:
    class builder;
    using handle::handle;

    /// Another handle to the same signer.
    [[nodiscard]] signer clone() const { return signer(gk_signer_clone(get())); }
    [[nodiscard]] gatekey::key key() const {
        return gatekey::key(detail::made<gk_key>(
            [&](auto **out, auto *err) { return gk_signer_key(get(), out, err); }));
    }

    /// A token; `iss`, `aud`, `iat`, `exp` and `jti` are added where the claims lack them.
    [[nodiscard]] std::string sign(const claims &claims) const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_signer_sign(get(), claims.get(), out, err); });
    }
    /// The same for a JSON object. Never paste text from outside into it: use claims.
    [[nodiscard]] std::string sign_json(std::string_view json) const {
        return detail::text([&](auto *out, auto *err) {
            return gk_signer_sign_json(get(), json.data(), json.size(), out, err);
        });
    }
    /// The first of two steps: what is to be signed elsewhere.
    [[nodiscard]] unsigned_token prepare(const claims &claims) const {
        return unsigned_token(detail::made<gk_unsigned>([&](auto **out, auto *err) {
            return gk_signer_prepare(get(), claims.get(), out, err);
        }));
    }
    [[nodiscard]] unsigned_token prepare_json(std::string_view json) const {
        return unsigned_token(detail::made<gk_unsigned>([&](auto **out, auto *err) {
            return gk_signer_prepare_json(get(), json.data(), json.size(), out, err);
        }));
    }
};

/// A signer while it is being put together: `signer::builder(key).issuer("...").build()`. Unless
/// set otherwise, tokens live 900 seconds and have `typ` JWT, the key's `kid` and a random `jti`.
class signer::builder : public detail::handle<gk_signer_builder, gk_signer_builder_free> {
  public:
    using handle::handle;
    explicit builder(const gatekey::key &key)
        : handle(detail::made<gk_signer_builder>(
              [&](auto **out, auto *err) { return gk_signer_builder_new(key.get(), out, err); })) {}
    /// Signs with the active key of a ring, whichever that is at each token.
    [[nodiscard]] static builder following(const key_ring &ring) {
        return builder(detail::made<gk_signer_builder>([&](auto **out, auto *err) {
            return gk_signer_builder_following(ring.get(), out, err);
        }));
    }
    [[nodiscard]] builder clone() const { return builder(gk_signer_builder_clone(get())); }

    builder &issuer(std::string_view issuer) {
        return set(gk_signer_builder_issuer, issuer.data(), issuer.size());
    }
    /// Several calls make a list.
    builder &audience(std::string_view audience) {
        return set(gk_signer_builder_audience, audience.data(), audience.size());
    }
    builder &ttl(std::uint64_t seconds) { return set(gk_signer_builder_ttl, seconds); }
    /// Sets no `exp`: the claims must bring their own.
    builder &no_ttl() { return set(gk_signer_builder_no_ttl); }
    builder &typ(std::string_view typ) {
        return set(gk_signer_builder_typ, typ.data(), typ.size());
    }
    builder &no_typ() { return set(gk_signer_builder_no_typ); }
    /// Whether the header names the key.
    builder &kid(bool named) { return set(gk_signer_builder_kid, named); }
    /// A member of every token's header, given as JSON text: `x5t`, `x5c`, `cty`, `nonce`, ...
    builder &header(std::string_view name, std::string_view json) {
        return set(gk_signer_builder_header, name.data(), name.size(), json.data(), json.size());
    }
    /// Whether a token without `jti` gets a random one.
    builder &token_ids(bool made) { return set(gk_signer_builder_token_ids, made); }
    builder &allow_missing_exp() { return set(gk_signer_builder_allow_missing_exp); }
    builder &clock(clock_function now) {
        return set(gk_signer_builder_clock, detail::read_clock, detail::given(std::move(now)),
                   detail::drop<clock_function>);
    }
    builder &random(random_function fill) {
        return set(gk_signer_builder_random, detail::read_random, detail::given(std::move(fill)),
                   detail::drop<random_function>);
    }
    [[nodiscard]] signer build() const {
        return signer(detail::made<gk_signer>(
            [&](auto **out, auto *err) { return gk_signer_builder_build(get(), out, err); }));
    }

  private:
    template <class Set, class... Value> builder &set(Set setter, Value... value) {
        setter(get(), value...);
        return *this;
    }
};

} // namespace gatekey

#endif // GATEKEY_SIGNER_HPP
