"""Types commands into redis-cli on a terminal, each after the prompt. The port is the argument.

On a terminal redis-cli asks the server for more than when it is fed from a pipe: COMMAND DOCS, to complete
and to hint. Prints what the terminal showed.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

port = sys.argv[1]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    # A terminal of unknown size would be asked for it, and nobody here would answer.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp("redis-cli", ["redis-cli", "-p", port])

shown = ""


def read_until(text: str, start: int) -> None:
    """Reads until the terminal shows the text after that place."""
    global shown
    end = time.monotonic() + 30
    while text not in shown[start:]:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            sys.exit(f"the terminal does not show {text!r}:\n{shown}")
        shown += os.read(terminal, 65536).decode(errors="replace")


prompt = f"127.0.0.1:{port}>"
read_until(prompt, 0)
for line, answer in (("SET k v", "OK"), ("GET k", '"v"'), ("help get", "Get the value of a key"),
                     ("INCR k", "not an integer")):
    mark = len(shown)
    os.write(terminal, line.encode() + b"\r")
    read_until(answer, mark)
    # redis-cli throws away what is typed before its next prompt.
    read_until(prompt, shown.rindex(answer))
os.write(terminal, b"exit\r")
os.waitpid(pid, 0)
print(shown)
