// Voters of raft in processes of their own, which a test kills, stops, and starts again.

#ifndef GEMEL_TESTS_IO_RAFT_VOTERS_H_
#define GEMEL_TESTS_IO_RAFT_VOTERS_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/engines/engine_options.h"
#include "tests/e2e/free_port.h"
#include "tests/io/raft_wires.h"

namespace gemel::raft_test {

inline constexpr char kSecret[] = "of the voters of a test";
// What Start returns where this system does not let a process have a disk of its own.
inline constexpr char kNoDisk[] = "no disk of its own";

struct VotersOptions {
  size_t count = 3;
  size_t founders = 0;  // so many of them, the first, vote from the beginning; 0: all
  // The machine may be a busy one: elections take their time.
  uint32_t election_ms = 300;
  uint32_t heartbeat_ms = 50;
  uint32_t snapshot_after = 1024;
  bool wired = false;  // what is said goes over wires that may be cut
  // The folder of each is on a disk of its own that has so many bytes, and is gone with the voter's
  // process; 0: it is not.
  size_t disk_bytes = 0;
};

// `count` of them, with folders of their own. What they know is on the disk alone.
class Voters {
 public:
  explicit Voters(VotersOptions options = {});
  ~Voters();
  Voters(const Voters&) = delete;
  Voters& operator=(const Voters&) = delete;

  // Returns what it says is wrong; empty: it is up.
  std::string Start(size_t i);
  void Kill(size_t i);
  void Pause(size_t i);
  void Resume(size_t i);
  bool alive(size_t i) const { return pids_[i] > 0; }
  Wires& wires() { return *wires_; }
  // Takes all that is left on its disk, or gives that back.
  void FillDisk(size_t i);
  void FreeDisk(size_t i);
  // What it warned of last, a piece of it at least; empty: nothing since it was started.
  std::string Warning(size_t i) const;

  // The one that leads, as they say themselves; the count: none.
  size_t Leader();
  // Numbers of the last command that each knows to be agreed.
  uint64_t LastApplied(size_t i) { return Look(i).last_applied; }

  // For one who asks them.
  EngineOptions Options(const std::string& member = "asker") const;
  const std::vector<std::string>& addresses() const { return addresses_; }
  const std::vector<std::string>& founders() const { return founders_; }
  std::string folder(size_t i) const;

 private:
  // Shared with the process of the voter, which writes it.
  struct Page {
    bool leads = false;
    uint64_t last_applied = 0;
  };
  Page Look(size_t i) const;
  void Run(size_t i, int report);
  std::string Filler(size_t i) const;

  const VotersOptions options_;
  std::unique_ptr<Wires> wires_;
  std::vector<std::unique_ptr<e2e::FreePort>> ports_;  // where they listen
  std::vector<std::unique_ptr<e2e::FreePort>> known_ports_;
  std::vector<std::string> addresses_;
  std::vector<std::string> founders_;
  std::vector<pid_t> pids_;
  std::vector<void*> pages_;
  std::string folder_;
};

}  // namespace gemel::raft_test

#endif  // GEMEL_TESTS_IO_RAFT_VOTERS_H_
