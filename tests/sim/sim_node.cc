#include "tests/module_command.h"
#include "tests/sim/sim_node.h"

#include <algorithm>
#include <utility>

#include "backend/command/command_table.h"
#include "backend/command/key_finder.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel::sim {

namespace {

// A whole multibulk command at the start of *in is cut off into *args. Written apart from the
// reader under test.
bool CutCommand(std::string* in, std::vector<std::string>* args) {
  size_t at = 0;
  auto number = [&](char type, int64_t* value) {
    const size_t end = in->find("\r\n", at);
    if (end == std::string::npos || (*in)[at] != type) return false;
    *value = std::stoll(in->substr(at + 1, end - at - 1));
    at = end + 2;
    return true;
  };
  int64_t count = 0;
  if (in->empty() || !number('*', &count)) return false;
  args->clear();
  for (; count > 0; --count) {
    int64_t length = 0;
    if (at >= in->size() || !number('$', &length)) return false;
    if (in->size() < at + static_cast<size_t>(length) + 2) return false;
    args->push_back(in->substr(at, static_cast<size_t>(length)));
    at += static_cast<size_t>(length) + 2;
  }
  in->erase(0, at);
  return true;
}

// What the node says is of RESP2; of it only nulls read otherwise.
void AppendInResp3(std::string_view reply, std::string* out) {
  std::vector<std::string_view> elements;
  if (IsNullReply(reply)) {
    AppendNull(out);
  } else if (reply[0] == '*' && SplitArray(reply, &elements)) {
    AppendArrayHeader(out, static_cast<int64_t>(elements.size()));
    for (const std::string_view element : elements) AppendInResp3(element, out);
  } else {
    out->append(reply);
  }
}

}  // namespace

Node::Node(Loop* loop, std::string address)
    : loop_(loop),
      address_(std::move(address)),
      keys_(loop, [this](Gone how, const std::string& key) { OnRemoved(how, key); }) {
  ReadConfigFile();
  run_id_ = address_ + "#0";
  NewReplid();
}

uint64_t Node::Delay(Loop* dice) {
  if (dice == nullptr) dice = loop_;
  const uint64_t extra = extra_us_ > 0 ? dice->Between(extra_us_ / 2, extra_us_) : 0;
  return extra + dice->Between(20, dice->Chance(5) ? 3000 : 300);
}

void Node::Connect(const ConnectionPtr& connection) {
  connection->node = this;
  loop_->After(Delay(DiceOf(connection)), [this, connection] {
    auto arrive = [this, connection] {
      if (!connection->connected) return;
      if (!alive_ || refusing_) {
        if (auto closed = std::move(connection->closed)) {
          connection->CloseClientEnd();
          closed(true);
        }
        return;
      }
      connection->id = next_client_id_++;
      connections_.push_back(connection);
      const auto connected = connection->connected;
      connected();
    };
    if (cut_off_) {
      stopped_.push_back(arrive);
    } else {
      arrive();
    }
  });
}

void Node::Send(const ConnectionPtr& connection, std::string bytes) {
  // In order on one connection; what is left of an older connection may be read later.
  Loop* dice = DiceOf(connection);
  while (!bytes.empty()) {
    const size_t part = dice->Chance(20) ? dice->Between(1, bytes.size()) : bytes.size();
    uint64_t& last = connection->last_arrival_us;
    last = std::max(last, loop_->now_us() + Delay(dice));
    loop_->At(last,
              [this, connection, piece = bytes.substr(0, part)] { Arrive(connection, piece); });
    bytes.erase(0, part);
  }
}

void Node::CloseByClient(const ConnectionPtr& connection) {
  connection->CloseClientEnd();
  Drop(connection, DiceOf(connection)->Chance(50) ? 5000 : 0);
}

void Node::Drop(const ConnectionPtr& connection, uint64_t after_us) {
  if (after_us == 0) {
    connection->node_open = false;
    std::erase(connections_, connection);
    return;
  }
  loop_->After(after_us, [this, connection] { Drop(connection, 0); });
}

void Node::Arrive(const ConnectionPtr& connection, const std::string& bytes) {
  if (!alive_) return;
  if (hung_ || cut_off_) {
    stopped_.push_back([this, connection, bytes] { Arrive(connection, bytes); });
    return;
  }
  if (!connection->node_open) {
    End(connection);  // a process that knows nothing of it answers with a reset
    return;
  }
  connection->in += bytes;
  Process(connection);
}

void Node::Process(const ConnectionPtr& connection) {
  std::vector<std::string> args;
  std::string replies;
  while (CutCommand(&connection->in, &args)) {
    const bool here = args[0] == "CLIENT" && !Refuses(args[0]);
    std::string reply;
    if (connection->multi || args[0] == "MULTI") {
      reply = InMulti(connection, args);
    } else if (!connection->patterns.empty() || args[0] == "PSUBSCRIBE") {
      reply = AsSubscriber(connection, args);
    } else if (args[0] == "HELLO" && knows_hello_) {
      connection->resp3 = true;
      reply = "%0\r\n";
    } else {
      if (args[0] == "SELECT" && std::stoul(args[1]) < databases_ && !Refuses(args[0])) {
        connection->database = static_cast<uint8_t>(std::stoul(args[1]));
      }
      reply = here ? ClientCommand(connection, args) : Execute(args, connection->database);
    }
    if (connection->resp3) {
      AppendInResp3(reply, &replies);
    } else {
      replies += reply;
    }
  }
  if (replies.empty()) return;
  if (const uint64_t busy_us = std::exchange(busy_us_, 0); busy_us > 0) {
    BeBusy(busy_us);
    stopped_.push_back([this, connection, replies] { Reply(connection, replies); });
    return;
  }
  Reply(connection, std::move(replies));
}

std::string Node::InMulti(const ConnectionPtr& connection, const std::vector<std::string>& args) {
  if (args[0] == "MULTI") {
    connection->multi = true;
    connection->aborted = false;
    connection->queued.clear();
    return Simple("OK");
  }
  if (args[0] != "EXEC") {
    std::string error;
    if (Refuses(args[0])) error = refusal_;
    if (Loading()) error = "-LOADING Redis is loading the dataset in memory\r\n";
    if (master_ != nullptr && Keyspace::IsWrite(args[0])) error = "-READONLY You can't write\r\n";
    connection->aborted |= !error.empty();
    connection->queued.push_back(args);
    return error.empty() ? Simple("QUEUED") : error;
  }
  connection->multi = false;
  if (connection->aborted || Refuses("EXEC")) return "-EXECABORT Transaction discarded\r\n";
  std::string replies = "*" + std::to_string(connection->queued.size()) + "\r\n";
  MayEvict(true);
  in_exec_ = true;
  for (const std::vector<std::string>& queued : connection->queued) {
    if (queued[0] == "SELECT" && std::stoul(queued[1]) < databases_) {
      connection->database = static_cast<uint8_t>(std::stoul(queued[1]));
    }
    replies += queued[0] == "PSUBSCRIBE" ? AsSubscriber(connection, queued)
                                         : Execute(queued, connection->database);
  }
  in_exec_ = false;
  return replies;
}

void Node::BeBusy(uint64_t for_us) {
  hung_ = true;
  loop_->After(for_us, [this, start = starts_] {
    if (alive_ && starts_ == start) Resume();
  });
}

void Node::Reply(const ConnectionPtr& connection, std::string bytes,
                 std::function<void()> arrived) {
  Loop* dice = DiceOf(connection);
  while (!bytes.empty()) {
    const size_t part = dice->Chance(20) ? dice->Between(1, bytes.size()) : bytes.size();
    uint64_t& last = connection->last_to_client_us;
    last = std::max(last, loop_->now_us() + Delay(dice));
    const bool whole = part == bytes.size();
    loop_->At(last, [this, connection, piece = bytes.substr(0, part), whole, arrived] {
      auto arrive = [connection, piece, whole, arrived] {
        // A copy, for it may be closed on the way.
        const auto to_client = connection->to_client;
        if (!to_client) return;
        if (whole && arrived) arrived();
        to_client(piece);
      };
      if (cut_off_) {
        stopped_.push_back(arrive);
      } else {
        arrive();
      }
    });
    bytes.erase(0, part);
  }
}

void Node::Kill(bool silently) {
  if (alive_ && keeps_writes_) saved_ = keys_.Save();
  alive_ = hung_ = false;
  keys_.Clear();
  stopped_.clear();
  refusal_.clear();
  loading_until_us_ = 0;
  if (!silently) {
    ResetAll();
  } else {
    for (const ConnectionPtr& connection : connections_) connection->node_open = false;
    connections_.clear();
  }
  LoseReplicas();
  ReplicaOf(nullptr);
}

void Node::Start() {
  if (alive_) return;
  alive_ = true;
  next_client_id_ = 1;
  run_id_ = address_ + "#" + std::to_string(++starts_);
  keys_.Load(saved_, /*all=*/false);
  ReadConfigFile();
  expired_ = evicted_ = 0;
  offset_ = 0;
  NewReplid();
  if (loop_->Chance(20)) Load(loop_->Between(1000, 100000));
}

void Node::Save() {
  if (alive_) saved_ = keys_.Save();
}

void Node::Forget() { saved_ = {}; }

void Node::Load(uint64_t for_us) { loading_until_us_ = loop_->now_us() + for_us; }

void Node::Hang() { hung_ = alive_; }

void Node::Resume() {
  hung_ = false;
  Heal();
}

void Node::CutOff() { cut_off_ = true; }

void Node::Heal() {
  if (hung_) {
    cut_off_ = false;
    return;
  }
  cut_off_ = false;
  std::deque<std::function<void()>> stopped = std::move(stopped_);
  stopped_.clear();
  // All that waited comes before what is sent from now on.
  for (auto& event : stopped) event();
}

void Node::End(const ConnectionPtr& connection) {
  uint64_t at_us = loop_->now_us() + DiceOf(connection)->Between(10, 300);
  // As a process that ends in order of its machine leaves it: what it wrote comes first.
  if (!connection->patterns.empty() && DiceOf(connection)->Chance(70)) {
    at_us = std::max(at_us, connection->last_to_client_us);
  }
  loop_->At(at_us, [connection] {
    if (auto closed = std::move(connection->closed)) {
      connection->CloseClientEnd();
      closed(false);
    }
  });
}

void Node::ResetAll() {
  std::vector<ConnectionPtr> all = connections_;
  for (const ConnectionPtr& connection : all) {
    // What was under way to a living process may still be read by it.
    Loop* dice = DiceOf(connection);
    Drop(connection, alive_ && dice->Chance(50) ? dice->Between(1, 2000) : 0);
    End(connection);
  }
  if (!alive_) connections_.clear();
}

std::string Node::Info() const {
  std::string text = "# Server\r\nredis_version:7.0.15\r\nrun_id:" + run_id_ + "\r\n";
  if (keeps_writes_) text += "aof_enabled:1\r\n";
  text += "# Memory\r\nmaxmemory:" + config_.at("maxmemory") + "\r\n";
  text += "maxmemory_policy:" + config_.at("maxmemory-policy") + "\r\n";
  text += "# Stats\r\nexpired_keys:" + std::to_string(expired_) + "\r\n";
  text += "evicted_keys:" + std::to_string(evicted_) + "\r\n";
  text += "# Keyspace\r\n";
  std::map<uint8_t, size_t> counts;
  for (const auto& [key, value] : keys_.values()) ++counts[keys_.DatabaseOf(key)];
  for (const auto& [database, keys] : counts) {
    text += "db" + std::to_string(database) + ":keys=" + std::to_string(keys) + ",expires=0\r\n";
  }
  text += "# Replication\r\n";
  text += std::string("role:") + (master_ != nullptr ? "slave" : "master") + "\r\n";
  if (master_ != nullptr) {
    const size_t colon = master_->address_.rfind(':');
    text += "master_host:" + master_->address_.substr(0, colon) + "\r\n";
    text += "master_port:" + master_->address_.substr(colon + 1) + "\r\n";
    text += std::string("master_link_status:") + (synced_ ? "up" : "down") + "\r\n";
    text += std::string("master_sync_in_progress:") + (synced_ ? "0" : "1") + "\r\n";
    text += "slave_repl_offset:" + std::to_string(offset_) + "\r\n";
  }
  text += "master_replid:" + replid_ + "\r\n";
  text += "master_repl_offset:" + std::to_string(offset_) + "\r\n";
  return text;
}

std::string Node::ClientCommand(const ConnectionPtr& connection,
                                const std::vector<std::string>& args) {
  if (args[1] == "ID") return Integer(static_cast<int64_t>(connection->id));
  if (args[1] == "SETNAME") {
    connection->name = args[2];
    return Simple("OK");
  }
  if (args[1] == "LIST") {
    std::string list;
    for (const ConnectionPtr& other : connections_) {
      list += "id=" + std::to_string(other->id) + " name=" + other->name + " db=0\n";
    }
    return Bulk(list);
  }
  // KILL ID n: what it has not read of that connection is thrown away.
  int64_t killed = 0;
  for (const ConnectionPtr& other : std::vector<ConnectionPtr>(connections_)) {
    if (std::to_string(other->id) != args[3]) continue;
    ++killed;
    Drop(other, 0);
    End(other);
  }
  return Integer(killed);
}

bool Node::Refuses(const std::string& name) const {
  if (refusal_.empty()) return false;
  if (refusal_.starts_with("-BUSY")) return name != "AUTH";
  const bool frees = name == "DEL" || name == "UNLINK" || name == "FLUSHDB";
  return Keyspace::IsWrite(name) && !(frees && refusal_.starts_with("-OOM"));
}

void Node::CheckDatabase(const std::vector<std::string>& args, uint8_t database) {
  static const CommandTable table(ModuleCommands());
  const std::vector<std::string_view> words(args.begin(), args.end());
  const CommandRow* row = table.Find(words);
  std::vector<uint32_t> keys;
  if (args[0] == "DEBUG") keys = {2};
  if (args[0] != "DEBUG" && (row == nullptr || !FindKeys(*row, words, &keys))) return;
  for (const uint32_t key : keys) {
    // COPY source destination REPLACE DB index
    const bool there = args[0] == "COPY" && key == 2 && args.size() > 5;
    const size_t in = there ? std::stoul(args[5]) : database;
    if (keys_.DatabaseOf(args[key]) == in) continue;
    wrong_(args[0] + " of " + args[key] + " came to database " + std::to_string(database));
  }
}

std::string Node::Execute(const std::vector<std::string>& args, uint8_t database) {
  const std::string& name = args[0];
  if (Refuses(name)) return refusal_;
  if (name == "INFO") return Bulk(Info());
  if (Loading()) return "-LOADING Redis is loading the dataset in memory\r\n";
  if (name == "PING") return Simple("PONG");
  if (name == "CONFIG") return Config(args);
  if (name == "CLIENT") return ClientCommand(nullptr, args);
  if (name == "SCRIPT" || name == "FUNCTION") {
    return "-NOTBUSY No scripts in execution right now.\r\n";
  }
  if (name == "REPLCONF") return "-ERR Unrecognized REPLCONF option: " + args[1] + "\r\n";
  if (name == "SELECT" && std::stoul(args[1]) >= databases_) {
    return "-ERR DB index is out of range\r\n";
  }
  if (name == "AUTH" || name == "SELECT") return Simple("OK");
  if (name == "ROLE") {
    std::string out = "*3\r\n" + Bulk(master_ != nullptr ? "slave" : "master");
    return out + Integer(0) + "*0\r\n";
  }
  if (name == "REPLICAOF") {
    if (!replicaof_allowed_) return "-ERR unknown command 'REPLICAOF'\r\n";
    if (args[1] != "NO" && args[2].find_first_not_of("0123456789") != std::string::npos) {
      return "-ERR Invalid master port\r\n";
    }
    Node* master = args[1] == "NO" ? nullptr : find_(args[1] + ":" + args[2]);
    if (master != nullptr ? master != master_ : master_ != nullptr) ReplicaOf(master);
    return Simple("OK");
  }
  if (name == "DEBUG" && !debug_allowed_) return "-ERR DEBUG command not allowed.\r\n";
  if (name == "EVAL_RO" || name == "ZUNIONSTORE") {  // the last word is how long it takes
    busy_us_ += std::stoull(args.back());
    if (busy_us_ > 0 && loop_->Chance(50)) busy_us_ += busy_us_ / 2;  // the copies are not alike
    return Integer(0);
  }
  const bool write = Keyspace::IsWrite(name);
  if (write && master_ != nullptr) {
    return "-READONLY You can't write against a read only replica.\r\n";
  }
  MayEvict(write);
  if (wrong_) CheckDatabase(args, database);
  keys_.Select(database);
  const std::optional<std::string> reply = keys_.Execute(args);
  TraceKey(args, reply ? *reply : std::string());
  if (!reply) return "-ERR unknown command '" + name + "'\r\n";
  // As Redis has it, what came of it and not what was asked.
  if (write && (*reply)[0] != '-') Replicate(keys_.EffectOf(args));
  return *reply;
}

void Node::Replicate(std::vector<std::vector<std::string>> effect) {
  ++offset_;
  for (Replica& replica : replicas_) {
    Node* node = replica.node;
    const uint64_t number = replica.sync_number;
    replica.last_us = std::max(replica.last_us, loop_->now_us() + loop_->Between(20, 1000));
    loop_->At(replica.last_us, [node, number, effect] {
      if (!node->alive_ || node->master_ == nullptr || node->sync_number_ != number) return;
      for (const std::vector<std::string>& command : effect) {
        node->keys_.Execute(command);
        node->TraceKey(command, "(replicated)\r\n");
      }
      ++node->offset_;
    });
  }
}

void Node::Control(const std::vector<std::string>& args,
                   std::function<void(const std::string&)> done) {
  last_control_us_ = std::max(last_control_us_, loop_->now_us() + Delay());
  loop_->At(last_control_us_, [this, args, done] {
    if (!alive_ || hung_ || cut_off_ || refusing_) {
      loop_->After(20000, [done] { done(""); });
      return;
    }
    loop_->After(Delay(), [done, reply = Execute(args)] { done(reply); });
  });
}

}  // namespace gemel::sim
