// Which records are wanted, one page at a time. Include gatekey.hpp.
#ifndef GATEKEY_FILTER_HPP
#define GATEKEY_FILTER_HPP

#include "handle.hpp"

namespace gatekey {

/// Which records api_keys::list_json, api_keys::audit_json and sessions::events_json give: all
/// unless set. They refuse a filter with names that are not theirs: status::invalid_argument.
class filter : public detail::handle<gk_filter, gk_filter_free> {
  public:
    using handle::handle;
    filter() : handle(gk_filter_new()) {}

    /// Of API keys.
    filter &owner(std::string_view owner) { return text(gk_filter_owner, owner); }
    filter &tenant(std::string_view tenant) { return text(gk_filter_tenant, tenant); }
    /// Of the audit of API keys.
    filter &key_id(std::string_view id) { return text(gk_filter_key_id, id); }
    /// Of events of sessions.
    filter &subject(std::string_view subject) { return text(gk_filter_subject, subject); }
    filter &family(std::string_view family) { return text(gk_filter_family, family); }
    /// The `cursor` of the page before; empty for the first page.
    filter &cursor(std::string_view cursor) { return text(gk_filter_cursor, cursor); }
    /// How many records a page has at the most: at most 1000, 100 unless set.
    filter &limit(std::size_t limit) {
        gk_filter_limit(get(), limit);
        return *this;
    }

  private:
    template <class Set> filter &text(Set set_text, std::string_view value) {
        set_text(get(), value.data(), value.size());
        return *this;
    }
};

} // namespace gatekey

#endif // GATEKEY_FILTER_HPP
