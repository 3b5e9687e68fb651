// Lookups on threads of their own, for loops and for who blocks, with a resolver of the test's; and
// the dial that uses them.

#include "backend/uv/uv_names.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "backend/uv/uv_dial.h"
#include "tests/io/loop_fixture.h"

namespace gemel {
namespace {

using Numbers = std::vector<std::string>;

// Shared with the lookups' threads, which may outlive a test.
struct Resolver {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, NameAnswer> names;
  std::map<std::string, int> begun;
  bool hangs = false;

  NameAnswer LookUp(const std::string& host) {
    std::unique_lock<std::mutex> lock(mutex);
    ++begun[host];
    changed.wait(lock, [this] { return !hangs; });
    const auto found = names.find(host);
    return found == names.end() ? NameAnswer{{}, "no such name"} : found->second;
  }
  void Set(const std::string& host, const Numbers& addresses) {
    const std::lock_guard<std::mutex> lock(mutex);
    names[host] = {addresses, ""};
  }
  void SetHangs(bool now) {
    const std::lock_guard<std::mutex> lock(mutex);
    hangs = now;
    changed.notify_all();
  }
  int Begun(const std::string& host) {
    const std::lock_guard<std::mutex> lock(mutex);
    return begun[host];
  }
};

class UvNamesThreads : public LoopTest {
 protected:
  UvNamesThreads()
      : names_([resolver = resolver_](const std::string& host) { return resolver->LookUp(host); }) {
  }
  ~UvNamesThreads() override { resolver_->SetHangs(false); }

  struct Asked {
    std::unique_ptr<UvNames::Question> question;
    bool answered = false;
    NameAnswer answer;
  };
  std::unique_ptr<Asked> Ask(const std::string& host, uint64_t newer_than_ms = 0) {
    auto asked = std::make_unique<Asked>();
    asked->question =
        names_.Ask(&loop_, host, newer_than_ms, [at = asked.get()](const NameAnswer& answer) {
          EXPECT_FALSE(at->answered);
          at->answered = true;
          at->answer = answer;
          at->question.reset();  // from inside
        });
    EXPECT_FALSE(asked->answered) << "never inside Ask";
    return asked;
  }

  std::shared_ptr<Resolver> resolver_ = std::make_shared<Resolver>();
  UvNames names_;
};

TEST_F(UvNamesThreads, OneLookupForAllLoops) {
  resolver_->SetHangs(true);
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 20; ++i) asked.push_back(Ask("a"));
  uv_loop_t other{};
  uv_loop_init(&other);
  bool told = false;
  auto question = names_.Ask(&other, "a", 0, [&](const NameAnswer&) { told = true; });
  ASSERT_TRUE(RunUntil([&] { return resolver_->Begun("a") == 1; }));
  RunFor(50);
  resolver_->Set("a", {"127.0.0.1"});
  resolver_->SetHangs(false);
  ASSERT_TRUE(RunUntil([&] { return asked.back()->answered; }));
  for (const auto& one : asked) {
    EXPECT_TRUE(one->answered);
    EXPECT_EQ(one->answer.addresses, Numbers{"127.0.0.1"});
  }
  while (!told) uv_run(&other, UV_RUN_ONCE);
  question.reset();
  uv_run(&other, UV_RUN_DEFAULT);
  EXPECT_EQ(uv_loop_close(&other), 0);
  EXPECT_EQ(resolver_->Begun("a"), 1);
  EXPECT_EQ(names_.Resolve({"a"}, 1000)[0].addresses, Numbers{"127.0.0.1"});
  EXPECT_EQ(resolver_->Begun("a"), 1) << "it is fresh";
}

TEST_F(UvNamesThreads, NamesThatHangKeepOthersAndFilesFromNothing) {
  resolver_->SetHangs(true);
  std::vector<std::unique_ptr<Asked>> hanging;
  for (int i = 0; i < 20; ++i) hanging.push_back(Ask("slow" + std::to_string(i)));
  ASSERT_TRUE(RunUntil([&] { return resolver_->Begun("slow19") == 1; })) << "each has its thread";
  // libuv's own pool is free.
  uv_work_t work;
  bool done = false;
  work.data = &done;
  uv_queue_work(
      &loop_, &work, [](uv_work_t*) {},
      [](uv_work_t* ended, int) { *static_cast<bool*>(ended->data) = true; });
  EXPECT_TRUE(RunUntil([&] { return done; }));
  hanging.clear();  // nobody waits any more: no answer comes
  resolver_->SetHangs(false);
  RunFor(50);
}

TEST_F(UvNamesThreads, MoreNamesThanThreads) {
  resolver_->SetHangs(true);
  std::vector<std::unique_ptr<Asked>> asked;
  for (size_t i = 0; i < UvNames::kMaxLookups + 10; ++i) {
    asked.push_back(Ask("n" + std::to_string(i)));
  }
  resolver_->SetHangs(false);
  for (const auto& one : asked) EXPECT_TRUE(RunUntil([&] { return one->answered; }));
  EXPECT_EQ(asked.back()->answer.error, "no such name");
}

TEST_F(UvNamesThreads, WhoBlocksIsNotKeptForLong) {
  resolver_->Set("b", {"::1"});
  EXPECT_EQ(names_.Resolve({"a", "b"}, 60000)[0].error, "no such name");
  EXPECT_EQ(names_.Resolve({"a", "b"}, 60000)[1].addresses, Numbers{"::1"});
  resolver_->SetHangs(true);
  EXPECT_NE(names_.Resolve({"c"}, 20)[0].error, "");
  std::thread stopper([this] {
    while (resolver_->Begun("d") == 0) std::this_thread::yield();
    names_.Stop();
  });
  EXPECT_NE(names_.Resolve({"d"}, 3600 * 1000)[0].error, "") << "the process is being stopped";
  stopper.join();
}

TEST_F(UvNamesThreads, TroubleIsToldOnceAndItsEnd) {
  std::mutex mutex;
  std::vector<std::string> notes;
  names_.set_note([&](NoteLevel, const std::string& text) {
    const std::lock_guard<std::mutex> lock(mutex);
    notes.push_back(text);
  });
  const auto count = [&] {
    const std::lock_guard<std::mutex> lock(mutex);
    return notes.size();
  };
  for (int i = 0; i < 3; ++i) {
    const auto asked = Ask("a");
    ASSERT_TRUE(RunUntil([&] { return asked->answered; }));
    RunFor(i * 300);  // beyond its back-off
  }
  ASSERT_TRUE(RunUntil([&] { return count() > 0; }));
  EXPECT_EQ(count(), 1u);
  EXPECT_EQ(names_.PatienceMs("a"), 0u) << "nobody waits for a resolver that fails";
  resolver_->Set("a", {"127.0.0.1"});
  EXPECT_TRUE(RunUntil([&] {
    const auto asked = Ask("a");
    EXPECT_TRUE(RunUntil([&] { return asked->answered; }));
    return count() == 2;
  }));
  names_.set_note(nullptr);
  EXPECT_NE(notes[0].find("the host name a cannot be resolved: no such name"), std::string::npos);
  EXPECT_EQ(notes[1], "the host name a is resolved again: 127.0.0.1");
  EXPECT_EQ(names_.PatienceMs("a"), UvNames::kPatienceMs);
}

TEST_F(UvNamesThreads, TheSystemsResolver) {
  EXPECT_EQ(UvNames::SystemLookUp("127.0.0.1").addresses, Numbers{"127.0.0.1"});
  EXPECT_EQ(UvNames::SystemLookUp("::1").addresses, Numbers{"::1"});
  EXPECT_FALSE(UvNames::SystemLookUp("localhost").addresses.empty());
}

class UvDialThreads : public UvNamesThreads {
 protected:
  std::unique_ptr<UvDial> Dial(const std::string& host) {
    return std::make_unique<UvDial>(
        &loop_, Address{host, 7, {}}, addresses_,
        [this](const Address& number) { tried_.push_back(number.host); },
        [this](const std::string& why) { unresolved_.push_back(why); }, &names_);
  }
  bool Tried(size_t count) {
    return RunUntil([&] { return tried_.size() >= count; });
  }

  std::shared_ptr<NodeAddresses> addresses_ = std::make_shared<NodeAddresses>();
  Numbers tried_;
  Numbers unresolved_;
};

TEST_F(UvDialThreads, NumbersNeedNoLookup) {
  const auto dial = Dial("127.0.0.1");
  dial->Begin();
  EXPECT_EQ(tried_, Numbers{"127.0.0.1"});
  EXPECT_FALSE(dial->Failed(/*refused=*/true));
  EXPECT_TRUE(dial->all_refused());
}

TEST_F(UvDialThreads, TriesAllAddressesThenEnds) {
  resolver_->Set("a", {"1.1.1.1", "2.2.2.2", "3.3.3.3"});
  const auto dial = Dial("a");
  dial->Begin();
  EXPECT_TRUE(dial->resolving());
  ASSERT_TRUE(Tried(1));
  EXPECT_TRUE(dial->Failed(true));
  EXPECT_TRUE(dial->Failed(true));
  EXPECT_FALSE(dial->Failed(true));
  EXPECT_TRUE(dial->all_refused());
  EXPECT_EQ(tried_, (Numbers{"1.1.1.1", "2.2.2.2", "3.3.3.3"}));
  // One that swallows packets.
  dial->Begin();
  ASSERT_TRUE(Tried(4));
  ASSERT_TRUE(Tried(6)) << "without a word from who connects";
  EXPECT_FALSE(dial->Failed(true));
  EXPECT_FALSE(dial->all_refused()) << "of two nothing is known";
  dial->Begin();
  ASSERT_TRUE(Tried(7));
  dial->Connected();
  const std::string good = dial->number();
  dial->Begin();
  ASSERT_TRUE(Tried(8));
  EXPECT_EQ(tried_.back(), good);
}

TEST_F(UvDialThreads, AResolverThatHangsOrFailsLeavesTheAddressesThatWereKnown) {
  resolver_->Set("a", {"1.1.1.1"});
  const auto dial = Dial("a");
  dial->Begin();
  ASSERT_TRUE(Tried(1));
  dial->Connected();
  resolver_->SetHangs(true);
  addresses_->OnAllFailed(UvNames::NowMs() + 1);  // so that it wants a new one
  RunFor(5);
  dial->Begin();
  EXPECT_TRUE(dial->resolving());
  ASSERT_TRUE(Tried(2));
  EXPECT_FALSE(dial->resolving());
  RunFor(UvNames::kPatienceMs);
  dial->Begin();
  EXPECT_EQ(tried_.size(), 3u) << "that it hangs is known by now";
  resolver_->Set("a", {});
  resolver_->SetHangs(false);
  ASSERT_TRUE(RunUntil([&] { return names_.PatienceMs("a") == 0; }));
  dial->Begin();
  EXPECT_EQ(tried_.size(), 4u);
  EXPECT_EQ(tried_.back(), "1.1.1.1");
  RunFor(20);
  EXPECT_TRUE(unresolved_.empty());
}

TEST_F(UvDialThreads, AnAnswerThatComesLateIsFollowed) {
  resolver_->Set("a", {"1.1.1.1"});
  const auto dial = Dial("a");
  dial->Begin();
  ASSERT_TRUE(Tried(1));
  dial->Connected();
  addresses_->OnAllFailed(UvNames::NowMs() + 1);
  RunFor(5);
  resolver_->SetHangs(true);
  dial->Begin();
  ASSERT_TRUE(Tried(2));
  EXPECT_EQ(tried_.back(), "1.1.1.1");
  resolver_->Set("a", {"2.2.2.2"});
  resolver_->SetHangs(false);
  ASSERT_TRUE(Tried(3));
  EXPECT_EQ(tried_.back(), "2.2.2.2") << "the first is given up";
}

TEST_F(UvDialThreads, NoAddressAtAll) {
  const auto dial = Dial("a");
  dial->Begin();
  ASSERT_TRUE(RunUntil([&] { return !unresolved_.empty(); }));
  dial->Begin();  // in its back-off
  ASSERT_TRUE(RunUntil([&] { return unresolved_.size() == 2; }));
  EXPECT_EQ(unresolved_[1], "no such name");
  EXPECT_TRUE(tried_.empty());
  EXPECT_EQ(resolver_->Begun("a"), 1);
}

}  // namespace
}  // namespace gemel
