// Copies of a store, and what is to be done when one is put back. Include gatekey.hpp.
#ifndef GATEKEY_BACKUP_HPP
#define GATEKEY_BACKUP_HPP

#include "handle.hpp"

#include <exception>

namespace gatekey {

/// Hears how many pages of a copy are done, of how many; one that throws stops the copy.
using progress_function = std::function<void(std::uint64_t done, std::uint64_t all)>;

namespace detail {

struct hearing {
    const progress_function &progress;
    std::exception_ptr thrown;
};

inline bool read_progress(void *user, std::uint64_t done, std::uint64_t all) noexcept {
    auto &heard = *static_cast<hearing *>(user);
    try {
        if (heard.progress) heard.progress(done, all);
        return true;
    } catch (...) {
        heard.thrown = std::current_exception();
        return false;
    }
}

template <class Call> std::string copied(const progress_function &progress, Call call) {
    hearing heard{progress, nullptr};
    try {
        return text([&](auto *out, auto *err) {
            return call(read_progress, static_cast<void *>(&heard), out, err);
        });
    } catch (const error &) {
        if (heard.thrown) std::rethrow_exception(heard.thrown);
        throw;
    }
}

} // namespace detail

/// Copies a store to a file while it is in use. `options`: a JSON object with `store` (a URL) and
/// `to` (a file that must not be there), and maybe `pepper_to` and `pepper_file`. A JSON object
/// with `bytes`, `api_keys` and `sessions`.
inline std::string store_backup(std::string_view options, const progress_function &progress = {}) {
    return detail::copied(progress, [&](auto hear, void *user, auto *out, auto *err) {
        return gk_store_backup(options.data(), options.size(), hear, user, out, err);
    });
}

/// Puts a backup in the place of a store. `options`: a JSON object with `backup` (a file) and
/// `store` (a URL), and maybe `force`. A JSON object with `bytes`, `api_keys`, `sessions`,
/// `replaced` and `must_acknowledge`.
inline std::string store_restore(std::string_view options, const progress_function &progress = {}) {
    return detail::copied(progress, [&](auto hear, void *user, auto *out, auto *err) {
        return gk_store_restore(options.data(), options.size(), hear, user, out, err);
    });
}

/// Accepts a store, or a folder of key rings, that is older than its mark, after everything from
/// before a moment has ended. `options`: a JSON object with `store` (its URL, or the folder's:
/// `folder:/path`) and `revoke_before` (seconds since 1970; the time of the restore), and maybe
/// `keep_api_keys`, `keep_key_rings`, `pepper_file` or `pepper_env`. A JSON object with the numbers
/// `sessions`, `api_keys` and `key_rings`, and `was_refused`: whether it was refused before.
inline std::string store_acknowledge_restore(std::string_view options) {
    return detail::text([&](auto *out, auto *err) {
        return gk_store_acknowledge_restore(options.data(), options.size(), out, err);
    });
}

} // namespace gatekey

#endif // GATEKEY_BACKUP_HPP
