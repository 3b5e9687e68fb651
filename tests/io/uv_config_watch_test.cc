// The watch of the config file: each way in which editors and orchestrators write one.

#include "proxy/reload/uv_config_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/child_process.h"
#include "tests/io/loop_fixture.h"

namespace gemel {
namespace {

namespace fs = std::filesystem;
using e2e::ReadFile;
using e2e::WriteFile;

constexpr uint64_t kHourMs = 3600 * 1000;
constexpr uint64_t kSettleMs = 50;

class UvConfigWatchTest : public LoopTest {
 protected:
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  // Watches `path`, whose content of now is in effect. By default nothing is polled: what is found
  // was told by the system.
  void Watch(const std::string& path, ConfigWatchTimes times = {kSettleMs, kHourMs}) {
    path_ = path;
    watch_ = std::make_unique<UvConfigWatch>(
        &loop_, path,
        [this] {
          EXPECT_FALSE(inside_) << "called from within a method";
          seen_.push_back(ReadFile(path_));
          if (destroy_at_change_) watch_.reset();
        },
        [this](NoteLevel, const std::string& text) {
          EXPECT_FALSE(inside_) << "called from within a method";
          notes_.push_back(text);
        },
        times);
    Loaded(ReadFile(path));
    RunFor(4 * kSettleMs);  // it watches by now
    EXPECT_TRUE(seen_.empty());
  }

  void Loaded(const std::string& content) {
    inside_ = true;
    watch_->Loaded(content);
    inside_ = false;
  }

  void Expect(const std::string& content) {
    inside_ = true;
    watch_->Expect(content);
    inside_ = false;
  }

  // The change is found, and with nothing more done no other follows.
  void ExpectChange(const std::string& content) {
    EXPECT_TRUE(RunUntil([this] { return !seen_.empty(); })) << "not found: " << content;
    RunFor(4 * kSettleMs);
    EXPECT_EQ(seen_, std::vector<std::string>{content});
    seen_.clear();
  }

  void ExpectNoChange() {
    RunFor(6 * kSettleMs);
    EXPECT_TRUE(seen_.empty()) << seen_[0];
    seen_.clear();
  }

  // As editors do it.
  void Replace(const std::string& path, const std::string& content) {
    WriteFile(path + "~", content);
    fs::rename(path + "~", path);
  }

  // A link that takes the place of another in one step.
  void Link(const std::string& target, const std::string& link) {
    fs::create_symlink(target, link + ".new");
    fs::rename(link + ".new", link);
  }

  e2e::TempFolder folder_;
  std::unique_ptr<UvConfigWatch> watch_;
  std::string path_;
  std::vector<std::string> seen_;
  std::vector<std::string> notes_;
  bool inside_ = false;
  bool destroy_at_change_ = false;
};

TEST_F(UvConfigWatchTest, WritesInPlace) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  WriteFile(Path("g.toml"), "bb");
  ExpectChange("bb");
  std::ofstream(Path("g.toml"), std::ios::app) << "c";
  ExpectChange("bbc");
  WriteFile(Path("g.toml"), "");
  ExpectChange("");
  watch_.reset();
}

TEST_F(UvConfigWatchTest, SameSize) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  for (const char* content : {"b", "c", "d"}) {
    WriteFile(Path("g.toml"), content);
    ExpectChange(content);
  }
  watch_.reset();
}

TEST_F(UvConfigWatchTest, RenamesOverAgainAndAgain) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  for (const char* content : {"b", "c", "a"}) {
    Replace(Path("g.toml"), content);
    ExpectChange(content);
  }
  watch_.reset();
}

TEST_F(UvConfigWatchTest, DeletedAndCreated) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  fs::remove(Path("g.toml"));
  EXPECT_TRUE(RunUntil([this] { return !notes_.empty(); }));
  EXPECT_NE(notes_[0].find("No such file"), std::string::npos) << notes_[0];
  ExpectNoChange();
  WriteFile(Path("g.toml"), "a");  // the same as before
  ExpectNoChange();
  fs::remove(Path("g.toml"));
  WriteFile(Path("g.toml"), "b");
  ExpectChange("b");
  // An editor that keeps the old one under another name.
  fs::rename(Path("g.toml"), Path("g.toml.bak"));
  WriteFile(Path("g.toml"), "c");
  ExpectChange("c");
  EXPECT_EQ(notes_.size(), 1u);
  watch_.reset();
}

TEST_F(UvConfigWatchTest, WhatChangesNoContentIsNoChange) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  WriteFile(Path("g.toml"), "a");
  ExpectNoChange();
  Replace(Path("g.toml"), "a");
  ExpectNoChange();
  ASSERT_EQ(::chmod(Path("g.toml").c_str(), 0600), 0);
  WriteFile(Path("other"), "b");
  fs::create_directory(Path("state"));
  ExpectNoChange();
  watch_.reset();
}

TEST_F(UvConfigWatchTest, ConfigMap) {
  fs::create_directory(Path("..2026_1"));
  WriteFile(Path("..2026_1/g.toml"), "1");
  fs::create_symlink("..2026_1", Path("..data"));
  fs::create_symlink("..data/g.toml", Path("g.toml"));
  Watch(Path("g.toml"));
  for (int i = 2; i < 6; ++i) {
    const std::string name = "..2026_" + std::to_string(i);
    fs::create_directory(Path(name));
    WriteFile(Path(name + "/g.toml"), std::to_string(i));
    Link(name, Path("..data"));
    fs::remove_all(Path("..2026_" + std::to_string(i - 1)));
    ExpectChange(std::to_string(i));
  }
  // In place, behind both links.
  WriteFile(Path("..2026_5/g.toml"), "in place");
  ExpectChange("in place");
  watch_.reset();
}

TEST_F(UvConfigWatchTest, LinksToOtherFolders) {
  for (const char* folder : {"etc", "one", "two"}) fs::create_directory(Path(folder));
  WriteFile(Path("one/real.toml"), "one");
  WriteFile(Path("two/real.toml"), "two");
  fs::create_symlink("../one/real.toml", Path("etc/g.toml"));
  Watch(Path("etc/../etc/./g.toml"));
  Replace(Path("one/real.toml"), "one more");
  ExpectChange("one more");
  Link(Path("two/real.toml"), Path("etc/g.toml"));
  ExpectChange("two");
  WriteFile(Path("one/real.toml"), "left behind");
  ExpectNoChange();
  Replace(Path("two/real.toml"), "two more");
  ExpectChange("two more");
  fs::remove(Path("etc/g.toml"));
  WriteFile(Path("etc/g.toml"), "no link");
  ExpectChange("no link");
  watch_.reset();
}

TEST_F(UvConfigWatchTest, FoldersThatVanishAndReturn) {
  fs::create_directories(Path("a/b"));
  WriteFile(Path("a/b/g.toml"), "1");
  Watch(Path("a/b/g.toml"));
  for (const char* content : {"2", "3"}) {
    fs::remove_all(Path("a"));
    EXPECT_TRUE(RunUntil([this] { return !notes_.empty(); }));
    notes_.clear();
    fs::create_directories(Path("a/b"));
    WriteFile(Path("a/b/g.toml"), content);
    ExpectChange(content);
  }
  // Moved away, and another one put in its place at once.
  fs::rename(Path("a/b"), Path("a/old"));
  fs::create_directory(Path("a/b"));
  WriteFile(Path("a/b/g.toml"), "4");
  ExpectChange("4");
  WriteFile(Path("a/old/g.toml"), "old");
  ExpectNoChange();
  WriteFile(Path("a/b/g.toml"), "5");
  ExpectChange("5");
  watch_.reset();
}

// Nobody tells of a folder further up that is another one now: a look finds it.
TEST_F(UvConfigWatchTest, PollFindsWhatNobodyTells) {
  for (const char* name : {"a", "other"}) {
    fs::create_directories(Path(name + std::string("/b/c")));
    WriteFile(Path(name + std::string("/b/c/g.toml")), name);
  }
  Watch(Path("a/b/c/g.toml"), {kSettleMs, 20});
  fs::rename(Path("a"), Path("gone"));
  fs::rename(Path("other"), Path("a"));
  ExpectChange("other");
  watch_.reset();
}

TEST_F(UvConfigWatchTest, ReadOnlyWhenItHasStoppedChanging) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  watch_.reset();
  Watch(Path("g.toml"), {2000, kHourMs});  // long enough for a slow machine
  std::ofstream file(Path("g.toml"), std::ios::trunc);
  std::string whole;
  for (int i = 0; i < 20; ++i) {
    file << i << std::flush;
    whole += std::to_string(i);
    RunFor(10);
  }
  file.close();
  EXPECT_TRUE(RunUntil([this] { return !seen_.empty(); }));
  EXPECT_EQ(seen_, std::vector<std::string>{whole});
  watch_.reset();
}

TEST_F(UvConfigWatchTest, HalfWrittenIsFollowedByTheRest) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  std::ofstream file(Path("g.toml"), std::ios::trunc);
  file << "half" << std::flush;
  ExpectChange("half");
  file << " and half" << std::flush;
  ExpectChange("half and half");
  watch_.reset();
}

TEST_F(UvConfigWatchTest, OwnWritesAreNoChange) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  Expect("b");
  ExpectNoChange();
  Replace(Path("g.toml"), "b");
  ExpectNoChange();
  Loaded("b");
  ExpectNoChange();
  // Only once: it is a change when it comes back later.
  WriteFile(Path("g.toml"), "c");
  ExpectChange("c");
  WriteFile(Path("g.toml"), "b");
  ExpectChange("b");
  // Somebody else was faster.
  Expect("d");
  WriteFile(Path("g.toml"), "e");
  ExpectChange("e");
  watch_.reset();
}

TEST_F(UvConfigWatchTest, LoadedFindsWhatWasThereBefore) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  Loaded("what the process began with");
  ExpectChange("a");
  // A reload that was asked for has read it by itself.
  WriteFile(Path("g.toml"), "b");
  Loaded("b");
  ExpectNoChange();
  watch_.reset();
}

TEST_F(UvConfigWatchTest, NotThereAtFirst) {
  Watch(Path("x/y/g.toml"));
  EXPECT_TRUE(RunUntil([this] { return !notes_.empty(); }));
  fs::create_directories(Path("x/y"));
  WriteFile(Path("x/y/g.toml"), "a");
  ExpectChange("a");
  watch_.reset();
}

TEST_F(UvConfigWatchTest, AFolderIsNoFile) {
  fs::create_directory(Path("g.toml"));
  Watch(Path("g.toml"));
  EXPECT_TRUE(RunUntil([this] { return !notes_.empty(); }));
  EXPECT_NE(notes_[0].find("not a regular file"), std::string::npos) << notes_[0];
  watch_.reset();
}

TEST_F(UvConfigWatchTest, LinksInACircle) {
  fs::create_symlink("b", Path("a"));
  fs::create_symlink("a", Path("b"));
  Watch(Path("a"));
  EXPECT_TRUE(RunUntil([this] { return !notes_.empty(); }));
  fs::remove(Path("b"));
  WriteFile(Path("b"), "straight");
  ExpectChange("straight");
  watch_.reset();
}

TEST_F(UvConfigWatchTest, DestroyedAtAnyMoment) {
  WriteFile(Path("g.toml"), "0");
  for (int moment = 0; moment < 40; ++moment) {
    watch_ = std::make_unique<UvConfigWatch>(
        &loop_, Path("g.toml"), [] {}, [](NoteLevel, const std::string&) {},
        ConfigWatchTimes{5, 5});
    watch_->Loaded("");
    for (int turn = 0; turn < moment / 2; ++turn) {
      Replace(Path("g.toml"), std::to_string(turn));
      uv_run(&loop_, UV_RUN_ONCE);
    }
    watch_.reset();
    Replace(Path("g.toml"), "after");
    if (moment % 2 == 0) uv_run(&loop_, UV_RUN_ONCE);
  }
}

TEST_F(UvConfigWatchTest, DestroyedByTheChange) {
  WriteFile(Path("g.toml"), "a");
  Watch(Path("g.toml"));
  destroy_at_change_ = true;
  WriteFile(Path("g.toml"), "b");
  EXPECT_TRUE(RunUntil([this] { return watch_ == nullptr; }));
}

}  // namespace
}  // namespace gemel
