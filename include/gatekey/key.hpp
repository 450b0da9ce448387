// Keys, options for reading them, and sets of them. Include gatekey.hpp.
#ifndef GATEKEY_KEY_HPP
#define GATEKEY_KEY_HPP

#include "handle.hpp"

namespace gatekey {

/// The algorithm of this name; throws status::invalid_argument.
inline alg alg_from_name(std::string_view name) {
    gk_alg code = GK_ALG_ANY;
    detail::done(
        [&](gk_error *err) { return gk_alg_from_name(name.data(), name.size(), &code, err); });
    return static_cast<alg>(code);
}

/// What a sign_function is asked for; its bytes are lent for the call.
struct sign_request {
    gatekey::alg alg;
    /// For interfaces that compute the digest themselves, and for Ed25519 and ML-DSA.
    bytes_view message;
    /// The algorithm's SHA-2 digest of the message; empty for Ed25519 and ML-DSA.
    bytes_view digest;
};

/// Signs with a key of a KMS or HSM: ECDSA as r and s side by side or as DER. Called by any thread
/// that signs, from several at once. One that throws or gives nothing fails the call with
/// status::key_unavailable.
using sign_function = std::function<std::vector<std::uint8_t>(const sign_request &)>;

namespace detail {

inline std::size_t ask_to_sign(void *user, const gk_sign_request *request, std::uint8_t *signature,
                               std::size_t capacity) noexcept {
    try {
        const auto made =
            (*static_cast<sign_function *>(user))({static_cast<alg>(request->alg),
                                                   {request->message, request->message_len},
                                                   {request->digest, request->digest_len}});
        if (made.size() > capacity) return 0;
        std::copy(made.begin(), made.end(), signature);
        return made.size();
    } catch (...) {
        return 0;
    }
}

} // namespace detail

/// Key material bound to exactly one algorithm; immutable.
class key : public detail::handle<gk_key, gk_key_free> {
  public:
    using handle::handle;

    /// A new private key: RSA of 2048 bits, or a secret as long as the hash.
    [[nodiscard]] static key generate(gatekey::alg alg) {
        return made([&](auto **out, auto *err) {
            return gk_key_generate(static_cast<gk_alg>(alg), out, err);
        });
    }
    /// A new private RSA key of 2048, 3072, 4096 or 8192 bits. May take seconds.
    [[nodiscard]] static key generate_rsa(gatekey::alg alg, std::size_t bits) {
        return made([&](auto **out, auto *err) {
            return gk_key_generate_rsa(static_cast<gk_alg>(alg), bits, out, err);
        });
    }
    /// An HMAC key of at least 32, 48 or 64 random bytes.
    [[nodiscard]] static key from_secret(bytes_view secret, gatekey::alg alg) {
        return made([&](auto **out, auto *err) {
            return gk_key_from_secret(secret.data(), secret.size(), static_cast<gk_alg>(alg), out,
                                      err);
        });
    }
    /// A key from PEM: PKCS#8, PKCS#1, SEC1, SPKI or an X.509 certificate. RSA keys need `alg`.
    [[nodiscard]] static key from_pem(std::string_view pem, gatekey::alg alg = alg::any) {
        return made([&](auto **out, auto *err) {
            return gk_key_from_pem(pem.data(), pem.size(), static_cast<gk_alg>(alg), out, err);
        });
    }
    /// A key from DER, in the same forms.
    [[nodiscard]] static key from_der(bytes_view der, gatekey::alg alg = alg::any) {
        return made([&](auto **out, auto *err) {
            return gk_key_from_der(der.data(), der.size(), static_cast<gk_alg>(alg), out, err);
        });
    }
    /// A key from a JSON Web Key (RFC 7517).
    [[nodiscard]] static key from_jwk(std::string_view json, gatekey::alg alg = alg::any) {
        return made([&](auto **out, auto *err) {
            return gk_key_from_jwk(json.data(), json.size(), static_cast<gk_alg>(alg), out, err);
        });
    }
    /// A key whose private half lies in a KMS or an HSM, where `sign` lets it sign, as if it were
    /// here. Each signature is verified; the first is made at once. With a deadline, `sign` has a
    /// thread of its own at each call; 0: the thread that signs waits for it.
    [[nodiscard]] static key with_callback(const key &public_half, sign_function sign,
                                           std::uint64_t deadline_ms = 0) {
        const detail::handle<gk_key_callback, gk_key_callback_free> callback(gk_key_callback_new(
            detail::ask_to_sign, detail::given(std::move(sign)), detail::drop<sign_function>));
        if (deadline_ms != 0) gk_key_callback_deadline_ms(callback.get(), deadline_ms);
        return made([&](auto **out, auto *err) {
            return gk_key_with_callback(public_half.get(), callback.get(), out, err);
        });
    }
    /// Another handle to the same key.
    [[nodiscard]] key clone() const { return key(gk_key_clone(get())); }

    [[nodiscard]] gatekey::alg alg() const noexcept {
        return static_cast<gatekey::alg>(gk_key_alg(get()));
    }
    /// The identifier it was given, or its thumbprint. Lives as long as the key.
    [[nodiscard]] std::string_view kid() const noexcept { return detail::view(gk_key_kid(get())); }
    [[nodiscard]] bool has_explicit_kid() const noexcept { return gk_key_has_explicit_kid(get()); }
    /// The same key under another identifier of 1 to 256 bytes.
    [[nodiscard]] key with_kid(std::string_view kid) const {
        return made([&](auto **out, auto *err) {
            return gk_key_with_kid(get(), kid.data(), kid.size(), out, err);
        });
    }
    /// Whether it has a private part, or is a shared secret.
    [[nodiscard]] bool is_private() const noexcept { return gk_key_is_private(get()); }
    [[nodiscard]] bool is_symmetric() const noexcept { return gk_key_is_symmetric(get()); }
    /// "sig", the `use` it is exported with; none if it has `key_ops` instead.
    [[nodiscard]] std::optional<std::string_view> use() const noexcept {
        return detail::maybe(gk_key_use(get()));
    }
    /// Whether a callback signs, because the private half is not here.
    [[nodiscard]] bool signs_by_callback() const noexcept {
        return gk_key_signs_by_callback(get());
    }
    [[nodiscard]] bool may_sign() const noexcept { return gk_key_may_sign(get()); }
    [[nodiscard]] bool may_verify() const noexcept { return gk_key_may_verify(get()); }
    /// The public part; throws status::key_usage for an HMAC key.
    [[nodiscard]] key public_key() const {
        return made([&](auto **out, auto *err) { return gk_key_public(get(), out, err); });
    }

    /// The SHA-256 thumbprint in base64url (RFC 7638).
    [[nodiscard]] std::string thumbprint() const {
        char text[GK_THUMBPRINT_SIZE];
        detail::done([&](gk_error *err) { return gk_key_thumbprint(get(), &text, err); });
        return text;
    }
    /// The thumbprint as a URI (RFC 9278).
    [[nodiscard]] std::string thumbprint_uri() const {
        char text[GK_THUMBPRINT_URI_SIZE];
        detail::done([&](gk_error *err) { return gk_key_thumbprint_uri(get(), &text, err); });
        return text;
    }

    /// The public part as a JWK.
    [[nodiscard]] std::string to_jwk() const {
        return detail::text([&](auto *out, auto *err) { return gk_key_to_jwk(get(), out, err); });
    }
    /// The private key or secret as a JWK.
    [[nodiscard]] secret to_private_jwk() const {
        return secret(detail::filled(
            [&](auto *out, auto *err) { return gk_key_to_private_jwk(get(), out, err); }));
    }
    /// The public part as PEM (SPKI).
    [[nodiscard]] std::string to_pem() const {
        return detail::text([&](auto *out, auto *err) { return gk_key_to_pem(get(), out, err); });
    }
    /// The private key as PEM (PKCS#8, not encrypted).
    [[nodiscard]] secret to_private_pem() const {
        return secret(detail::filled(
            [&](auto *out, auto *err) { return gk_key_to_private_pem(get(), out, err); }));
    }

    /// A raw signature of any bytes; for tokens there is signer::sign.
    [[nodiscard]] secret sign(bytes_view message) const {
        return secret(detail::filled([&](auto *out, auto *err) {
            return gk_key_sign(get(), message.data(), message.size(), out, err);
        }));
    }
    /// Throws status::invalid_signature unless this is a raw signature of the bytes.
    void verify_signature(bytes_view message, bytes_view signature) const {
        detail::done([&](gk_error *err) {
            return gk_key_verify_signature(get(), message.data(), message.size(), signature.data(),
                                           signature.size(), err);
        });
    }
    /// How many bytes its signatures have.
    [[nodiscard]] std::size_t signature_len() const noexcept { return gk_key_signature_len(get()); }

  private:
    template <class Call> static key made(Call call) { return key(detail::made<gk_key>(call)); }
};

/// How to read or make a key when the defaults do not do.
class key_options : public detail::handle<gk_key_options, gk_key_options_free> {
  public:
    using handle::handle;
    key_options() : handle(gk_key_options_new()) {}
    [[nodiscard]] key_options clone() const { return key_options(gk_key_options_clone(get())); }

    key_options &alg(gatekey::alg alg) {
        gk_key_options_alg(get(), static_cast<gk_alg>(alg));
        return *this;
    }
    key_options &kid(std::string_view kid) {
        gk_key_options_kid(get(), kid.data(), kid.size());
        return *this;
    }
    /// The passphrase of an encrypted private key, 1 to 1024 bytes; one that is not encrypted is
    /// read without it.
    key_options &passphrase(std::string_view passphrase) {
        gk_key_options_passphrase(get(), passphrase.data(), passphrase.size());
        return *this;
    }
    /// DANGER: accepts short HMAC secrets, and RSA public keys of 1024 bits or more to verify with.
    key_options &danger_allow_weak() {
        gk_key_options_danger_allow_weak(get());
        return *this;
    }

    [[nodiscard]] key generate() const {
        return made(
            [&](auto **out, auto *err) { return gk_key_options_generate(get(), out, err); });
    }
    [[nodiscard]] key from_secret(bytes_view secret) const {
        return made([&](auto **out, auto *err) {
            return gk_key_options_from_secret(get(), secret.data(), secret.size(), out, err);
        });
    }
    [[nodiscard]] key from_pem(std::string_view pem) const {
        return made([&](auto **out, auto *err) {
            return gk_key_options_from_pem(get(), pem.data(), pem.size(), out, err);
        });
    }
    [[nodiscard]] key from_der(bytes_view der) const {
        return made([&](auto **out, auto *err) {
            return gk_key_options_from_der(get(), der.data(), der.size(), out, err);
        });
    }
    [[nodiscard]] key from_jwk(std::string_view json) const {
        return made([&](auto **out, auto *err) {
            return gk_key_options_from_jwk(get(), json.data(), json.size(), out, err);
        });
    }

  private:
    template <class Call> static key made(Call call) { return key(detail::made<gk_key>(call)); }
};

/// At most 100 keys, all symmetric or all asymmetric; immutable.
class key_set : public detail::handle<gk_key_set, gk_key_set_free> {
  public:
    using handle::handle;

    /// A set that shares these keys.
    explicit key_set(const std::vector<key> &keys)
        : handle(share(detail::handles<gk_key, std::vector<key>>(keys))) {}
    /// A set that shares these keys: `key_set::of(current, previous)`.
    template <class... Keys> [[nodiscard]] static key_set of(const Keys &...keys) {
        return key_set(share({keys.get()...}));
    }
    /// A set from a JWK Set. RSA members that name no algorithm get `default_rsa`, or are skipped.
    [[nodiscard]] static key_set from_jwks(std::string_view json,
                                           gatekey::alg default_rsa = alg::any) {
        return key_set(detail::made<gk_key_set>([&](auto **out, auto *err) {
            return gk_key_set_from_jwks(json.data(), json.size(), static_cast<gk_alg>(default_rsa),
                                        out, err);
        }));
    }
    /// Another handle to the same set.
    [[nodiscard]] key_set clone() const { return key_set(gk_key_set_clone(get())); }

    [[nodiscard]] std::size_t size() const noexcept { return gk_key_set_len(get()); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /// How many members of the JWK Set were skipped.
    [[nodiscard]] std::size_t skipped() const noexcept { return gk_key_set_skipped(get()); }
    /// Why one of them was: what reading it alone fails with. No error where it is absent.
    [[nodiscard]] error skipped_reason(std::size_t index) const {
        gk_error reason;
        gk_key_set_skipped_reason(get(), index, &reason);
        return error(reason);
    }
    /// The `kid` of one of them, if it has one; borrowed from the set.
    [[nodiscard]] std::optional<std::string_view> skipped_kid(std::size_t index) const noexcept {
        return detail::maybe(gk_key_set_skipped_kid(get(), index));
    }
    [[nodiscard]] key at(std::size_t index) const {
        return found([&](auto **out, auto *err) { return gk_key_set_at(get(), index, out, err); });
    }
    /// The key with this identifier; throws status::key_not_found, or status::unusable_key if it
    /// was skipped.
    [[nodiscard]] key by_kid(std::string_view kid) const {
        return found([&](auto **out, auto *err) {
            return gk_key_set_by_kid(get(), kid.data(), kid.size(), out, err);
        });
    }
    /// The one key that a token with this `kid` and `alg` would be verified with.
    [[nodiscard]] key select(std::optional<std::string_view> kid, gatekey::alg alg) const {
        const char *data = !kid ? nullptr : kid->empty() ? "" : kid->data();
        return found([&](auto **out, auto *err) {
            return gk_key_set_select(get(), data, kid ? kid->size() : 0, static_cast<gk_alg>(alg),
                                     out, err);
        });
    }
    /// The public parts as a JWK Set.
    [[nodiscard]] std::string to_jwks() const {
        return detail::text(
            [&](auto *out, auto *err) { return gk_key_set_to_jwks(get(), out, err); });
    }
    /// All keys as a JWK Set, private parts and secrets included.
    [[nodiscard]] secret to_private_jwks() const {
        return secret(detail::filled(
            [&](auto *out, auto *err) { return gk_key_set_to_private_jwks(get(), out, err); }));
    }

  private:
    template <class Call> static key found(Call call) { return key(detail::made<gk_key>(call)); }

    static gk_key_set *share(const std::vector<const gk_key *> &keys) {
        return detail::made<gk_key_set>([&](auto **out, auto *err) {
            return gk_key_set_new(keys.data(), keys.size(), out, err);
        });
    }
};

} // namespace gatekey

#endif // GATEKEY_KEY_HPP
