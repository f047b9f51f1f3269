"""The command line: train | evaluate | predict | reproduce | bias | convert | export | fetch | submit | scenes.

Bad input ends with a message that says what is wrong and what to do, and exit code 2.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro
from tyro.conf import OmitArgPrefixes

from . import __version__
from .commands import Bias, Evaluate, Predict, Reproduce, Scenes, is_first_process, show_metrics
from .commands_data import Fetch, Submit
from .commands_files import Convert, Export
from .errors import InputError, check_name
from .recipes import RECIPES, Recipe


@dataclass
class Train:
    """Train a model and leave a run folder: the model, its log and curves, a checkpoint, a record.

    Every setting of the recipe is a flag of its own, with the recipe's value as its default.
    """

    out: Path
    """The run folder: a new one, or with --resume the one to go on with."""
    data: str = "scenes"
    """scenes, coco2014, coco2017, voc2007 or voc2012; for images of your own, the one whose layout they have."""
    root: Path | None = None
    """The data set's folder; the scenes are made where it is left out."""
    train_split: str | None = None
    """By default what the literature trains on."""
    eval_split: str | None = None
    """By default what the literature evaluates on; for the scenes, id."""
    recipe: str = "scenes"
    """The recipe whose settings are the defaults below: paper, released, adamw, colab, scenes or scenes-heads."""
    resume: bool = False
    """Go on from the last checkpoint in the run folder, with the settings and data it was begun with."""
    init_from: str | None = None
    """Start from the weights of this model (a run folder, or a name on the hub), which may have other classes."""
    settings: OmitArgPrefixes[Recipe] = field(default_factory=Recipe)

    def run(self) -> None:
        from .train import train

        where = (self.data, self.out, self.root, self.train_split, self.eval_split)
        # torchrun --max-restarts begins all processes again, with the same arguments, when one has died
        died = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0 and (self.out / "run.json").is_file()
        record = train(self.settings, *where, resume=self.resume or died, init_from=self.init_from)
        if is_first_process():
            title = f"{self.data} {record['data']['eval']['split']}, {record['duration_s']:.0f} s"
            show_metrics(record["metrics"], title)
            if bad := record.get("bad_images"):
                print(f"{len(bad)} training images could not be read and were skipped: {self.out / 'bad_images.txt'}")
            print(f"model, log and record: {self.out}")


COMMANDS = {
    "train": Train,
    "evaluate": Evaluate,
    "predict": Predict,
    "reproduce": Reproduce,
    "bias": Bias,
    "convert": Convert,
    "export": Export,
    "fetch": Fetch,
    "submit": Submit,
    "scenes": Scenes,
}


def parse(argv: list[str]) -> Any:
    """The command with its arguments. The recipe is looked up first: it gives the other flags their defaults.

    With --resume and no --recipe, the settings and the data of the run folder do.

    Raises:
        InputError: a command or a recipe that does not exist (the nearest is named), or a damaged run folder.
    """
    if not argv or argv[0] in ("-h", "--help"):
        lines = [f"  {name:<10}{(cls.__doc__ or '').splitlines()[0]}" for name, cls in COMMANDS.items()]
        print("addgcn COMMAND ..., and addgcn COMMAND --help for its arguments\n\n" + "\n".join(lines))
        sys.exit(0)
    if argv[0] == "--version":
        print(f"addgcn {__version__}")
        sys.exit(0)
    command = COMMANDS[check_name("command", argv[0], COMMANDS)]
    if command is not Train:
        return tyro.cli(command, args=argv[1:], prog=f"addgcn {argv[0]}")
    name, out = value_of("--recipe", argv), value_of("--out", argv)
    if "--resume" in argv and name is None and out is not None and (Path(out) / "run.json").is_file():
        from .runs import read_run

        settings, source = read_run(Path(out))
        data, root, train_split, eval_split = (source[k] for k in ("name", "root", "train_split", "eval_split"))
        root = None if root is None else Path(root)
        defaults = Train(Path(out), data, root, train_split, eval_split, "as begun", settings=settings)
        defaults.init_from = source["init_from"]
    else:
        name = check_name("recipe", "scenes" if name is None else name, RECIPES)
        defaults = Train(tyro.MISSING, recipe=name, settings=RECIPES[name])
    return tyro.cli(Train, args=argv[1:], prog="addgcn train", default=defaults)


def value_of(flag: str, argv: list[str]) -> str | None:
    """The value of `--flag value` or `--flag=value` among arguments that are not parsed yet."""
    for argument, following in zip(argv, [*argv[1:], ""], strict=True):
        if argument == flag:
            return following
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
    return None


class Terminated(BaseException):
    """SIGTERM: a machine that is taken back, a job whose time is over."""


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """While it lasts, SIGTERM raises `Terminated`, so that what is open gets closed. In the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first = os.getpid()

    def stop(number: int, frame: object) -> None:
        if os.getpid() != first:  # a loader's worker, which has inherited this
            os._exit(143)
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(argv: list[str] | None = None) -> None:
    """Entry point of the `addgcn` command."""
    with sigterm_raises():
        run_command(argv)


def run_command(argv: list[str] | None = None) -> None:
    """Parse and run, and end with the exit code that says how it went."""
    try:
        parse(sys.argv[1:] if argv is None else argv).run()
    except InputError as error:
        print(f"addgcn: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a full disk, a folder without permission, no network: the message names it
        print(f"addgcn: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("addgcn: stopped. A training run goes on with --resume, fetch with the same command.", file=sys.stderr)
        sys.exit(130)
    except Terminated:
        print("addgcn: stopped by SIGTERM. A training run goes on where it stood with --resume.", file=sys.stderr)
        sys.exit(143)


if __name__ == "__main__":
    main()
