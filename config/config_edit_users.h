// Changes the [[user]] tables in the text of a config file and nothing else.

#ifndef GEMEL_CONFIG_CONFIG_EDIT_USERS_H_
#define GEMEL_CONFIG_CONFIG_EDIT_USERS_H_

#include <optional>
#include <string>
#include <string_view>

namespace gemel {

// Sets the rules of the user of that name: those that its table has are replaced, a new one gets a
// table at the end. Nothing: its table goes, with the comments in it; if there is none, nothing is
// done.
//
// What comes out is parsed, as SetOption does it; otherwise returns false with *text unchanged and
// *error a sentence, which shows no rules. Any thread.
bool SetUserRules(std::string* text, std::string_view name, const std::optional<std::string>& rules,
                  std::string* error);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_EDIT_USERS_H_
