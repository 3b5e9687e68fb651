#include "tests/e2e/web.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/e2e/child_process.h"

namespace gemel::e2e {

namespace {

ClusterOptions With(ClusterOptions options, const std::string& listen, const std::string& lines) {
  options.sections["metrics"] = "listen = [\"" + listen + "\"]\n" + lines;
  return options;
}

}  // namespace

WebAnswer WebGet(uint16_t port, const std::string& path, const Words& curl,
                 const std::string& host) {
  Words command = {"curl", "-s", "-i", "--http1.1", "--max-time", "60", "--noproxy", "*"};
  command.insert(command.end(), curl.begin(), curl.end());
  command.push_back("http://" + host + ":" + std::to_string(port) + path);
  const Finished finished = RunProgram(command);
  WebAnswer answer;
  const size_t end = finished.output.find("\r\n\r\n");
  if (!finished.output.starts_with("HTTP/1.1 ") || end == std::string::npos) return answer;
  answer.status = std::stoi(finished.output.substr(9, 3));
  answer.head = finished.output.substr(0, end);
  answer.body = finished.output.substr(end + 4);
  return answer;
}

Scrape::Scrape(std::string text) : text_(std::move(text)) {
  std::istringstream lines(text_);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      std::istringstream words(line.substr(7));
      std::string name;
      std::string type;
      words >> name >> type;
      families_.insert(name);
      if (type != "histogram") continue;
      for (const char* end : {"_bucket", "_sum", "_count"}) families_.insert(name + end);
    }
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.rfind(' ');
    const size_t brace = std::min(line.find('{'), space);
    samples_.emplace(line.substr(0, brace), std::pair(line.substr(brace, space - brace),
                                                      std::stod(line.substr(space + 1))));
  }
}

double Scrape::Sum(const std::string& name, const std::string& label) const {
  double sum = 0;
  for (auto [at, end] = samples_.equal_range(name); at != end; ++at) {
    if (at->second.first.find(label) != std::string::npos) sum += at->second.second;
  }
  return sum;
}

std::set<std::string> MetricsNamedIn(const std::string& text) {
  constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
  std::set<std::string> names;
  for (size_t at = 0; (at = text.find("gemel_", at)) != std::string::npos;) {
    const size_t end = std::min(text.find_first_not_of(kLetters, at), text.size());
    names.insert(text.substr(at, end - at));
    at = end;
  }
  return names;
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what << " is not in " << text;
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

std::string SourceFolder() { return GEMEL_SOURCE; }

Looked::Looked(ClusterOptions options, const std::string& lines, const std::string& host)
    : host_(host),
      cluster_(With(std::move(options), host + ":" + std::to_string(port_.number()), lines)) {}

Scrape Looked::Metrics() const {
  const WebAnswer answer = Get("/metrics");
  EXPECT_EQ(answer.status, 200) << answer.body;
  return Scrape(answer.body);
}

}  // namespace gemel::e2e
