"""Records say what ran; their ids and digests can be computed again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from addgcn import records
from addgcn.errors import InputError
from addgcn.records import append_record, load_records, make_record, read_json, write_json
from addgcn.runs import read_log


def digest_of(record: dict) -> str:
    """As a reader would: everything but the id, as JSON with sorted keys."""
    rest = {key: value for key, value in record.items() if key != "id"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16]


def test_the_id_is_a_digest_of_the_content() -> None:
    a, b = make_record("train", seed=0, metrics={"mAP": 1.5}), make_record("train", seed=1, metrics={"mAP": 1.5})
    assert a["id"] == digest_of(a)
    assert a["id"] == digest_of(json.loads(json.dumps(a)))  # after a round trip, too
    assert a["id"] != b["id"]
    assert {"kind", "date", "code", "machine", "libraries"} <= a.keys()
    assert a["libraries"]["torch"] == torch.__version__.split("+")[0] or a["libraries"]["torch"] == torch.__version__


def test_scores_digest(tmp_path: Path) -> None:
    class Data:
        ids, classes = ["one", "two"], ("cat", "dog")

    scores = torch.tensor([[0.5, -1.25], [3.0, 2.0]])
    records.save_scores(tmp_path / "scores.npz", scores.t().contiguous().t(), torch.tensor([[1, 0], [-1, 1]]), Data())
    saved = np.load(tmp_path / "scores.npz", allow_pickle=False)
    assert saved["scores"].dtype == np.float32
    by_hand = np.array([0.5, -1.25, 3.0, 2.0], "<f4").tobytes()
    assert hashlib.sha256(saved["scores"].tobytes()).hexdigest() == hashlib.sha256(by_hand).hexdigest()
    assert records.sha256_of(scores.t().contiguous().t()) == hashlib.sha256(by_hand).hexdigest()
    assert saved["ids"].tolist() == ["one", "two"]
    assert saved["classes"].tolist() == ["cat", "dog"]
    assert saved["targets"].tolist() == [[1, 0], [-1, 1]]


def test_append_and_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    one, two = make_record("a", x=[1, None, "é"]), make_record("b", y={"z": 0.1})
    append_record("table9", one)
    append_record("table9", two)
    assert load_records("table9") == [one, two]
    with pytest.raises(InputError, match="There are: table9"):
        load_records("table8")
    path = tmp_path / "table9.jsonl"
    path.write_text(path.read_text().splitlines()[0] + '\n\n{"id": "ab\n')
    with pytest.raises(InputError, match=r"line 3 of .*table9\.jsonl is damaged"):
        load_records("table9")


def test_a_log_with_a_damaged_line(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"epoch": 1}\n{"epoch": \n')
    with pytest.raises(InputError, match=r"line 2 of .*log\.jsonl"):
        read_log(tmp_path)
    with pytest.raises(InputError, match=r"is .* a run folder"):
        read_log(tmp_path / "nowhere")


def test_writing_is_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.os, "replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_json(path, {"new": 2})
    monkeypatch.undo()
    assert read_json(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    with pytest.raises(InputError, match="cannot write"):
        write_json(tmp_path / "none" / "x.json", {})
    path.write_bytes(b'{"old": \xff')
    with pytest.raises(InputError, match="damaged"):
        read_json(path)
    with pytest.raises(InputError, match="does not exist"):
        read_json(tmp_path / "y.json")


def test_the_device_is_named() -> None:
    assert len(records.device_name()) > 2
    assert records.version_of("no-such-package-anywhere") is None
    assert len(records.code_digest()) == 16
