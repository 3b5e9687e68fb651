// Whether this program was built with AddressSanitizer or ThreadSanitizer, as g++ or clang says it.

#ifndef GEMEL_TESTS_SANITIZED_H_
#define GEMEL_TESTS_SANITIZED_H_

namespace gemel {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace gemel

#endif  // GEMEL_TESTS_SANITIZED_H_
