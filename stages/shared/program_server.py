"""A program that runs untrusted programs, each in a forked process with limits; stdlib only.

Reads one JSON object a line, {"program", "tests", "wall_s", "memory_bytes"}; answers each with one
JSON line, "" for passed or the reason why not. Started by `grading`, never imported by it.
"""

import contextlib
import json
import os
import resource
import select
import signal
import sys


def outcome(program: str, tests: str, wall_s: float, memory_bytes: int) -> str:
    """Run a program and its tests in a child process; "" where all tests pass, else the reason."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _run(program, tests, wall_s, memory_bytes, writer)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], wall_s)
    said = os.read(reader, 200).decode(errors="replace") if ready else f"time-out after {wall_s:g} s"
    os.close(reader)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # the child and whatever it started
    os.waitpid(child, 0)
    if said == "passed":
        return ""
    return said or "ended before its tests"


def _run(program: str, tests: str, wall_s: float, memory_bytes: int, writer: int) -> None:
    """The child: limits, silence, program, tests, one word to the parent."""
    os.setpgid(0, 0)
    cpu_s = int(wall_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    try:
        scope: dict[str, object] = {"__name__": "__main__"}
        exec(compile(program, "program", "exec"), scope)
        exec(compile(tests, "tests", "exec"), scope)
        said = "passed"
    except BaseException as error:  # a program may raise anything, SystemExit included
        said = f"{type(error).__name__}: {error}"
    os.write(writer, said.encode(errors="replace")[:200])
    os._exit(0)


if __name__ == "__main__":
    sys.setrecursionlimit(500)
    for line in sys.stdin:
        print(json.dumps(outcome(**json.loads(line))), flush=True)
