// Two members and what is between them: lines and a link of the one that asks, a guest of the one
// that owns, a shard behind it that is a few lines. Nothing moves unless the test says so.

#ifndef GEMEL_TESTS_UNIT_PEER_WORLD_H_
#define GEMEL_TESTS_UNIT_PEER_WORLD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/resp/resp_writer.h"
#include "config/config_load.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/peers/peer_guest.h"
#include "proxy/peers/peer_lines.h"
#include "proxy/peers/peer_link.h"

namespace gemel::peer_test {

// Shards a and b. Made once: it is read only.
inline const Pool* ThePool() {
  static const std::unique_ptr<const Pool> pool = [] {
    std::string text;
    for (int i = 0; i < 2; ++i) {
      text += "[[shard]]\nname = \"" + std::string(1, static_cast<char>('a' + i)) +
              "\"\nprimary = \"127.0.0.1:" + std::to_string(7000 + i) + "\"\n";
    }
    ConfigError error;
    const std::optional<Config> config = LoadConfigText(text, "/tmp/gemel.toml", &error);
    EXPECT_TRUE(config) << error.ToString();
    return std::make_unique<const Pool>(config->pool(), 1);
  }();
  return pool.get();
}

inline std::string TakeBytes(OutQueue* out, size_t most = ~size_t{0}) {
  std::string bytes;
  out->ForEach([&](const char* data, size_t size) {
    bytes.append(data, std::min(size, most - bytes.size()));
    return bytes.size() < most;
  });
  out->Consume(bytes.size());
  return bytes;
}

// Who asks for something and keeps what is said.
class Asker : public RequestSink {
 public:
  explicit Asker(Dispatcher* dispatcher) : dispatcher_(dispatcher) {}
  Request* Make(RequestKind kind, const std::vector<std::string_view>& args, uint32_t session = 1,
                uint32_t slot = 0) {
    Request* request = dispatcher_->New();
    request->sink = this;
    request->kind = kind;
    request->session = session;
    request->shard = static_cast<uint16_t>(slot);
    request->submitted = kind != RequestKind::kBlocking && kind != RequestKind::kUnblock &&
                         kind != RequestKind::kSync;
    request->row = args.empty() ? nullptr : dispatcher_->pool().table().Find(args);
    kept_.push_back(args.empty() ? std::string() : CommandFrame(args));
    request->frame = kept_.back();
    return request;
  }
  void OnReply(Request* request, const Reply& reply) override {
    replies.emplace_back(reply.bytes);
    dispatcher_->Free(request);
  }
  std::vector<std::string> Take() { return std::exchange(replies, {}); }

  std::vector<std::string> replies;

 private:
  Dispatcher* dispatcher_;
  std::deque<std::string> kept_;
};

// What is told of keys, a line each.
class Told : public TrackingSink {
 public:
  void OnKeyChanged(uint32_t worker, uint32_t session, std::string_view key) override {
    Add(worker, session, std::string(key));
  }
  void OnAllChanged(uint32_t worker, uint32_t session) override { Add(worker, session, "all"); }
  void OnPrefixChanged(uint32_t worker, std::string_view prefix, std::string_view key,
                       uint32_t writer, TrackingAudience audience) override {
    Add(worker, writer,
        std::string(prefix) + "* " + std::string(key) + " " +
            std::to_string(static_cast<int>(audience)));
  }
  void Add(uint32_t worker, uint32_t session, const std::string& what) {
    lines.push_back(std::to_string(worker) + " " + std::to_string(session) + " " + what);
  }
  std::vector<std::string> lines;
};

// A member that owns, or did: what its shards got, and says to it.
class Member {
 public:
  Member() : pool(ThePool()), dispatcher(pool, 0, 1) {
    PeerGuest::World world;
    world.dispatcher = &dispatcher;
    world.chunks = &chunks;
    world.gone = &gone;
    world.next_session = [this] { return ++last_session; };
    world.seats = &seats;
    world.submit = [this](Request* request) { Take(request); };
    guest = std::make_unique<PeerGuest>("asker", std::move(world), 0);
  }
  ~Member() {
    guest->Lost();
    while (!got.empty()) Answer("+late\r\n");
    EXPECT_TRUE(guest->Finished());
    EXPECT_EQ(dispatcher.requests_in_use(), 0u);
  }

  void Take(Request* request) {
    EXPECT_TRUE(request->guest);
    if (request->kind == RequestKind::kUnblock) {
      const auto& cargo = static_cast<const UnblockCargo&>(*request->extra->cargo);
      Request* waiter = static_cast<Request*>(cargo.ticket->waiter);
      request->sink->OnReply(request, Reply{"+OK\r\n", nullptr});
      if (waiter != nullptr) AnswerThis(waiter, kBlockedForNothing);
      return;
    }
    if (!here) {
      request->not_here = true;
      request->sink->OnReply(request, Reply{{}, nullptr});
      return;
    }
    request->OwnFrame();
    seen.emplace_back(request->frame);
    if (request->kind == RequestKind::kBlocking) {
      static_cast<const BlockingCargo&>(*request->extra->cargo).ticket->waiter = request;
    }
    got.push_back(request);
  }
  void AnswerThis(Request* request, std::string_view reply) {
    got.erase(std::find(got.begin(), got.end(), request));
    if (request->kind == RequestKind::kBlocking) {
      static_cast<const BlockingCargo&>(*request->extra->cargo).ticket->waiter = nullptr;
    }
    request->sink->OnReply(request, Reply{reply, nullptr});
  }
  // To the n-th that is not answered.
  void Answer(std::string_view reply, size_t n = 0) { AnswerThis(got[n], reply); }
  // Gives all back, unexecuted.
  void GiveAll() {
    for (Request* request : std::exchange(got, {})) {
      request->not_here = true;
      request->sink->OnReply(request, Reply{{}, nullptr});
    }
  }

  const Pool* pool;
  ChunkPool chunks;
  GoneSessions gone;
  Dispatcher dispatcher;
  PeerSeats seats{0, 1};
  uint32_t last_session = 1000;
  bool here = true;
  std::vector<std::string> seen;
  std::deque<Request*> got;
  std::unique_ptr<PeerGuest> guest;
};

// The member that asks; `peers` are those that it has links to.
class PeerWorld : public PeerRoads {
 public:
  PeerWorld() : pool(ThePool()), dispatcher(pool, 0, 1), asker(&dispatcher) {
    PeerLines::World world;
    world.roads = this;
    world.owner = [this](std::string_view) { return owner; };
    world.trouble = [this] { return trouble; };
    world.come_home = [this](Request* request) {
      if (!at_home) return false;
      home.emplace_back(request->frame);
      request->sink->OnReply(request, Reply{"+home\r\n", nullptr});
      return true;
    };
    world.want_flush = [] {};
    world.now_ms = [this] { return now_ms; };
    world.workers = 4;
    world.on_messages = [this](uint32_t worker, std::string_view messages) {
      asker.replies.push_back(std::to_string(worker) + "> " + std::string(messages));
    };
    world.tracking = &told;
    world.on_anew = [this](uint32_t slot) { anew.push_back(slot); };
    world.listens = [this] { return listens; };
    lines = std::make_unique<PeerLines>(std::move(world));
    lines->SetNames(pool->NamesBySlot(), pool->route());
  }
  ~PeerWorld() override {
    for (auto& [name, link] : up) {
      if (link != nullptr) Lose(name);
    }
    lines->Stop();
    EXPECT_EQ(dispatcher.requests_in_use(), 0u);
  }

  void Own(const std::string& member, uint64_t epoch = 1) {
    owner = {false, member, member + ":1", epoch, true};
    lines->OnOwners();
  }
  void Connect(const std::string& member) {
    up[member] = std::make_unique<PeerLink>(member, lines.get(), &chunks, &gone, now_ms);
    Find();
    lines->OnRoad();
  }
  void Lose(const std::string& member) {
    const std::unique_ptr<PeerLink> lost = std::move(up[member]);
    Find();
    lost->Lost();
    lines->Flush();
  }
  // Requests go to that member.
  void Carry(const std::string& member, Member* to) {
    lines->Flush();
    PeerLink& link = *up[member];
    const std::string bytes = TakeBytes(&link.out());
    link.OnTaken(bytes.size());
    EXPECT_TRUE(to->guest->OnBytes(bytes, now_ms)) << to->guest->error();
  }
  // And its replies come back.
  void Return(const std::string& member, Member* from) {
    EXPECT_TRUE(up[member]->OnBytes(TakeBytes(&from->guest->out()), now_ms)) << up[member]->error();
    lines->Flush();
  }
  void Write(const std::string& key, uint32_t session = 1) {
    lines->Submit(asker.Make(RequestKind::kWrite, {"SET", key, "v"}, session));
  }
  void Read(const std::string& key, uint32_t session = 1) {
    lines->Submit(asker.Make(RequestKind::kRead, {"GET", key}, session));
  }

  PeerLink* LinkTo(const PeerOwner& wanted) override {
    const auto found = up.find(wanted.member);
    return found != up.end() ? found->second.get() : nullptr;
  }
  PeerLink* Find(const PeerOwner& wanted) const override {
    const auto found = up.find(wanted.member);
    return found != up.end() ? found->second.get() : nullptr;
  }
  std::string TroubleWith(const PeerOwner&) const override { return "connection refused"; }
  void GiveUp(PeerLink* link) override { Lose(link->member()); }
  const std::vector<PeerLink*>& links() const override { return links_; }

  const Pool* pool;
  ChunkPool chunks;
  GoneSessions gone;
  Dispatcher dispatcher;
  uint64_t now_ms = 1000;
  std::string trouble;  // why nobody may own anything
  PeerOwner owner;
  Asker asker;
  bool at_home = true;  // what comes home finds its shard
  std::vector<std::string> home;
  Told told;
  std::vector<uint32_t> anew;  // shards of which it was said
  bool listens = true;
  std::map<std::string, std::unique_ptr<PeerLink>> up;
  std::unique_ptr<PeerLines> lines;

 private:
  void Find() {
    links_.clear();
    for (auto& [name, link] : up) {
      if (link != nullptr) links_.push_back(link.get());
    }
  }
  std::vector<PeerLink*> links_;
};

inline std::string Set(std::string_view key) { return CommandFrame({"SET", key, "v"}); }
inline std::string Get(std::string_view key) { return CommandFrame({"GET", key}); }

// An answer to what a member that was lost may have done.
inline bool IsUnknown(const std::string& reply, const std::string& member) {
  return reply.starts_with("-ERR the member '" + member + "'") &&
         reply.find("may or may not have been carried out") != std::string::npos;
}

}  // namespace gemel::peer_test

#endif  // GEMEL_TESTS_UNIT_PEER_WORLD_H_
