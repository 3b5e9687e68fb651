#include "backend/engines/posix_curl.h"

#include <dlfcn.h>

namespace gemel {

namespace {

constexpr char kLibrary[] = "libcurl.so.4";

class Loader {
 public:
  Loader() : library_(dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) {
      Fail(dlerror());
      return;
    }
    Find("curl_global_init", &curl_.global_init);
    Find("curl_slist_append", &curl_.slist_append);
    Find("curl_slist_free_all", &curl_.slist_free_all);
    Find("curl_easy_init", &curl_.easy_init);
    Find("curl_easy_setopt", &curl_.easy_setopt);
    Find("curl_easy_getinfo", &curl_.easy_getinfo);
    Find("curl_easy_strerror", &curl_.easy_strerror);
    Find("curl_easy_cleanup", &curl_.easy_cleanup);
    Find("curl_multi_init", &curl_.multi_init);
    Find("curl_multi_setopt", &curl_.multi_setopt);
    Find("curl_multi_add_handle", &curl_.multi_add_handle);
    Find("curl_multi_remove_handle", &curl_.multi_remove_handle);
    Find("curl_multi_socket_action", &curl_.multi_socket_action);
    Find("curl_multi_info_read", &curl_.multi_info_read);
    Find("curl_multi_cleanup", &curl_.multi_cleanup);
    if (!loaded_.error.empty()) return;
    curl_.global_init(CURL_GLOBAL_DEFAULT);
    loaded_.curl = &curl_;
  }

  const LoadedCurl& loaded() const { return loaded_; }

 private:
  template <typename Function>
  void Find(const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library_, name));
    if (*function == nullptr) Fail(dlerror());
  }
  void Fail(const char* why) {
    loaded_.error = std::string(kLibrary) + " cannot be used (" + (why != nullptr ? why : "?") +
                    "); on Debian, install the package libcurl4";
  }

  void* const library_;  // stays as long as the process: its threads and handlers at exit do, too
  Curl curl_ = {};
  LoadedCurl loaded_;
};

}  // namespace

const LoadedCurl& LoadCurl() {
  static const Loader loader;
  return loader.loaded();
}

}  // namespace gemel
