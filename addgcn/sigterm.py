"""SIGTERM, the signal of a machine that is about to be taken back: go on to a moment at which nothing is lost."""

from __future__ import annotations

import signal
import threading
from typing import Any

from accelerate import Accelerator

ASK_EVERY = 10  # steps; where several processes train, each question waits for all of them


class NotedSigterm:
    """While it lasts, SIGTERM is noted and not obeyed. In the main thread alone; elsewhere it changes nothing."""

    def __enter__(self) -> NotedSigterm:
        self.noted, self.before = False, None
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGTERM, self.note)
        return self

    def note(self, number: int, frame: Any) -> None:
        self.noted = True

    def asked(self, accelerator: Accelerator, step: int) -> bool:
        """Whether this process, or any of those that train together, was told to stop. All get the same answer."""
        if accelerator.num_processes == 1:
            return self.noted
        if self.noted:
            accelerator.set_trigger()
        return step % ASK_EVERY == ASK_EVERY - 1 and accelerator.check_trigger()

    def obey(self) -> None:
        """Do what SIGTERM did before: end the process, or raise what the command line makes of it."""
        self.__exit__()
        signal.raise_signal(signal.SIGTERM)

    def __exit__(self, *error: Any) -> None:
        if self.before is not None:
            signal.signal(signal.SIGTERM, self.before)
            self.before = None
