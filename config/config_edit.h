// Changes one option in the text of a config file and nothing else: comments, blank lines, order,
// quotes and line ends stay.

#ifndef GEMEL_CONFIG_CONFIG_EDIT_H_
#define GEMEL_CONFIG_CONFIG_EDIT_H_

#include <string>
#include <string_view>

namespace gemel {

// Sets the option `name` ("section.key") of the file's text to `value`, a value in TOML as
// TomlValue makes it. Where the key is written its value alone is replaced, in whichever of TOML's
// ways it is written. Else it is added: behind the section's other keys or, where there is no
// section, with a section of its own at the end.
//
// What comes out is parsed: it has the new value, and all else as it was. Otherwise, also if the
// text or the value is no TOML, returns false with *text unchanged and *error a sentence, which
// does not show the value. Does not know which options there are: load what comes out. Any thread.
bool SetOption(std::string* text, std::string_view name, const std::string& value,
               std::string* error);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_EDIT_H_
