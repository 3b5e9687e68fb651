// What a service manager is told, on a real loop and a real socket.

#include "proxy/server/uv_supervisor.h"

#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "tests/e2e/datagrams.h"
#include "tests/io/loop_fixture.h"

namespace gemel {
namespace {

class UvSupervisorTest : public LoopTest {
 protected:
  void SetUp() override {
    ::setenv("NOTIFY_SOCKET", manager_.address().c_str(), 1);
    ::setenv("WATCHDOG_USEC", "40000", 1);
    ::unsetenv("WATCHDOG_PID");
  }
  void TearDown() override {
    if (supervisor_) supervisor_->Close();
    supervisor_.reset();
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  void Ready() {
    supervisor_ = std::make_unique<UvSupervisor>();
    supervisor_->Ready(&loop_, {&one_, &two_}, "serves");
  }
  // Turns the loop until one more is there.
  std::string Next() {
    std::string text;
    RunUntil([&] { return !(text = manager_.Read(0)).empty(); });
    return text;
  }

  e2e::Datagrams manager_;
  WorkerStats one_;
  WorkerStats two_;
  std::unique_ptr<UvSupervisor> supervisor_;
};

TEST_F(UvSupervisorTest, AWorkerThatHangsEndsTheSignsOfLife) {
  Ready();
  EXPECT_EQ(manager_.Read(0), "READY=1\nSTATUS=serves");
  for (int i = 0; i < 3; ++i) {
    one_.beats.Add(1);
    two_.beats.Add(1);
    EXPECT_EQ(Next(), "WATCHDOG=1");
  }
  for (int i = 0; i < 10; ++i) {
    one_.beats.Add(1);
    RunFor(30);
    EXPECT_EQ(manager_.Read(0), "") << "though one worker hangs";
  }
  two_.beats.Add(1);
  EXPECT_EQ(Next(), "WATCHDOG=1");
}

TEST_F(UvSupervisorTest, TheWatchdogOfAnotherProcessIsNotFed) {
  ::setenv("WATCHDOG_PID", "1", 1);
  Ready();
  EXPECT_EQ(manager_.Read(0), "READY=1\nSTATUS=serves");
  for (int i = 0; i < 5; ++i) {
    one_.beats.Add(1);
    two_.beats.Add(1);
    RunFor(30);
  }
  EXPECT_EQ(manager_.Read(0), "");
}

TEST_F(UvSupervisorTest, WhatItSaysIsOneStatementALine) {
  ::unsetenv("WATCHDOG_USEC");
  Ready();
  manager_.Read(0);
  supervisor_->Reloading();
  EXPECT_TRUE(manager_.Read(0).starts_with("RELOADING=1\nMONOTONIC_USEC="));
  supervisor_->Reloaded("bad\nREADY=0");
  EXPECT_EQ(manager_.Read(0), "READY=1\nSTATUS=serves; the last reload was refused: bad\\nREADY=0");
  supervisor_->Reloaded("");
  EXPECT_EQ(manager_.Read(0), "READY=1\nSTATUS=serves");
  supervisor_->UpgradeRefused("bad\nREADY=0");
  EXPECT_EQ(manager_.Read(0),
            "READY=1\nSTATUS=serves; the last upgrade was refused: bad\\nREADY=0");
  supervisor_->Stopping();
  EXPECT_TRUE(manager_.Read(0).starts_with("STOPPING=1\n"));
  supervisor_->Reloaded("");
  supervisor_->Stopping();
  EXPECT_EQ(manager_.Read(0), "");
}

TEST_F(UvSupervisorTest, WhatIsNotTakenIsToldAgain) {
  ::unsetenv("WATCHDOG_USEC");
  Ready();
  // It takes no more: its queue has a bound.
  for (int told = 0; told < 10000; ++told) supervisor_->Reloading();
  supervisor_->Stopping();
  std::string last;
  EXPECT_TRUE(RunUntil([&] {
    if (const std::string text = manager_.Read(0); !text.empty()) last = text;
    return last.starts_with("STOPPING=1\n");
  })) << last;
}

TEST_F(UvSupervisorTest, NobodyListens) {
  for (const char* address : {"", "relative", "/", "/no/such/folder/notify"}) {
    ::setenv("NOTIFY_SOCKET", address, 1);
    Ready();
    supervisor_->Reloading();
    supervisor_->Reloaded("");
    supervisor_->Stopping();
    RunFor(5);
    supervisor_->Close();
  }
  EXPECT_EQ(manager_.Read(0), "");
}

}  // namespace
}  // namespace gemel
