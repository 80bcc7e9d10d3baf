"""Worker processes that grade, each task within limits of time and memory; what breaks them is unverifiable.

A task's time counts from when an idle worker gets it, never while it waits. Every worker has a pipe of
its own, so one that hangs or dies takes no other's task with it; it is killed and replaced.
"""

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, TypeVar

from branchmerge.grading.grade import Grade

Task = TypeVar("Task")

_MAX_AHEAD = 256  # grades kept while an earlier one is waited for
_MAX_TASKS = 5000  # of one worker: sympy's caches grow, and the limit on memory would meet an innocent task
_MAX_REASON = 200  # characters


class Workers:
    """Processes that start with their first task and end with the block. Use as a context manager.

    Args:
        wall_s: Longest that one task may take; processor time has the same limit.
        memory_mib: Address space that a worker may take beyond what it has at its start.
        grader: Who is named where there is no verdict.
    """

    def __init__(self, count: int, wall_s: float, memory_mib: int, grader: str) -> None:
        self._count, self._wall_s, self._memory_mib, self._grader = count, wall_s, memory_mib, grader
        self._workers: list[_Worker] = []
        self._is_grading = False

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def grade_all(self, work: Callable[[Task], Grade], tasks: Iterable[Task | Grade]) -> Iterator[Grade]:
        """The grades of tasks, in their order; what is a grade already is passed on."""
        assert not self._is_grading, "one grade_all at a time: its tasks are told apart by their place"
        self._is_grading = True
        try:
            yield from self._graded(work, tasks)
        finally:
            self._is_grading = False
            for worker in [worker for worker in self._workers if worker.place is not None]:
                self._drop(worker)  # left half-way: its grade is for nobody

    def _graded(self, work: Callable[[Task], Grade], tasks: Iterable[Task | Grade]) -> Iterator[Grade]:
        done: dict[int, Grade] = {}
        numbered, waiting, next_place, is_more = enumerate(tasks), None, 0, True
        while True:
            is_busy = False  # all workers are: only then, or with too much done, is there something to wait for
            while is_more and len(done) < _MAX_AHEAD:
                if waiting is None and (waiting := next(numbered, None)) is None:
                    is_more = False
                    break
                place, task = waiting
                if isinstance(task, Grade):
                    done[place] = task
                elif (worker := self._idle()) is not None:
                    worker.send(place, work, task, self._wall_s)
                else:
                    is_busy = True
                    break
                waiting = None
            while next_place in done:
                yield done.pop(next_place)
                next_place += 1
            if not is_more and not any(worker.place is not None for worker in self._workers):
                return
            if not is_more or is_busy or len(done) >= _MAX_AHEAD:
                done |= self._arrived()

    def _idle(self) -> "_Worker | None":
        """A worker without a task, once it is there; another is started while there are too few."""
        for worker in self._workers:
            if worker.is_ready and worker.place is None:
                return worker
        if len(self._workers) < self._count:
            self._workers.append(_Worker(self._memory_mib))
        return None

    def _arrived(self) -> dict[int, Grade]:
        """Grades by place, of tasks that are finished, too late or lost; waits until there is news."""
        now = time.monotonic()
        deadlines = [worker.deadline for worker in self._workers if worker.place is not None]
        left_s = max(0.0, min(deadlines) - now) if deadlines else None
        grades: dict[int, Grade] = {}
        heard = wait([worker.connection for worker in self._workers], left_s)
        for worker in [worker for worker in self._workers if worker.connection in heard]:
            grades |= self._heard(worker)
        now = time.monotonic()
        for worker in [worker for worker in self._workers if worker.place is not None and worker.deadline <= now]:
            assert worker.place is not None
            grades[worker.place] = Grade("unverifiable", f"time-out after {self._wall_s:g} s", self._grader)
            self._drop(worker)
        return grades

    def _heard(self, worker: "_Worker") -> dict[int, Grade]:
        place = worker.place
        try:
            said = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            if not worker.is_ready:
                raise RuntimeError("a grading worker ended at its start; its error is on stderr") from None
            self._drop(worker)
            return {} if place is None else {place: Grade("unverifiable", "grader died", self._grader)}
        if place is None:
            worker.is_ready = True
            return {}
        worker.place = None
        if worker.n_tasks >= _MAX_TASKS:
            self._drop(worker)
        return {place: said if isinstance(said, Grade) else Grade("unverifiable", said, self._grader)}

    def _drop(self, worker: "_Worker") -> None:
        worker.kill()
        self._workers.remove(worker)


class _Worker:
    """One process and our end of its pipe; `place` is that of its task, None while it has none."""

    def __init__(self, memory_mib: int) -> None:
        # not fork: the parent may have threads. The server forks workers that have what it has loaded
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["__main__", "branchmerge.grading.task"])
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, memory_mib), daemon=True)
        self._process.start()
        theirs.close()
        self.is_ready = False
        self.place: int | None = None
        self.deadline = 0.0
        self.n_tasks = 0

    def send(self, place: int, work: Callable[[Any], Grade], task: Any, wall_s: float) -> None:
        self.place, self.deadline = place, time.monotonic() + wall_s
        self.n_tasks += 1
        try:
            self.connection.send((work, task, wall_s))
        except BrokenPipeError:  # it died while idle: the reading end says so next
            return

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, memory_mib: int) -> None:
    """A worker: its limits, then task after task until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who then kills the workers
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy's, under pint: each thread takes address space
    with open("/proc/self/statm") as pages:
        held_bytes = int(pages.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit_bytes = held_bytes + memory_mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send("ready")
    while True:
        try:
            work, task, wall_s = connection.recv()
        except EOFError:
            return
        _limit_processor(wall_s)
        try:
            said: Grade | str = work(task)
        except Exception as error:  # a grader's libraries raise anything at a strange answer; that is no verdict on it
            said = f"{type(error).__name__}: {error}"[:_MAX_REASON]
        connection.send(said)


def _limit_processor(wall_s: float) -> None:
    """Processor time for one more task; it ends a worker whose parent is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + wall_s) + 2, hard))
