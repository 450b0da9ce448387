// How C++ holds what the C API hands out: owners, views, buffers, callbacks. Include gatekey.hpp.
#ifndef GATEKEY_HANDLE_HPP
#define GATEKEY_HANDLE_HPP

#include "status.hpp"

#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace gatekey {

/// Bytes from anything that has data() and size(): std::string, std::vector<std::uint8_t>,
/// std::array.
class bytes_view {
  public:
    constexpr bytes_view(const std::uint8_t *data, std::size_t size) noexcept
        : data_(data), size_(size) {}
    template <class C, class = std::enable_if_t<sizeof(*std::declval<const C &>().data()) == 1>>
    bytes_view(const C &bytes) noexcept
        : data_(reinterpret_cast<const std::uint8_t *>(bytes.data())), size_(bytes.size()) {}

    [[nodiscard]] const std::uint8_t *data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    const std::uint8_t *data_;
    std::size_t size_;
};

/// Seconds since 1970-01-01T00:00:00Z, from wherever the program takes its time; called by any
/// thread. One that throws reads as the far future, in which every token has expired.
using clock_function = std::function<std::uint64_t()>;

/// Fills `len` bytes with unpredictable ones, or returns false; called by any thread.
using random_function = std::function<bool(std::uint8_t *out, std::size_t len)>;

namespace detail {

template <auto Free> struct deleter {
    template <class T> void operator()(T *raw) const noexcept { Free(raw); }
};

/// A handle of the C API that this object owns.
template <class Raw, auto Free> class handle {
  public:
    explicit handle(Raw *raw) noexcept : raw_(raw) {}
    /// The handle, still owned by this object.
    [[nodiscard]] Raw *get() const noexcept { return raw_.get(); }
    /// The handle, now owned by the caller.
    [[nodiscard]] Raw *release() noexcept { return raw_.release(); }

  private:
    std::unique_ptr<Raw, deleter<Free>> raw_;
};

/// Calls what fills in an error, and throws it.
template <class Call> void done(Call call) {
    gk_error err;
    if (call(&err) != GK_STATUS_OK) throw error(err);
}

/// Calls what makes a handle.
template <class Raw, class Call> Raw *made(Call call) {
    Raw *raw = nullptr;
    done([&](gk_error *err) { return call(&raw, err); });
    return raw;
}

struct buffer {
    gk_buf raw{nullptr, 0};
    buffer() = default;
    buffer(const buffer &) = delete;
    buffer(buffer &&other) noexcept : raw(std::exchange(other.raw, gk_buf{nullptr, 0})) {}
    buffer &operator=(buffer other) noexcept {
        std::swap(raw, other.raw);
        return *this;
    }
    ~buffer() { gk_buf_free(&raw); }
};

/// Calls what fills a buffer.
template <class Call> buffer filled(Call call) {
    buffer out;
    done([&](gk_error *err) { return call(&out.raw, err); });
    return out;
}

template <class Call> std::string text(Call call) {
    const buffer out = filled(call);
    return {out.raw.data, out.raw.len};
}

/// Calls what fills a buffer, or leaves it empty where there is nothing.
template <class Call> std::optional<std::string> maybe_text(Call call) {
    const buffer out = filled(call);
    if (out.raw.data == nullptr) return std::nullopt;
    return std::string(out.raw.data, out.raw.len);
}

inline std::string_view view(gk_str lent) noexcept { return {lent.data, lent.len}; }

inline gk_str lent(std::string_view text) noexcept { return {text.data(), text.size()}; }

/// A text that is there, also if it is empty: {NULL, 0} means none, and so all that there is.
inline gk_str named(std::string_view text) noexcept {
    return {text.data() == nullptr ? "" : text.data(), text.size()};
}

inline std::optional<std::string_view> maybe(gk_str lent) noexcept {
    if (lent.data == nullptr) return std::nullopt;
    return view(lent);
}

inline std::uint64_t read_clock(void *user) noexcept {
    try {
        return (*static_cast<clock_function *>(user))();
    } catch (...) {
        return UINT64_MAX;
    }
}

inline bool read_random(void *user, std::uint8_t *out, std::size_t len) noexcept {
    try {
        return (*static_cast<random_function *>(user))(out, len);
    } catch (...) {
        return false;
    }
}

template <class F> void drop(void *user) noexcept { delete static_cast<F *>(user); }

/// A callback, which the library releases.
template <class F> void *given(F function) {
    return std::make_unique<F>(std::move(function)).release();
}

/// The handles of several objects, for a call that takes an array.
template <class Raw, class Owners> std::vector<const Raw *> handles(const Owners &owners) {
    std::vector<const Raw *> raw;
    raw.reserve(owners.size());
    for (const auto &one : owners) raw.push_back(one.get());
    return raw;
}

/// A handle with setters, each of which gives back the object:
/// `oauth_config().issuer(a).scopes(b)`.
template <class Own, class Raw, auto Free> class builder : public handle<Raw, Free> {
  public:
    using handle<Raw, Free>::handle;

  protected:
    template <class Set, class... Value> Own &set(Set setter, Value... value) {
        setter(this->get(), value...);
        return static_cast<Own &>(*this);
    }
    template <class Set> Own &text(Set setter, std::string_view value) {
        return set(setter, value.data(), value.size());
    }
    template <class Set> Own &pair(Set setter, std::string_view first, std::string_view second) {
        return set(setter, first.data(), first.size(), second.data(), second.size());
    }
    template <class Set> Own &callback(Set setter, clock_function now) {
        return set(setter, read_clock, given(std::move(now)), drop<clock_function>);
    }
};

inline std::vector<gk_alg> codes(const std::vector<alg> &algs) {
    std::vector<gk_alg> codes;
    codes.reserve(algs.size());
    for (const alg one : algs) codes.push_back(static_cast<gk_alg>(one));
    return codes;
}

} // namespace detail

/// Exported private key or raw signature; wiped when destroyed.
class secret {
  public:
    explicit secret(detail::buffer buffer) noexcept : buffer_(std::move(buffer)) {}
    [[nodiscard]] const char *data() const noexcept { return buffer_.raw.data; }
    [[nodiscard]] std::size_t size() const noexcept { return buffer_.raw.len; }
    [[nodiscard]] std::string_view view() const noexcept { return {data(), size()}; }

  private:
    detail::buffer buffer_;
};

} // namespace gatekey

#endif // GATEKEY_HANDLE_HPP
