// Passwords of users: kept and compared as their SHA-256 alone.

#ifndef GEMEL_BACKEND_ACL_PASSWORD_HASH_H_
#define GEMEL_BACKEND_ACL_PASSWORD_HASH_H_

#include <string>
#include <string_view>

namespace gemel {

// The SHA-256 in 64 lower-case hex digits, as Redis keeps it.
std::string PasswordHash(std::string_view password);

// Is it what PasswordHash may say?
bool IsPasswordHash(std::string_view text);

// Compares in a time that does not tell how much of it is right. Both are hashes.
bool SamePasswordHash(std::string_view a, std::string_view b);

// Overwrites a password that came in a buffer, which nobody reads again.
void WipePassword(std::string_view password);

// `digits` random hex digits, fit for a password. False: the system has none.
bool RandomPassword(size_t digits, std::string* password);

}  // namespace gemel

#endif  // GEMEL_BACKEND_ACL_PASSWORD_HASH_H_
