# Tries to write over the grader, the interpreter's library and the system.
import json

for path in ("@CANARY@", json.__file__, "/usr/bin/env", "/etc/passwd", "/canary", "/dev/canary"):
    try:
        with open(path, "a") as file:
            file.write("# overwritten\n")
        raise ValueError("leaked a way to write " + path)
    except OSError:
        pass


def f(x):
    return 0
