#include "backend/shard/key_sample.h"

#include <algorithm>
#include <charconv>
#include <new>

#include "backend/keys/key_name.h"
#include "backend/resp/resp_writer.h"
#include "backend/ring/ring.h"

namespace gemel {

namespace {

std::string Shown(const std::string& head, size_t bytes) {
  std::string text = PrintableKey(head);
  if (bytes > head.size()) text += "... (" + std::to_string(bytes) + " bytes)";
  return text;
}

// The next word of a line, and the blank behind it.
std::string_view TakeWord(std::string_view* line) {
  const size_t end = std::min(line->find(' '), line->size());
  const std::string_view word = line->substr(0, end);
  line->remove_prefix(std::min(end + 1, line->size()));
  return word;
}

template <typename Number>
Number TakeNumber(std::string_view* line) {
  const std::string_view word = TakeWord(line);
  Number number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

template <typename Visit>
void ForEachLine(std::string_view reply, Visit visit) {
  if (!reply.starts_with('$')) return;
  reply.remove_prefix(std::min(reply.find('\n') + 1, reply.size()));
  for (size_t end; (end = reply.find('\n')) != std::string_view::npos;) {
    const std::string_view line = reply.substr(0, end);
    reply.remove_prefix(end + 1);
    if (line.find(' ') != std::string_view::npos) visit(line);
  }
}

}  // namespace

std::string_view BigKeyWord(BigKeys::By by) {
  switch (by) {
    case BigKeys::By::kRead:
      return "read";
    case BigKeys::By::kWrite:
      return "write";
    case BigKeys::By::kMemory:
      return "memory";
  }
  return {};
}

// From 1 to twice as much: clients that ask in a rhythm are not looked at in the same.
uint32_t KeySample::Random(uint32_t every) {
  random_ = random_ * 1664525u + 1013904223u;
  return 1 + (random_ >> 16) % (2 * every - 1);
}

// Where there is no memory it is not looked at.
void KeySample::Take(const Request& request) try {
  const bool hot = left_ == 0;
  if (hot) left_ = Random(kEvery);
  const bool large = left_large_ == 0;
  if (large) left_large_ = Random(kEveryLarge);
  if (request.kind != RequestKind::kRead && request.kind != RequestKind::kWrite &&
      request.kind != RequestKind::kFirstWrite && request.kind != RequestKind::kBlocking) {
    return;
  }
  if (!keys_of_.Look(request)) return;
  if (hot) {
    // Of one command one key, or one with many would count for more than many with one.
    keys_of_.ForEachCommand(request.row, request.database,
                            [this](const FrameKeys::Command& command) { NoteHot(command); });
  }
  if (large && keys_of_.size() == 1 && request.frame.size() >= BigKeys::kFromBytes) {
    const std::string_view name = keys_of_.key(0);
    const bool read = request.kind == RequestKind::kRead;
    if (!read) {
      big_.Note(KeyOf(name), DatabaseOf(name), HashKey(KeyOf(name)), BigKeys::By::kWrite,
                request.frame.size(), parts_->env->NowMs());
    }
  }
} catch (const std::bad_alloc&) {
}

void KeySample::NoteHot(const FrameKeys::Command& command) {
  if (command.row == nullptr || command.begin == command.end) return;
  random_ = random_ * 1664525u + 1013904223u;
  const std::string_view name =
      keys_of_.key(command.begin + (random_ >> 8) % (command.end - command.begin));
  HotKeys& keys = command.row->IsWrite() ? hot_writes_ : hot_reads_;
  keys.Add(KeyOf(name), DatabaseOf(name), HashKey(KeyOf(name)));
}

void KeySample::TakeReply(const Request& request, std::string_view frame, size_t bytes) try {
  left_large_ = Random(kEveryLarge);
  if (request.row == nullptr || request.block) return;
  keys_of_.Split(frame);
  if (!keys_of_.Find(request.row, request.database) || keys_of_.size() != 1) return;
  const std::string_view name = keys_of_.key(0);
  big_.Note(KeyOf(name), DatabaseOf(name), HashKey(KeyOf(name)), BigKeys::By::kRead, bytes,
            parts_->env->NowMs());
} catch (const std::bad_alloc&) {
}

void KeySample::OnMemory(std::string_view name, uint64_t bytes) {
  big_.Note(KeyOf(name), DatabaseOf(name), HashKey(KeyOf(name)), BigKeys::By::kMemory, bytes,
            parts_->env->NowMs());
}

void KeySample::Tick(uint64_t now_ms) {
  if (decayed_ms_ == 0) decayed_ms_ = now_ms;
  if (now_ms < decayed_ms_ + kDecayMs) return;
  seconds_ = (seconds_ + static_cast<double>(now_ms - decayed_ms_) / 1000) * kDecay;
  decayed_ms_ = now_ms;
  hot_reads_.Decay(kDecay);
  hot_writes_.Decay(kDecay);
  big_.Forget(now_ms);
}

double KeySample::Seconds() const {
  const uint64_t now_ms = parts_->env->NowMs();
  const uint64_t since_ms =
      decayed_ms_ != 0 && now_ms > decayed_ms_ ? now_ms - decayed_ms_ : uint64_t{0};
  return std::max(seconds_ + static_cast<double>(since_ms) / 1000, 1.0);
}

std::vector<HotKey> KeySample::Hot() const {
  std::vector<HotKey> keys;
  const double each = kEvery / Seconds();
  for (const HotKeys* of : {&hot_reads_, &hot_writes_}) {
    of->ForEach([&](const HotKeys::Key& key) {
      keys.push_back({Shown(key.head, key.bytes), key.database, of == &hot_writes_,
                      key.count * each, key.over * each, key.count / of->total()});
    });
  }
  std::sort(keys.begin(), keys.end(),
            [](const HotKey& a, const HotKey& b) { return a.per_s > b.per_s; });
  return keys;
}

std::vector<BigKey> KeySample::Big() const {
  const uint64_t now_ms = parts_->env->NowMs();
  std::vector<BigKey> keys;
  for (const BigKeys::Key& key : big_.all()) {
    keys.push_back({Shown(key.head, key.name_bytes), key.database, key.by, key.bytes,
                    now_ms > key.seen_ms ? now_ms - key.seen_ms : 0});
  }
  std::sort(keys.begin(), keys.end(),
            [](const BigKey& a, const BigKey& b) { return a.bytes > b.bytes; });
  return keys;
}

std::string HotKeyLines(const std::vector<HotKey>& keys) {
  std::string lines;
  for (const HotKey& key : keys) {
    lines += std::to_string(key.per_s) + " " + std::to_string(key.over) + " " +
             std::to_string(key.part) + (key.write ? " 1 " : " 0 ") + std::to_string(key.database) +
             " " + key.key + "\n";
  }
  std::string reply;
  AppendBulk(&reply, lines);
  return reply;
}

std::string BigKeyLines(const std::vector<BigKey>& keys) {
  std::string lines;
  for (const BigKey& key : keys) {
    lines += std::to_string(key.bytes) + " " + std::to_string(key.age_ms) + " " +
             std::to_string(static_cast<int>(key.by)) + " " + std::to_string(key.database) + " " +
             key.key + "\n";
  }
  std::string reply;
  AppendBulk(&reply, lines);
  return reply;
}

std::vector<HotKey> ReadHotKeyLines(std::string_view reply) {
  std::vector<HotKey> keys;
  ForEachLine(reply, [&keys](std::string_view line) {
    HotKey& key = keys.emplace_back();
    key.per_s = TakeNumber<double>(&line);
    key.over = TakeNumber<double>(&line);
    key.part = TakeNumber<double>(&line);
    key.write = TakeNumber<int>(&line) != 0;
    key.database = TakeNumber<uint8_t>(&line);
    key.key = line;
  });
  return keys;
}

std::vector<BigKey> ReadBigKeyLines(std::string_view reply) {
  std::vector<BigKey> keys;
  ForEachLine(reply, [&keys](std::string_view line) {
    BigKey& key = keys.emplace_back();
    key.bytes = TakeNumber<uint64_t>(&line);
    key.age_ms = TakeNumber<uint64_t>(&line);
    key.by = static_cast<BigKeys::By>(std::min(TakeNumber<int>(&line), 2));
    key.database = TakeNumber<uint8_t>(&line);
    key.key = line;
  });
  return keys;
}

}  // namespace gemel
