// backend/command/COMMANDS.md says what the command table says.

#include "backend/command/command_page.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace gemel {
namespace {

// GEMEL_WRITE_PAGE: writes it instead.
TEST(CommandPage, IsThatOfTheTable) {
  const std::string path = std::string(GEMEL_SOURCE) + "/backend/command/COMMANDS.md";
  if (std::getenv("GEMEL_WRITE_PAGE") != nullptr) {
    std::ofstream(path) << CommandPage();
  }
  std::ifstream file(path);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(page, CommandPage()) << "a row has changed: run this test with GEMEL_WRITE_PAGE=1";
}

TEST(CommandPage, SaysWhatBecomesOfACommand) {
  const std::string page = CommandPage();
  for (const char* line : {
           "| GET | string | as Redis |  |\n",
           "| SET | string | as Redis | the same command to each copy |\n",
           "| MGET | string | as Redis | cut up by key, over all shards |\n",
           "| SPOP | set | as Redis | the other copies get what came of it |\n",
           "| SINTER | set | as Redis within one shard |  |\n",
           "| CONFIG GET | server | answered by gemel |  |\n",
           "| BLPOP | list | as Redis within one shard | ",
           "; waits in gemel, not on a node |\n",
           "| MIGRATE | generic | refused | ",
       }) {
    EXPECT_NE(page.find(line), std::string::npos) << line << page;
  }
}

}  // namespace
}  // namespace gemel
