// An order to go over to another config, and what became of it.

#ifndef GEMEL_PROXY_RELOAD_RELOAD_ORDER_H_
#define GEMEL_PROXY_RELOAD_RELOAD_ORDER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/acl/acl_users.h"

namespace gemel {

struct ReloadOrder {
  // It changes the config in effect, and reads no file.
  bool edits() const { return !sets.empty() || !users.empty(); }

  std::string cause;     // "SIGHUP", "PROXY RELOAD", ...: for the log
  bool dry_run = false;  // only say what would change
  bool force = false;    // see WhyRefused
  // CONFIG SET: these options, as name and TOML value, on top of the config in effect. Nothing: the
  // file is read, and what was set before is forgotten.
  std::vector<std::pair<std::string, std::string>> sets = {};
  // ACL SETUSER and DELUSER, likewise.
  std::vector<AclOrder> users = {};
  bool local = false;  // who sets them is on this machine
  // CONFIG REWRITE: what was set before is written into the file, and that is read.
  bool rewrite = false;
  // The plan of the fleet is another, or waits for this member to agree: the file is not read.
  bool of_fleet = false;
  bool patient = false;  // what is refused only for a moment is tried again by itself
  // Of the file that is meant (HashContent): if it is another by now it is not loaded. Who watches
  // it tells when that is still.
  std::optional<uint64_t> seen = {};
  // PROXY UPGRADE: the process goes over to another binary, at that path; empty: where its own
  // lies.
  bool upgrade = false;
  std::string binary = {};
  // True once nobody waits for its outcome: if its turn has not come by then, it is dropped. Any
  // thread may read it.
  std::shared_ptr<const std::atomic<bool>> gone = {};
};

struct ReloadOutcome {
  bool ok = false;
  bool changed = false;
  std::string text;  // what changed or would change, in lines; or why it was refused, a sentence
};

using ReloadDone = std::function<void(const ReloadOutcome&)>;

// Why whatever has not begun to take effect does not.
inline constexpr char kReloadStopped[] = "gemel is being stopped";

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_RELOAD_ORDER_H_
