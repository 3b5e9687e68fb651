// PROXY HOTKEYS and BIGKEYS: what the shards' samples of keys say, put together.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "backend/resp/resp_writer.h"
#include "backend/shard/key_sample.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr size_t kShown = 16;
constexpr size_t kMostShown = 1000;

template <typename Key>
struct OfShard {
  std::string shard;
  Key key;
};

// How many are wanted; else the client has been answered.
std::optional<size_t> CountOf(Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() == 2) return kShown;
  size_t count = 0;
  if (args.size() == 3) {
    const std::string_view text = args[2];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error == std::errc() && end == text.data() + text.size() && count > 0 &&
        count <= kMostShown) {
      return count;
    }
    session.ReplyError("ERR the count of PROXY HOTKEYS and BIGKEYS is 1 to " +
                       std::to_string(kMostShown));
    return std::nullopt;
  }
  session.ReplyError(ArityError(row));
  return std::nullopt;
}

// The first `count` of all shards' keys, the one with the most first.
template <typename Key>
std::vector<OfShard<Key>> Merged(const std::vector<PartReply>& parts, size_t count,
                                 std::vector<Key> (*read)(std::string_view), auto Key::*most) {
  std::vector<OfShard<Key>> all;
  for (const PartReply& part : parts) {
    for (Key& key : read(part.reply)) all.push_back({std::string(part.shard), std::move(key)});
  }
  std::stable_sort(all.begin(), all.end(),
                   [most](const auto& a, const auto& b) { return a.key.*most > b.key.*most; });
  if (all.size() > count) all.resize(count);
  return all;
}

void AppendKeyField(std::string* out, std::string_view name, std::string_view text) {
  AppendBulk(out, name);
  AppendBulk(out, text);
}
void AppendKeyField(std::string* out, std::string_view name, uint64_t number) {
  AppendBulk(out, name);
  AppendInteger(out, static_cast<int64_t>(number));
}

uint64_t Rounded(double number) { return static_cast<uint64_t>(std::llround(number)); }

void AppendHot(const std::vector<PartReply>& parts, size_t count, std::string* out) {
  const auto keys = Merged<HotKey>(parts, count, ReadHotKeyLines, &HotKey::per_s);
  AppendArrayHeader(out, static_cast<int64_t>(keys.size()));
  for (const auto& [shard, key] : keys) {
    AppendMapHeader(out, 7);
    AppendKeyField(out, "key", key.key);
    AppendKeyField(out, "database", uint64_t{key.database});
    AppendKeyField(out, "shard", shard);
    AppendKeyField(out, "kind", key.write ? "write" : "read");
    AppendKeyField(out, "per_second", Rounded(key.per_s));
    AppendKeyField(out, "at_least", Rounded(key.per_s - key.over));
    AppendKeyField(out, "percent_of_shard", Rounded(key.part * 100));
  }
}

void AppendBig(const std::vector<PartReply>& parts, size_t count, std::string* out) {
  const auto keys = Merged<BigKey>(parts, count, ReadBigKeyLines, &BigKey::bytes);
  AppendArrayHeader(out, static_cast<int64_t>(keys.size()));
  for (const auto& [shard, key] : keys) {
    AppendMapHeader(out, 6);
    AppendKeyField(out, "key", key.key);
    AppendKeyField(out, "database", uint64_t{key.database});
    AppendKeyField(out, "shard", shard);
    AppendKeyField(out, "bytes", key.bytes);
    AppendKeyField(out, "kind", BigKeyWord(key.by));
    AppendKeyField(out, "seen_s_ago", key.age_ms / 1000);
  }
}

void AskForKeys(Session& session, const CommandRow& row, LocalArgs args, std::string_view what,
                void (*append)(const std::vector<PartReply>&, size_t, std::string*)) {
  const std::optional<size_t> count = CountOf(session, row, args);
  if (!count) return;
  const SessionContext& context = session.context();
  GatherPtr gather =
      Gather::Make(context.dispatcher, session.Reserve(&row),
                   [count = *count, append](const std::vector<PartReply>& parts, std::string* out) {
                     append(parts, count, out);
                   });
  gather->AddEachShard(*context.pool, RequestKind::kReport, nullptr, what);
  Gather::Launch(std::move(gather));
}

void ProxyHotKeys(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  AskForKeys(session, row, args, kReportHotKeys, AppendHot);
}

void ProxyBigKeys(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  AskForKeys(session, row, args, kReportBigKeys, AppendBig);
}

}  // namespace

LocalHandler KeyHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kProxyHotKeys:
      return ProxyHotKeys;
    case LocalCommand::kProxyBigKeys:
      return ProxyBigKeys;
    default:
      return nullptr;
  }
}

}  // namespace gemel
