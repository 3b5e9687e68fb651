// Watches the config file and says when what is in it has changed.

#ifndef GEMEL_PROXY_RELOAD_UV_CONFIG_WATCH_H_
#define GEMEL_PROXY_RELOAD_UV_CONFIG_WATCH_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/events/note.h"
#include "backend/uv/uv_side_thread.h"
#include "backend/uv/uv_timer.h"
#include "proxy/reload/posix_file_sighting.h"

namespace gemel {

struct ConfigWatchTimes {
  uint64_t settle_ms = 200;  // the file must be still for so long before it is read
  uint64_t poll_ms = 2000;   // between two looks at it, whether or not the system told of a change
};

// One loop, one thread; the file is looked at on a thread of its own, so that a file system that is
// slow or hangs stops nothing. Finds a change however it is written: in place, by a rename over the
// file, by deletion and creation, or by a swap of any symbolic link on the way to it. Watches the
// folders on that way and, for file systems that tell of nothing, looks every poll_ms.
class UvConfigWatch {
 public:
  // One sentence for the log.
  using Note = std::function<void(NoteLevel level, const std::string& text)>;

  // `changed` is called once the file has content that is neither in effect nor expected, and has
  // been still for settle_ms; it may destroy the watch. `note` must not. Neither is called from
  // within a method. A file that is gone or unreadable is noted, and is no change. A relative path
  // starts from the folder of the process.
  UvConfigWatch(uv_loop_t* loop, const std::string& path, std::function<void()> changed, Note note,
                ConfigWatchTimes times = {});
  // The loop must turn on until it has closed what the watch had.
  ~UvConfigWatch();
  UvConfigWatch(const UvConfigWatch&) = delete;
  UvConfigWatch& operator=(const UvConfigWatch&) = delete;

  // The content in effect: a file that has another is a change, also one that has had it for long.
  // Without a call this is what the first look finds. What was expected is forgotten.
  void Loaded(std::string_view content);

  // What was found last, or is in effect, whatever was later: HashContent of it. In `changed`: the
  // content that is the change.
  std::optional<uint64_t> known() const { return known_; }

  // The process is about to write this itself: not a change when it is found. To be followed by
  // Loaded: of this content when it is written, of the old one if it could not be.
  void Expect(std::string_view content);

 private:
  struct Folder;
  struct CloseFolder {
    void operator()(Folder* folder) const;
  };

  void Stir();
  void StartLook();
  void OnEvent(Folder* folder, const char* name, int status);
  void OnLook(const FileSighting& sighting, bool read);
  // True if a folder is watched that was not before.
  bool WatchFolders(const std::map<std::string, FolderSighting>& sightings);
  bool WatchFolder(const std::string& path, const FolderSighting& sighting);
  void Judge(const FileSighting& sighting);

  uv_loop_t* loop_;
  std::string path_;
  std::function<void()> changed_;
  Note note_;
  ConfigWatchTimes times_;
  UvTimer timer_;  // to the next look, if there is none under way
  std::map<std::string, std::unique_ptr<Folder, CloseFolder>> folders_;
  UvSideThread looks_;
  bool looking_ = false;
  FileIdentity identity_;
  bool settling_ = true;      // it has changed, or may have, and was not read since
  uint64_t last_change_ = 0;  // loop time
  std::optional<uint64_t> known_;
  std::optional<uint64_t> expected_;
  bool told_gone_ = false;
  bool told_unwatched_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_UV_CONFIG_WATCH_H_
