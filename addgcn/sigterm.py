"""Signals that end a run: go on to a moment at which nothing is lost.

SIGTERM comes from a machine that is about to be taken back, SIGINT from Ctrl-C.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from accelerate import Accelerator

ASK_EVERY = 10  # steps; where several processes train, each question waits for all of them


class NotedSigterm:
    """While it lasts, SIGTERM is noted; at its end it is obeyed. In the main thread alone; elsewhere nothing changes.

    Args:
        number: another signal to note.
    """

    def __init__(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.number = number

    def __enter__(self) -> NotedSigterm:
        self.noted, self.before = False, None
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(self.number, self.note)
        return self

    def note(self, number: int, frame: Any) -> None:
        self.noted = True

    def asked(self, accelerator: Accelerator, step: int, last: bool) -> bool:
        """Whether this process, or any of those that train together, was told to stop. All get the same answer.

        Several processes ask at every tenth step, and at the last of an epoch.
        """
        if accelerator.num_processes == 1:
            return self.noted
        if self.noted:
            accelerator.set_trigger()
        return (last or step % ASK_EVERY == ASK_EVERY - 1) and accelerator.check_trigger()

    def obey(self) -> None:
        """Do what the signal did before: end the process, or raise what the command line makes of it."""
        self.noted = True  # by another process, perhaps
        self.__exit__(None)

    def __exit__(self, error: type[BaseException] | None, *_: Any) -> None:
        if self.before is not None:
            signal.signal(self.number, self.before)
            self.before = None
        if self.noted and error is None:
            self.noted = False
            signal.raise_signal(self.number)


def spare_worker(number: int) -> None:
    """For a DataLoader's `worker_init_fn`: the worker leaves SIGTERM to the process that it works for.

    Schedulers send it to every process of a job. A worker that died of it would end the run before it is saved. If
    the process that it works for sends it, at its own end, the worker ends.
    """
    parent = multiprocessing.parent_process()
    if parent is None or not hasattr(signal, "sigwaitinfo"):  # macOS and Windows do not tell who sent a signal
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent.pid:
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def unbroken(write: Callable[..., None]) -> Callable[..., None]:
    """A function that writes a file: SIGTERM and Ctrl-C wait until it has.

    Else torch.save, stopped in the middle, complains of a file at the wrong position, as on a full disk.
    """

    @functools.wraps(write)
    def whole(*args: Any, **kwargs: Any) -> None:
        with NotedSigterm(), NotedSigterm(signal.SIGINT):
            write(*args, **kwargs)

    return whole
