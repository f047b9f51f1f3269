"""Scenes: a drawn world of 18 categories in six kinds of place, rendered on your machine from a seed.

`write_scenes` writes it as a genuine COCO or VOC folder, which `addgcn.data.load("scenes", split)` reads
with the same loaders as photographs. Five splits:

    train       statistics of everyday places: trucks come with cars, toilets with sinks
    id          the same statistics
    ood         every category as frequent as in id, but independent of the place and of the others
    bg          image by image the objects of id, before the background of another place
    train-flat  every category as frequent as in train, drawn as in ood
"""

from .compose import Scene, compose_split, single_objects
from .labels import CLASSES, SCENES, SPLITS, draw_labels
from .write import default_root, write_scenes

__all__ = [
    "CLASSES", "SCENES", "SPLITS", "Scene", "compose_split", "default_root", "draw_labels", "single_objects",
    "write_scenes",
]  # fmt: skip
