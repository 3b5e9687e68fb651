// A request to the listener of metrics, and its answer, whatever library carries them.

#ifndef GEMEL_PROXY_METRICS_HTTP_EXCHANGE_H_
#define GEMEL_PROXY_METRICS_HTTP_EXCHANGE_H_

#include <functional>
#include <string>
#include <string_view>

namespace gemel {

// Takes a piece of a long answer. False: nobody listens any more, and the rest need not be made.
using PageSink = std::function<bool(std::string_view piece)>;

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
  // Of a long one, instead of `body`: gives it to the sink in pieces, on the thread of the handler,
  // once, before the handler's listener can go.
  std::function<void(const PageSink& sink)> pieces = {};
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
