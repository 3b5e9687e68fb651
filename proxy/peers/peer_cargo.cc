#include "proxy/peers/peer_cargo.h"

#include <utility>
#include <vector>

#include "backend/channels/channel_name.h"
#include "backend/peer/peer_wire.h"
#include "backend/served/nodes_order.h"
#include "backend/shard/blocked_cargo.h"
#include "backend/shard/channels.h"
#include "backend/shard/sync_waits.h"
#include "backend/shard/tracked_keys.h"
#include "backend/shard/watches.h"
#include "proxy/peers/peer_codec.h"

namespace gemel {

namespace {

constexpr size_t kLeastText = 4;  // its length

enum : uint8_t { kWanted = 1, kBarrier = 2 };
enum : uint8_t { kOn = 1, kNoLoop = 2 };

bool HasWatch(RequestKind kind, bool guarded) { return kind == RequestKind::kWatch || guarded; }

// What is left of a timeout; one that there is does not become none.
uint64_t Left(uint64_t timeout_ms, uint64_t waited_ms) {
  if (timeout_ms == 0) return 0;
  return timeout_ms > waited_ms ? timeout_ms - waited_ms : 1;
}

void AppendTexts(const std::vector<std::string>& texts, WireWriter* writer) {
  writer->U32(static_cast<uint32_t>(texts.size()));
  for (const std::string& text : texts) writer->Text(text);
}

void ReadTexts(WireReader* reader, std::vector<std::string>* texts) {
  for (size_t count = reader->Count(kLeastText); count > 0; --count) {
    texts->emplace_back(reader->Text());
  }
}

void AppendCommands(const std::vector<NodesOrder::Command>& commands, WireWriter* writer) {
  writer->U32(static_cast<uint32_t>(commands.size()));
  for (const NodesOrder::Command& command : commands) AppendTexts(command, writer);
}

// A command has a name at least.
bool ReadCommands(WireReader* reader, std::vector<NodesOrder::Command>* commands) {
  for (size_t count = reader->Count(kLeastText); count > 0; --count) {
    ReadTexts(reader, &commands->emplace_back());
    if (commands->back().empty()) return false;
  }
  return reader->ok();
}

void AppendNodesOrder(const NodesOrder& order, WireWriter* writer) {
  AppendCommands(order.commands, writer);
  writer->U32(static_cast<uint32_t>(order.of_nodes.size()));
  for (const auto& [node, commands] : order.of_nodes) {
    writer->Text(node);
    AppendCommands(commands, writer);
  }
  AppendTexts(order.own_values, writer);
  AppendTexts(order.poll, writer);
  writer->Text(order.while_has);
  writer->U64(order.delay_ms);
}

bool ReadNodesOrder(WireReader* reader, NodesOrder* order) {
  if (!ReadCommands(reader, &order->commands)) return false;
  for (size_t nodes = reader->Count(2 * kLeastText); nodes > 0; --nodes) {
    const std::string node(reader->Text());
    if (!ReadCommands(reader, &order->of_nodes[node])) return false;
  }
  ReadTexts(reader, &order->own_values);
  ReadTexts(reader, &order->poll);
  order->while_has = reader->Text();
  order->delay_ms = reader->U64();
  return reader->ok();
}

void AppendChannels(const ChannelsCargo& cargo, WireWriter* writer) {
  writer->U32(cargo.worker);
  writer->U8(static_cast<uint8_t>((cargo.wanted ? kWanted : 0) | (cargo.barrier ? kBarrier : 0)));
  AppendTexts(cargo.names, writer);
}

// A name has its kind at least.
std::unique_ptr<ChannelsCargo> ReadChannels(WireReader* reader, bool* good) {
  auto cargo = std::make_unique<ChannelsCargo>();
  cargo->worker = reader->U32();
  const uint8_t flags = reader->U8();
  cargo->wanted = (flags & kWanted) != 0;
  cargo->barrier = (flags & kBarrier) != 0;
  ReadTexts(reader, &cargo->names);
  *good = (flags & ~(kWanted | kBarrier)) == 0 && !(cargo->barrier && !cargo->names.empty());
  for (const std::string& name : cargo->names) *good = *good && IsChannelName(name);
  return cargo;
}

void AppendTracking(const TrackingCargo& cargo, WireWriter* writer) {
  writer->U32(cargo.worker);
  writer->U32(cargo.session);
  writer->U8(static_cast<uint8_t>((cargo.on ? kOn : 0) | (cargo.noloop ? kNoLoop : 0)));
  AppendTexts(cargo.prefixes, writer);
}

std::unique_ptr<TrackingCargo> ReadTracking(WireReader* reader, bool* good) {
  auto cargo = std::make_unique<TrackingCargo>();
  cargo->worker = reader->U32();
  cargo->session = reader->U32();
  const uint8_t flags = reader->U8();
  cargo->on = (flags & kOn) != 0;
  cargo->noloop = (flags & kNoLoop) != 0;
  ReadTexts(reader, &cargo->prefixes);
  *good = (flags & ~(kOn | kNoLoop)) == 0 && cargo->session != 0;
  return cargo;
}

std::unique_ptr<RequestCargo> ReadWatch(WireReader* reader, uint64_t* ticket) {
  auto cargo = std::make_unique<WatchCargo>();
  *ticket = reader->U64();
  for (size_t count = reader->Count(kLeastText); count > 0; --count) {
    cargo->existed.emplace_back(reader->Text());
  }
  return cargo;
}

}  // namespace

void AppendPeerCargo(const Request& request, uint64_t ticket, uint64_t waited_ms,
                     std::string* out) {
  WireWriter writer(out);
  const RequestCargo* cargo = request.extra != nullptr ? request.extra->cargo.get() : nullptr;
  if (cargo == nullptr) return;
  if (HasWatch(request.kind, request.guarded)) {
    const auto& watch = static_cast<const WatchCargo&>(*cargo);
    writer.U64(ticket);
    writer.U32(static_cast<uint32_t>(watch.existed.size()));
    for (const std::string& key : watch.existed) writer.Text(key);
    return;
  }
  switch (KindOnceTracked(request.kind, request.becomes)) {
    case RequestKind::kChannels:
      AppendChannels(static_cast<const ChannelsCargo&>(*cargo), &writer);
      break;
    case RequestKind::kLibraries:
      writer.Text(static_cast<const LibrariesCargo&>(*cargo).shared);
      break;
    case RequestKind::kTracking:
      AppendTracking(static_cast<const TrackingCargo&>(*cargo), &writer);
      break;
    case RequestKind::kBlocking:
      writer.U64(Left(static_cast<const BlockingCargo&>(*cargo).timeout_ms, waited_ms));
      break;
    case RequestKind::kUnblock:
      writer.U64(ticket);
      writer.U8(static_cast<uint8_t>(static_cast<const UnblockCargo&>(*cargo).why));
      break;
    case RequestKind::kSync: {
      const auto& sync = static_cast<const SyncCargo&>(*cargo);
      writer.U64(static_cast<uint64_t>(sync.wanted));
      writer.U64(Left(sync.timeout_ms, waited_ms));
      break;
    }
    case RequestKind::kControl: {
      const ShardOrder& order = static_cast<const OrderCargo&>(*cargo).order;
      writer.U8(static_cast<uint8_t>(order.verb));
      writer.Text(order.node);
      break;
    }
    case RequestKind::kNodes:
      AppendNodesOrder(static_cast<const NodesOrder&>(*cargo), &writer);
      break;
    default:
      break;
  }
}

bool ReadPeerCargo(RequestKind kind, bool guarded, std::string_view bytes, PeerCargo* read) {
  WireReader reader(bytes);
  bool good = true;
  if (HasWatch(kind, guarded)) {
    read->cargo = ReadWatch(&reader, &read->ticket);
    return read->cargo != nullptr && reader.AtEnd();
  }
  switch (kind) {
    case RequestKind::kChannels:
      read->cargo = ReadChannels(&reader, &good);
      break;
    case RequestKind::kLibraries: {
      if (bytes.empty()) break;
      auto cargo = std::make_unique<LibrariesCargo>();
      cargo->shared = reader.Text();
      read->cargo = std::move(cargo);
      break;
    }
    case RequestKind::kTracking:
      read->cargo = ReadTracking(&reader, &good);
      break;
    case RequestKind::kBlocking: {
      auto cargo = std::make_unique<BlockingCargo>();
      cargo->timeout_ms = reader.U64();
      read->cargo = std::move(cargo);
      break;
    }
    case RequestKind::kUnblock: {
      auto cargo = std::make_unique<UnblockCargo>();
      read->ticket = reader.U64();
      const uint8_t why = reader.U8();
      good = why <= static_cast<uint8_t>(UnblockCargo::Why::kStopping);
      if (good) cargo->why = UnblockCargo::Why{why};
      read->cargo = std::move(cargo);
      break;
    }
    case RequestKind::kSync: {
      auto cargo = std::make_unique<SyncCargo>();
      cargo->wanted = static_cast<int64_t>(reader.U64());
      cargo->timeout_ms = reader.U64();
      read->cargo = std::move(cargo);
      break;
    }
    case RequestKind::kControl: {
      const uint8_t verb = reader.U8();
      ShardOrder order;
      good = verb <= static_cast<uint8_t>(ShardOrder::Verb::kFailback);
      if (good) order.verb = ShardOrder::Verb{verb};
      order.node = reader.Text();
      read->cargo = std::make_unique<OrderCargo>(std::move(order));
      break;
    }
    case RequestKind::kNodes: {
      auto cargo = std::make_unique<NodesOrder>();
      good = ReadNodesOrder(&reader, cargo.get());
      read->cargo = std::move(cargo);
      break;
    }
    default:
      break;
  }
  return good && reader.AtEnd();
}

void AppendPeerAnswers(const Request& request, std::string* out) {
  if (request.kind != RequestKind::kNodes) return;
  const auto& order = static_cast<const NodesOrder&>(*request.extra->cargo);
  WireWriter writer(out);
  writer.U32(static_cast<uint32_t>(order.answers.size()));
  for (const NodesOrder::Answer& answer : order.answers) {
    writer.Text(answer.node);
    writer.U8(static_cast<uint8_t>((answer.primary ? 1 : 0) | (answer.away ? 2 : 0)));
    writer.U32(static_cast<uint32_t>(answer.replies.size()));
    for (const ControlReply& reply : answer.replies) {
      writer.U8(static_cast<uint8_t>((reply.ok ? 1 : 0) | (reply.refused ? 2 : 0)));
      writer.Text(reply.error);
      writer.Text(reply.text);
      writer.Text(reply.frame);
    }
  }
}

bool ReadPeerAnswers(std::string_view bytes, Request* request) {
  if (request->kind != RequestKind::kNodes) return bytes.empty();
  auto& order = static_cast<NodesOrder&>(*request->extra->cargo);
  order.answers.clear();
  WireReader reader(bytes);
  for (size_t answers = reader.Count(9); answers > 0; --answers) {
    NodesOrder::Answer& answer = order.answers.emplace_back();
    answer.node = reader.Text();
    const uint8_t flags = reader.U8();
    answer.primary = (flags & 1) != 0;
    answer.away = (flags & 2) != 0;
    for (size_t replies = reader.Count(13); replies > 0; --replies) {
      ControlReply& reply = answer.replies.emplace_back();
      const uint8_t said = reader.U8();
      reply.ok = (said & 1) != 0;
      reply.refused = (said & 2) != 0;
      reply.error = reader.Text();
      reply.text = reader.Text();
      reply.frame = reader.Text();
    }
  }
  if (reader.AtEnd()) return true;
  order.answers.clear();
  return false;
}

}  // namespace gemel
