// A shard with its audit over nodes that are models of Redis: the world of the tests of Audit.

#ifndef GEMEL_TESTS_UNIT_AUDIT_WORLD_H_
#define GEMEL_TESTS_UNIT_AUDIT_WORLD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/audit/audit.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/shard.h"
#include "backend/topology/edit_queue.h"
#include "tests/unit/fake_transport.h"

namespace gemel::audit_test {

using Words = std::vector<std::string>;

struct Value {
  std::string type = "string";
  Words parts;
  int64_t ttl_ms = -1;
  int64_t size = 64;

  bool operator==(const Value&) const = default;
};
inline Value String(std::string text) { return {"string", {std::move(text)}}; }

inline std::string Array(const Words& words) {
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(words.size()));
  for (const std::string& word : words) AppendBulk(&out, word);
  return out;
}
inline std::string Integer(int64_t value) {
  std::string out;
  AppendInteger(&out, value);
  return out;
}
inline std::string Bulk(std::string_view text) {
  std::string out;
  AppendBulk(&out, text);
  return out;
}

struct ModelNode {
  std::string run_id;
  std::map<std::string, Value> data;
  bool debug_allowed = true;
  bool memory_allowed = true;
  bool is_old = false;     // before 7.0: it knows no PEXPIRETIME
  bool backwards = false;  // the order of its hash tables
  int64_t clock_ms = 0;
  std::string error;  // its answer to all but the handshake
  std::map<std::string, size_t> counts;

  std::string Execute(const Words& words) {
    const std::string& name = words[0];
    if (name == "PING") return "+PONG\r\n";
    if (name == "INFO") return Bulk("# Server\r\nrun_id:" + run_id + "\r\n");
    if (name == "MULTI") return "+OK\r\n";
    if (name == "EXEC") return "*0\r\n";
    if (name == "ROLE") return "*1\r\n$6\r\nmaster\r\n";
    if (name == "DBSIZE") return Integer(static_cast<int64_t>(data.size()) + 1);
    ++counts[name];
    if (!error.empty()) return "-" + error + "\r\n";
    if (name == "SCAN") return ScanReply(std::stoul(words[1]), std::stoul(words[3]));
    if (name == "CLIENT") return Integer(words[1] == "ID" ? 7 : 0);
    const std::string& key = words[name == "MEMORY" || name == "DEBUG" || name == "XINFO" ? 2 : 1];
    const auto found = data.find(key);
    const Value* value = found == data.end() ? nullptr : &found->second;
    if (name == "EXISTS") return Integer(value != nullptr);
    if (name == "TYPE") return "+" + (value == nullptr ? "none" : value->type) + "\r\n";
    if (name == "PTTL") return Integer(value == nullptr ? -2 : value->ttl_ms);
    if (name == "PEXPIRETIME") {
      if (is_old) return "-ERR unknown command 'PEXPIRETIME'\r\n";
      return Integer(value == nullptr ? -2 : value->ttl_ms < 0 ? -1 : value->ttl_ms + clock_ms);
    }
    if (name == "MEMORY") {
      if (!memory_allowed) return "-NOPERM this user has no permissions\r\n";
      return value == nullptr ? "$-1\r\n" : Integer(value->size);
    }
    if (name == "DEBUG") {
      if (!debug_allowed) return "-ERR DEBUG command not allowed.\r\n";
      return "*1\r\n+" + std::to_string(value == nullptr ? 0 : Digest(*value)) + "\r\n";
    }
    if (name == "SET") {
      data[key] = String(words[2]);
      return "+OK\r\n";
    }
    if (name == "DEL") return Integer(static_cast<int64_t>(data.erase(key)));
    if (name == "RESTORE") {
      data[key] = FromDump(words[3]);
      data[key].ttl_ms = words[2] == "0" ? -1 : std::stoll(words[2]);
      if (words.back() == "ABSTTL") data[key].ttl_ms -= clock_ms;
      return "+OK\r\n";
    }
    if (name == "DUMP") return value == nullptr ? "$-1\r\n" : Bulk(ToDump(*value));
    return Read(name, value);
  }

 private:
  std::string ScanReply(size_t from, size_t count) const {
    Words keys;
    size_t at = 0;
    for (const auto& [key, value] : data) {
      if (at >= from && at < from + count) keys.push_back(key);
      ++at;
    }
    const size_t next = from + count < data.size() ? from + count : 0;
    return "*2\r\n" + Bulk(std::to_string(next)) + Array(keys);
  }
  static bool IsTable(const Value& value) { return value.type == "hash" || value.type == "set"; }
  static size_t Digest(const Value& value) {
    Words elements;
    const size_t step = value.type == "hash" ? 2 : 1;
    for (size_t i = 0; i < value.parts.size(); ++i) {
      if (i % step == 0) elements.emplace_back();
      elements.back() += std::to_string(value.parts[i].size()) + ":" + value.parts[i];
    }
    if (IsTable(value)) std::sort(elements.begin(), elements.end());
    std::string all = value.type;
    for (const std::string& element : elements) all += element;
    return std::hash<std::string>()(all);
  }
  // As a server stores it: tables in their own order.
  Words Stored(const Value& value) const {
    Words parts = value.parts;
    if (!backwards || !IsTable(value)) return parts;
    std::reverse(parts.begin(), parts.end());
    if (value.type == "hash") {
      for (size_t i = 0; i + 1 < parts.size(); i += 2) std::swap(parts[i], parts[i + 1]);
    }
    return parts;
  }
  std::string ToDump(const Value& value) const {
    std::string dump = value.type + "\n" + std::to_string(value.size);
    for (const std::string& part : Stored(value)) dump += "\n" + part;
    return dump;
  }
  static Value FromDump(const std::string& dump) {
    Words words;
    size_t at = 0;
    while (at <= dump.size()) {
      const size_t end = std::min(dump.find('\n', at), dump.size());
      words.push_back(dump.substr(at, end - at));
      at = end + 1;
    }
    Value value{words[0], Words(words.begin() + 2, words.end())};
    value.size = std::stoll(words[1]);
    return value;
  }
  std::string Read(const std::string& name, const Value* value) const {
    static const std::map<std::string, std::string> types = {
        {"GET", "string"},   {"STRLEN", "string"}, {"LRANGE", "list"},   {"LLEN", "list"},
        {"HGETALL", "hash"}, {"HLEN", "hash"},     {"SMEMBERS", "set"},  {"SCARD", "set"},
        {"ZRANGE", "zset"},  {"ZCARD", "zset"},    {"XRANGE", "stream"}, {"XLEN", "stream"},
        {"XINFO", "stream"}};
    const auto type = types.find(name);
    if (type == types.end()) return "-ERR not in this model: " + name + "\r\n";
    if (value != nullptr && value->type != type->second) {
      return "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    }
    if (name == "GET") return value == nullptr ? "$-1\r\n" : Bulk(value->parts[0]);
    if (name == "STRLEN") {
      return Integer(value == nullptr ? 0 : static_cast<int64_t>(value->parts[0].size()));
    }
    if (name.ends_with("LEN") || name.ends_with("CARD")) {
      return Integer(value == nullptr ? 0 : static_cast<int64_t>(value->parts.size()));
    }
    if (name == "XINFO") return "*0\r\n";
    return Array(value == nullptr ? Words() : Stored(*value));
  }
};

// What PROXY AUDIT is answered.
struct Report {
  std::string error;
  std::map<std::string, std::string> fields;
  int64_t operator[](const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? -1 : std::stoll(found->second);
  }
  std::string result() const {
    const auto found = fields.find("result");
    return found == fields.end() ? error : found->second;
  }
};

class World : public ShardEnv, public RequestSink {
 public:
  explicit World(AuditConfig config = {.interval_s = 0}, uint32_t copies = 2) {
    ShardOptions options;
    options.name = "a";
    Topology topology;
    topology.shards.emplace_back();
    ShardInfo& info = topology.shards[0];
    info.name = "a";
    nodes.resize(copies);
    for (uint32_t i = 0; i < copies; ++i) {
      nodes[i].run_id = "r" + std::to_string(i);
      nodes[i].backwards = i % 2 == 1;
      LinkOptions node;
      node.name = "n" + std::to_string(i);
      options.nodes.push_back(node);
      info.copies.push_back({node.name, CopyState::kInSync, nodes[i].run_id, ""});
    }
    queue_ = std::make_unique<EditQueue>(std::make_shared<const Topology>(topology));
    shard = std::make_unique<Shard>(options, info, &table_, &pool_, this);
    transports_.resize(copies);
    for (uint32_t i = 0; i < copies; ++i) shard->link(i)->set_transport(&transports_[i]);
    audit = std::make_unique<Audit>(shard->ports().audit, this, config);
    shard->Start();
    for (int i = 0; i < 200; ++i) Step();  // it is connected, and waits for nobody any more
  }
  ~World() override {
    audit.reset();
    shard->Stop();
  }

  void SetAll(const std::string& key, const Value& value) {
    for (ModelNode& node : nodes) node.data[key] = value;
  }
  bool Equal() const {
    return std::all_of(nodes.begin(), nodes.end(),
                       [this](const ModelNode& node) { return node.data == nodes[0].data; });
  }

  // All that happens without time passing, and then so much time.
  void Step(uint64_t ms = 20) {
    Settle();
    now_ms += ms;
    shard->Tick(now_ms, 0);
    audit->Tick(now_ms);
    Settle();
  }
  void Settle() {
    while (PumpLinks() || PumpEdits()) {
    }
  }

  struct Asked : Request {
    std::string told;
  };
  Asked* Ask() {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->kind = RequestKind::kAudit;
    shard->Submit(request);
    return request;
  }
  // SET, through the shard.
  Asked* Write(const std::string& key, const std::string& value) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->kind = RequestKind::kWrite;
    request->row = table_.FindByName("set");
    const std::string frame = Command({"SET", key, value});
    request->frame = frame;
    request->session = 7;
    shard->Submit(request);
    return request;
  }
  Report Await(Asked* request) {
    for (int i = 0; i < 3000 && request->told.empty(); ++i) Step();
    return Parse(request->told);
  }
  Report Run() { return Await(Ask()); }
  static Report Parse(const std::string& told) {
    Report report;
    std::vector<std::string_view> parts;
    if (!SplitArray(told, &parts)) {
      report.error = told.empty() ? "no answer" : std::string(ReplyText(told));
      return report;
    }
    for (size_t i = 0; i + 1 < parts.size(); i += 2) {
      report.fields[std::string(ReplyText(parts[i]))] = ReplyText(parts[i + 1]);
    }
    return report;
  }

  void Lose(uint32_t copy) { shard->link(copy)->OnClosed("reset", false, now_ms); }

  uint64_t NowMs() override { return now_ms; }
  void Propose(Edit edit, EditDone done) override { queue_->Add(std::move(edit), std::move(done)); }
  void Note(NoteLevel, const std::string& text) override { notes += text + "\n"; }
  void OnReply(Request* request, const gemel::Reply& reply) override {
    auto* asked = static_cast<Asked*>(request);
    EXPECT_EQ(asked->told, "");
    asked->told = reply.bytes;
  }

  std::vector<ModelNode> nodes;
  // Before a node carries a command out. If it returns false, the node says nothing to it.
  std::function<bool(uint32_t copy, const Words& words)> on_command;
  uint64_t now_ms = 1000000;
  std::string notes;
  std::unique_ptr<Shard> shard;
  std::unique_ptr<Audit> audit;

 private:
  bool PumpLinks() {
    bool moved = false;
    for (uint32_t i = 0; i < nodes.size(); ++i) {
      Link* link = shard->link(i);
      if (link->state() == Link::State::kConnecting) {
        link->OnConnected(now_ms);
        moved = true;
      }
      if (link->state() == Link::State::kDown) continue;
      const std::string bytes = transports_[i].Sent(link);
      moved |= !bytes.empty();
      const int connection = transports_[i].connects;
      const auto lives = [&] {
        return link->state() != Link::State::kDown && transports_[i].connects == connection;
      };
      for (size_t at = 0; at < bytes.size() && lives();) {
        RequestReader reader;
        std::vector<std::string_view> args;
        EXPECT_EQ(reader.Read(bytes.data() + at, bytes.size() - at, RequestLimits{}, &args),
                  RequestReader::Status::kCommand);
        at += reader.consumed();
        const Words words(args.begin(), args.end());
        if (on_command && !on_command(i, words)) continue;
        const std::string reply = nodes[i].Execute(words);
        if (lives()) Answer(link, reply, now_ms);
      }
    }
    return moved;
  }
  bool PumpEdits() {
    if (queue_->idle()) return false;
    queue_->BeginWrite();
    std::vector<EditQueue::Finished> finished;
    queue_->EndWrite(true, "", &finished);
    for (EditQueue::Finished& edit : finished) edit.done(edit.result);
    return true;
  }

  CommandTable table_;
  ChunkPool pool_;
  std::unique_ptr<EditQueue> queue_;
  std::deque<FakeTransport> transports_;
  std::deque<Asked> asked_;
};

}  // namespace gemel::audit_test

#endif  // GEMEL_TESTS_UNIT_AUDIT_WORLD_H_
