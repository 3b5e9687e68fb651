#include "proxy/peers/peer_push.h"

#include <string_view>
#include <vector>

#include "backend/peer/peer_wire.h"
#include "backend/resp/request_reader.h"
#include "proxy/peers/peer_codec.h"

namespace gemel {

namespace {

constexpr size_t kLengthOfFrame = 4;
constexpr size_t kLeastOfKey = 9;      // session, whether all, length
constexpr size_t kLeastOfPrefix = 9;   // length, audience, count
constexpr size_t kLeastOfWritten = 8;  // length, who wrote it

size_t BeginPush(PeerFrame frame, uint32_t worker, std::string* out) {
  const size_t begin = out->size();
  WireWriter writer(out);
  writer.U32(0);
  writer.U8(static_cast<uint8_t>(frame));
  writer.U32(worker);
  return begin;
}

void EndPush(size_t begin, std::string* out) {
  const size_t size = out->size() - begin - kLengthOfFrame;
  for (size_t i = 0; i < kLengthOfFrame; ++i) {
    (*out)[begin + i] = static_cast<char>(size >> (8 * i));
  }
}

// Whoever delivers them goes from one to the next.
bool AreMessages(std::string_view messages) {
  static constexpr RequestLimits kLimits = {
      .max_bulk = kMostPeerFrame, .max_args = 4, .max_request = kMostPeerFrame};
  RequestReader reader;
  std::vector<std::string_view> args;
  while (!messages.empty()) {
    args.clear();
    if (messages[0] != '*' || reader.Read(messages.data(), messages.size(), kLimits, &args) !=
                                  RequestReader::Status::kCommand) {
      return false;
    }
    if (args.size() < 3) return false;
    messages.remove_prefix(reader.consumed());
  }
  return true;
}

bool ReadPrefix(WireReader* reader, uint32_t worker, TrackingSink* sink) {
  const std::string_view prefix = reader->Text();
  const uint8_t audience = reader->U8();
  if (audience > static_cast<uint8_t>(TrackingAudience::kWriter)) return false;
  for (size_t keys = reader->Count(kLeastOfWritten); keys > 0; --keys) {
    const std::string_view key = reader->Text();
    const uint32_t writer = reader->U32();
    if (!reader->ok()) return false;
    sink->OnPrefixChanged(worker, prefix, key, writer, TrackingAudience{audience});
  }
  return reader->ok();
}

}  // namespace

void AppendPeerMessages(uint32_t worker, std::string_view messages, std::string* out) {
  const size_t begin = BeginPush(PeerFrame::kMessages, worker, out);
  out->append(messages);
  EndPush(begin, out);
}

bool ReadPeerMessages(std::string_view body, uint32_t* worker, std::string_view* messages) {
  WireReader reader(body);
  reader.U8();
  *worker = reader.U32();
  *messages = reader.Rest();
  return reader.ok() && *worker < kMostPeerWorkers && AreMessages(*messages);
}

void AppendPeerChanges(uint32_t worker, const TrackingBatch& batch,
                       const std::function<uint32_t(uint32_t session)>& number_of,
                       std::string* out) {
  const size_t begin = BeginPush(PeerFrame::kChanged, worker, out);
  WireWriter writer(out);
  std::string keys;
  uint32_t count = 0;
  WireWriter key_writer(&keys);
  for (const TrackingBatch::Key& key : batch.keys) {
    const uint32_t session = number_of(key.session);
    if (session == 0) continue;
    key_writer.U32(session);
    key_writer.U8(key.all ? 1 : 0);
    key_writer.Text(key.key);
    ++count;
  }
  writer.U32(count);
  writer.Raw(keys);
  writer.U32(static_cast<uint32_t>(batch.prefixes.size()));
  for (const auto& [prefix, written] : batch.prefixes) {
    writer.Text(prefix.prefix);
    writer.U8(static_cast<uint8_t>(prefix.audience));
    writer.U32(static_cast<uint32_t>(written.size()));
    for (const auto& [key, session] : written) {
      writer.Text(key);
      writer.U32(session == 0 ? 0 : number_of(session));
    }
  }
  EndPush(begin, out);
}

bool ReadPeerChanges(std::string_view body, uint32_t workers, TrackingSink* sink) {
  WireReader reader(body);
  reader.U8();
  const uint32_t worker = reader.U32();
  if (worker >= workers) return false;
  for (size_t keys = reader.Count(kLeastOfKey); keys > 0; --keys) {
    const uint32_t session = reader.U32();
    const bool all = reader.U8() != 0;
    const std::string_view key = reader.Text();
    if (!reader.ok()) return false;
    if (all) {
      sink->OnAllChanged(worker, session);
    } else {
      sink->OnKeyChanged(worker, session, key);
    }
  }
  for (size_t prefixes = reader.Count(kLeastOfPrefix); prefixes > 0; --prefixes) {
    if (!ReadPrefix(&reader, worker, sink)) return false;
  }
  return reader.AtEnd();
}

}  // namespace gemel
