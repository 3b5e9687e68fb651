// Config files with a mistake, and what is said of it.

#ifndef GEMEL_TESTS_UNIT_CONFIG_ERRORS_H_
#define GEMEL_TESTS_UNIT_CONFIG_ERRORS_H_

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/config_load.h"

namespace gemel::config_errors_test {

constexpr char kShard[] = "[[shard]]\nname = \"s\"\nprimary = \"127.0.0.1:7001\"\n";

// "@@" in `text` stands before the place that the error must name; without it, the whole file.
struct Case {
  std::string text;
  std::string message;
};

inline void Expect(const std::vector<Case>& cases) {
  for (const Case& test : cases) {
    std::string text = test.text;
    uint32_t line = 0;
    uint32_t column = 0;
    if (size_t mark = text.find("@@"); mark != std::string::npos) {
      text.erase(mark, 2);
      ASSERT_EQ(text.find("@@"), std::string::npos);
      line = 1;
      column = 1;
      const bool bom = text.substr(0, 3) == "\xef\xbb\xbf";  // has no column
      for (char c : std::string_view(text).substr(0, mark).substr(bom ? 3 : 0)) {
        bool within = (static_cast<unsigned char>(c) & 0xc0) == 0x80;  // a UTF-8 character
        column = c == '\n' ? 1 : column + (within ? 0 : 1);
        if (c == '\n') line++;
      }
    }
    SCOPED_TRACE(text);
    ConfigError error;
    EXPECT_FALSE(LoadConfigText(text, "g.toml", &error));
    EXPECT_EQ(error.message, test.message);
    EXPECT_EQ(error.file, "g.toml");
    EXPECT_EQ(error.line, line);
    EXPECT_EQ(error.column, column);
  }
}

// The text followed by a good shard.
inline std::string Sharded(const std::string& text) { return text + "\n" + kShard; }
// A good shard followed by the text, which may add to it.
inline std::string InShard(const std::string& text) { return kShard + text + "\n"; }

}  // namespace gemel::config_errors_test

#endif  // GEMEL_TESTS_UNIT_CONFIG_ERRORS_H_
