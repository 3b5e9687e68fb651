#include "proxy/upgrade/hand_over.h"

#include <type_traits>

namespace gemel {

namespace {

constexpr std::string_view kFormHead = "gemel hand-over ";
constexpr size_t kNumberBytes = 8;

uint64_t BodyHash(std::string_view bytes) {  // FNV-1a
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3u;
  }
  return hash;
}

void AppendNumber(std::string* out, uint64_t number) {
  for (size_t i = 0; i < kNumberBytes; ++i) out->push_back(static_cast<char>(number >> (8 * i)));
}

// Of `bytes`, which has them.
uint64_t NumberAt(std::string_view bytes, size_t at) {
  uint64_t number = 0;
  for (size_t i = 0; i < kNumberBytes; ++i) {
    number |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  }
  return number;
}

std::string HeadLine() { return std::string(kFormHead) + std::to_string(kHandOverForm) + "\n"; }

// The fields are listed once (Fields, below), for who writes and for who reads.
class FieldWriter {
 public:
  explicit FieldWriter(std::string* out) : out_(out) {}

  void operator()(const uint64_t& number) { AppendNumber(out_, number); }
  void operator()(const bool& flag) { out_->push_back(flag ? '\1' : '\0'); }
  void operator()(const std::string& text) {
    AppendNumber(out_, text.size());
    out_->append(text);
  }
  template <typename T>
  void operator()(const std::vector<T>& list) {
    AppendNumber(out_, list.size());
    for (const T& each : list) One(each);
  }
  template <typename T>
  void One(const T& each);

 private:
  std::string* out_;
};

class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : bytes_(bytes) {}

  bool good() const { return good_; }
  bool at_end() const { return bytes_.empty(); }

  void operator()(uint64_t& number) {
    if (!Has(kNumberBytes)) return;
    number = NumberAt(bytes_, 0);
    bytes_.remove_prefix(kNumberBytes);
  }
  void operator()(bool& flag) {
    if (!Has(1)) return;
    good_ = static_cast<uint8_t>(bytes_[0]) <= 1;
    flag = bytes_[0] == '\1';
    bytes_.remove_prefix(1);
  }
  void operator()(std::string& text) {
    uint64_t size = 0;
    (*this)(size);
    if (!Has(size)) return;
    text.assign(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
  }
  template <typename T>
  void operator()(std::vector<T>& list) {
    uint64_t count = 0;
    (*this)(count);
    if (!Has(count)) return;  // each takes a byte at least: no count asks for what is not there
    for (uint64_t i = 0; good_ && i < count; ++i) One(list.emplace_back());
  }
  template <typename T>
  void One(T& each);

 private:
  bool Has(uint64_t bytes) { return good_ = good_ && bytes_.size() >= bytes; }

  std::string_view bytes_;
  bool good_ = true;
};

template <typename Archive, typename T, typename... More>
void AllOf(Archive& archive, T& first, More&... more) {
  archive(first);
  if constexpr (sizeof...(more) > 0) AllOf(archive, more...);
}

// `T` is the struct, const for who writes.
template <typename Archive, typename T>
void Fields(Archive& archive, T& of) {
  using Kind = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Kind, std::string>) {
    archive(of);
  } else if constexpr (std::is_same_v<Kind, std::pair<std::string, std::string>>) {
    AllOf(archive, of.first, of.second);
  } else if constexpr (std::is_same_v<Kind, HandedConfig::User>) {
    AllOf(archive, of.name, of.gone, of.rules);
  } else if constexpr (std::is_same_v<Kind, HandedConfig>) {
    AllOf(archive, of.file_text, of.text, of.sets, of.users);
  } else if constexpr (std::is_same_v<Kind, HandedListener>) {
    AllOf(archive, of.address, of.socket, of.worker, of.place);
  } else if constexpr (std::is_same_v<Kind, HandedClient>) {
    AllOf(archive, of.id, of.peer, of.local, of.age_ms, of.idle_ms, of.commands, of.last_command,
          of.protocol, of.database, of.name, of.library_name, of.library_version, of.let_in,
          of.user, of.reply_off, of.replies_skipped, of.monitors, of.closing);
  } else if constexpr (std::is_same_v<Kind, HandedTracking>) {
    AllOf(archive, of.on, of.bcast, of.optin, of.optout, of.noloop, of.caching, of.redirect,
          of.for_others, of.prefixes);
  } else if constexpr (std::is_same_v<Kind, HandedTransaction>) {
    AllOf(archive, of.open, of.aborted, of.frames);
  } else if constexpr (std::is_same_v<Kind, HandedSession>) {
    AllOf(archive, of.socket, of.unix_socket, of.worker);
    Fields(archive, of.client);
    AllOf(archive, of.subscriptions);
    Fields(archive, of.tracking);
    AllOf(archive, of.watched);
    Fields(archive, of.transaction);
    AllOf(archive, of.waits, of.wait_left_ms, of.asked, of.input, of.output);
  } else {
    static_assert(std::is_same_v<Kind, HandOver>);
    AllOf(archive, of.version, of.binary, of.next_session, of.pause_left_ms, of.pause_all);
    Fields(archive, of.config);
    AllOf(archive, of.listeners, of.sessions);
  }
}

template <typename T>
void FieldWriter::One(const T& each) {
  Fields(*this, each);
}

template <typename T>
void FieldReader::One(T& each) {
  Fields(*this, each);
}

}  // namespace

std::string WriteHandOver(const HandOver& hand_over) {
  std::string body;
  FieldWriter writer(&body);
  Fields(writer, hand_over);
  std::string text = HeadLine();
  AppendNumber(&text, body.size());
  AppendNumber(&text, BodyHash(body));
  return text + body;
}

std::optional<HandOver> ReadHandOver(std::string_view text, std::string* error) {
  const std::string head = HeadLine();
  if (!text.starts_with(head)) {
    *error = text.starts_with(kFormHead) ? "it is of another form than this binary reads"
                                         : "it is no hand-over";
    return std::nullopt;
  }
  text.remove_prefix(head.size());
  if (text.size() < 2 * kNumberBytes || NumberAt(text, 0) != text.size() - 2 * kNumberBytes) {
    *error = "it is not whole";
    return std::nullopt;
  }
  const uint64_t hash = NumberAt(text, kNumberBytes);
  text.remove_prefix(2 * kNumberBytes);
  HandOver hand_over;
  FieldReader reader(text);
  if (BodyHash(text) == hash) Fields(reader, hand_over);
  if (BodyHash(text) != hash || !reader.good() || !reader.at_end()) {
    *error = "it is damaged";
    return std::nullopt;
  }
  return hand_over;
}

}  // namespace gemel
