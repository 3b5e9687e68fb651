// libcurl, loaded when it is first asked for. With what it needs itself it is some thirty libraries
// and 4 MB of a process, and only a fleet that agrees by etcd asks for it.

#ifndef GEMEL_BACKEND_ENGINES_POSIX_CURL_H_
#define GEMEL_BACKEND_ENGINES_POSIX_CURL_H_

#include <curl/curl.h>

#include <string>

namespace gemel {

// Its functions under their names without `curl_`.
struct Curl {
  decltype(&curl_global_init) global_init;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_multi_init) multi_init;
  decltype(&curl_multi_setopt) multi_setopt;
  decltype(&curl_multi_add_handle) multi_add_handle;
  decltype(&curl_multi_remove_handle) multi_remove_handle;
  decltype(&curl_multi_socket_action) multi_socket_action;
  decltype(&curl_multi_info_read) multi_info_read;
  decltype(&curl_multi_cleanup) multi_cleanup;
};

struct LoadedCurl {
  const Curl* curl = nullptr;  // null: it cannot be loaded; else as long as the process
  std::string error;           // why not and what to do, a phrase
};

// Loads it and sets it up at the first call, which may read files. Any thread.
const LoadedCurl& LoadCurl();

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_POSIX_CURL_H_
