// The state file: what is read is what was written, or an error; never something else.

#include "backend/topology/posix_state_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace gemel::posix_state_file_test {
namespace {

namespace fs = std::filesystem;

Topology Sample() {
  Topology topology;
  topology.epoch = 42;
  topology.clean = false;
  ShardInfo a;
  a.name = "a";
  a.epoch = 7;
  a.primary = 1;
  a.copies = {{"127.0.0.1:7101", CopyState::kStale, "aaaa", "the connection was refused"},
              {"127.0.0.1:7201", CopyState::kInSync, "bbbb", ""}};
  ShardInfo b;
  b.name = "b";
  b.adopted = true;
  b.copies = {{"unix:/run/redis.sock", CopyState::kInSync, "", ""}};
  topology.shards = {a, b};
  return topology;
}

// A new folder under the system's temporary one, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "gemel-state-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path() const { return path_.string(); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void Spill(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Runs `body` in a child process; true if it returned true there.
bool InChild(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void ExpectStored(StateFile* file, const Topology& expected) {
  Topology found;
  std::string error;
  ASSERT_EQ(file->Read(&found, &error), StateFile::ReadResult::kFound) << error;
  EXPECT_EQ(found, expected);
}

TEST(StateFile, KeepsTheLastTopology) {
  const Folder folder;
  std::string error;
  Topology topology = Sample();
  {
    StateFile file;
    ASSERT_TRUE(file.Open(folder.path(), &error)) << error;
    EXPECT_EQ(file.path(), folder / "topology.toml");
    EXPECT_EQ(file.Read(&topology, &error), StateFile::ReadResult::kNone);
    EXPECT_EQ(topology, Sample());
    for (int i = 0; i < 5; ++i) {
      ++topology.epoch;
      ASSERT_TRUE(file.Write(topology, &error)) << error;
      ExpectStored(&file, topology);
    }
  }
  StateFile again;
  ASSERT_TRUE(again.Open(folder.path(), &error)) << error;
  ExpectStored(&again, topology);
  EXPECT_FALSE(fs::exists(folder / "topology.toml.tmp"));
}

TEST(StateFile, MakesTheFolder) {
  const Folder folder;
  std::string error;
  StateFile file;
  ASSERT_TRUE(file.Open(folder / "x/y/z", &error)) << error;
  EXPECT_TRUE(file.Write(Sample(), &error)) << error;
}

TEST(StateFile, RefusesWhatIsNoFolder) {
  const Folder folder;
  Spill(folder / "file", "");
  std::string error;
  StateFile in_file;
  EXPECT_FALSE(in_file.Open(folder / "file", &error));
  EXPECT_NE(error.find("state_dir"), std::string::npos) << error;
  StateFile under_file;
  EXPECT_FALSE(under_file.Open(folder / "file/state", &error));
  EXPECT_NE(error.find("cannot make the folder"), std::string::npos) << error;
  StateFile taken;
  fs::create_directories(folder / "taken/lock");
  EXPECT_FALSE(taken.Open(folder / "taken", &error));
  EXPECT_NE(error.find("lock"), std::string::npos) << error;
}

TEST(StateFile, RefusesAFolderItCannotWrite) {
  const Folder folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  // Root may write everywhere, so the child is someone else.
  const bool refused = InChild([&] {
    if (::geteuid() == 0 && (::chown(folder.path().c_str(), 65534, 65534) != 0 ||
                             ::setgid(65534) != 0 || ::setuid(65534) != 0)) {
      return false;
    }
    StateFile file;
    std::string error;
    return !file.Open(folder.path(), &error) &&
           error.find("Permission denied") != std::string::npos;
  });
  EXPECT_TRUE(refused);
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST(StateFile, IsHeldByOneProcess) {
  const Folder folder;
  std::string error;
  const auto open_elsewhere = [&](std::string_view expected_error) {
    return InChild([&] {
      StateFile file;
      std::string why;
      const bool opened = file.Open(folder.path(), &why);
      return expected_error.empty() ? opened : !opened && why.find(expected_error) != why.npos;
    });
  };
  EXPECT_TRUE(open_elsewhere(""));
  {
    StateFile file;
    ASSERT_TRUE(file.Open(folder.path(), &error)) << error;
    EXPECT_TRUE(open_elsewhere("is in use by process " + std::to_string(::getpid()) + "; stop it"));
    StateFile same_process;
    EXPECT_FALSE(same_process.Open(folder.path(), &error));
    EXPECT_FALSE(same_process.Write(Sample(), &error));
    EXPECT_TRUE(file.Write(Sample(), &error)) << error;
  }
  EXPECT_TRUE(open_elsewhere(""));
}

TEST(StateFile, ADamagedFileIsRefusedWithAdvice) {
  const Folder folder;
  std::string error;
  StateFile file;
  ASSERT_TRUE(file.Open(folder.path(), &error)) << error;
  ASSERT_TRUE(file.Write(Sample(), &error)) << error;
  const std::string text = Slurp(file.path());
  Topology topology;
  for (const std::string& damaged : {std::string(), text.substr(0, text.size() / 2), text + "#"}) {
    Spill(file.path(), damaged);
    EXPECT_EQ(file.Read(&topology, &error), StateFile::ReadResult::kFailed);
    EXPECT_NE(error.find(file.path()), std::string::npos) << error;
    EXPECT_NE(error.find("remove it"), std::string::npos) << error;
  }
  fs::remove(file.path());
  fs::create_directory(file.path());
  EXPECT_EQ(file.Read(&topology, &error), StateFile::ReadResult::kFailed);
  EXPECT_FALSE(file.Write(Sample(), &error));
  EXPECT_NE(error.find("it is a folder, not a file"), std::string::npos) << error;
}

TEST(StateFile, ALeftOverTemporaryFileDoesNoHarm) {
  const Folder folder;
  std::string error;
  StateFile file;
  ASSERT_TRUE(file.Open(folder.path(), &error)) << error;
  Spill(folder / "topology.toml.tmp", std::string(1 << 20, 'x'));
  Topology topology;
  EXPECT_EQ(file.Read(&topology, &error), StateFile::ReadResult::kNone);
  ASSERT_TRUE(file.Write(Sample(), &error)) << error;
  ExpectStored(&file, Sample());
}

TEST(StateFile, ARemovedFolderIsAnError) {
  const Folder folder;
  std::string error;
  StateFile file;
  ASSERT_TRUE(file.Open(folder / "state", &error)) << error;
  fs::remove_all(folder / "state");
  EXPECT_FALSE(file.Write(Sample(), &error));
  EXPECT_NE(error.find("No such file or directory"), std::string::npos) << error;
  // Nor does it write into a folder made anew in its place, whose lock it does not hold.
  fs::create_directory(folder / "state");
  EXPECT_FALSE(file.Write(Sample(), &error));
  EXPECT_TRUE(fs::is_empty(folder / "state"));
}

TEST(StateFile, AFullDiskLeavesTheOldState) {
  const Folder folder;
  std::string error;
  {
    StateFile file;
    ASSERT_TRUE(file.Open(folder.path(), &error)) << error;
    ASSERT_TRUE(file.Write(Sample(), &error)) << error;
  }
  const bool as_expected = InChild([&] {
    StateFile file;
    std::string why;
    if (!file.Open(folder.path(), &why)) return false;
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {100, 100};  // some of it fits, as on a disk that fills up
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    Topology next = Sample();
    ++next.epoch;
    if (file.Write(next, &why) || why.find("cannot write") == std::string::npos) return false;
    Topology found;
    return file.Read(&found, &why) == StateFile::ReadResult::kFound && found == Sample();
  });
  EXPECT_TRUE(as_expected);
  EXPECT_FALSE(fs::exists(folder / "topology.toml.tmp"));
  StateFile file;
  ASSERT_TRUE(file.Open(folder.path(), &error)) << error;
  ExpectStored(&file, Sample());
}

// A disk whose n-th call fails, once.
class FailingFile : public StateFile {
 public:
  int sync_to_fail = 0;  // counted from 1: the file, then the folder
  bool fail_rename = false;

 protected:
  int Sync(int fd) override {
    if (sync_to_fail > 0 && --sync_to_fail == 0) {
      errno = EIO;
      return -1;
    }
    return StateFile::Sync(fd);
  }
  int Rename(int folder, const char* from, const char* to) override {
    if (std::exchange(fail_rename, false)) {
      errno = EIO;
      return -1;
    }
    return StateFile::Rename(folder, from, to);
  }
};

TEST(StateFile, AFailingSyncOrRenameLeavesTheOldState) {
  for (const bool known : {false, true}) {
    const Folder folder;
    std::string error;
    FailingFile file;
    ASSERT_TRUE(file.Open(folder.path(), &error)) << error;
    if (known) {
      ASSERT_TRUE(file.Write(Sample(), &error)) << error;
    }
    Topology next = Sample();
    next.epoch = 77;
    const auto expect_failure = [&](std::string_view what) {
      EXPECT_FALSE(file.Write(next, &error)) << what;
      EXPECT_NE(error.find(what), std::string::npos) << error;
      Topology found;
      const auto result = file.Read(&found, &error);
      if (known) {
        EXPECT_EQ(result, StateFile::ReadResult::kFound) << what;
        EXPECT_EQ(found, Sample()) << what;
      } else {
        EXPECT_EQ(result, StateFile::ReadResult::kNone) << what;
      }
      EXPECT_FALSE(fs::exists(folder / "topology.toml.tmp"));
    };
    file.sync_to_fail = 1;
    expect_failure("cannot sync " + folder.path() + "/topology.toml.tmp: Input/output error");
    file.sync_to_fail = 2;
    expect_failure("cannot sync the folder");
    file.fail_rename = true;
    expect_failure("cannot rename");
    ASSERT_TRUE(file.Write(next, &error)) << error;
    ExpectStored(&file, next);
  }
}

}  // namespace
}  // namespace gemel::posix_state_file_test
