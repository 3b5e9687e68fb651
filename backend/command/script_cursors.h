// Scripts and libraries of functions that read with a cursor (SCAN, HSCAN, SSCAN, ZSCAN): in them
// cursors are as clients have them (backend/keys/cursor.h), so that one may come from a client and
// go back to it, and begins anew where it means nothing. Every script pays for what knows of it; so
// only those get it that name such a command.

#ifndef GEMEL_BACKEND_COMMAND_SCRIPT_CURSORS_H_
#define GEMEL_BACKEND_COMMAND_SCRIPT_CURSORS_H_

#include <string>
#include <string_view>

namespace gemel {

// "scan" is in it, in any case.
bool MayScan(std::string_view code);

// Lua in front of a script's first line, on one line: whatever else is put before it comes first.
const std::string& CursorsOfScript();

// Lua for what is in front of a library (script_guard.cc): it goes by names that are there.
const std::string& CursorsOfLibrary();

// `code` with `guard` before its first line, or behind a "#!" line, added to *out; false if there
// is nothing behind that.
bool PutBeforeCode(std::string_view code, std::string_view guard, std::string* out);

// The script with CursorsOfScript.
std::string WithCursors(std::string_view script);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_SCRIPT_CURSORS_H_
