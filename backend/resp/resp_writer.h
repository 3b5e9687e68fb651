// Appends values of RESP2 and RESP3 to a string. Not for the hot path, which copies frames whole.
// Spec: https://redis.io/docs/latest/develop/reference/protocol-spec/

#ifndef GEMEL_BACKEND_RESP_RESP_WRITER_H_
#define GEMEL_BACKEND_RESP_RESP_WRITER_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// +text, and -text, where text begins with its prefix ("ERR ..."). CR and LF in it become spaces.
void AppendSimple(std::string* out, std::string_view text);
void AppendError(std::string* out, std::string_view text);
void AppendInteger(std::string* out, int64_t value);        // :value
void AppendBulk(std::string* out, std::string_view bytes);  // $n bytes
void AppendNullBulk(std::string* out);                      // $-1
void AppendNullArray(std::string* out);                     // *-1
void AppendArrayHeader(std::string* out, int64_t count);    // *count; `count` values must follow
// Of RESP3, which resp2_form.h makes RESP2 of: a null, %pairs with 2 * `pairs` values behind it,
// ~count, and a verbatim string of plain text.
void AppendNull(std::string* out);
void AppendMapHeader(std::string* out, int64_t pairs);
void AppendSetHeader(std::string* out, int64_t count);
void AppendVerbatim(std::string* out, std::string_view text);
// A whole command: an array of bulk strings.
void AppendCommand(std::string* out, std::span<const std::string_view> args);
// The same alone.
std::string CommandFrame(const std::vector<std::string_view>& args);

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESP_RESP_WRITER_H_
