"""Calls of a function that may raise, hang or crash, each in a process of a pool, none at the cost of the others."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, NamedTuple

__all__ = ["Outcome", "call", "call_all"]

GRACE = 15.0
"""Seconds beyond the timeout after which a process that does not answer is killed."""


START = 60.0
"""Seconds to wait for the processes of a pool to start."""


class Outcome(NamedTuple):
    """What a call returned, or why it returned nothing."""

    value: Any
    error: str


class _TimedOut(BaseException):  # so that `except Exception` in the function does not swallow it
    pass


def _raise(number: int, frame: FrameType | None) -> None:
    raise _TimedOut


@contextlib.contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """Interrupt this block after some time, where that is possible: in the main thread, outside of C code."""
    here = threading.current_thread() is threading.main_thread()
    if seconds is None or not here or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _raise)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def call(fn: Callable[..., Any], arguments: tuple[Any, dict[str, Any]], timeout: float | None) -> Outcome:
    """Call ``fn(theta, **instance)``."""
    theta, instance = arguments
    try:
        with _alarm(timeout):
            return Outcome(fn(theta, **instance), "")
    except _TimedOut:
        return Outcome(None, f"no answer within {timeout:g} s")
    except Exception as error:
        return Outcome(None, f"{type(error).__name__}: {error}")


def _numbered(number: int, *rest: Any) -> tuple[int, Any, str]:
    value, problem = call(*rest)
    return number, value, problem


def _ready() -> int:
    time.sleep(0.01)  # so that one process does not answer for all
    return os.getpid()


def _warm(workers: int) -> None:
    """Wait until the processes of the pool are there: their start does not count against a time limit."""
    import joblib

    seen: set[int] = set()
    end = time.monotonic() + START
    while len(seen) < workers and os.getpid() not in seen and time.monotonic() < end:
        pool: Any = joblib.Parallel(n_jobs=workers, batch_size=1)  # pyright: ignore[reportArgumentType]
        seen.update(pool(joblib.delayed(_ready)() for _ in range(workers)))


def call_all(
    fn: Callable[..., Any], jobs: Sequence[tuple[Any, dict[str, Any]]], workers: int, timeout: float | None
) -> list[Outcome]:
    """Call ``fn`` for every job by joblib, so on whatever backend ``joblib.parallel_config`` has chosen.

    Where a process dies or does not answer, the jobs without an outcome run again in two halves, until the one that
    is to blame is alone.
    """
    found: dict[int, Outcome] = {}
    pending = [list(range(len(jobs)))]
    while pending:
        numbers = pending.pop()
        reason = _round(fn, jobs, numbers, workers, timeout, found)
        left = [number for number in numbers if number not in found]
        if len(left) == 1 and len(numbers) == 1:
            found[left[0]] = Outcome(None, reason)
        elif left:
            half = (len(left) + 1) // 2
            pending += [part for part in (left[half:], left[:half]) if part]
    return [found[number] for number in range(len(jobs))]


def _travel_light() -> None:
    """Send this file to the processes as it is, so that they start without importing algonets and torch."""
    for name in ("joblib.externals.cloudpickle", "cloudpickle"):  # joblib has carried its own at times
        with contextlib.suppress(ImportError, AttributeError):
            importlib.import_module(name).register_pickle_by_value(sys.modules[__name__])


def _round(
    fn: Callable[..., Any],
    jobs: Sequence[tuple[Any, dict[str, Any]]],
    numbers: list[int],
    workers: int,
    timeout: float | None,
    found: dict[int, Outcome],
) -> str:
    """Run some jobs; what they return goes into ``found``, and the reason why it stopped early is returned."""
    import joblib  # an optional package

    _travel_light()
    workers = max(joblib.cpu_count(), 2) if workers == -1 else workers
    limit = None if timeout is None else timeout + GRACE
    options: dict[str, Any] = {"n_jobs": workers, "timeout": limit, "batch_size": 1}
    try:
        parallel = joblib.Parallel(return_as="generator_unordered", **options)
    except (ValueError, TypeError):  # not every backend, and no old joblib, hands out results as they come
        parallel = joblib.Parallel(**options)
    try:
        if limit is not None:
            _warm(workers)
        tasks = (joblib.delayed(_numbered)(number, fn, jobs[number], timeout) for number in numbers)
        for number, value, error in parallel(tasks):  # pyright: ignore[reportGeneralTypeIssues]
            found[number] = Outcome(value, error)
    except (TimeoutError, multiprocessing.TimeoutError):
        return f"no answer within {timeout:g} s, its process was killed"
    except Exception as error:  # a process that died takes its pool along, whatever the backend calls that
        return f"its process died ({type(error).__name__})"
    return ""
