#include "proxy/reload/uv_config_watch.h"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "backend/uv/uv_clock.h"

namespace gemel {

namespace {

// After the first word of a change: the rest of an editor's steps come with it.
constexpr uint64_t kFirstLookMs = 10;

std::string Absolute(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  return failed ? path : absolute.string();
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

struct UvConfigWatch::Folder {
  uv_fs_event_t event;
  UvConfigWatch* owner;
  std::string path;
  FolderSighting sighting;
  bool suspect = false;  // it may be another folder by now, whatever its number says
};

void UvConfigWatch::CloseFolder::operator()(Folder* folder) const {
  uv_close(reinterpret_cast<uv_handle_t*>(&folder->event), [](uv_handle_t* closed) {
    std::unique_ptr<Folder>(static_cast<Folder*>(closed->data)).reset();
  });
}

UvConfigWatch::UvConfigWatch(uv_loop_t* loop, const std::string& path,
                             std::function<void()> changed, Note note, ConfigWatchTimes times)
    : loop_(loop),
      path_(Absolute(path)),
      changed_(std::move(changed)),
      note_(std::move(note)),
      times_(times),
      timer_(loop, [this] { StartLook(); }),
      looks_(loop, "gemel-watch"),
      last_change_(UvClock::NowMs(loop)) {
  StartLook();
}

UvConfigWatch::~UvConfigWatch() = default;

void UvConfigWatch::Loaded(std::string_view content) {
  known_ = HashContent(content);
  expected_.reset();
  Stir();
}

void UvConfigWatch::Expect(std::string_view content) { expected_ = HashContent(content); }

// The file may have changed: it is looked at soon, and read when it is still.
void UvConfigWatch::Stir() {
  last_change_ = UvClock::NowMs(loop_);
  if (settling_) return;  // a look is under way, or the timer is set
  settling_ = true;
  if (!looking_) timer_.Set(kFirstLookMs);
}

void UvConfigWatch::StartLook() {
  if (looking_) return;
  const bool read = settling_ && UvClock::NowMs(loop_) - last_change_ >= times_.settle_ms;
  auto sighting = std::make_shared<FileSighting>();
  looking_ = looks_.Run([sighting, path = path_, read] { *sighting = LookAtFile(path, read); },
                        [this, sighting, read] {
                          looking_ = false;
                          OnLook(*sighting, read);
                        });
  if (!looking_) timer_.Set(times_.poll_ms);
}

void UvConfigWatch::OnEvent(Folder* folder, const char* name, int status) {
  // Of itself a folder tells under its own name: it was moved, deleted, or is no more watched.
  const bool itself = status < 0 || name == nullptr || BaseName(folder->path) == name;
  if (itself) folder->suspect = true;
  if (itself || folder->sighting.names.contains(name)) Stir();
}

void UvConfigWatch::OnLook(const FileSighting& sighting, bool read) {
  const bool fresh = WatchFolders(sighting.folders);
  const uint64_t now = UvClock::NowMs(loop_);
  if (!(sighting.identity == identity_)) {
    identity_ = sighting.identity;
    settling_ = true;
    last_change_ = now;
  }
  if (fresh) {  // what happened between the look and the watch, nobody told
    timer_.Set(0);
    return;
  }
  if (!settling_) {
    timer_.Set(times_.poll_ms);
    return;
  }
  const uint64_t still_ms = now - last_change_;
  if (still_ms < times_.settle_ms) {
    timer_.Set(times_.settle_ms - still_ms);
    return;
  }
  if (!read || (!sighting.hash && sighting.error.empty())) {  // to be read, or changed under way
    timer_.Set(read ? times_.settle_ms : 0);
    return;
  }
  settling_ = false;
  timer_.Set(times_.poll_ms);
  Judge(sighting);  // last: it may destroy this
}

bool UvConfigWatch::WatchFolders(const std::map<std::string, FolderSighting>& sightings) {
  std::erase_if(folders_, [&](const auto& entry) { return !sightings.contains(entry.first); });
  bool fresh = false;
  for (const auto& [path, sighting] : sightings) {
    const auto found = folders_.find(path);
    if (found != folders_.end()) {
      Folder& folder = *found->second;
      if (!folder.suspect && folder.sighting.device == sighting.device &&
          folder.sighting.inode == sighting.inode) {
        folder.sighting.names = sighting.names;
        continue;
      }
      folders_.erase(found);
    }
    fresh = WatchFolder(path, sighting) || fresh;
  }
  return fresh;
}

bool UvConfigWatch::WatchFolder(const std::string& path, const FolderSighting& sighting) {
  auto fresh = std::make_unique<Folder>();
  uv_fs_event_init(loop_, &fresh->event);  // cannot fail
  fresh->event.data = fresh.get();
  fresh->owner = this;
  fresh->path = path;
  fresh->sighting = sighting;
  std::unique_ptr<Folder, CloseFolder> folder(fresh.release());
  const int status = uv_fs_event_start(
      &folder->event,
      [](uv_fs_event_t* event, const char* name, int, int result) {
        Folder* told = static_cast<Folder*>(event->data);
        told->owner->OnEvent(told, name, result);
      },
      path.c_str(), 0);
  if (status == 0) {
    folders_.emplace(path, std::move(folder));
    return true;
  }
  // It is tried again at the next look.
  if (status != UV_ENOENT && !told_unwatched_) {
    told_unwatched_ = true;
    note_(NoteLevel::kWarn,
          "cannot watch the folder " + path + " of the configuration: " + uv_strerror(status) +
              "; the file is looked at every " + std::to_string(times_.poll_ms) + " ms instead");
  }
  return false;
}

void UvConfigWatch::Judge(const FileSighting& sighting) {
  if (!sighting.hash) {
    if (!std::exchange(told_gone_, true)) {
      note_(NoteLevel::kWarn, "cannot read the configuration file " + path_ + ": " +
                                  sighting.error + "; the configuration in effect stays");
    }
    return;
  }
  told_gone_ = false;
  if (!known_ || sighting.hash == expected_) {
    known_ = sighting.hash;
    expected_.reset();
    return;
  }
  if (sighting.hash == known_) return;
  known_ = sighting.hash;
  expected_.reset();
  const std::function<void()> changed = changed_;  // may be destroyed in its call
  changed();
}

}  // namespace gemel
