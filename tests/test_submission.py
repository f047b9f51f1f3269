"""The file for the VOC evaluation server: its layout, and that nothing wrong is written or read."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from folders import write_image
from torch import Tensor

from addgcn import submission
from addgcn.baselines import GAP
from addgcn.cli import main
from addgcn.data import VOC_CLASSES, load
from addgcn.data.transforms import eval_transform
from addgcn.errors import InputError
from addgcn.records import write_json
from addgcn.submission import read_submission, write_submission

IDS = ["2008_000001", "2008_000004", "2011_007999"]


@pytest.fixture
def scores() -> Tensor:
    scores = torch.randn(3, 20, generator=torch.Generator().manual_seed(1))
    scores[0, :5] = torch.tensor([0.0, 1e-12, -3.0e20, 16777217.0, 0.1])  # written without an exponent
    return scores


def contents(path: Path) -> dict[str, str]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read().decode() for member in tar}  # type: ignore[union-attr]


def rewrite(path: Path, change: Callable[[dict[str, str]], None]) -> None:
    files = contents(path)
    change(files)
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))


@pytest.mark.parametrize("competition", [1, 2])
def test_layout(scores: Tensor, tmp_path: Path, competition: int) -> None:
    path = tmp_path / "mine.tar.gz"
    write_submission(path, scores, IDS, competition=competition)
    files = contents(path)
    assert list(files) == [f"results/VOC2012/Main/comp{competition}_cls_test_{name}.txt" for name in VOC_CLASSES]
    for c, text in enumerate(files.values()):
        assert re.fullmatch(r"(\d{4}_\d{6} -?\d+\.\d+\n){3}", text)
        lines = [line.split(" ") for line in text.splitlines()]
        assert [image for image, _ in lines] == IDS
        assert torch.equal(torch.tensor([float(s) for _, s in lines]), scores[:, c])
    found, read = read_submission(path, IDS)
    assert found == competition
    assert torch.equal(read, scores)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.tar.gz"]
    again = tmp_path / "again.tgz"
    write_submission(again, scores, IDS, competition=competition)
    assert contents(again) == files


def test_scores_that_cannot_be_written(scores: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "mine.tar.gz"
    for bad in (float("nan"), float("inf")):
        broken = scores.clone()
        broken[1, 7] = bad
        with pytest.raises(InputError, match=f"the score of 2008_000004 for cat is {bad}"):
            write_submission(path, broken, IDS)
    with pytest.raises(InputError, match=r"scores \(3, 20\) do not fit 2 images and 20 classes"):
        write_submission(path, scores, IDS[:2])
    with pytest.raises(InputError, match="the image '2008_000001' stands there a second time"):
        write_submission(path, scores, [IDS[0], IDS[0], IDS[1]])
    with pytest.raises(InputError, match=r"competition must be 1 .* or 2 .*, not 3"):
        write_submission(path, scores, IDS, competition=3)
    with pytest.raises(InputError, match=r"mine\.zip: the server takes a \.tar\.gz"):
        write_submission(tmp_path / "mine.zip", scores, IDS)
    with pytest.raises(InputError, match=r"cannot write .*: No such file or directory"):
        write_submission(tmp_path / "absent" / "mine.tar.gz", scores, IDS)
    assert list(tmp_path.iterdir()) == []


FIRST = "results/VOC2012/Main/comp2_cls_test_aeroplane.txt"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f.pop(FIRST), r"lacks the files of 1 classes, first comp\?_cls_test_aeroplane\.txt"),
        (lambda f: f.update({FIRST.replace("2_cls", "1_cls"): f.pop(FIRST)}), "files of both competitions"),
        (lambda f: f.update({FIRST.replace("aero", "airo"): f.pop(FIRST)}), "expects no '.*airoplane.txt'"),
        (lambda f: f.update({FIRST.replace("2_cls", "1_cls"): f[FIRST]}), "expects no .*or only one"),
        (lambda f: f.update({FIRST.removeprefix("results/"): f.pop(FIRST)}), "expects no 'VOC2012/Main"),
        (lambda f: f.update({FIRST: f[FIRST].replace("2008_000004", "2008_000005")}), "line 2: '2008_000005' is not"),
        (lambda f: f.update({FIRST: f[FIRST] + "2008_000001 1\n"}), "line 4: the image '2008_000001' .* second time"),
        (lambda f: f.update({FIRST: f[FIRST].split("\n", 1)[1]}), "1 of 3 test images are missing, first '2008"),
        (lambda f: f.update({FIRST: "2008_000001 nan\n"}), "aeroplane, line 1: .* one finite score"),
        (lambda f: f.update({FIRST: "2008_000001 -inf\n"}), "line 1: .* one finite score"),
        (lambda f: f.update({FIRST: "2008_000001\n"}), "line 1: '2008_000001' is not an image name and a score"),
        (lambda f: f.update({FIRST: "2008_000001 high\n"}), "line 1: .* is not an image name and a score"),
        (lambda f: f.update({FIRST: "2008_000001 1 2\n"}), "line 1: .* one finite score"),
    ],
)  # fmt: skip
def test_wrong_files(scores: Tensor, tmp_path: Path, change: Callable, told: str) -> None:
    path = tmp_path / "mine.tar.gz"
    write_submission(path, scores, IDS)
    rewrite(path, change)
    with pytest.raises(InputError, match=told) as error:
        read_submission(path, IDS)
    assert str(path) in str(error.value)


def test_no_archive(scores: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "mine.tar.gz"
    with pytest.raises(InputError, match="does not exist"):
        read_submission(path, IDS)
    write_submission(path, scores, IDS)
    whole = path.read_bytes()
    for damaged in (whole[:100], whole[:-20], b"", b"text"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"is damaged, or no \.tar\.gz"):
            read_submission(path, IDS)


# --- with a model


@pytest.fixture
def voc2012(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """VOC 2012 with its test images as the server hands them out: a list and photographs, no labels."""
    base = tmp_path / "VOCdevkit/VOC2012"
    (base / "ImageSets/Main").mkdir(parents=True)
    (base / "ImageSets/Main/test.txt").write_text("".join(f"{image}\n" for image in IDS))
    for n, image in enumerate(IDS):
        write_image(base / "JPEGImages" / f"{image}.jpg", (40, 30), (80 * n, 200, 90))
    monkeypatch.setattr(submission, "IMAGES", 3)
    torch.manual_seed(0)
    GAP(20, "scenes", classes=VOC_CLASSES).save_pretrained(tmp_path / "gap")
    return tmp_path


def test_submit(voc2012: Path, capsys: pytest.CaptureFixture) -> None:
    out = voc2012 / "out.tar.gz"
    where = [str(voc2012 / "gap"), "--data", "voc2012", "--root", str(voc2012), "--out", str(out), "--workers", "0"]
    main(["submit", *where, "--sizes", "32", "--batch-size", "2"])
    assert capsys.readouterr().out == f"{out}: 3 images, competition 2. Upload it to the evaluation server.\n"
    model = GAP.from_pretrained(voc2012 / "gap").eval()
    with pytest.warns(UserWarning, match="not public"):
        data = load("voc2012", "test", voc2012)
    data.transform = eval_transform(32, model.backbone.mean, model.backbone.std)
    with torch.no_grad():
        expected = torch.stack([model(image[None])[0] for image, _ in data])
    torch.testing.assert_close(read_submission(out, IDS)[1], expected, rtol=1e-4, atol=1e-5)


def test_submit_refuses(voc2012: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(*flags: str, folder: str = "gap") -> str:
        where = ["--root", str(voc2012), "--out", str(voc2012 / "out.tar.gz"), "--workers", "0", "--sizes", "32"]
        with pytest.raises(SystemExit) as stop:
            main(["submit", str(voc2012 / folder), *where, *flags])
        assert stop.value.code == 2
        assert not (voc2012 / "out.tar.gz").exists()
        return capsys.readouterr().err

    from addgcn.recipes import RECIPES

    source = {"name": "voc2012", "root": None, "train_split": None, "eval_split": None}
    recipe = RECIPES["released"].as_dict()
    write_json(voc2012 / "gap" / "run.json", {"recipe": recipe, "data": source})
    assert "learned from imagenet, other data than VOC 2012: take --competition 2" in told("--competition", "1")
    write_json(voc2012 / "gap" / "run.json", {"recipe": recipe, "data": source | {"name": "voc2007"}})
    assert "learned from voc2007" in told("--competition", "1")
    GAP(3, "scenes", classes=("cat", "dog", "person")).save_pretrained(voc2012 / "three")
    assert "has 3 classes" in told(folder="three")
    monkeypatch.setattr(submission, "IMAGES", 10_991)
    assert "lists 3 test images of VOC 2012, but the server expects all 10,991" in told()
    (voc2012 / "VOCdevkit/VOC2012/ImageSets/Main/test.txt").unlink()
    assert "test.txt, the list of images, is missing" in told()


def test_competition_1_is_for_what_saw_voc_alone(voc2012: Path) -> None:
    from addgcn.recipes import RECIPES

    source = {"name": "voc2012", "root": None, "train_split": None, "eval_split": None}
    write_json(
        voc2012 / "gap" / "run.json", {"recipe": RECIPES["released"].as_dict() | {"weights": None}, "data": source}
    )
    out = voc2012 / "out.tar.gz"
    assert submission.submit(voc2012 / "gap", voc2012, out, 1, [32], workers=0) == 3
    assert read_submission(out, IDS)[0] == 1
    # a run that went on from another: both count
    first = voc2012 / "first"
    first.mkdir()
    recipe = RECIPES["released"].as_dict() | {"weights": None}
    write_json(voc2012 / "gap" / "run.json", {"recipe": recipe, "data": source | {"init_from": str(first)}})
    write_json(first / "run.json", {"recipe": recipe, "data": source})
    assert submission.submit(voc2012 / "gap", voc2012, out, 1, [32], workers=0) == 3
    write_json(first / "run.json", {"recipe": recipe, "data": source | {"name": "coco2014"}})
    with pytest.raises(InputError, match=r"the run in .*first learned from coco2014"):
        submission.submit(voc2012 / "gap", voc2012, out, 1, [32], workers=0)
    (first / "run.json").unlink()
    with pytest.raises(InputError, match=r"the run in .*gap learned from .*first"):
        submission.submit(voc2012 / "gap", voc2012, out, 1, [32], workers=0)


def test_test_split_is_not_for_training(voc2012: Path, capsys: pytest.CaptureFixture) -> None:
    """Neither learned from nor measured on: all its targets are -1."""
    where = ["--data", "voc2012", "--root", str(voc2012), "--workers", "0"]
    for argv in (
        ["evaluate", str(voc2012 / "gap"), "--split", "test", "--size", "32", *where],
        ["train", "--train-split", "test", "--eval-split", "test", "--out", str(voc2012 / "run"), *where],
    ):
        with pytest.warns(UserWarning, match="not public"), pytest.raises(SystemExit) as stop:
            main(argv)
        assert stop.value.code == 2
        assert "the labels of voc2012 test are not known" in capsys.readouterr().err
