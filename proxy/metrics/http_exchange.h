// A request to the listener of metrics, and its answer, whatever library carries them.

#ifndef GEMEL_PROXY_METRICS_HTTP_EXCHANGE_H_
#define GEMEL_PROXY_METRICS_HTTP_EXCHANGE_H_

#include <string>

namespace gemel {

struct PageRequest {
  std::string method;
  std::string path;           // decoded
  std::string query;          // behind the '?', as it came
  std::string authorization;  // headers; empty: there is none
  std::string host;
  std::string origin;
  std::string body;
  std::string peer;  // as CLIENT LIST would show it: "127.0.0.1:40000", "[::1]:40000"
};

struct PageAnswer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::string headers = {};  // further ones, each line with its end
};

// A sentence, as text.
inline PageAnswer HttpError(int status, std::string sentence) {
  PageAnswer answer;
  answer.status = status;
  answer.body = std::move(sentence) + "\n";
  return answer;
}

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_HTTP_EXCHANGE_H_
