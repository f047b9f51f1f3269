"""What bad input gets: one clear message with the file and what to do, or, where it can be read, the right picture."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import CATEGORIES, coco_content, write_coco, write_image, write_voc
from PIL import Image, PngImagePlugin

from addgcn.data import check_same_classes, class_permutation, load, open_image
from addgcn.errors import InputError

# Images that can be read: (mode of the file, format) -> the colours that must come out.

WHITE, BLACK, RED, GREY = (255, 255, 255), (0, 0, 0), (255, 0, 0), (128, 128, 128)


def corner_picture(mode: str) -> Image.Image:
    """2 x 1 pixels in a mode: see `LOOKS` for what they should look like."""
    if mode == "16-bit":
        return Image.fromarray(np.array([[65535, 32896]], dtype=np.uint16))
    if mode == "32-bit, 16 used":
        return Image.fromarray(np.array([[65535, 32896]], dtype=np.int32))
    if mode == "palette+alpha":
        image = Image.new("P", (2, 1))
        image.putpalette([255, 0, 0, 0, 0, 0])
        image.putdata([0, 1])
        image.info["transparency"] = bytes([255, 0])
        return image
    if mode == "palette":
        image = Image.new("P", (2, 1))
        image.putpalette([255, 0, 0, 0, 0, 0])
        image.putdata([0, 1])
        return image
    two: dict[str, list[Any]] = {
        "1": [255, 0],
        "L": [255, 128],
        "LA": [(0, 255), (0, 0)],
        "RGBA": [(255, 0, 0, 255), (0, 0, 0, 0)],
        "CMYK": [(0, 255, 255, 0), (0, 0, 0, 255)],
        "half": [(255, 0, 0, 128), (0, 0, 0, 255)],
        "RGB": [RED, BLACK],
    }
    image = Image.new({"half": "RGBA"}.get(mode, mode), (2, 1))
    image.putdata(two[mode])
    return image


LOOKS = [
    ("RGB", "png", RED, BLACK),
    ("1", "png", WHITE, BLACK),
    ("L", "png", WHITE, GREY),
    ("16-bit", "png", WHITE, GREY),
    ("16-bit", "tiff", WHITE, GREY),
    ("32-bit, 16 used", "tiff", WHITE, GREY),
    ("LA", "png", BLACK, WHITE),
    ("RGBA", "png", RED, WHITE),
    ("half", "png", (255, 127, 127), BLACK),
    ("palette", "png", RED, BLACK),
    ("palette", "gif", RED, BLACK),
    ("palette+alpha", "png", RED, WHITE),
    ("CMYK", "tiff", RED, BLACK),
]


@pytest.mark.parametrize(("mode", "kind", "left", "right"), LOOKS)
def test_odd_images_look_right(tmp_path: Path, mode: str, kind: str, left: tuple, right: tuple) -> None:
    path = tmp_path / f"x.{kind}"
    corner_picture(mode).save(path)
    image = open_image(path)
    assert (image.mode, image.size) == ("RGB", (2, 1))
    assert (image.getpixel((0, 0)), image.getpixel((1, 0))) == (left, right)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    """The usual CMYK file: a JPEG as Adobe writes it, with inverted inks."""
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=95)
    colour = open_image(tmp_path / "x.jpg").getpixel((8, 8))
    assert np.abs(np.array(colour) - RED).max() < 8


def test_rgb_with_a_transparent_colour(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2), BLACK).save(tmp_path / "x.png", transparency=BLACK)
    assert open_image(tmp_path / "x.png").getpixel((0, 0)) == WHITE


def test_16_bit_is_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "x.png")
    grey = np.asarray(open_image(tmp_path / "x.png"))[:, :, 0].ravel()
    assert grey.tolist() == list(range(256))


@pytest.mark.parametrize(
    ("orientation", "red_at"),
    [(1, (0, 0)), (2, (2, 0)), (3, (2, 1)), (4, (0, 1)), (5, (0, 0)), (6, (1, 0)), (7, (1, 2)), (8, (0, 2))],
)
def test_exif_orientation(tmp_path: Path, orientation: int, red_at: tuple[int, int]) -> None:
    """The stored upper left pixel is where the tag's definition puts it."""
    image = Image.new("RGB", (3, 2), "white")
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "x.png", exif=exif)
    upright = open_image(tmp_path / "x.png")
    assert upright.size == ((3, 2) if orientation < 5 else (2, 3))
    assert upright.getpixel(red_at) == RED
    assert np.asarray(upright).sum(axis=2).min() == 255  # one red pixel, the others white
    assert (np.asarray(upright)[:, :, 1] == 0).sum() == 1


def test_damaged_exif_does_not_matter(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), RED).save(tmp_path / "x.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12")
    assert open_image(tmp_path / "x.png").getpixel((0, 0)) == RED


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
def test_one_pixel_wide(tmp_path: Path, size: tuple[int, int]) -> None:
    from addgcn.data.transforms import eval_transform, train_transform

    write_image(tmp_path / "x.png", size)
    image = open_image(tmp_path / "x.png")
    assert image.size == size
    for transform in (eval_transform(8, (0, 0, 0), (1, 1, 1)), train_transform(8, (0, 0, 0), (1, 1, 1))):
        assert transform(image).shape == (3, 8, 8)


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLACK)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert open_image(tmp_path / "x.gif").getpixel((0, 0)) == RED


# Images that cannot be read


def noise(path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def truncated(path: Path) -> None:
    data = noise(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def header_only(path: Path) -> None:
    path.write_bytes(noise(path).read_bytes()[:20])


def bomb(path: Path, side: int) -> None:
    """A PNG of a few bytes that says it is side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b""))


def text_bomb(path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("k", "a" * (PngImagePlugin.MAX_TEXT_CHUNK + 10), zip=True)
    Image.new("RGB", (2, 2)).save(path, pnginfo=info)


BAD_IMAGES: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "missing": ("x.jpg", lambda path: None, "no such image file. Check the path"),
    "empty": ("x.jpg", lambda path: path.write_bytes(b""), "is empty .* again, or remove"),
    "text": ("x.jpg", lambda path: path.write_text("hello"), "not an image .* Replace or remove"),
    "html": ("x.png", lambda path: path.write_text("<html>404</html>"), "not an image"),
    "truncated jpeg": ("x.jpg", truncated, "damaged or truncated.* again"),
    "truncated png": ("x.png", truncated, "damaged or truncated.* again"),
    "truncated gif": ("x.gif", truncated, "damaged or truncated|not an image"),
    "truncated webp": ("x.webp", truncated, "damaged or truncated|not an image"),
    "truncated tiff": ("x.tiff", truncated, "damaged or truncated|not an image"),
    "truncated bmp": ("x.bmp", truncated, "damaged or truncated"),
    "header of a jpeg": ("x.jpg", header_only, "damaged or truncated|not an image"),
    "header of a png": ("x.png", header_only, "damaged or truncated|not an image"),
    "large bomb": ("x.png", lambda path: bomb(path, 30000), "decompression bomb.*MAX_IMAGE_PIXELS"),
    "small bomb": ("x.png", lambda path: bomb(path, 10000), "decompression bomb.*MAX_IMAGE_PIXELS"),
    "text bomb": ("x.png", text_bomb, "damaged or truncated|not an image"),
    "folder": ("x.jpg", lambda path: path.mkdir(), "is a folder; an image file should be there"),
    "float": ("x.tiff", lambda path: Image.new("F", (2, 2)).save(path), "floating-point values. Save it with 8"),
    "32-bit": ("x.tiff", lambda path: Image.new("I", (2, 2), 70000).save(path), "not fit into 16 bits. Save it"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images(tmp_path: Path, case: str) -> None:
    name, make, message = BAD_IMAGES[case]
    make(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        open_image(tmp_path / name)
    check_message(caught.value, tmp_path / name)


def test_bad_image_in_a_data_set(tmp_path: Path) -> None:
    data = load("coco2017", "train", write_coco(tmp_path))
    data.path(0).write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.jpg is empty"):
        data[0]


def check_message(error: InputError, path: Path | str) -> None:
    """One line, naming the file, and nothing chained beneath it for a reader to wade through."""
    assert str(path) in str(error)
    assert "\n" not in str(error)
    assert error.__suppress_context__ or error.__context__ is None


# COCO folders


def without(*keys: str) -> Callable[[dict[str, Any]], None]:
    """Remove one key, e.g. without("images", 0, "id")."""

    def edit(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return edit


def setting(*keys_and_value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(content: Any) -> None:
        *keys, last, value = keys_and_value
        for key in keys:
            content = content[key]
        content[last] = value

    return edit


BAD_COCO: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no images": (without("images"), "no list 'images'"),
    "no annotations": (without("annotations"), "no list 'annotations'"),
    "no categories": (without("categories"), "no list 'categories'"),
    "images not a list": (setting("images", "all of them"), "no list 'images'|not laid out"),
    "image list empty": (setting("images", []), "'images' is empty"),
    "category list empty": (setting("categories", []), "'categories' is empty"),
    "nothing labelled": (setting("annotations", []), "no labelled image"),
    "image without id": (without("images", 0, "id"), "lacks the key 'id'"),
    "image without file_name": (without("images", 0, "file_name"), "lacks the key 'file_name'"),
    "annotation without image_id": (without("annotations", 0, "image_id"), "lacks the key 'image_id'"),
    "annotation without category_id": (without("annotations", 1, "category_id"), "lacks the key 'category_id'"),
    "category without name": (without("categories", 0, "name"), "lacks the key 'name'"),
    "category without id": (without("categories", 0, "id"), "lacks the key 'id'"),
    "absent image": (setting("annotations", 2, "image_id", 99), "1 of 4 annotations .* absent image.* 99 .*id 3"),
    "absent category": (setting("annotations", 1, "category_id", 4), "1 of 4 .* absent category.* 4 .*id 2"),
    "image id twice": (setting("images", 1, "id", 11), "image id 11 stands twice"),
    "file twice": (setting("images", 1, "file_name", "a.jpg"), "file_name 'a.jpg' stands twice"),
    "category id twice": (setting("categories", 1, "id", 3), "category id 3 stands twice"),
    "category name twice": (setting("categories", 1, "name", "cat"), "category name 'cat' stands twice"),
    "annotations are numbers": (setting("annotations", [1, 2]), "not laid out as COCO"),
    "images are names": (setting("images", ["a.jpg"]), "not laid out as COCO"),
    "list as image_id": (setting("annotations", 0, "image_id", [1]), "not laid out as COCO"),
    "box of three": (setting("annotations", 0, "bbox", [1, 2, 3]), "not laid out as COCO"),
    "box of words": (setting("annotations", 0, "bbox", ["a", "b", "c", "d"]), "not laid out as COCO"),
    "name is a number": (setting("categories", 0, "name", 5), "category name 5 is not a name"),
    "file_name is null": (setting("images", 0, "file_name", None), "file_name None is not a name"),
    "ids of two kinds": (setting("categories", 0, "id", "seven"), "not laid out as COCO"),
}


@pytest.mark.parametrize("case", BAD_COCO)
def test_bad_coco(tmp_path: Path, case: str) -> None:
    edit, message = BAD_COCO[case]
    write_coco(tmp_path)
    content = coco_content()
    edit(content)
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        load("coco2017", "train", tmp_path)
    check_message(caught.value, path)


def cut(path: Path) -> None:
    path.write_text(path.read_text()[:200])


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BAD_JSON: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (cut, "truncated or not JSON .*Unpack"),
    "empty": (lambda path: path.write_text(""), "truncated or not JSON .*Unpack"),
    "not JSON": (lambda path: path.write_text("<html>"), "truncated or not JSON"),
    "bytes": (lambda path: path.write_bytes(b"\xff\xfe\x00\x80" * 9), "truncated or not JSON"),
    "a list": (lambda path: path.write_text("[]"), "not laid out as COCO"),
    "missing": (lambda path: path.unlink(), "is missing.*Check that"),
    "folder": (as_folder, "is a folder; the annotation file"),
    "deep": (lambda path: path.write_text("[" * 100_000), "truncated or not JSON"),
}


@pytest.mark.parametrize("case", BAD_JSON)
def test_bad_json(tmp_path: Path, case: str) -> None:
    edit, message = BAD_JSON[case]
    path = write_coco(tmp_path) / "annotations" / "instances_train2017.json"
    edit(path)
    with pytest.raises(InputError, match=message) as caught:
        load("coco2017", "train", tmp_path)
    check_message(caught.value, path)


# VOC folders


def rewrite(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(base: Path) -> None:
        text = (base / name).read_text()
        assert old in text
        (base / name).write_text(text.replace(old, new, 1))

    return edit


CAT = "ImageSets/Main/cat_train.txt"
DOG = "ImageSets/Main/dog_train.txt"

BAD_CLASS_FILES: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "label 2": (rewrite(CAT, "000002  1", "000002  2"), CAT, "line 1: '000002  2' is not an image name and 1, 0 or -1"),
    "label x": (rewrite(CAT, "000005 -1", "000005 x"), CAT, "line 2"),
    "label 1.0": (rewrite(CAT, "000005 -1", "000005 1.0"), CAT, "line 2"),
    "no label": (rewrite(CAT, "000005 -1", "000005"), CAT, "line 2"),
    "three words": (rewrite(CAT, "000005 -1", "000005 -1 1"), CAT, "line 2"),
    "another image": (rewrite(DOG, "000005", "000006"), DOG, "same images: 2 and 2 .* line 2"),
    "an image less": (rewrite(DOG, "000005  1\n", ""), DOG, "same images: 1 and 2"),
    "an image twice": (rewrite(CAT, "000005", "000002"), CAT, "000002 stands twice"),
    "empty": (lambda base: (base / CAT).write_text(""), CAT, "is empty.*Unpack"),
    "folder": (lambda base: as_folder(base / CAT), CAT, "is a folder"),
    "not text": (lambda base: (base / CAT).write_bytes(b"\xff\xfe\x80"), CAT, "is not a text file"),
    "class lost": (lambda base: (base / CAT).unlink(), "ImageSets/Main", "classes of train and val differ.*cat_val"),
    "class added": (
        lambda base: (base / "ImageSets/Main/cow_val.txt").write_text("000001 1\n"),
        "ImageSets/Main",
        "classes of train and val differ.*cow_val",
    ),
    "images gone": (
        lambda base: (base / "JPEGImages/000005.jpg").unlink(),
        "JPEGImages",
        r"half-unpacked: 1 of 2 images missing, first: 000005\.jpg\. Unpack",
    ),
    "image is a folder": (lambda base: as_folder(base / "JPEGImages/000002.jpg"), "JPEGImages", "1 of 2 images"),
}


@pytest.mark.parametrize("case", BAD_CLASS_FILES)
def test_bad_class_files(tmp_path: Path, case: str) -> None:
    edit, name, message = BAD_CLASS_FILES[case]
    base = write_voc(tmp_path)
    edit(base)
    with pytest.raises(InputError, match=message) as caught:
        load("voc2007", "train", tmp_path)
    check_message(caught.value, base / name)


XML = "Annotations/000005.xml"
LIST = "ImageSets/Main/train.txt"

BAD_XML: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "truncated": (lambda base: cut_to(base / XML, 90), XML, "truncated or not XML.*Unpack"),
    "empty": (lambda base: (base / XML).write_text(""), XML, "truncated or not XML"),
    "no name": (rewrite(XML, "<name>dog</name>", ""), XML, "<object> lacks its <name>"),
    "empty name": (rewrite(XML, "<name>dog</name>", "<name> </name>"), XML, "<object> lacks its <name>"),
    "difficult 2": (rewrite(XML, "<difficult>1<", "<difficult>2<"), XML, "not 0 or 1"),
    "missing": (lambda base: (base / XML).unlink(), "Annotations", "1 of 2 annotation files missing, first: 000005"),
    "folder missing": (
        lambda base: (base / "Annotations").rename(base / "Else"),
        "Annotations",
        "folder of the annotation files, is missing",
    ),
    "list missing": (lambda base: (base / LIST).unlink(), LIST, "list of images, is missing"),
    "list empty": (lambda base: (base / LIST).write_text("\n"), LIST, "is empty"),
    "list of pairs": (lambda base: (base / LIST).write_text("000002 1\n"), LIST, "line 1: .* is not one image name"),
    "list with one twice": (lambda base: (base / LIST).write_text("000002\n000002\n"), LIST, "000002 stands twice"),
}


def cut_to(path: Path, length: int) -> None:
    path.write_text(path.read_text()[:length])


@pytest.mark.parametrize("case", BAD_XML)
def test_bad_xml(tmp_path: Path, case: str) -> None:
    edit, name, message = BAD_XML[case]
    base = write_voc(tmp_path, xml=True, class_files=False)
    edit(base)
    with pytest.raises(InputError, match=message) as caught:
        load("voc2007", "train", tmp_path)
    check_message(caught.value, base / name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<xmin>1</xmin>", "", "box of the object 'dog' is not four numbers"),
        ("<xmin>1</xmin>", "<xmin>left</xmin>", "box of the object 'dog' is not four numbers"),
        ("<name>dog</name>", "<name>ox</name>", "'ox' is of none of the classes: cat, dog, person"),
    ],
)
def test_bad_boxes(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Class files give the labels, so XML is read only when the boxes are asked for."""
    base = write_voc(tmp_path, xml=True)
    rewrite(XML, old, new)(base)
    data = load("voc2007", "train", tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        data.boxes(1)
    check_message(caught.value, base / XML)


def test_image_in_train_and_val(tmp_path: Path) -> None:
    base = write_voc(tmp_path)
    for name in ("cat", "dog", "person"):
        path = base / "ImageSets" / "Main" / f"{name}_val.txt"
        path.write_text(path.read_text() + "000002 -1\n")
    with pytest.raises(InputError, match="000002 stands in more than one of the lists of trainval"):
        load("voc2007", "trainval", tmp_path)


# Names and folders


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("coco14", "train", "unknown dataset 'coco14'. Did you mean 'coco2014'"),
        ("VOC2007", "train", "Did you mean 'voc2007'"),
        ("voc2007", "tests", "unknown split of voc2007 'tests'. Did you mean 'test'"),
        ("scenes", "val", "unknown split of scenes 'val'.*Known: train, train-flat, id, ood, bg"),
        ("coco2014", "test", "unknown split of coco2014 'test'"),
    ],
)
def test_wrong_names(name: str, split: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(name, split, root=".")


@pytest.mark.parametrize("name", ["coco2014", "coco2017", "voc2007", "voc2012"])
def test_no_root(name: str) -> None:
    inside = "annotations/instances_train2014.json" if name == "coco2014" else name[-4:]
    with pytest.raises(InputError, match=f"{name} needs root=.*{inside}"):
        load(name, "train")


@pytest.mark.parametrize("name", ["scenes", "coco2017", "voc2012"])
def test_wrong_folders(tmp_path: Path, name: str) -> None:
    for root, message in (
        (tmp_path / "none", "does not exist"),
        (tmp_path / "file", "is not a folder"),
        (tmp_path, "missing|holds no ImageSets/Main"),
    ):
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match=message) as caught:
            load(name, "train", root)
        check_message(caught.value, root)


def test_the_other_year(tmp_path: Path) -> None:
    base = write_voc(tmp_path)
    with pytest.raises(InputError, match=r"is not VOC 2012, by its name\. Ask for voc2007"):
        load("voc2012", "train", base)


def test_half_unpacked_coco(tmp_path: Path) -> None:
    content = coco_content()
    content["images"] = [{"id": n, "file_name": f"{n}.jpg"} for n in range(20)]
    content["annotations"] = [{"id": n, "image_id": n, "category_id": 2} for n in range(20)]
    write_coco(tmp_path, content=content)
    for n in range(5, 20):
        (tmp_path / "train2017" / f"{n}.jpg").unlink()
    with pytest.raises(InputError, match=r"half-unpacked: 15 of 20 images missing, first: 5\.jpg\. Unpack"):
        load("coco2017", "train", tmp_path)
    data = load("coco2017", "train", tmp_path, check_images=False)
    assert len(data) == 20
    with pytest.raises(InputError, match="no such image file"):
        data[19]
    assert len(data.digest()) == 64
    for n in range(5):
        (tmp_path / "train2017" / f"{n}.jpg").unlink()
    (tmp_path / "train2017").rmdir()
    with pytest.raises(InputError, match="train2017, the folder of the images, is missing"):
        load("coco2017", "train", tmp_path)


def test_broken_link_counts_as_missing(tmp_path: Path) -> None:
    path = write_coco(tmp_path) / "train2017" / "a.jpg"
    path.unlink()
    path.symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(InputError, match=r"1 of 2 images missing, first: a\.jpg"):
        load("coco2017", "train", tmp_path)


def test_class_lists_that_differ(tmp_path: Path) -> None:
    write_coco(tmp_path, "train2017")
    content = coco_content()
    content["categories"] = [*CATEGORIES, {"id": 9, "name": "horse"}]
    write_coco(tmp_path, "val2017", content)
    train, val = load("coco2017", "train", tmp_path), load("coco2017", "val", tmp_path)
    with pytest.raises(InputError, match="only the first has none, only the second has 'horse'") as caught:
        check_same_classes(train, val)
    check_message(caught.value, tmp_path / "val2017")
    content["categories"] = [{"id": 7, "name": "dog"}, {"id": 2, "name": "zebra"}, {"id": 3, "name": "cat"}]
    write_coco(tmp_path, "val2017", content)
    with pytest.raises(InputError, match="different orders: number 0 is 'dog' in the first and 'zebra'"):
        check_same_classes(train, load("coco2017", "val", tmp_path))
    check_same_classes(train, train)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (["x", "y"], ["x", "z"], "only the first has 'y', only the second has 'z'"),
        (["x", "y"], ["x"], "2 and 1 names; only the first has 'y', only the second has none"),
        (["x", "x"], ["x", "y"], "'x' stands twice"),
        ([str(n) for n in range(9)], ["0"], "'5' and 3 more"),
    ],
)
def test_class_permutation_of_different_sets(a: list[str], b: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        class_permutation(a, b)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco")
    data = load("coco2017", "train", root)
    data.path(0).chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        data[0]
    (root / "train2017").chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        load("coco2017", "train", root)
    (root / "train2017").chmod(0o755)
    (root / "annotations" / "instances_train2017.json").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        load("coco2017", "train", root)
    base = write_voc(tmp_path / "voc")
    (base / CAT).chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        load("voc2007", "train", base)
