// A typed reader over one TOML table. The one header that knows toml++; private to config.

#ifndef GEMEL_CONFIG_CONFIG_TABLE_H_
#define GEMEL_CONFIG_CONFIG_TABLE_H_

#include <toml++/toml.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_mistakes.h"
#include "config/config_options.h"

namespace gemel {

// Each reader below looks a key up, checks its value and stores it. It returns the place of a good
// value. Where the key is not there it returns nothing and leaves *value, the default; where the
// value is wrong it also adds the mistake. Every key must be asked for before Finish, which is what
// makes all others unknown.
class TableReader {
 public:
  // `title` is how messages call the table: "[ring]", "[[shard]]"; empty for the whole file. A null
  // table is a section that the file leaves out. Both pointers must outlive the reader.
  TableReader(const toml::table* table, std::string title, Mistakes* mistakes);

  // From now on adds every option that is asked for to *options, whether it is there or not.
  void Record(std::vector<OptionInfo>* options) { options_ = options; }

  // The option that was asked for last, and is called so, has this guard.
  void Protect(std::string_view key, Guard guard = Guard::kProtected);

  // The option that was asked for last has this value, unless the file says another.
  void Show(std::string value);

  // A text; `expected` describes it. The caller checks what it says, by Reject.
  std::optional<Place> String(std::string_view key, std::string_view expected, std::string* value);
  // The same for a text that no message may show.
  std::optional<Place> Secret(std::string_view key, std::string* value);
  std::optional<Place> Bool(std::string_view key, bool* value);

  // A number from min to max.
  template <class T>
  std::optional<Place> Integer(std::string_view key, int64_t min, int64_t max, T* value) {
    std::optional<Number> number = ReadInteger(key, min, max);
    if (options_ != nullptr) Show(std::to_string(*value));
    if (!number) return std::nullopt;
    *value = static_cast<T>(number->value);
    return number->place;
  }

  // Bytes from min to max, as a number or as text with a unit ("64mb").
  template <class T>
  std::optional<Place> Size(std::string_view key, uint64_t min, uint64_t max, T* value) {
    static_assert(std::numeric_limits<T>::max() <= std::numeric_limits<uint64_t>::max());
    std::optional<Number> number = ReadSize(key, min, max);
    if (options_ != nullptr) Show(std::to_string(*value));
    if (!number) return std::nullopt;
    *value = static_cast<T>(number->value);
    return number->place;
  }

  // One of a few words.
  template <class T>
  struct Option {
    std::string_view word;
    T value;
  };
  template <class T>
  std::optional<Place> Choice(std::string_view key, std::initializer_list<Option<T>> options,
                              T* value) {
    std::vector<std::string> words;
    for (const Option<T>& option : options) words.emplace_back(option.word);
    std::string word;
    std::optional<Place> place = ReadChoice(key, words, &word);
    for (const Option<T>& option : options) {
      if (option.value == *value) Show(std::string(option.word));
    }
    if (!place) return std::nullopt;
    for (const Option<T>& option : options) {
      if (option.word == word) *value = option.value;
    }
    return place;
  }

  struct Item {
    std::string text;
    Place place;
  };
  // An array of texts of at most `most` items; `expected` describes it.
  std::optional<Place> Strings(std::string_view key, std::string_view expected, size_t most,
                               std::vector<Item>* items);

  // The same, or one text that is split at blanks. No message shows any of them.
  std::optional<Place> Words(std::string_view key, std::string_view expected, size_t most,
                             std::vector<Item>* items);

  // The section [key], or null if it is not there.
  const toml::table* Section(std::string_view key);
  // All of [[key]], at most `most`, in the order of the file.
  std::vector<const toml::table*> Sections(std::string_view key, size_t most);

  // True if the file says something, right or wrong, for the key.
  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  // True if the key was asked for and its value was rejected.
  bool IsWrong(std::string_view key) const;
  // The head of the table.
  Place place() const;

  // The value at `place` is of the right type but not good: adds "TITLE KEY: PHRASE".
  void Reject(std::string_view key, Place place, std::string_view phrase);
  // The table has to have the key, and the file does not: `expected` describes its value.
  void Missing(std::string_view key, std::string_view expected);

  // Adds a mistake for every key that none of the above asked for.
  void Finish();

 private:
  struct Number {
    uint64_t value;  // of a negative number its two's complement
    Place place;
  };

  const toml::node* Find(std::string_view key) const;
  // The same, and notes that the key is known.
  const toml::node* Ask(std::string_view key, OptionKind kind);
  // The same for a section; `title` is how to write it.
  const toml::node* AskSection(std::string_view key, std::string title);
  void WrongType(std::string_view key, const toml::node& node, std::string_view expected);
  std::optional<Number> ReadInteger(std::string_view key, int64_t min, int64_t max);
  std::optional<Number> ReadSize(std::string_view key, uint64_t min, uint64_t max);
  std::optional<Place> ReadChoice(std::string_view key, const std::vector<std::string>& words,
                                  std::string* word);
  std::string Name(std::string_view key) const;

  const toml::table* table_;
  std::string title_;
  Mistakes* mistakes_;
  std::vector<std::string> known_;   // keys that were asked for
  std::vector<std::string> wrong_;   // of those the ones with a mistake
  std::vector<std::string> titles_;  // how to write each: key, [key] or [[key]]
  std::vector<OptionInfo>* options_ = nullptr;
};

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_TABLE_H_
