// What clients gave the process to keep, with the files in which it is after a restart: scripts,
// functions, options of the nodes.

#ifndef GEMEL_PROXY_SERVER_UV_KEPT_TEXTS_H_
#define GEMEL_PROXY_SERVER_UV_KEPT_TEXTS_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "proxy/options/kept_options.h"
#include "proxy/scripts/function_store.h"
#include "proxy/scripts/script_cache.h"
#include "proxy/server/posix_process_facts.h"
#include "proxy/server/uv_script_keeper.h"

namespace gemel {

// The main thread; what is kept is any thread's.
class UvKeptTexts {
 public:
  ScriptCache* scripts() { return &scripts_; }
  FunctionStore* functions() { return &functions_; }
  KeptOptions* options() { return &options_; }

  // [limits] scripts, in bytes.
  void SetLimit(uint64_t bytes) {
    scripts_.SetLimit(bytes);
    functions_.SetLimit(bytes);
  }
  // Reads the files in that folder, and writes them from now on.
  void Open(uv_loop_t* loop, const std::string& folder,
            const std::function<void(const std::string&)>& warn) {
    functions_.set_clock([] { return static_cast<uint64_t>(UnixTimeUs()); });
    script_keeper_ =
        std::make_unique<UvScriptKeeper>(loop, ScriptFile{folder, "scripts"}, &scripts_, warn);
    function_keeper_ =
        std::make_unique<UvScriptKeeper>(loop, ScriptFile{folder, "functions"}, &functions_, warn);
    option_keeper_ =
        std::make_unique<UvScriptKeeper>(loop, ScriptFile{folder, "node-options"}, &options_, warn);
  }
  void Close() {
    script_keeper_.reset();
    function_keeper_.reset();
    option_keeper_.reset();
  }

 private:
  ScriptCache scripts_;
  FunctionStore functions_;
  KeptOptions options_;
  std::unique_ptr<UvScriptKeeper> script_keeper_;
  std::unique_ptr<UvScriptKeeper> function_keeper_;
  std::unique_ptr<UvScriptKeeper> option_keeper_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_KEPT_TEXTS_H_
