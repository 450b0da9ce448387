// What calls hand out as JSON, read. Include gatekey.hpp.
#ifndef GATEKEY_JSON_HPP
#define GATEKEY_JSON_HPP

#include "handle.hpp"

namespace gatekey {

enum class json_kind : gk_json_kind {
    missing = GK_JSON_MISSING,
    null = GK_JSON_NULL,
    boolean = GK_JSON_BOOL,
    number = GK_JSON_NUMBER,
    text = GK_JSON_TEXT,
    list = GK_JSON_LIST,
    object = GK_JSON_OBJECT,
};

/// A value inside of a `json`, which it must not outlive; or none. What is asked of a value that is
/// not there is not there: `view["claims"]["email"].text()`.
class json_view {
  public:
    json_view() noexcept = default;
    explicit json_view(const gk_json *value) noexcept : value_(value) {}

    [[nodiscard]] json_kind kind() const noexcept {
        return static_cast<json_kind>(gk_json_kind_of(value_));
    }
    /// Whether there is a value, `null` included.
    explicit operator bool() const noexcept { return value_ != nullptr; }

    /// The member of an object.
    [[nodiscard]] json_view operator[](std::string_view name) const noexcept {
        return json_view(gk_json_member(value_, name.data(), name.size()));
    }
    /// So that a literal names a member, and 0 an element.
    [[nodiscard]] json_view operator[](const char *name) const noexcept {
        return (*this)[std::string_view(name)];
    }
    /// The element of a list, or the value of a member in the order of the text.
    template <class Index, class = std::enable_if_t<std::is_integral_v<Index>>>
    [[nodiscard]] json_view operator[](Index index) const noexcept {
        return json_view(gk_json_at(value_, static_cast<std::size_t>(index)));
    }
    /// The name of a member, in the order of the text.
    [[nodiscard]] std::string_view name_at(std::size_t index) const noexcept {
        return detail::view(gk_json_name_at(value_, index));
    }
    /// How many elements or members.
    [[nodiscard]] std::size_t size() const noexcept { return gk_json_len(value_); }

    [[nodiscard]] std::optional<std::string_view> text() const noexcept {
        return detail::maybe(gk_json_text(value_));
    }
    [[nodiscard]] std::optional<std::int64_t> integer() const noexcept {
        std::int64_t value = 0;
        if (!gk_json_integer(value_, &value)) return std::nullopt;
        return value;
    }
    [[nodiscard]] std::optional<double> number() const noexcept {
        double value = 0;
        if (!gk_json_number(value_, &value)) return std::nullopt;
        return value;
    }
    [[nodiscard]] std::optional<bool> boolean() const noexcept {
        bool value = false;
        if (!gk_json_bool(value_, &value)) return std::nullopt;
        return value;
    }

    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = json_view;
        using difference_type = std::ptrdiff_t;
        using pointer = const json_view *;
        using reference = json_view;

        iterator(const gk_json *list, std::size_t index) noexcept : list_(list), index_(index) {}
        json_view operator*() const noexcept { return json_view(gk_json_at(list_, index_)); }
        iterator &operator++() noexcept {
            ++index_;
            return *this;
        }
        bool operator==(const iterator &other) const noexcept { return index_ == other.index_; }
        bool operator!=(const iterator &other) const noexcept { return index_ != other.index_; }

      private:
        const gk_json *list_;
        std::size_t index_;
    };
    /// The elements of a list, or the values of an object.
    [[nodiscard]] iterator begin() const noexcept { return {value_, 0}; }
    [[nodiscard]] iterator end() const noexcept { return {value_, size()}; }

  private:
    const gk_json *value_ = nullptr;
};

/// A text that was read, strictly: no member twice, nothing after the value. What it holds is
/// wiped.
class json : public detail::handle<gk_json, gk_json_free> {
  public:
    using handle::handle;
    explicit json(std::string_view text)
        : handle(detail::made<gk_json>([&](auto **out, auto *err) {
              return gk_json_parse(text.data(), text.size(), out, err);
          })) {}

    /// The value, as long as this object lives.
    [[nodiscard]] json_view view() const noexcept { return json_view(get()); }
    template <class Step> [[nodiscard]] json_view operator[](Step step) const noexcept {
        return view()[step];
    }
};

} // namespace gatekey

#endif // GATEKEY_JSON_HPP
