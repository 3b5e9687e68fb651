// Keeps the scripts, or the libraries, that clients have shown on disk: reads them at the start,
// and writes them a moment after they have changed, on a thread of its own.

#ifndef GEMEL_PROXY_SERVER_UV_SCRIPT_KEEPER_H_
#define GEMEL_PROXY_SERVER_UV_SCRIPT_KEEPER_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/uv/uv_side_thread.h"
#include "backend/uv/uv_timer.h"
#include "proxy/scripts/posix_script_file.h"

namespace gemel {

// The loop's thread.
class UvScriptKeeper {
 public:
  // Reads what is there: `warn` hears if that cannot be done, now or later. `store` outlives it,
  // and the loop turns on until it has closed what this had.
  UvScriptKeeper(uv_loop_t* loop, ScriptFile file, TextStore* store,
                 std::function<void(const std::string&)> warn);
  // What is not written yet is written meanwhile.
  ~UvScriptKeeper();

 private:
  // Of whoever writes the file: the side thread, which may be at it still when the keeper ends.
  struct Writing;
  static void Write(const ScriptFile& file, uint64_t version,
                    const std::vector<TextStore::Text>& scripts, Writing* writing,
                    std::string* error);

  void Look();
  void Save();

  ScriptFile file_;
  TextStore* store_;
  std::function<void(const std::string&)> warn_;
  uint64_t saved_ = 0;  // the version
  bool saving_ = false;
  bool warned_ = false;
  std::shared_ptr<Writing> writing_;
  UvSideThread thread_;
  UvTimer timer_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_SCRIPT_KEEPER_H_
