"""Evaluation: averaging over views against doing it by hand, saved scores without the model, the table by category."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import precision_recall_fscore_support

from addgcn import load_model
from addgcn.cli import main
from addgcn.data import load
from addgcn.data.transforms import eval_transform
from addgcn.errors import InputError
from addgcn.evaluate import evaluate_run, evaluate_scores
from addgcn.model import ADDGCN
from addgcn.records import read_json, sha256_of
from addgcn.scores import free_name, per_class, read_scores
from addgcn.views import Views


@pytest.fixture
def copy(scenes_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scenes_run, tmp_path / "run"))


# --- averaging over views


def by_hand(folder: Path, root: Path, sizes: list[int], flip: bool) -> torch.Tensor:
    """Scores of the split id: image by image and view by view, added up in float64."""
    model = load_model(folder)
    total, views = torch.zeros(32, 18, dtype=torch.double), 0
    for size in sizes:
        data = load("scenes", "id", root, eval_transform(size, model.backbone.mean, model.backbone.std))
        images = torch.stack([data[i][0] for i in range(len(data))])
        for seen in [images, torch.from_numpy(images.numpy()[..., ::-1].copy())] if flip else [images]:
            with torch.no_grad():
                total += model(seen).double()
            views += 1
    return total / views


@pytest.mark.parametrize(("sizes", "flip"), [([32], True), ([24, 32, 48], False), ([48, 32], True)])
def test_averaging_is_what_it_is_by_hand(sizes: list[int], flip: bool, copy: Path, scenes_small: Path) -> None:
    record = evaluate_run(copy, sizes=sizes, flip=flip, batch_size=7, workers=0)
    saved = read_scores(copy / "scores_id_averaged.npz")
    torch.testing.assert_close(saved.scores.double(), by_hand(copy, scenes_small, sizes, flip), rtol=1e-5, atol=1e-5)
    assert (record["sizes"], record["flip"]) == (sizes, flip)
    plain = evaluate_run(copy, workers=0)
    assert plain["scores_sha256"] != record["scores_sha256"]
    assert read_json(copy / "evaluate_id_averaged.json")["metrics"] == record["metrics"]  # the plain one beside it


def test_one_view_is_no_averaging(copy: Path) -> None:
    trained = read_json(copy / "record.json")
    assert evaluate_run(copy, sizes=[32], batch_size=16, workers=0)["metrics"] == trained["metrics"]
    assert not (copy / "scores_id_averaged.npz").exists()


def test_one_forward_pass_for_each_view(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    forward = ADDGCN.forward

    def spy(self: ADDGCN, images: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(images.shape))
        return forward(self, images)

    monkeypatch.setattr(ADDGCN, "forward", spy)
    evaluate_run(copy, sizes=[32, 40], flip=True, batch_size=32, workers=0)
    assert sorted(seen) == [(32, 3, 32, 32)] * 2 + [(32, 3, 40, 40)] * 2


def test_the_mean_is_one_of_logits() -> None:
    from addgcn.views import AveragedViews

    class Size(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images[:, 0, :1, 0] + images.shape[-1]

    a, b = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 8, 8)
    b[0, 0, 0, -1] = 100  # seen in the mirror image alone
    assert AveragedViews(Size())([a, b]).tolist() == [[6.0], [6.0]]
    assert AveragedViews(Size(), flip=True)([a, b]).tolist() == [[(4 + 4 + 8 + 108) / 4], [6.0]]


def test_averaging_refuses(copy: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(InputError, match="each size to average over once; these are 32 32"):
        evaluate_run(copy, sizes=[32, 32], workers=0)
    with pytest.raises(InputError, match="size must be at least 1"):
        evaluate_run(copy, sizes=[32, 0], workers=0)
    with pytest.raises(InputError, match="not both"):
        evaluate_run(copy, size=32, sizes=[32, 40], workers=0)
    with pytest.raises(InputError, match="these are none"):
        Views([])


def test_averaging_on_the_command_line(copy: Path, capsys: pytest.CaptureFixture) -> None:
    main(["evaluate", str(copy), "--flip", "--sizes", "32", "40", "--workers", "0", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["metrics"] == evaluate_run(copy, sizes=(32, 40), flip=True, workers=0)["metrics"]


# --- saved scores


@pytest.mark.parametrize("mode", ["raw", "area", "11pt"])
def test_saved_scores_give_the_same_numbers(mode: str, copy: Path, capsys: pytest.CaptureFixture) -> None:
    record = evaluate_run(copy, "ood", workers=0, mode=mode)
    (copy / "model.safetensors").unlink()  # it is not needed
    again = evaluate_scores(copy / "scores_ood.npz", mode, copy)
    for key in ("metrics", "per_class", "scores_sha256", "classes"):
        assert again[key] == record[key]
    main(["evaluate", "--scores", str(copy / "scores_ood.npz"), "--mode", mode, "--json"])
    assert json.loads(capsys.readouterr().out)["metrics"] == record["metrics"]


def test_scores_are_saved_with_the_ids(copy: Path, scenes_small: Path) -> None:
    saved, data = read_scores(copy / "scores_id.npz"), load("scenes", "id", scenes_small)
    assert list(saved.ids) == data.ids
    assert saved.classes == data.classes
    assert torch.equal(saved.targets, data.targets)


def change(**arrays: Any) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with np.load(path) as file:
            content = {name: file[name] for name in file.files}
        content |= {name: make(content[name]) for name, make in arrays.items()}
        np.savez(path, **{name: value for name, value in content.items() if value is not None})

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:2000]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK\x03\x04 no archive"),
        lambda path: shutil.copy(Path(__file__), path),
        change(scores=lambda s: s[:-1]),
        change(scores=lambda s: s.astype(np.float16)),
        change(scores=lambda s: np.where(s == s.max(), np.nan, s).astype(np.float32)),
        change(targets=lambda t: t + 7),
        change(targets=lambda t: None),
        change(targets=lambda t: t.astype(object)),  # a pickle
        change(classes=lambda c: c[:5]),
        change(classes=lambda c: np.array([c[0], *c[:-1]])),
        change(ids=lambda i: np.array([i[0]] * len(i))),
        change(ids=lambda i: np.array(0)),
    ],
)
def test_damaged_scores(damage: Callable[[Path], None], copy: Path) -> None:
    path = copy / "scores_id.npz"
    damage(path)
    with pytest.raises(InputError, match="is damaged") as caught:
        evaluate_scores(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_scores_of_other_classes(copy: Path, capsys: pytest.CaptureFixture) -> None:
    path = copy / "scores_id.npz"
    change(classes=lambda c: np.array([*c[:-1], "unicorn"]))(path)
    evaluate_scores(path)  # by itself it is whole
    with pytest.raises(InputError, match="evaluate on the data it was trained for"):
        evaluate_scores(path, run=copy)
    change(classes=lambda c: c[::-1])(copy / "scores_id.npz")
    for argv, named in (
        (["--scores", str(path), str(copy)], "18 classes"),
        (["--scores", str(copy / "none.npz")], "there is no file of scores"),
        (["--scores", str(path), "--split", "ood"], "leave --split away"),
        ([], "name a run folder"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", *argv])
        assert stop.value.code == 2
        assert named in capsys.readouterr().err


# --- category by category


def test_per_class_is_scikit_learns() -> None:
    rng = np.random.default_rng(4)
    scores, targets = rng.normal(size=(80, 6)).astype(np.float32), (rng.random((80, 6)) < 0.3).astype(np.int8)
    scores[:, 1] = -1  # never predicted
    targets[:, 2] = 0  # no positive
    targets[:9, 3] = -1  # ignored: as negative
    found = per_class(torch.from_numpy(scores), torch.from_numpy(targets))
    expected = precision_recall_fscore_support(targets == 1, scores > 0, zero_division=0)
    assert found["positives"] == expected[3].tolist()
    for name, values in zip(("precision", "recall", "F1"), expected, strict=False):
        assert found[name][2] is None
        mine = [v for v in found[name] if v is not None]
        assert mine == pytest.approx(100 * np.delete(values, 2))


def test_the_means_of_the_table_are_CP_and_CR(copy: Path) -> None:
    record = evaluate_run(copy, workers=0)
    for name, mean in (("precision", "CP"), ("recall", "CR")):
        values = [v for v in record["per_class"][name] if v is not None]
        assert np.mean(values) == pytest.approx(record["metrics"][mean])


# --- what the scores are called


def test_scores_of_other_images_stand_beside_each_other(copy: Path, scenes_small: Path, tmp_path: Path) -> None:
    """The same names and labels, other photographs: blurred ones, say."""
    other = Path(shutil.copytree(scenes_small, tmp_path / "other"))
    data = load("scenes", "id", other)
    for i in range(len(data)):
        with Image.open(data.path(i)) as image:
            blurred = image.convert("RGB").resize((8, 8)).resize(image.size)
        blurred.save(data.path(i))
    again = evaluate_run(copy, workers=0)
    assert again["scores"] == "scores_id.npz"
    assert read_scores(copy / "scores_id.npz").ids == tuple(data.ids)
    before = (copy / "scores_id.npz").read_bytes()
    for _ in range(2):  # the second time in the place of the first
        theirs = evaluate_run(copy, root=other, workers=0)
        assert theirs["scores"] == f"scores_id_{data.digest()[:8]}.npz"
    assert (copy / "scores_id.npz").read_bytes() == before
    assert theirs["scores_sha256"] == sha256_of(read_scores(copy / theirs["scores"]).scores)
    assert theirs["scores_sha256"] != again["scores_sha256"]
    assert len(list(copy.glob("scores_*.npz"))) == len(list(copy.glob("evaluate_*.json"))) == 2


def test_scores_at_another_size_stand_beside_each_other(copy: Path) -> None:
    trained = read_scores(copy / "scores_id.npz").scores
    for size, name in ((40, "id_40"), (48, "id_48"), (None, "id"), (40, "id_40")):
        record = evaluate_run(copy, size=size, workers=0)
        assert record["scores"] == f"scores_{name}.npz"
        assert read_json(copy / f"evaluate_{name}.json")["sizes"] == record["sizes"]
    torch.testing.assert_close(read_scores(copy / "scores_id.npz").scores, trained, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(read_scores(copy / "scores_id_40.npz").scores, trained, rtol=1e-2, atol=1e-2)


def test_a_damaged_record_names_nothing(copy: Path) -> None:
    (copy / "record.json").write_text("{")
    assert free_name(copy, "id", "0" * 64, [32]) == "id"
    (copy / "record.json").unlink()
    assert free_name(copy, "id", "0" * 64, [32]) == "id"
