"""Export to ONNX and torch.export: every variant, free batch and size, and what can go wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from variants import BASELINES, ROWS, VARIANTS, WIRINGS, C, Trunk, addgcn, pictures

from addgcn import ADDGCN, export
from addgcn.cli import main
from addgcn.errors import InputError
from addgcn.peers import MLGCN, SSGRL

SHAPES = [(1, 24, 40), (5, 48, 32), (2, 33, 71)]  # batch, height, width: none is what the file was made with


def peer(cls: type[MLGCN | SSGRL]) -> nn.Module:
    torch.manual_seed(0)
    model = cls(C, backbone=Trunk(), dim=8)
    model.fit_labels(torch.randint(0, 2, (40, C), generator=torch.Generator().manual_seed(0)))
    return model


SOME = [variant for variant in VARIANTS if variant.id in ("table 4: S -> D, released", "figure 3: D-GCN alone, paper")]
PEERS = [pytest.param(lambda cls=cls: peer(cls), set(), id=cls.__name__) for cls in (MLGCN, SSGRL)]


def explained(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """What the file must give, by a way that does not pass through addgcn.export."""
    with torch.no_grad():
        out = model.eval().explain(images)
    values = {name: getattr(out, name) for name in ("scores", "s_m", "s_r", "maps", "A_d")}
    return {name: value for name, value in values.items() if value is not None}


def run_onnx(path: Path, images: Tensor) -> dict[str, np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"images": images.numpy()}), strict=True))


def run_torch(path: Path, images: Tensor) -> dict[str, np.ndarray]:
    with torch.no_grad():
        return {name: value.numpy() for name, value in torch.export.load(path).module()(images).items()}


def agree(found: dict[str, np.ndarray], expected: dict[str, Tensor]) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-4, atol=2e-5, err_msg=name)


class Together(nn.Module):
    """Many models in one file, which takes a second or two instead of one for each."""

    def __init__(self, models: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(export.Explained(m, list(explained(m, pictures(2, 32, 32)))) for m in models)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {f"{k}_{name}": y for k, part in enumerate(self.parts) for name, y in part(images).items()}


@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_variant_in_onnx(wiring: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra export")
    rows = [
        (settings, absent - {"A_s"})  # no output of the file
        for settings, absent in ROWS.values()
        if "representation" not in settings and (wiring == "paper" or "graph" in settings)
    ]
    models = [addgcn(wiring=wiring, **settings).eval() for settings, _ in rows]
    images, free = pictures(2, 32, 40), {"images": {0: "batch", 2: "height", 3: "width"}}
    done = export.write(Together(models), tmp_path / "all.onnx", "onnx", {"images": images}, free, {})
    assert len(done.outputs) == sum(5 - len(absent) for _, absent in rows)
    for shape in SHAPES:
        images = pictures(*shape)
        expected = [explained(model, images) for model in models]
        agree(
            run_onnx(tmp_path / "all.onnx", images),
            {f"{k}_{n}": y for k, e in enumerate(expected) for n, y in e.items()},
        )


@pytest.mark.parametrize(("build", "absent"), [*SOME, BASELINES[0], *PEERS])
@pytest.mark.parametrize("to", ["onnx", "torch"])
def test_a_file_gives_what_the_model_gives(
    build: Callable[[], nn.Module], absent: set[str], to: str, tmp_path: Path
) -> None:
    if to == "onnx":
        pytest.importorskip("onnxscript", reason="needs the extra export")
    model, path = build(), tmp_path / f"model{export.SUFFIXES[to]}"
    done = export.export(model, path, to, size=32)
    assert model.training, "the model is left in the mode it was in"
    assert done.difference is not None
    assert done.difference < 1e-4
    assert done.any_size == (to == "torch" or "maps" not in absent or "A_d" in absent)  # one of SOME has one size
    run = run_onnx if to == "onnx" else run_torch
    for shape in SHAPES if done.any_size else [(1, 32, 32), (5, 32, 32)]:
        images = pictures(*shape)
        expected = explained(model, images)
        assert not absent & set(expected)
        agree(run(path, images), expected)


def test_a_file_tells_what_a_user_needs_and_nothing_of_this_machine(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra export")
    model = ADDGCN(3, "scenes", dim=8, classes=("a cat", "b", "c"))
    export.export(model, tmp_path / "m.onnx", size=64)
    found = {prop.key: prop.value for prop in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(found["classes"]) == ["a cat", "b", "c"]
    assert (json.loads(found["mean"]), json.loads(found["std"])) == ([0.5] * 3, [0.25] * 3)
    assert found["size"] == "64"
    extra = {"addgcn.classes": "", "addgcn.size": ""}
    export.export(model, tmp_path / "m.pt2", "torch", size=64)
    torch.export.load(tmp_path / "m.pt2", extra_files=extra)
    assert (json.loads(extra["addgcn.classes"]), extra["addgcn.size"]) == (["a cat", "b", "c"], "64")
    for file in ("m.onnx", "m.pt2"):
        assert str(Path(export.__file__).parent).encode() not in (tmp_path / file).read_bytes()


def test_outputs_that_differ_are_refused_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "m.pt2", export.read_torch
    path.write_text("before")

    def wrong(file: Path, names: tuple[str, ...]) -> Callable:
        run = real(file, names)
        return lambda inputs: {name: y + (name == "s_r") * 0.01 for name, y in run(inputs).items()}

    monkeypatch.setitem(export.READERS, "torch", wrong)
    with pytest.raises(InputError, match=r"its s_r for an input of \(2, 3, 32, 32\) differ by 0\.01"):
        export.export(addgcn(), path, "torch", size=32)
    assert [p.name for p in tmp_path.iterdir()] == ["m.pt2"]
    assert path.read_text() == "before"


def test_rounding_is_forgiven_where_float32_itself_is_as_far_off(tmp_path: Path) -> None:
    class Steep(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"scores": (1e7 * x).sin()}  # hangs on the last digits of x

    x = torch.linspace(0.1, 0.9, 50)
    near = lambda inputs: {"scores": Steep()(*inputs)["scores"] + 0.01}  # noqa: E731
    assert export.compare(Steep(), near, [(x,)], tmp_path) == pytest.approx(0.01, abs=1e-4)
    wrong = lambda inputs: {"scores": nn.Identity()(inputs[0])}  # noqa: E731
    with pytest.raises(InputError, match="not the model"):
        export.compare(export.Explained(addgcn().eval(), ["scores"]), wrong, [(pictures(1),)], tmp_path)


@pytest.mark.parametrize("module", ["onnx", "onnxscript"])
def test_a_missing_extra_is_named(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    if module == "onnxscript":
        pytest.importorskip("onnx")
    with pytest.raises(InputError, match=rf"needs the package {module}: pip install 'addgcn\[export\]'"):
        export.export(addgcn(), tmp_path / "m.onnx", size=32)
    assert not list(tmp_path.iterdir())


def test_without_onnxruntime_the_file_is_written_and_said_to_be_unchecked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra export")
    ADDGCN(3, "scenes", dim=8).save_pretrained(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnxruntime", None)
        main(["export", str(tmp_path / "run"), "--out", str(tmp_path / "m.onnx"), "--size", "64"])
    said = capsys.readouterr().out
    assert "not compared with the model: onnxruntime is not installed" in said
    assert (tmp_path / "m.onnx").stat().st_size > 1000


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    model = ADDGCN(3, "scenes", dim=8)
    model.save_pretrained(tmp_path / "run")
    path = tmp_path / "new" / "m.pt2"
    main(["export", str(tmp_path / "run"), "--to", "torch", "--out", str(path), "--size", "64"])
    said = capsys.readouterr().out
    assert str(path) in said
    assert "scores, s_m, s_r, maps, A_d" in said
    assert "any number of images, of any size" in said
    assert "differ by 0 at most" in said
    agree(run_torch(path, pictures(2, 40, 64)), explained(model, pictures(2, 40, 64)))


def test_bad_paths_and_names(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    model = addgcn()
    with pytest.raises(InputError, match=r"must end in \.onnx for the format 'onnx', not be .*m\.pt2"):
        export.export(model, tmp_path / "m.pt2")
    (tmp_path / "d.pt2").mkdir()
    with pytest.raises(InputError, match=r"must end in \.pt2"):
        export.export(model, tmp_path / "d.pt2", "torch")
    with pytest.raises(InputError, match="onxx"):
        export.export(model, tmp_path / "m.onnx", "onxx")
    with pytest.raises(InputError, match="size must be at least 1"):
        export.export(model, tmp_path / "m.pt2", "torch", size=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file/m\.pt2"):
        export.export(model, tmp_path / "file" / "m.pt2", "torch", size=32)
    with pytest.raises(SystemExit) as stop:
        main(["export", str(tmp_path / "none"), "--out", str(tmp_path / "m.onnx")])
    assert stop.value.code == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_backbone_that_cannot_be_exported_is_said_to_be_so(tmp_path: Path) -> None:
    class Peculiar(Trunk):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images if images.mean() > 0 else -images)

    with pytest.raises(InputError, match=r"torch\.export cannot follow this model"):
        export.export(ADDGCN(C, Peculiar(), dim=8), tmp_path / "m.pt2", "torch", size=32)
    assert not list(tmp_path.iterdir())
