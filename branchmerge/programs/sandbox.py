"""Confined Python processes for untrusted text: in bubblewrap's namespaces, or in plain processes.

With `bubblewrap`: no network, no files but those of Python, numpy and the system, a small tmpfs, its own
process numbers, and never as root. With `process`: an empty environment, its own session and folder;
the resource limits, which a player sets itself, are then all that holds.
"""

import contextlib
import importlib.util
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from branchmerge.core.errors import StageError

Isolation = Literal["bubblewrap", "process"]
Role = Literal["player", "examiner"]
Mode = Literal["once", "serve"]

_FOLDER = Path(__file__).resolve().parent
_SCRIPTS: dict[Role, str] = {"player": "player.py", "examiner": "examiner.py"}
_PACKAGE = "branchmerge/programs"  # the folder's name in a sandbox too, which holds nothing else of ours
# the order of a set of texts, and so perhaps a verdict, follows the seed; numpy's threads would count as processes
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
_FLAGS = ("-P", "-s", "-S", "-X", "utf8")  # -I but for the environment, which holds nothing else
_INSIDE = Path("/grader")
_PACKAGES_INSIDE = Path("/packages")
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from {module} import main; main()"
_START_S = 20  # a sandbox is up in 0.05 s; a busy machine may take its time
# Of the range that systemd gives to services without an account; a prime apart, so that processes started one
# after the other seldom share one.
_FIRST_USER, _USERS, _APART = 61184, 4336, 61
_NUMBERS = itertools.count()


@dataclass
class Confined:
    """A confined process, our end of the socket that is its stdin, and its folder where it has one outside."""

    process: subprocess.Popen[bytes]
    end: socket.socket
    folder: Path | None = field(default=None)

    def kill(self) -> None:
        """End it and, in a sandbox, everything in it."""
        self.process.kill()
        self.process.wait()
        self.end.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def start(role: Role, mode: Mode, isolation: Isolation, max_tmp_bytes: int, user: int) -> Confined:
    """Start a player or an examiner.

    Args:
        mode: `once` for one program over the socket itself; `serve` for a fork a socket that is sent over it.
        max_tmp_bytes: Size of /tmp and of /dev/shm, each; bubblewrap only.
        user: Whom to become in bubblewrap if we are root; see `new_user`.
    """
    folder = None if isolation == "bubblewrap" else Path(tempfile.mkdtemp(prefix="branchmerge-"))
    wrapper = _bubblewrap(max_tmp_bytes) if isolation == "bubblewrap" else []
    root = str(_INSIDE if isolation == "bubblewrap" else _FOLDER.parents[1])
    boot = _BOOT.format(module=f"{_PACKAGE}/{_SCRIPTS[role]}".removesuffix(".py").replace("/", "."))
    # without a sandbox Python may be readable to root only, and without root there is nothing to leave
    leaves_root = str(user) if isolation == "bubblewrap" and _is_root() else ""
    python = [_python(), *_FLAGS, "-c", boot, root, mode, leaves_root]
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [*wrapper, *python],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd=folder or "/",
            start_new_session=True,
        )
    return Confined(process, ours, folder)


def new_user() -> int:
    """A user without an account, for one worker: RLIMIT_NPROC counts all processes of a user."""
    return _FIRST_USER + (os.getpid() * _APART + next(_NUMBERS)) % _USERS


@cache
def packages(isolation: Isolation) -> list[str]:
    """Where programs and tests find numpy, if it is installed: contests have it, and MBPP+ compares with it."""
    numpy = _numpy()
    if numpy is None:
        return []
    return [str(_PACKAGES_INSIDE if isolation == "bubblewrap" else numpy.parent)]


@cache
def other_processes(isolation: Isolation) -> int:
    """Processes that RLIMIT_NPROC counts beside a program's own: the spare sandbox, or all that this user runs."""
    if isolation == "bubblewrap":
        return 1
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may have ended
            count += len(os.listdir(process / "task")) if process.stat().st_uid == os.getuid() else 0
    return count


def check(isolation: Isolation) -> None:
    """Raise unless this machine can isolate so.

    Raises:
        StageError: bubblewrap is missing or may not make namespaces here.
    """
    if isolation == "bubblewrap" and (problem := bubblewrap_problem()):
        raise StageError(
            where="verify.isolation",
            expected="bubblewrap, which isolates the programs that are graded",
            got=problem,
            do="install it (apt-get install bubblewrap) and allow user namespaces, or set verify.isolation to process "
            "if you trust the programs",
        )


def bubblewrap_problem() -> str:
    """Why no sandbox can be started here; empty where one can."""
    if shutil.which("bwrap") is None:
        return "no program bwrap"
    try:
        tried = subprocess.run(
            [*_bubblewrap(2**20), _python(), *_FLAGS, "-c", ""],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={},
            timeout=_START_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"a sandbox that does not start within {_START_S} s"
    return "" if tried.returncode == 0 else tried.stderr.strip() or f"exit code {tried.returncode} of bwrap"


def _bubblewrap(max_tmp_bytes: int) -> list[str]:
    size = str(max_tmp_bytes)
    return [
        shutil.which("bwrap") or "bwrap",
        *("--die-with-parent", "--new-session", "--clearenv"),
        *(word for name, value in _ENVIRONMENT.items() for word in ("--setenv", name, value)),
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        # as root, no user namespace: root in it would still be root to RLIMIT_NPROC. The process leaves root itself.
        *(("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID") if _is_root() else ("--unshare-user",)),
        *_system(),
        *_bind(_FOLDER, _INSIDE / _PACKAGE),
        *_numpy_binds(),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--perms", "1777", "--size", size, "--tmpfs", "/dev/shm"),
        *("--perms", "1777", "--size", size, "--tmpfs", "/tmp"),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--chdir", "/tmp", "--"),
    ]


def _system() -> Iterator[str]:
    """The system's programs and libraries, and Python where it is not among them; read only."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("/bin", "/sbin", *sorted(map(str, Path("/").glob("lib*")))):
        if Path(name).is_symlink():
            yield from ("--symlink", os.readlink(name), name)
        elif Path(name).is_dir():
            yield from ("--ro-bind", name, name)
    if not Path(sys.base_prefix).is_relative_to("/usr"):
        yield from _bind(Path(sys.base_prefix), Path(sys.base_prefix))


def _bind(outside: Path, inside: Path) -> Iterator[str]:
    """A folder, read only; the folders above it made by hand, since bubblewrap's own are root's alone."""
    for parent in list(inside.parents)[-2::-1]:
        yield from ("--perms", "0755", "--dir", str(parent))
    yield from ("--ro-bind", str(outside), str(inside))


def _numpy() -> Path | None:
    spec = importlib.util.find_spec("numpy")
    return None if spec is None or spec.origin is None else Path(spec.origin).resolve().parent


def _numpy_binds() -> Iterator[str]:
    if (numpy := _numpy()) is not None:
        for folder in filter(Path.is_dir, (numpy, numpy.with_name("numpy.libs"))):
            yield from _bind(folder, _PACKAGES_INSIDE / folder.name)


def _python() -> str:
    """The interpreter itself: that of a virtual environment would look for the environment."""
    return os.path.realpath(sys.executable)


def _is_root() -> bool:
    return os.geteuid() == 0
