// CLUSTER, READONLY, READWRITE and ASKING: with [proxy] cluster gemel is a Redis Cluster of one
// node, which has all slots, so that clients of a cluster can be used as they are. Without, it is
// no cluster.
//
// Source: cluster.c of Redis 7.0; the Redis Cluster specification, "Key distribution model".

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "config/address.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr int64_t kHashSlots = 16384;

// CRC-16/XMODEM: polynomial 1021, from 0.
constexpr std::array<uint16_t, 256> MakeCrcTable() {
  std::array<uint16_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}

// Of what is between the first "{" and the next "}", if there is anything.
int64_t SlotOf(std::string_view key) {
  static constexpr std::array<uint16_t, 256> kTable = MakeCrcTable();
  if (const size_t open = key.find('{'); open != std::string_view::npos) {
    const size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  uint32_t crc = 0;
  for (const char c : key) {
    crc = (crc << 8 ^ kTable[(crc >> 8 ^ static_cast<unsigned char>(c)) & 0xff]) & 0xffff;
  }
  return crc % kHashSlots;
}

bool IsOn(Session& session) { return session.context().pool->config().cluster; }

// False, and the client has been told.
bool Check(Session& session) {
  if (!IsOn(session)) session.ReplyError("ERR This instance has cluster support disabled");
  return IsOn(session);
}

struct Endpoint {
  std::string host;
  int64_t port;
};

// Where clients find it: as the file says, or where this one has found it.
Endpoint EndpointFor(Session& session) {
  const PoolConfig& config = session.context().pool->config();
  if (!config.announce.host.empty()) return {config.announce.host, config.announce.port};
  std::string error;
  const std::optional<Address> local = ParseAddress(session.facts().local, &error);
  if (local && !local->IsUnix()) return {local->host, local->port};
  for (const Address& address : config.listen) {  // it came over a Unix socket
    if (!address.IsUnix()) return {address.host, address.port};
  }
  return {"", 0};
}

const std::string& IdOf(LocalCommands& local) { return local.process().run_id; }

void ClusterSlots(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  if (!Check(session)) return;
  const Endpoint endpoint = EndpointFor(session);
  std::string out;
  AppendArrayHeader(&out, 1);
  AppendArrayHeader(&out, 3);
  AppendInteger(&out, 0);
  AppendInteger(&out, kHashSlots - 1);
  AppendArrayHeader(&out, 4);
  AppendBulk(&out, endpoint.host);
  AppendInteger(&out, endpoint.port);
  AppendBulk(&out, IdOf(local));
  AppendMapHeader(&out, 0);
  session.ReplyNow(out);
}

void ClusterShards(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  if (!Check(session)) return;
  const Endpoint endpoint = EndpointFor(session);
  std::string out;
  AppendArrayHeader(&out, 1);
  AppendMapHeader(&out, 2);
  AppendBulk(&out, "slots");
  AppendArrayHeader(&out, 2);
  AppendInteger(&out, 0);
  AppendInteger(&out, kHashSlots - 1);
  AppendBulk(&out, "nodes");
  AppendArrayHeader(&out, 1);
  AppendMapHeader(&out, 7);
  AppendBulk(&out, "id");
  AppendBulk(&out, IdOf(local));
  AppendBulk(&out, "port");
  AppendInteger(&out, endpoint.port);
  AppendBulk(&out, "ip");
  AppendBulk(&out, endpoint.host);
  AppendBulk(&out, "endpoint");
  AppendBulk(&out, endpoint.host);
  AppendBulk(&out, "role");
  AppendBulk(&out, "master");
  AppendBulk(&out, "replication-offset");
  AppendInteger(&out, 0);
  AppendBulk(&out, "health");
  AppendBulk(&out, "online");
  session.ReplyNow(out);
}

void ClusterNodes(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  if (!Check(session)) return;
  const Endpoint endpoint = EndpointFor(session);
  std::string out;
  AppendVerbatim(&out, IdOf(local) + " " + endpoint.host + ":" + std::to_string(endpoint.port) +
                           "@" + std::to_string(endpoint.port + 10000) +
                           " myself,master - 0 0 1 connected 0-" + std::to_string(kHashSlots - 1) +
                           "\n");
  session.ReplyNow(out);
}

void ClusterInfo(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  if (!Check(session)) return;
  const std::string slots = std::to_string(kHashSlots);
  std::string out;
  AppendVerbatim(&out, "cluster_state:ok\r\ncluster_slots_assigned:" + slots +
                           "\r\ncluster_slots_ok:" + slots +
                           "\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:0\r\n"
                           "cluster_known_nodes:1\r\ncluster_size:1\r\ncluster_current_epoch:1\r\n"
                           "cluster_my_epoch:1\r\ncluster_stats_messages_sent:0\r\n"
                           "cluster_stats_messages_received:0\r\n"
                           "total_cluster_links_buffer_limit_exceeded:0\r\n");
  session.ReplyNow(out);
}

void ClusterMyId(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  if (!Check(session)) return;
  std::string out;
  AppendBulk(&out, IdOf(local));
  session.ReplyNow(out);
}

void ClusterKeySlot(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  if (!Check(session)) return;
  std::string out;
  AppendInteger(&out, SlotOf(args[2]));
  session.ReplyNow(out);
}

// Looks through the keys of all shards, by SCAN, for those of one slot. It owns itself once it has
// begun, and is gone when it has answered.
class SlotSearch : public RequestSink {
 public:
  // `most`: so many keys are the answer; 0: their number is.
  static void Begin(Session& session, const CommandRow& row, int64_t slot, uint64_t most) {
    SessionContext& context = session.context();
    auto search = std::unique_ptr<SlotSearch>(
        new SlotSearch(context.dispatcher, session.Reserve(&row), slot, most));
    for (const PoolShard& shard : context.pool->shards()) search->shards_.push_back(shard.slot);
    search->scan_ = context.pool->table().FindByName("scan");
    search.release()->Ask();  // NOLINT: until End
  }

 private:
  SlotSearch(Dispatcher* dispatcher, Request* place, int64_t slot, uint64_t most)
      : dispatcher_(dispatcher), place_(place), slot_(slot), most_(most) {}

  void Ask() {
    const std::string frame = CommandFrame({"SCAN", cursor_, "COUNT", "1000"});
    Request* request = dispatcher_->New();
    request->sink = this;
    request->session = place_->session;
    request->database = place_->database;
    request->shard = static_cast<uint16_t>(shards_.back());
    request->row = scan_;
    request->primary_only = request->cursors = true;
    request->frame = frame;
    request->OwnFrame();
    dispatcher_->Submit(request);
  }

  void OnReply(Request* request, const Reply& reply) override {
    if (request->submitted) dispatcher_->Answered(*request);
    std::vector<std::string_view> parts;
    std::vector<std::string_view> keys;
    std::string error;
    if (reply.bytes[0] == '-') {
      error = reply.bytes;
    } else if (!SplitArray(reply.bytes, &parts) || parts.size() != 2 ||
               !SplitArray(parts[1], &keys)) {
      error = "-ERR a node gave no list of keys to SCAN\r\n";
    } else {
      cursor_ = ReplyText(parts[0]);
    }
    for (const std::string_view key : keys) Note(ReplyText(key));
    if (cursor_ == "0") shards_.pop_back();
    dispatcher_->Free(request);
    const bool enough = most_ > 0 && found_.size() >= most_;
    if (!error.empty() || shards_.empty() || enough || !place_->sink->Wanted()) {
      End(error);
    } else {
      Ask();
    }
  }

  void Note(std::string_view key) {
    if (SlotOf(key) != slot_) return;
    ++count_;
    if (found_.size() < most_) found_.emplace_back(key);
  }

  void End(std::string out) {
    if (out.empty() && most_ == 0) {
      AppendInteger(&out, count_);
    } else if (out.empty()) {
      AppendArrayHeader(&out, static_cast<int64_t>(found_.size()));
      for (const std::string& key : found_) AppendBulk(&out, key);
    }
    place_->sink->OnReply(place_, Reply{out, nullptr});
    delete this;
  }

  Dispatcher* dispatcher_;
  Request* place_;
  const CommandRow* scan_ = nullptr;
  std::vector<uint32_t> shards_;  // still to be looked at; the last one is
  std::string cursor_ = "0";
  const int64_t slot_;
  const uint64_t most_;
  int64_t count_ = 0;
  std::vector<std::string> found_;
};

// COUNTKEYSINSLOT and GETKEYSINSLOT.
void ClusterKeysInSlot(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  constexpr int64_t kMostKeys = 10'000;  // of one answer: it is held until it is whole
  if (!Check(session)) return;
  int64_t slot = 0;
  int64_t most = 0;
  if (!ParseInteger(args[2], &slot) || (args.size() > 3 && !ParseInteger(args[3], &most))) {
    session.ReplyError("ERR value is not an integer or out of range");
  } else if (slot < 0 || slot >= kHashSlots || most < 0) {
    session.ReplyError(args.size() > 3 ? "ERR Invalid slot or number of keys" : "ERR Invalid slot");
  } else if (args.size() > 3 && most == 0) {
    session.ReplyNow("*0\r\n");
  } else {
    SlotSearch::Begin(session, row, slot, static_cast<uint64_t>(std::min(most, kMostKeys)));
  }
}

// READONLY, READWRITE, ASKING: there is nothing that they would change.
void ClusterMode(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  if (Check(session)) session.ReplyNow("+OK\r\n");
}

}  // namespace

LocalHandler ClusterHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kClusterSlots:
      return ClusterSlots;
    case LocalCommand::kClusterShards:
      return ClusterShards;
    case LocalCommand::kClusterNodes:
      return ClusterNodes;
    case LocalCommand::kClusterInfo:
      return ClusterInfo;
    case LocalCommand::kClusterMyId:
      return ClusterMyId;
    case LocalCommand::kClusterKeySlot:
      return ClusterKeySlot;
    case LocalCommand::kClusterKeysInSlot:
      return ClusterKeysInSlot;
    case LocalCommand::kClusterMode:
      return ClusterMode;
    default:
      return nullptr;
  }
}

}  // namespace gemel
