// The vocabulary: versions, statuses, algorithms, the exception and the result. Include
// gatekey.hpp.
#ifndef GATEKEY_STATUS_HPP
#define GATEKEY_STATUS_HPP

#include "../gatekey.h"

#include <cstdint>
#include <exception>
#include <string_view>
#include <utility>
#include <variant>

// What is thrown has one identity in a program, also where its shared objects hide what they do not
// export: one throws, another catches.
#if defined(__GNUC__) && !defined(_WIN32)
#define GATEKEY_THROWN __attribute__((__visibility__("default")))
#else
#define GATEKEY_THROWN
#endif

namespace gatekey {

static_assert(GK_ABI_VERSION == 0, "gatekey.h and gatekey.hpp are of different versions");

/// The version of the library that is linked in, such as "0.1.0".
inline std::string_view version() noexcept { return gk_version(); }

/// The ABI version of the library that is linked in; must be GK_ABI_VERSION.
inline std::uint32_t abi_version() noexcept { return gk_abi_version(); }

/// Why a call failed; the numbers of GK_STATUS_ constants.
enum class status : gk_status {
    ok = GK_STATUS_OK,
    internal = GK_STATUS_INTERNAL,
    invalid_argument = GK_STATUS_INVALID_ARGUMENT,
    invalid_configuration = GK_STATUS_INVALID_CONFIGURATION,
    unsupported = GK_STATUS_UNSUPPORTED,
    random_unavailable = GK_STATUS_RANDOM_UNAVAILABLE,
    malformed_token = GK_STATUS_MALFORMED_TOKEN,
    invalid_signature = GK_STATUS_INVALID_SIGNATURE,
    expired = GK_STATUS_EXPIRED,
    not_yet_valid = GK_STATUS_NOT_YET_VALID,
    invalid_issuer = GK_STATUS_INVALID_ISSUER,
    invalid_audience = GK_STATUS_INVALID_AUDIENCE,
    invalid_type = GK_STATUS_INVALID_TYPE,
    invalid_subject = GK_STATUS_INVALID_SUBJECT,
    missing_claim = GK_STATUS_MISSING_CLAIM,
    invalid_claim = GK_STATUS_INVALID_CLAIM,
    unsupported_algorithm = GK_STATUS_UNSUPPORTED_ALGORITHM,
    invalid_algorithm = GK_STATUS_INVALID_ALGORITHM,
    unsupported_critical = GK_STATUS_UNSUPPORTED_CRITICAL,
    key_not_found = GK_STATUS_KEY_NOT_FOUND,
    ambiguous_key = GK_STATUS_AMBIGUOUS_KEY,
    token_too_large = GK_STATUS_TOKEN_TOO_LARGE,
    issued_in_future = GK_STATUS_ISSUED_IN_FUTURE,
    too_old = GK_STATUS_TOO_OLD,
    revoked_token = GK_STATUS_REVOKED_TOKEN,
    unusable_key = GK_STATUS_UNUSABLE_KEY,
    invalid_key = GK_STATUS_INVALID_KEY,
    weak_key = GK_STATUS_WEAK_KEY,
    unsupported_key = GK_STATUS_UNSUPPORTED_KEY,
    key_pair_mismatch = GK_STATUS_KEY_PAIR_MISMATCH,
    key_usage = GK_STATUS_KEY_USAGE,
    secret_looks_like_key = GK_STATUS_SECRET_LOOKS_LIKE_KEY,
    mixed_key_set = GK_STATUS_MIXED_KEY_SET,
    algorithm_required = GK_STATUS_ALGORITHM_REQUIRED,
    ring_key_not_found = GK_STATUS_RING_KEY_NOT_FOUND,
    passphrase_required = GK_STATUS_PASSPHRASE_REQUIRED,
    wrong_passphrase = GK_STATUS_WRONG_PASSPHRASE,
    key_unavailable = GK_STATUS_KEY_UNAVAILABLE,
    malformed_api_key = GK_STATUS_MALFORMED_API_KEY,
    unknown_api_key = GK_STATUS_UNKNOWN_API_KEY,
    bad_api_key_secret = GK_STATUS_BAD_API_KEY_SECRET,
    api_key_disabled = GK_STATUS_API_KEY_DISABLED,
    api_key_revoked = GK_STATUS_API_KEY_REVOKED,
    api_key_expired = GK_STATUS_API_KEY_EXPIRED,
    api_key_not_yet_valid = GK_STATUS_API_KEY_NOT_YET_VALID,
    api_key_address = GK_STATUS_API_KEY_ADDRESS,
    insufficient_scope = GK_STATUS_INSUFFICIENT_SCOPE,
    rate_limited = GK_STATUS_RATE_LIMITED,
    credits_exhausted = GK_STATUS_CREDITS_EXHAUSTED,
    api_key_not_found = GK_STATUS_API_KEY_NOT_FOUND,
    malformed_cookie = GK_STATUS_MALFORMED_COOKIE,
    csrf_rejected = GK_STATUS_CSRF_REJECTED,
    invalid_refresh_token = GK_STATUS_INVALID_REFRESH_TOKEN,
    token_reuse = GK_STATUS_TOKEN_REUSE,
    session_ended = GK_STATUS_SESSION_ENDED,
    session_expired = GK_STATUS_SESSION_EXPIRED,
    session_not_found = GK_STATUS_SESSION_NOT_FOUND,
    oauth_state_mismatch = GK_STATUS_OAUTH_STATE_MISMATCH,
    oauth_issuer_mismatch = GK_STATUS_OAUTH_ISSUER_MISMATCH,
    oauth_access_denied = GK_STATUS_OAUTH_ACCESS_DENIED,
    oauth_interaction_required = GK_STATUS_OAUTH_INTERACTION_REQUIRED,
    oauth_invalid_grant = GK_STATUS_OAUTH_INVALID_GRANT,
    oauth_invalid_client = GK_STATUS_OAUTH_INVALID_CLIENT,
    oauth_refused = GK_STATUS_OAUTH_REFUSED,
    oauth_server_failed = GK_STATUS_OAUTH_SERVER_FAILED,
    oauth_malformed_response = GK_STATUS_OAUTH_MALFORMED_RESPONSE,
    oauth_nonce_mismatch = GK_STATUS_OAUTH_NONCE_MISMATCH,
    oauth_subject_mismatch = GK_STATUS_OAUTH_SUBJECT_MISMATCH,
    oauth_device_expired = GK_STATUS_OAUTH_DEVICE_EXPIRED,
    oauth_no_token = GK_STATUS_OAUTH_NO_TOKEN,
    missing_credentials = GK_STATUS_MISSING_CREDENTIALS,
    token_inactive = GK_STATUS_TOKEN_INACTIVE,
    insufficient_authentication = GK_STATUS_INSUFFICIENT_AUTHENTICATION,
    several_credentials = GK_STATUS_SEVERAL_CREDENTIALS,
    malformed_request = GK_STATUS_MALFORMED_REQUEST,
    request_too_large = GK_STATUS_REQUEST_TOO_LARGE,
    store_unavailable = GK_STATUS_STORE_UNAVAILABLE,
    store_corrupt = GK_STATUS_STORE_CORRUPT,
    store_conflict = GK_STATUS_STORE_CONFLICT,
    store_read_only = GK_STATUS_STORE_READ_ONLY,
    store_full = GK_STATUS_STORE_FULL,
    wrong_pepper = GK_STATUS_WRONG_PEPPER,
    store_restored = GK_STATUS_STORE_RESTORED,
    connection_failed = GK_STATUS_CONNECTION_FAILED,
    deadline_exceeded = GK_STATUS_DEADLINE_EXCEEDED,
    tls_failed = GK_STATUS_TLS_FAILED,
    request_blocked = GK_STATUS_REQUEST_BLOCKED,
    response_too_large = GK_STATUS_RESPONSE_TOO_LARGE,
};

/// The name of a status, the same in every language: "InvalidSignature".
inline std::string_view name(status s) noexcept {
    return gk_status_name(static_cast<gk_status>(s));
}

/// The name of a status for programs, metrics and answers: "invalid_signature".
inline std::string_view code(status s) noexcept {
    return gk_status_code(static_cast<gk_status>(s));
}

/// What any caller of your API may be told; error::what() is for the log.
inline std::string_view public_message(status s) noexcept {
    return gk_status_public_message(static_cast<gk_status>(s));
}

/// The value of the header WWW-Authenticate of the answer; empty where it has none.
inline std::string_view challenge(status s) noexcept {
    return gk_status_challenge(static_cast<gk_status>(s));
}

/// One sentence that says what a status means, whatever the call.
inline std::string_view summary(status s) noexcept {
    return gk_status_summary(static_cast<gk_status>(s));
}

/// Whether what the caller of your API presented was refused: answer http_status().
inline bool is_rejected(status s) noexcept {
    return gk_status_is_rejected(static_cast<gk_status>(s));
}

/// Whether your program made the mistake: answer 500 and fix the program.
inline bool is_misuse(status s) noexcept { return gk_status_is_misuse(static_cast<gk_status>(s)); }

/// Whether something the library depends on is out of reach: answer 503.
inline bool is_unavailable(status s) noexcept {
    return gk_status_is_unavailable(static_cast<gk_status>(s));
}

/// What an HTTP service answers: 200, 400, 401, 403, 404, 429, 431, 500 or 503.
inline std::uint16_t http_status(status s) noexcept {
    return gk_status_http(static_cast<gk_status>(s));
}

/// An algorithm; a key is bound to exactly one.
enum class alg : gk_alg {
    any = GK_ALG_ANY, ///< Where a function has it as the default: the key itself says which.
    hs256 = GK_ALG_HS256,
    hs384 = GK_ALG_HS384,
    hs512 = GK_ALG_HS512,
    rs256 = GK_ALG_RS256,
    rs384 = GK_ALG_RS384,
    rs512 = GK_ALG_RS512,
    ps256 = GK_ALG_PS256,
    ps384 = GK_ALG_PS384,
    ps512 = GK_ALG_PS512,
    es256 = GK_ALG_ES256,
    es384 = GK_ALG_ES384,
    es512 = GK_ALG_ES512,
    es256k = GK_ALG_ES256K,
    eddsa = GK_ALG_EDDSA,
    ed25519 = GK_ALG_ED25519,
    ml_dsa_44 = GK_ALG_ML_DSA_44,
    ml_dsa_65 = GK_ALG_ML_DSA_65,
    ml_dsa_87 = GK_ALG_ML_DSA_87,
};

/// The name as it stands in a token's `alg`.
inline std::string_view name(alg a) noexcept { return gk_alg_name(static_cast<gk_alg>(a)); }

/// Whether the algorithm is an HMAC, whose key both signs and verifies.
inline bool is_symmetric(alg a) noexcept { return gk_alg_is_symmetric(static_cast<gk_alg>(a)); }

/// Whether both mean the same algorithm: equal ones, and alg::eddsa and alg::ed25519.
inline bool same_algorithm(alg left, alg right) noexcept {
    return gk_alg_same_algorithm(static_cast<gk_alg>(left), static_cast<gk_alg>(right));
}

/// What every throwing call throws: a status and a message that is safe to log.
class GATEKEY_THROWN error : public std::exception {
  public:
    explicit error(const gk_error &raw) noexcept : raw_(raw) {}

    [[nodiscard]] gatekey::status status() const noexcept {
        return static_cast<gatekey::status>(raw_.status);
    }
    /// The stable number, the same in every language.
    [[nodiscard]] gk_status number() const noexcept { return raw_.status; }
    [[nodiscard]] std::string_view name() const noexcept { return gatekey::name(status()); }
    /// The name for programs, metrics and answers: "invalid_signature".
    [[nodiscard]] std::string_view code() const noexcept { return gatekey::code(status()); }
    /// The HTTP status to answer with.
    [[nodiscard]] std::uint16_t http_status() const noexcept {
        return gatekey::http_status(status());
    }
    /// What any caller of your API may be told.
    [[nodiscard]] std::string_view public_message() const noexcept {
        return gatekey::public_message(status());
    }
    /// The value of the header WWW-Authenticate of the answer; empty where it has none.
    [[nodiscard]] std::string_view challenge() const noexcept {
        return gatekey::challenge(status());
    }
    /// Milliseconds after which the same call may succeed, for the header Retry-After (in seconds,
    /// rounded up); 0 where waiting is no remedy.
    [[nodiscard]] std::uint32_t retry_after_ms() const noexcept { return raw_.retry_after_ms; }
    /// The message for the log, with the claim, member or argument it is about; at most 400 bytes.
    [[nodiscard]] const char *what() const noexcept override { return raw_.message; }
    /// The claim, member or argument that the error is about; empty if it is not about one.
    [[nodiscard]] std::string_view claim() const noexcept { return gk_error_claim(&raw_); }
    /// What to do about it, where that is a sentence of its own at the end of what(); else empty.
    [[nodiscard]] std::string_view remedy() const noexcept { return gk_error_remedy(&raw_); }
    /// The API key that was refused after its secret was proved; else empty.
    [[nodiscard]] std::string_view api_key_id() const noexcept {
        return gk_error_api_key_id(&raw_);
    }
    [[nodiscard]] bool is_rejected() const noexcept { return gatekey::is_rejected(status()); }
    [[nodiscard]] bool is_misuse() const noexcept { return gatekey::is_misuse(status()); }
    [[nodiscard]] bool is_unavailable() const noexcept { return gatekey::is_unavailable(status()); }

  private:
    gk_error raw_;
};

/// A value, or the error. Nothing here throws but value().
template <class T> class [[nodiscard]] result {
  public:
    result(T value) noexcept : state_(std::move(value)) {}
    result(const gatekey::error &why) noexcept : state_(why) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
    /// status::ok if there is a value.
    [[nodiscard]] gatekey::status status() const noexcept {
        return has_value() ? gatekey::status::ok : error().status();
    }
    /// Why there is no value; only to be asked if the value is missing.
    [[nodiscard]] const gatekey::error &error() const noexcept { return *std::get_if<1>(&state_); }

    /// The value; only to be asked if there is one.
    [[nodiscard]] T &operator*() noexcept { return *std::get_if<0>(&state_); }
    [[nodiscard]] const T &operator*() const noexcept { return *std::get_if<0>(&state_); }
    [[nodiscard]] T *operator->() noexcept { return std::get_if<0>(&state_); }
    [[nodiscard]] const T *operator->() const noexcept { return std::get_if<0>(&state_); }
    /// Takes the value out; throws the error if the value is missing.
    [[nodiscard]] T value() && {
        if (!has_value()) throw error();
        return std::move(**this);
    }

  private:
    std::variant<T, gatekey::error> state_;
};

} // namespace gatekey

#endif // GATEKEY_STATUS_HPP
