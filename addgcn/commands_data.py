"""The commands that get data and hand in results: one dataclass each, whose fields are its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from .commands import is_first_process


@dataclass
class Fetch:
    """Download COCO or VOC, checked against size and hash, and unpack it into a folder that --root reads.

    Stopped at any moment, the same command goes on where it was; what is complete is not fetched again.
    """

    dataset: Positional[Literal["voc2007", "voc2012", "coco2014", "coco2017"]]
    """VOC 2012's test images come from its evaluation server by hand; the command says how."""
    root: Path
    """The folder to make. Several data sets may share one."""
    given: Annotated[tuple[Path, ...], arg(name="from")] = ()
    """Archives that you have already, or folders that hold some: checked, unpacked and left where they are."""
    keep_archives: bool = False
    """Keep what was downloaded after it is unpacked."""

    def run(self) -> None:
        from .data.fetch import fetch

        fetch(self.dataset, self.root, self.given, self.keep_archives)


@dataclass
class Submit:
    """Score VOC 2012's test images and write the .tar.gz that the VOC evaluation server takes.

    The labels of these images are not public: the server computes the average precisions.
    """

    run_folder: Positional[Path]
    """The run folder, or a folder written by save_pretrained."""
    root: Path
    """The folder of VOC 2012, with the test images."""
    out: Path
    """The file to write, NAME.tar.gz."""
    data: Literal["voc2012"] = "voc2012"
    """The data set: the layout is that of VOC 2012."""
    competition: Literal[1, 2] = 2
    """1: trained on VOC 2012's trainval images alone. 2: other data too, which weights from ImageNet or COCO are."""
    sizes: tuple[int, ...] = ()
    """Pixels of the square image; several are averaged over. By default the recipe's test_size."""
    flip: bool = False
    """Average over each image and its mirror image."""
    batch_size: int = 64
    """Images at a time; the result is the same for all."""
    workers: int = 2
    """Processes that decode images."""

    def run(self) -> None:
        from .submission import submit

        images = submit(
            self.run_folder,
            self.root,
            self.out,
            self.competition,
            self.sizes,
            self.flip,
            self.batch_size,
            self.workers,
        )
        if is_first_process():
            print(f"{self.out}: {images} images, competition {self.competition}. Upload it to the evaluation server.")
