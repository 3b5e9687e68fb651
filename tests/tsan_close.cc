// Part of what is built for ThreadSanitizer: libuv closes descriptors by syscall(), which it does
// not see, so that a number which is used again looked shared by those who had it one after the
// other.

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>

extern "C" long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long args[6];
  for (long& arg : args) arg = va_arg(list, long);
  va_end(list);
  if (number == SYS_close) return close(static_cast<int>(args[0]));
  using Syscall = long (*)(long, ...);
  static const auto real = reinterpret_cast<Syscall>(dlsym(RTLD_NEXT, "syscall"));
  return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
