"""Arrays larger than the memory: written to the cache once, and read from there piece by piece."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import InputError
from .records import discard


def write_array(
    path: Path, what: str, shape: Sequence[int], dtype: DTypeLike, parts: Iterable[tuple[Any, np.ndarray]], advice: str
) -> None:
    """Fill an array on the disk part by part. It gets its name when it is whole, so another process sees all or none.

    Args:
        what: the array, for messages.
        parts: where in the array, and what is to stand there.
        advice: what to do if the disk is too small for it.

    Raises:
        InputError: it would not fit on the disk, or cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        needed, free = int(np.prod(shape)) * np.dtype(dtype).itemsize, shutil.disk_usage(path.parent).free
        if needed > 0.9 * free:  # a disk that is full under a memory map ends the process, and nothing is said
            raise InputError(
                f"{what} need {needed / 2**30:.1f} GiB in {path.parent}, where {free / 2**30:.1f} are free: {advice}"
            )
        array = np.lib.format.open_memmap(temporary, "w+", dtype, tuple(shape))
        for where, part in parts:
            array[where] = part
        array.flush()
        del array  # Windows does not move a file that is mapped
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {what} to {path.parent}: {error.strerror}. Set ADDGCN_CACHE.") from error
    finally:
        discard(temporary)


def read_array(path: Path, what: str) -> np.ndarray:
    """An array on the disk, memory-mapped.

    Raises:
        InputError: it is damaged, or not there.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{what} {path} are damaged ({error}): remove the file.") from error
