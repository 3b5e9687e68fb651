#include "tests/sim/sim_node.h"

#include <utility>

#include "backend/command/command_table.h"
#include "backend/command/key_finder.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"
#include "tests/module_command.h"
#include "tests/sim/sim_key_trace.h"

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
      run_id_(address_ + "#0"),
      condition_(loop),
      keys_(loop, [this](Gone how, const std::string& key) { removals_.OnRemoved(how, key); }),
      commands_(loop, &keys_),
      wire_(loop, &condition_, [this](const ConnectionPtr& connection) { Process(connection); }),
      replication_(loop, address_, &condition_, &keys_, &commands_),
      removals_(loop, this, address_, {&condition_, &keys_, &wire_, &replication_}) {}

void Node::SetUp(NodeKind kind) {
  kind_ = std::move(kind);
  keys_.set_database_of(kind_.database_of);
}

void Node::Process(const ConnectionPtr& connection) {
  std::vector<std::string> args;
  std::string replies;
  while (CutCommand(&connection->in, &args)) {
    const std::string reply = Answer(connection, args);
    if (connection->resp3) {
      AppendInResp3(reply, &replies);
    } else {
      replies += reply;
    }
  }
  if (replies.empty()) return;
  if (const uint64_t busy_us = std::exchange(busy_us_, 0); busy_us > 0) {
    BeBusy(busy_us);
    wire_.Hold([this, connection, replies] { wire_.Reply(connection, replies); });
    return;
  }
  wire_.Reply(connection, std::move(replies));
}

std::string Node::Answer(const ConnectionPtr& connection, const std::vector<std::string>& args) {
  if (connection->multi || args[0] == "MULTI") return InMulti(connection, args);
  if (!connection->patterns.empty() || args[0] == "PSUBSCRIBE") {
    return AsSubscriber(connection, args);
  }
  if (args[0] == "HELLO" && kind_.knows_hello) {
    connection->resp3 = true;
    return "%0\r\n";
  }
  const bool refused = condition_.Refuses(args[0]);
  if (args[0] == "SELECT" && std::stoul(args[1]) < kind_.databases && !refused) {
    connection->database = static_cast<uint8_t>(std::stoul(args[1]));
  }
  connection->select_refused |= args[0] == "SELECT" && refused;
  if (args[0] == "SELECT" && refused) refused_in_.insert(connection->database);
  lenient_ = connection->select_refused;
  return args[0] == "CLIENT" && !refused ? ClientCommand(connection, args)
                                         : Execute(args, connection->database);
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
    if (condition_.Refuses(args[0])) error = condition_.refusal();
    if (condition_.Loading()) error = "-LOADING Redis is loading the dataset in memory\r\n";
    if (replication_.is_replica() && KeyCommands::IsWrite(args[0])) {
      error = "-READONLY You can't write\r\n";
    }
    connection->aborted |= !error.empty();
    connection->queued.push_back(args);
    return error.empty() ? Simple("QUEUED") : error;
  }
  connection->multi = false;
  lenient_ = false;
  if (connection->aborted || condition_.Refuses("EXEC")) {
    return "-EXECABORT Transaction discarded\r\n";
  }
  std::string replies = "*" + std::to_string(connection->queued.size()) + "\r\n";
  MayEvict(true);
  in_exec_ = true;
  for (const std::vector<std::string>& queued : connection->queued) {
    if (queued[0] == "SELECT" && std::stoul(queued[1]) < kind_.databases) {
      connection->database = static_cast<uint8_t>(std::stoul(queued[1]));
    }
    replies += queued[0] == "PSUBSCRIBE" ? AsSubscriber(connection, queued)
                                         : Execute(queued, connection->database);
  }
  in_exec_ = false;
  return replies;
}

void Node::BeBusy(uint64_t for_us) {
  Hang();
  loop_->After(for_us, [this, start = starts_] {
    if (condition_.alive() && starts_ == start) Resume();
  });
}

std::string Node::AsSubscriber(const ConnectionPtr& connection,
                               const std::vector<std::string>& args) {
  if (condition_.Refuses(args[0])) return condition_.refusal();
  if (args[0] == "PING") {
    return "*2\r\n" + Bulk("pong") + Bulk(args.size() > 1 ? args[1] : std::string());
  }
  if (args[0] != "PSUBSCRIBE") {
    return "-ERR Can't execute '" + args[0] +
           "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context\r\n";
  }
  std::string replies;
  for (size_t i = 1; i < args.size(); ++i) {
    connection->patterns.push_back(args[i]);
    replies += "*3\r\n" + Bulk("psubscribe") + Bulk(args[i]) +
               Integer(static_cast<int64_t>(connection->patterns.size()));
  }
  return replies;
}

void Node::Kill(bool silently) {
  if (condition_.alive() && kind_.keeps_writes) saved_ = keys_.Save();
  condition_.Die();
  keys_.Clear();
  wire_.ForgetHeld();
  if (!silently) {
    wire_.ResetAll();
  } else {
    wire_.Vanish();
  }
  replication_.OnKill();
}

void Node::Start() {
  if (condition_.alive()) return;
  condition_.Live();
  wire_.CountAnew();
  run_id_ = address_ + "#" + std::to_string(++starts_);
  keys_.Load(saved_, /*all=*/false);
  removals_.OnStart();
  replication_.OnStart();
  if (loop_->Chance(20)) condition_.Load(loop_->Between(1000, 100000));
}

void Node::Save() {
  if (condition_.alive()) saved_ = keys_.Save();
}

void Node::Forget() { saved_ = {}; }

void Node::Resume() {
  condition_.Wake();
  Heal();
}

void Node::Heal() {
  condition_.set_cut_off(false);
  if (!condition_.hung()) wire_.LetGo();
}

std::string Node::Info() const {
  std::string text = "# Server\r\nredis_version:7.0.15\r\nrun_id:" + run_id_ + "\r\n";
  if (kind_.keeps_writes) text += "aof_enabled:1\r\n";
  text += removals_.Info();
  text += "# Keyspace\r\n";
  std::map<uint8_t, size_t> counts;
  for (const auto& [key, value] : keys_.values()) ++counts[keys_.DatabaseOf(key)];
  for (const auto& [database, keys] : counts) {
    text += "db" + std::to_string(database) + ":keys=" + std::to_string(keys) + ",expires=0\r\n";
  }
  return text + replication_.Info();
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
    for (const ConnectionPtr& other : wire_.connections()) {
      if (!kind_.shows_clients && other != connection) continue;
      list += "id=" + std::to_string(other->id) + " name=" + other->name + " db=0\n";
    }
    return Bulk(list);
  }
  // KILL ID n: what it has not read of that connection is thrown away.
  return Integer(wire_.EndClient(args[3]));
}

// The link finds out where a SELECT was refused, and takes no reply that came from behind it.
void Node::CheckDatabase(const std::vector<std::string>& args, uint8_t database) {
  if (lenient_ && !KeyCommands::IsWrite(args[0])) return;
  // What may have come to a database that was to be left is made equal there, from other copies.
  if (refused_in_.contains(database) && (args[0] == "RESTORE" || args[0] == "DEL")) return;
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
    kind_.wrong(args[0] + " of " + args[key] + " came to database " + std::to_string(database));
  }
}

std::string Node::Execute(const std::vector<std::string>& args, uint8_t database) {
  const std::string& name = args[0];
  if (condition_.Refuses(name)) return condition_.refusal();
  if (name == "INFO") return Bulk(Info());
  if (condition_.Loading()) return "-LOADING Redis is loading the dataset in memory\r\n";
  if (name == "PING") return Simple("PONG");
  if (name == "CONFIG") return removals_.Config(args);
  if (name == "CLIENT") return ClientCommand(nullptr, args);
  if (name == "SCRIPT" || name == "FUNCTION") {
    return "-NOTBUSY No scripts in execution right now.\r\n";
  }
  if (name == "REPLCONF") return "-ERR Unrecognized REPLCONF option: " + args[1] + "\r\n";
  if (name == "SELECT" && std::stoul(args[1]) >= kind_.databases) {
    return "-ERR DB index is out of range\r\n";
  }
  if (name == "AUTH" || name == "SELECT") return Simple("OK");
  if (name == "ROLE") {
    std::string out = "*3\r\n" + Bulk(replication_.is_replica() ? "slave" : "master");
    return out + Integer(0) + "*0\r\n";
  }
  if (name == "REPLICAOF") return ReplicaOf(args);
  if (name == "DEBUG" && !kind_.knows_debug) return "-ERR DEBUG command not allowed.\r\n";
  if (name == "EVAL_RO" || name == "ZUNIONSTORE") {  // the last word is how long it takes
    busy_us_ += std::stoull(args.back());
    if (busy_us_ > 0 && loop_->Chance(50)) busy_us_ += busy_us_ / 2;  // the copies are not alike
    return Integer(0);
  }
  return ExecuteOnKeys(args, database);
}

std::string Node::ExecuteOnKeys(const std::vector<std::string>& args, uint8_t database) {
  const bool write = KeyCommands::IsWrite(args[0]);
  if (write && replication_.is_replica()) {
    return "-READONLY You can't write against a read only replica.\r\n";
  }
  MayEvict(write);
  if (kind_.wrong) CheckDatabase(args, database);
  commands_.Select(database);
  const std::optional<std::string> reply = commands_.Execute(args);
  TraceKey(*loop_, address_, args, reply ? *reply : std::string());
  if (!reply) return "-ERR unknown command '" + args[0] + "'\r\n";
  // As Redis has it, what came of it and not what was asked.
  if (write && (*reply)[0] != '-') replication_.Send(commands_.EffectOf(args));
  return *reply;
}

void Node::MayEvict(bool write) {
  if (!in_exec_ && !replication_.is_replica()) removals_.MayEvict(write);
}

std::string Node::ReplicaOf(const std::vector<std::string>& args) {
  if (!kind_.knows_replicaof) return "-ERR unknown command 'REPLICAOF'\r\n";
  if (args[1] != "NO" && args[2].find_first_not_of("0123456789") != std::string::npos) {
    return "-ERR Invalid master port\r\n";
  }
  Node* master = args[1] == "NO" ? nullptr : find_(args[1] + ":" + args[2]);
  replication_.Follow(master == nullptr ? nullptr : &master->replication_);
  return Simple("OK");
}

void Node::Control(const std::vector<std::string>& args,
                   std::function<void(const std::string&)> done) {
  wire_.Control(
      [this, args] {
        lenient_ = false;
        return Execute(args);
      },
      std::move(done));
}

}  // namespace gemel::sim
