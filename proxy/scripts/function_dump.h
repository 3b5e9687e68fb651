// The payload of FUNCTION DUMP and RESTORE: each library's code as an entry of an RDB file (opcode
// 245, the code as a string, which Redis writes compressed by LZF), then the RDB version (2 bytes)
// and the CRC64 of all before it (8 bytes), least byte first. As Redis 7.0's functions.c, rdb.c.

#ifndef GEMEL_PROXY_SCRIPTS_FUNCTION_DUMP_H_
#define GEMEL_PROXY_SCRIPTS_FUNCTION_DUMP_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// Of RDB version 10, which Redis 7.0 and later read.
std::string DumpFunctions(const std::vector<std::string>& codes);

// Appends the codes. False and *error (after "ERR ", in Redis's words) if that is no payload.
bool ReadFunctionDump(std::string_view payload, std::vector<std::string>* codes,
                      std::string* error);

// CRC-64 of Jones (polynomial 0xad93d23594c935a9, reflected), as Redis's crc64.c.
uint64_t Crc64(std::string_view bytes);

}  // namespace gemel

#endif  // GEMEL_PROXY_SCRIPTS_FUNCTION_DUMP_H_
