// Real sessions, dispatchers, local commands and shards, over nodes and clients that are a few
// lines each: nothing moves unless the test says so.

#ifndef GEMEL_TESTS_UNIT_SESSION_FAKES_H_
#define GEMEL_TESTS_UNIT_SESSION_FAKES_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "config/config_load.h"
#include "proxy/channels/channel_registry.h"
#include "proxy/local/local_commands.h"
#include "proxy/seen/worker_seen.h"
#include "proxy/session/session.h"
#include "proxy/tracking/tracker_registry.h"
#include "proxy/tracking/tracking_mail.h"
#include "tests/unit/fake_transport.h"

namespace gemel::session_test {

using Data = std::map<std::string, std::string, std::less<>>;
using Args = std::vector<std::string_view>;

inline std::string Bulk(std::string_view text) {
  std::string out;
  AppendBulk(&out, text);
  return out;
}
// What a client of RESP2 is told of a subscription, and of a message.
inline std::string Confirmed(const std::string& channel, int count = 1) {
  return "*3\r\n" + Bulk("subscribe") + Bulk(channel) + ":" + std::to_string(count) + "\r\n";
}
inline std::string MessageOf(const std::string& channel, const std::string& text) {
  return Command({"message", channel, text});
}

// What one Redis would answer: a node's behaviour, and the model of all nodes together.
inline std::string Execute(Data* data, const Args& args) {
  std::string name(args[0]);
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string out;
  const auto append_value = [&](std::string_view key) {
    const auto found = data->find(key);
    if (found == data->end()) {
      AppendNullBulk(&out);
    } else {
      AppendBulk(&out, found->second);
    }
  };
  if (name == "GET") {
    append_value(args[1]);
  } else if (name == "MGET") {
    AppendArrayHeader(&out, static_cast<int64_t>(args.size() - 1));
    for (size_t i = 1; i < args.size(); ++i) append_value(args[i]);
  } else if (name == "SET" || name == "MSET") {
    for (size_t i = 1; i + 1 < args.size(); i += 2) (*data)[std::string(args[i])] = args[i + 1];
    AppendSimple(&out, "OK");
  } else if (name == "DEL" || name == "EXISTS") {
    int64_t count = 0;
    for (size_t i = 1; i < args.size(); ++i) {
      const auto found = data->find(args[i]);
      if (found == data->end()) continue;
      ++count;
      if (name == "DEL") data->erase(found);
    }
    AppendInteger(&out, count);
  } else if (name == "APPEND") {
    std::string& value = (*data)[std::string(args[1])];
    value += args[2];
    AppendInteger(&out, static_cast<int64_t>(value.size()));
  } else if (name == "DBSIZE") {
    AppendInteger(&out, static_cast<int64_t>(data->size()));
  } else if (name == "FLUSHALL") {
    data->clear();
    AppendSimple(&out, "OK");
  } else if (name == "PUBLISH") {
    AppendInteger(&out, 0);
  } else if (name == "RANDOMKEY") {
    if (data->empty()) {
      AppendNullBulk(&out);
    } else {
      AppendBulk(&out, data->begin()->first);
    }
  } else if (name == "KEYS") {
    AppendArrayHeader(&out, static_cast<int64_t>(data->size()));
    for (const auto& [key, value] : *data) AppendBulk(&out, key);
  } else if (name == "SCAN") {  // two keys at a time
    const size_t from = std::min<size_t>(std::stoul(std::string(args[1])), data->size());
    const size_t to = std::min(from + 2, data->size());
    AppendArrayHeader(&out, 2);
    AppendBulk(&out, to == data->size() ? "0" : std::to_string(to));
    AppendArrayHeader(&out, static_cast<int64_t>(to - from));
    size_t at = 0;
    for (const auto& [key, value] : *data) {
      if (at >= from && at < to) AppendBulk(&out, key);
      ++at;
    }
  } else {
    AppendError(&out, "ERR the fake node does not know " + name);
  }
  return out;
}

// Answers a link's requests in order, one each time it is told to.
class FakeNode {
 public:
  void Attach(Shard* shard) {
    link_ = shard->link(0);
    link_->set_transport(&transport);
  }
  void Connect() { MakeUp(link_, &transport, HandshakeReplies("r", 1)); }
  // False if there is nothing to answer.
  bool Serve() {
    inbox_ += transport.Sent(link_);
    Args args;
    if (reader_.Read(inbox_.data(), inbox_.size(), RequestLimits{}, &args) !=
        RequestReader::Status::kCommand) {
      return false;
    }
    seen.emplace_back(reader_.frame());
    const std::string reply = refusal.empty() ? ReplyTo(args) : refusal;
    inbox_.erase(0, reader_.consumed());
    Answer(link_, reply);
    return true;
  }
  Link* link() { return link_; }

  FakeTransport transport;
  Data data;
  std::vector<std::string> seen;  // frames
  std::string refusal;            // if set, the reply to everything

 private:
  std::string ReplyTo(const Args& args) {
    if (args[0] == "MULTI") {
      block_.emplace();
      return "+OK\r\n";
    }
    if (!block_) return Execute(&data, args);
    if (args[0] != "EXEC") {
      block_->push_back(Execute(&data, args));
      return "+QUEUED\r\n";
    }
    std::string out;
    AppendArrayHeader(&out, static_cast<int64_t>(block_->size()));
    for (const std::string& reply : *block_) out += reply;
    block_.reset();
    return out;
  }

  Link* link_ = nullptr;
  std::string inbox_;
  RequestReader reader_;
  std::optional<std::vector<std::string>> block_;  // the replies of a transaction
};

// A connection as uv_session.h makes it.
class FakeClient : public SessionTransport {
 public:
  FakeClient(SessionContext* context, uint64_t id)
      : session(context, id, "127.0.0.1:" + std::to_string(1000 + id), "127.0.0.1:6380") {
    session.set_transport(this);
  }
  void WantFlush() override { dirty = true; }
  void PauseReading() override {
    reading = false;
    ++pauses;
  }
  void ResumeReading() override {
    EXPECT_FALSE(reading);
    reading = true;
  }

  // Bytes arrive, by the way that the session asks for.
  void Send(std::string_view bytes) {
    while (!bytes.empty() && !closed) {
      size_t size = 0;
      if (char* direct = session.DirectSpace(&size)) {
        size = std::min(size, bytes.size());
        std::copy_n(bytes.data(), size, direct);
        last_direct = direct;
        session.OnDirect(size);
      } else {
        size = bytes.size();
        const std::string moving(bytes);  // so that ASan sees what is kept too long
        session.OnData(moving.data(), size);
      }
      bytes.remove_prefix(size);
    }
  }
  void Command(const Args& args) { Send(gemel::Command(args)); }
  void End() {
    session.OnInputEnd();
    if (session.WantsClose()) Close();
  }
  void Close() {
    if (closed) return;
    closed = true;
    session.OnClosed();
  }
  // The end of a loop turn. `take`: how many bytes the client's socket accepts.
  void Turn() { Turn(takes); }
  void Turn(size_t take) {
    if (closed) return;
    if (session.reading().paused()) session.Resume();
    if (!dirty && (session.replies().out().empty() || take == 0))
      return;  // a socket that becomes writable
    dirty = false;
    session.replies().out().FlushDone();
    OutQueue& out = session.replies().out();
    size_t taken = 0;
    out.ForEach([&](const char* data, size_t size) {
      size = std::min(size, take - taken);
      if (size > 0) last_slice = {data, size};
      received.append(data, size);
      taken += size;
      return taken < take;
    });
    out.Consume(taken);
    if (session.replies().out().overrun() || session.WantsClose()) Close();
  }
  std::string Take() { return std::exchange(received, {}); }

  Session session;
  std::string received;
  const char* last_direct = nullptr;
  std::string_view last_slice;  // of the output, where it lay
  size_t takes = ~size_t{0};    // a turn
  bool dirty = false;
  bool reading = true;
  bool closed = false;
  int pauses = 0;
};

// One worker: its shards are those of the pool that it owns.
class FakeWorker : public ShardEnv, public SessionDirectory, public WorkerRequestHandler {
 public:
  FakeWorker(const Pool* pool, const ProcessInfo* process, uint32_t index, uint32_t workers)
      : dispatcher(pool, index, workers),
        channels(&dispatcher, &chunks, process->channels),
        trackers(&dispatcher, process->tracking),
        tracking_mail(&dispatcher, &trackers),
        local(process, this),
        worker_seen({process->slow_log, process->latency, process->unix_time_us, process->clock_us},
                    process->watchers, index, pool->table(), &stats) {
    context.pool = pool;
    context.dispatcher = &dispatcher;
    context.chunks = &chunks;
    context.stats = &stats;
    context.pause.CountIn(&stats.blocked_clients);
    context.local = &local;
    context.scripts = &scripts;
    context.functions = &functions;
    context.channels = &channels;
    context.trackers = &trackers;
    context.seen = &worker_seen.clients;
    context.monitor = &worker_seen.monitor;
    worker_seen.clients.SetOptions(pool->config());
    dispatcher.set_keep_args(Account::KeepArgsElsewhere);
    dispatcher.set_handler(this);
  }
  uint64_t NowMs() override { return 0; }
  void OnMessages(uint32_t, std::string messages) override { channels.Deliver(messages); }
  TrackingSink* tracking() override { return &tracking_mail; }
  void Propose(Edit, EditDone) override {}
  void NotHere(Request* request) override { dispatcher.NotHere(request); }
  void Note(NoteLevel, const std::string&) override {}
  void ForEachSession(const std::function<void(Session&)>& visit) override {
    for (auto& client : clients) {
      if (!client->closed) visit(client->session);
    }
  }
  void KillSession(Session& session) override {
    for (auto& client : clients) {
      if (&client->session == &session) client->Close();
    }
  }
  SessionContext& session_context() override { return context; }
  void HandleWorkerRequest(Request* request) override {
    if (tracking_mail.Take(request) || channels.Take(request)) return;
    local.RunWorkerOrder(request);
  }
  WorkerSeen& seen() override { return worker_seen; }

  ChunkPool chunks;
  WorkerStats stats;
  Dispatcher dispatcher;
  ChannelRegistry channels;
  TrackerRegistry trackers;
  TrackingMail tracking_mail;
  LocalCommands local;
  WorkerSeen worker_seen;
  ScriptCache scripts;
  FunctionStore functions;
  SessionContext context;
  std::map<uint32_t, std::unique_ptr<Shard>> shards;
  std::vector<std::unique_ptr<FakeClient>> clients;
};

class World {
 public:
  // Shards "a", "b", ... of one node each; `options` is TOML in front of them. With two `copies`
  // the pool says that each has a second one, which no test meets.
  explicit World(uint32_t shards = 2, const std::string& options = "", uint32_t workers = 1,
                 uint32_t copies = 1) {
    std::string text = options + "\n";
    for (uint32_t i = 0; i < shards; ++i) {
      text += "[[shard]]\nname = \"" + std::string(1, static_cast<char>('a' + i)) +
              "\"\nprimary = \"127.0.0.1:" + std::to_string(7000 + i) + "\"\n";
      if (copies == 2) text += "replicas = [\"127.0.0.1:" + std::to_string(8000 + i) + "\"]\n";
    }
    ConfigError error;
    config = LoadConfigText(text, "/tmp/gemel.toml", &error);
    EXPECT_TRUE(config) << error.ToString();
    process.version = "test";
    process.channels = &channel_counts;
    process.tracking = &tracking_totals;
    process.slow_log = &slow_log;
    process.latency = &latency;
    watchers = std::make_unique<WatcherCounts>(workers);
    process.watchers = watchers.get();
    process.clock_us = [this] { return clock_us; };
    process.uptime_s = [] { return uint64_t{0}; };
    process.unix_time_us = [] { return int64_t{1700000000123456}; };
    process.resident_bytes = [] { return uint64_t{1 << 20}; };
    pool = std::make_unique<Pool>(config->pool(), workers);
    nodes.resize(shards);
    for (uint32_t w = 0; w < workers; ++w) {
      this->workers.push_back(std::make_unique<FakeWorker>(pool.get(), &process, w, workers));
      this->workers.back()->context.config = &*config;
      process.stats.push_back(&this->workers.back()->stats);
      process.seen.push_back(&this->workers.back()->worker_seen.clients);
    }
    for (uint32_t i = 0; i < shards; ++i) {
      FakeWorker& owner = *this->workers[pool->shards()[i].owner];
      ShardOptions shard;
      ShardInfo info;
      shard.name = info.name = pool->shards()[i].name;
      shard.nodes.emplace_back().name = "n";
      info.copies.push_back({"n", CopyState::kInSync, "r", ""});
      owner.shards[i] = std::make_unique<Shard>(shard, info, &pool->table(), &owner.chunks, &owner);
      owner.dispatcher.SetShard(i, owner.shards[i].get());
      nodes[i].Attach(owner.shards[i].get());
      owner.shards[i]->Start();
      nodes[i].Connect();
    }
  }
  // Whatever happened before: every request ends and every session can be destroyed.
  ~World() {
    for (auto& worker : workers) {
      for (auto& client : worker->clients) client->Close();
      for (auto& [index, shard] : worker->shards) shard->Stop();
    }
    while (Exchange()) {
    }
    for (auto& worker : workers) {
      for (auto& client : worker->clients) EXPECT_TRUE(client->session.Finished());
    }
  }

  FakeClient& Connect(uint32_t worker = 0) {
    auto& clients = workers[worker]->clients;
    clients.push_back(std::make_unique<FakeClient>(&workers[worker]->context, ++last_id_));
    return *clients.back();
  }
  // Messages between the workers travel; false if there were none.
  bool Exchange() {
    bool any = false;
    for (auto& from : workers) from->tracking_mail.Flush();
    for (auto& from : workers) {
      for (uint32_t to = 0; to < workers.size(); ++to) {
        const std::vector<Message> messages = std::exchange(from->dispatcher.outbox(to), {});
        for (const Message& message : messages) workers[to]->dispatcher.Receive(message);
        any |= !messages.empty();
      }
    }
    for (auto& worker : workers) any |= worker->channels.AfterReading();
    return any;
  }
  void Turn() {
    for (auto& worker : workers) {
      for (auto& client : worker->clients) client->Turn();
    }
  }
  // Nodes answer in any order, until nothing is left to do.
  void Run(uint32_t seed = 1) {
    std::mt19937 random(seed);
    for (int idle = 0; idle < 3;) {
      bool any = Exchange();
      for (size_t i = 0; i < nodes.size(); ++i) {
        any |= nodes[random() % nodes.size()].Serve();
      }
      Turn();
      if (!any) {
        for (FakeNode& node : nodes) any |= node.Serve();
      }
      idle = any ? 0 : idle + 1;
    }
  }
  std::string Ask(FakeClient& client, const Args& args) {
    client.Command(args);
    Run();
    return client.Take();
  }
  // The n-th key "kI" that belongs to the shard.
  std::string Key(uint32_t shard, int n = 0) const {
    for (int i = 0;; ++i) {
      std::string key = "k" + std::to_string(i);
      if (pool->ShardOf(key) == shard && n-- == 0) return key;
    }
  }

  std::optional<Config> config;
  ChannelCounts channel_counts;
  TrackingTotals tracking_totals;
  SlowLog slow_log;
  LatencyEvents latency;
  std::unique_ptr<WatcherCounts> watchers;
  uint64_t clock_us = 0;
  ProcessInfo process;
  std::unique_ptr<Pool> pool;
  std::vector<FakeNode> nodes;
  std::vector<std::unique_ptr<FakeWorker>> workers;

 private:
  uint64_t last_id_ = 0;
};

}  // namespace gemel::session_test

#endif  // GEMEL_TESTS_UNIT_SESSION_FAKES_H_
