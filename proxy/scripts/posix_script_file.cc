#include "proxy/scripts/posix_script_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "backend/files/posix_regular_file.h"
#include "proxy/scripts/script_cache.h"

namespace gemel {

namespace {

// Then the texts' SHA1 together, and for each its length and its bytes, each on a line.
std::string HeadOf(const ScriptFile& file) { return "gemel " + file.name + " 1\n"; }
std::string PathOf(const ScriptFile& file) { return file.folder + "/" + file.name; }

std::string Why(const ScriptFile& file, const std::string& path, const std::string& what) {
  return path + ": " + what + " (the " + file.name + " that clients have loaded)";
}

// Up to the next line's end, which is taken off, too; false if there is none.
bool TakeLine(std::string_view* text, std::string_view* line) {
  const size_t end = text->find('\n');
  if (end == std::string_view::npos) return false;
  *line = text->substr(0, end);
  text->remove_prefix(end + 1);
  return true;
}

bool Parse(const std::string& head, std::string_view text, std::vector<std::string>* scripts) {
  std::string_view line;
  std::string_view sum;
  if (!text.starts_with(head)) return false;
  text.remove_prefix(head.size());
  if (!TakeLine(&text, &sum) || ScriptCache::Sha1(text) != sum) return false;
  while (!text.empty()) {
    size_t size = 0;
    if (!TakeLine(&text, &line)) return false;
    const auto [end, wrong] = std::from_chars(line.data(), line.data() + line.size(), size);
    if (wrong != std::errc() || end != line.data() + line.size() || text.size() <= size) {
      return false;
    }
    scripts->emplace_back(text.substr(0, size));
    text.remove_prefix(size + 1);
  }
  return true;
}

}  // namespace

bool ReadScripts(const ScriptFile& from, std::vector<std::string>* scripts, std::string* error) {
  const std::string path = PathOf(from);
  std::string why;
  const UniqueFd file = OpenRegular(AT_FDCWD, path.c_str(), O_RDONLY, &why);
  if (!file.valid()) {
    if (errno == ENOENT) return true;
    *error = Why(from, path, why);
    return false;
  }
  std::string text;
  char buffer[64 * 1024];
  ssize_t got = 0;
  while ((got = ::read(file.get(), buffer, sizeof(buffer))) > 0) {
    text.append(buffer, static_cast<size_t>(got));
  }
  if (got < 0) {
    *error = Why(from, path, std::strerror(errno));
    return false;
  }
  std::vector<std::string> read;
  if (!Parse(HeadOf(from), text, &read)) {
    *error = Why(from, path, "it is damaged and is not used");
    return false;
  }
  for (std::string& script : read) scripts->push_back(std::move(script));
  return true;
}

bool WriteScripts(const ScriptFile& to, const std::vector<TextStore::Text>& scripts,
                  std::string* error) {
  const std::string path = PathOf(to);
  const std::string next = path + ".next";
  std::string body;
  for (const TextStore::Text& script : scripts) {
    body += std::to_string(script->size()) + "\n" + *script + "\n";
  }
  const std::string text = HeadOf(to) + ScriptCache::Sha1(body) + "\n" + body;
  OPENSSL_thread_stop();  // what it keeps for a thread, which may outlive the library's own end
  std::string why;
  const UniqueFd file = OpenRegular(AT_FDCWD, next.c_str(), O_WRONLY | O_CREAT | O_TRUNC, &why);
  if (!file.valid()) {
    *error = Why(to, next, why);
    return false;
  }
  if (!WriteAll(file.get(), text) || ::fsync(file.get()) != 0 ||
      std::rename(next.c_str(), path.c_str()) != 0) {
    *error = Why(to, path, std::strerror(errno));
    return false;
  }
  return true;
}

}  // namespace gemel
