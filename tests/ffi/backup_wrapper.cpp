// Everything in gatekey/store.hpp: each function is called.
#include "check.hpp"

#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace {

using namespace gatekey;

std::filesystem::path folder;

std::string store() { return "\"store\":\"sqlite:///" + (folder / "auth.sqlite").string() + "\""; }

std::string member(const char *name, const char *file) {
    return std::string(",\"") + name + "\":\"" + (folder / file).string() + "\"";
}

void there_and_back() {
    const std::string url = "sqlite:///" + (folder / "auth.sqlite").string();
    std::uint64_t calls = 0;
    {
        const auto list = revocations::open(url);
        const auto report =
            store_backup("{" + store() + member("to", "copy") + "}",
                         [&](std::uint64_t done, std::uint64_t all) { calls += done <= all; });
        CHECK(holds(report, "\"bytes\":") && calls > 0);
        bool stopped = false;
        try {
            store_backup("{" + store() + member("to", "stopped") + "}",
                         [](std::uint64_t, std::uint64_t) { throw std::runtime_error("enough"); });
        } catch (const std::runtime_error &error) {
            stopped = std::strcmp(error.what(), "enough") == 0;
        }
        CHECK(stopped && !std::filesystem::exists(folder / "stopped"));
        THROWS(status::invalid_argument, store_backup("{" + store() + member("to", "copy") + "}"));
        list.revoke_key("leaked");
        THROWS(status::store_unavailable,
               store_restore("{" + store() + member("backup", "copy") + "}"));
    }
    const auto restored = store_restore("{" + store() + member("backup", "copy") + "}");
    CHECK(holds(restored, "\"must_acknowledge\":true"));
    THROWS(status::store_restored, revocations::open(url));
    const auto done = store_acknowledge_restore("{" + store() + ",\"revoke_before\":0}");
    CHECK(holds(done, "\"sessions\":0") && holds(done, "\"was_refused\":true"));
    CHECK(revocations::open(url).size() == 0);
    THROWS(status::invalid_configuration, store_acknowledge_restore("{" + store() + "}"));
}

void folder_without_its_mark() {
    const auto keys = folder / "keys", mark = folder / "keys.mark";
    const std::string named = "folder:" + keys.string();
    const std::string what = "{\"store\":\"" + named + "\",\"revoke_before\":0}";
    static_cast<void>(key_ring::open(named));
    std::filesystem::remove(mark);
    THROWS(status::store_restored, key_ring::open(named));
    CHECK(holds(store_acknowledge_restore(what), "\"was_refused\":true"));
    static_cast<void>(key_ring::open(named));
    std::filesystem::remove_all(keys);
    THROWS(status::store_restored, key_ring::open(named));
    CHECK(!std::filesystem::exists(keys) && std::filesystem::exists(mark));
}

} // namespace

int main() {
    char name[] = "/tmp/gatekey-store-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    folder = name;
    there_and_back();
    folder_without_its_mark();
    std::filesystem::remove_all(folder);
    return passed("backup_wrapper");
}
