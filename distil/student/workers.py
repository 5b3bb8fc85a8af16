"""A helper process that shares a job's arithmetic, where mlx computes on the CPU.

mlx computes a CPU stream on one core, and it hands work out in portions so small that two streams
of one process hardly overlap: a second stream makes training faster by the smaller matrices alone
(`make bench` prints what the process adds). What is shared out never depends on whether there is a
helper process, so neither do the bytes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

# A model that both processes hold; beyond this the memory costs more than the core brings.
LARGEST_BYTES = 512 * 1024**2


class ComputeWorker:
    """A process that answers messages, one at a time and in order.

    Args:
        start: is called in the new process and returns what is then called with each message and
            returns its answer.
    """

    def __init__(self, start: Callable[[], Callable[[Any], Any]]) -> None:
        """Start the process, which has at once whatever this one has imported."""
        # Forked: importing mlx-lm takes longer than an adapter's first iterations.
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(start, theirs, self.connection), daemon=True
        )
        self.process.start()
        theirs.close()

    def send(self, message: Any) -> None:
        """Send a message, which is pickled.

        Raises:
            RuntimeError: the process has died.
        """
        try:
            self.connection.send(message)
        except OSError as error:
            raise self._death() from error

    def receive(self) -> Any:
        """Wait for the next answer.

        Raises:
            RuntimeError: the process has died.
        """
        try:
            return self.connection.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error

    def ready(self) -> bool:
        """Whether `receive` would return at once."""
        return self.connection.poll()

    def _death(self) -> RuntimeError:
        self.process.join()
        return RuntimeError(
            f"the helper process of this job ended with code {self.process.exitcode}"
            " (its error stands above; -9 often means too little memory); remedy: run the job again"
        )

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.kill()
        self.process.join()


def useful() -> bool:
    """Whether a second process would have a core to itself and mlx computes on the CPU."""
    from distil.student.blas import load_blas

    load_blas()  # before mlx, or it has no effect
    import mlx.core as mx

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return mx.default_device() == mx.cpu and (cores or 1) > 1


@contextlib.contextmanager
def helper_process(start: Callable[[], Callable[[Any], Any]]) -> Iterator[ComputeWorker | None]:
    """Run a helper process for the length of a `with` block; None where it would not help."""
    if not useful():
        yield None
        return
    worker = ComputeWorker(start)
    try:
        yield worker
    finally:
        worker.close()


def shareable(model: Any) -> bool:
    """Whether a model is small enough to be held twice."""
    from mlx.utils import tree_flatten

    return sum(value.nbytes for _, value in tree_flatten(model.parameters())) <= LARGEST_BYTES


def serve(
    start: Callable[[], Callable[[Any], Any]], connection: Connection, theirs: Connection
) -> None:
    """Answer messages until the other side is gone: what the process does."""
    theirs.close()  # a copy of the other side's end, which would hide that it is gone
    import mlx.core as mx

    # The threads of the streams that were in use are not copied with a process.
    mx.set_default_stream(mx.new_stream(mx.cpu))
    answer = start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(answer(connection.recv()))
