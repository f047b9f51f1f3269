"""Released checkpoints become folders of ours: same scores, other order of the classes, nothing run, faults named."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from addgcn import ADDGCN
from addgcn.cli import main
from addgcn.convert import from_released, read_released, reorder_classes, to_released
from addgcn.data import COCO_CLASSES
from addgcn.errors import InputError
from addgcn.pretrained import load_model

ALPHABETICAL = tuple(sorted(COCO_CLASSES))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[ADDGCN, Path]:
    """A model of the released wiring and what the released code would have saved of it: from four GPUs."""
    torch.manual_seed(0)
    model = ADDGCN(80, "resnet18", wiring="released", dim=16, classes=ALPHABETICAL).eval()
    state = {f"module.{k}": v for k, v in to_released(model.state_dict()).items()}
    path = tmp_path_factory.mktemp("released") / "model_best.pth"
    torch.save({"epoch": 41, "state_dict": state, "best_score": torch.tensor(85.2)}, path)
    return model, path


@pytest.mark.parametrize("order", ["dataset", "alphabetical"])
def test_convert(order: str, released: tuple[ADDGCN, Path], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    model, path = released
    main(["convert", str(path), str(tmp_path / "out"), "--backbone", "resnet18", "--order", order])
    assert "80 classes" in capsys.readouterr().out
    ours = load_model(tmp_path / "out")
    assert ours.classes == (COCO_CLASSES if order == "dataset" else ALPHABETICAL)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs, out = model.explain(images), ours.explain(images)
    for c, name in enumerate(ours.classes):  # class by class, by name
        k = ALPHABETICAL.index(name)
        torch.testing.assert_close(out.scores[:, c], theirs.scores[:, k], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(out.maps[:, c], theirs.maps[:, k], rtol=1e-5, atol=1e-5)
    p = [ALPHABETICAL.index(name) for name in ours.classes]
    torch.testing.assert_close(out.A_d, theirs.A_d[:, p][:, :, p], rtol=1e-5, atol=1e-5)
    assert ours.classes.index("person") == (0 if order == "dataset" else ALPHABETICAL.index("person"))


def test_there_and_back(released: tuple[ADDGCN, Path]) -> None:
    model, _ = released
    state = model.state_dict()
    back = from_released(to_released(state))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[k], state[k]) for k in state)
    twice = reorder_classes(reorder_classes(state, ALPHABETICAL, COCO_CLASSES), COCO_CLASSES, ALPHABETICAL)
    assert all(torch.equal(twice[k], state[k]) for k in state)
    paper = ADDGCN(4, "scenes", dim=8)
    with pytest.raises(InputError, match="released"):
        to_released(paper.state_dict())


HEAD = {"num_classes": 5, "backbone": "scenes", "wiring": "released", "dim": 8}


def broken(change) -> dict[str, torch.Tensor]:
    state = to_released(ADDGCN(**HEAD).state_dict())
    change(state)
    return state


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.pop("fc.weight"), "missing fc.weight"),
        (lambda s: s.update({"extra.bias": torch.ones(1)}), "unknown extra.bias"),
        (lambda s: s.update({"fc.weight": torch.ones(5)}), "classifier.weight has shape"),
        (lambda s: s.update({"last_linear.weight": torch.ones(5, 8, 3)}), "readout.weight has shape"),
        (lambda s: s.update({"last_linear.bias": torch.ones(6)}), "last_linear.bias"),
        (lambda s: s.update({"gcn.static_adj.0.weight": torch.ones(5, 4, 1)}), "gcn.static_adj.0.weight"),
        (lambda s: s.update({"gcn.bn_global.running_var": torch.ones(9)}), "gcn.bn_global.running_var"),
        (lambda s: s.update({"conv_transform.bias": torch.ones(9)}), "conv_transform.bias"),
        (lambda s: s.update({"mask_mat": torch.ones(5, 5)}), "mask_mat"),
        (lambda s: s.update({"mask_mat": torch.ones(5)}), "mask_mat"),
    ],
)
def test_faults_are_named(change, named: str) -> None:
    with pytest.raises(InputError, match=named.replace(".", r"\.")):
        from_released(broken(change))


class Code:
    """A pickle of this runs code when it is opened: it makes a folder."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_pickle_is_not_run(how: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    if how == "torch":
        torch.save({"state_dict": {"fc.weight": Code(trace)}}, path)
    else:
        path.write_bytes(pickle.dumps(Code(trace)))
    with pytest.raises(SystemExit) as stop:
        main(["convert", str(path), str(tmp_path / "out")])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "evil.pth" in said
    assert "Traceback" not in said
    assert "weights_only" not in said  # no advice to open it all the same
    assert not trace.exists()
    assert not (tmp_path / "out").exists()
    pickle.loads(pickle.dumps(Code(trace)))  # the trap works
    assert trace.exists()


def test_files_that_are_no_checkpoints(released: tuple[ADDGCN, Path], tmp_path: Path) -> None:
    _, path = released
    cases = {
        "empty.pth": b"",
        "half.pth": path.read_bytes()[: path.stat().st_size // 2],
        "text.pth": b"not a checkpoint at all",
        "photo.pth": b"\xff\xd8\xff\xe0" + bytes(100),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            read_released(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({3: torch.ones(1)}, tmp_path / "numbers.pth")
    for name in ("list.pth", "numbers.pth"):
        with pytest.raises(InputError, match="holds no state dict"):
            read_released(tmp_path / name)
    with pytest.raises(InputError, match="does not exist"):
        read_released(tmp_path / "none.pth")
    with pytest.raises(InputError, match=r"folder|whole"):
        read_released(tmp_path)


def test_convert_with_the_wrong_data_or_backbone(
    released: tuple[ADDGCN, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    _, path = released
    for more, named in (
        (["--data", "voc"], "80 classes, but voc has 20"),
        (["--backbone", "resnet34"], "does not fit this ADDGCN"),
        (["--backbone", "resnet19"], "Did you mean 'resnet1"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["convert", str(path), str(tmp_path / "out"), "--backbone", "resnet18", *more])
        assert stop.value.code == 2
        assert named in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
