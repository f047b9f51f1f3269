"""Saving and loading: a folder with `config.json` and `model.safetensors`, by huggingface_hub's mixin.

What this adds to the mixin: every mismatch between file and model has a clear message, a write is atomic, and no
pickle is ever opened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .errors import InputError, check_name

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
MODEL_CARD = """---
library_name: addgcn
pipeline_tag: image-classification
tags: [multi-label]
---
# {name}

A model for multi-label image recognition, made with the library of ADD-GCN (Ye et al., ECCV 2020). Its settings are
in `config.json`, its weights in `model.safetensors`. To use it:

    from addgcn import load_model
    model = load_model("this folder")

Categories, in the order of the scores: {categories}.
"""
HUB = ("revision", "cache_dir", "force_download", "local_files_only", "token")  # what the hub's methods take
PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt", ".tar"}


class Pretrained(PyTorchModelHubMixin):
    """What ADD-GCN and the baselines share: `classes`, `save_pretrained`, `from_pretrained`, `load_weights`."""

    architectures: ClassVar[dict[str, type[Pretrained]]] = {}
    classes: tuple[str, ...] | None
    backbone: Any  # an nn.Module with out_channels, mean and std

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Pretrained.architectures[cls.__name__] = cls

    @staticmethod
    def _check_classes(num_classes: int, classes: Sequence[str] | None) -> tuple[str, ...] | None:
        if num_classes < 1:
            raise InputError(f"num_classes must be at least 1, not {num_classes}.")
        if classes is not None and (len(classes) != num_classes or len(set(classes)) != num_classes):
            raise InputError(f"{len(set(classes))} distinct class names were given for {num_classes} classes.")
        return None if classes is None else tuple(classes)

    @staticmethod
    def _split_weights(weights: str | None) -> tuple[str | None, Path | None]:
        """`weights` names the backbone's weights, or is the path of a file with the whole model's."""
        if weights is not None and (os.sep in weights or Path(weights).suffix):
            return None, Path(weights)
        return weights, None

    def load_weights(self, path: str | Path) -> None:
        """Fill the whole model from a .safetensors file.

        Raises:
            InputError: no such file, a pickle, a damaged file, or tensors that do not fit.
        """
        self.fill(read_safetensors(path), str(path))

    def fill(self, state: Mapping[str, Tensor], source: str) -> None:
        """Load a state dict from `source` (named in messages), all of it or nothing.

        Raises:
            InputError: keys are missing or left over, or shapes differ; says which and what it suggests.
        """
        assert isinstance(self, nn.Module)
        own = self.state_dict()
        missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        shapes = [k for k in own.keys() & state.keys() if own[k].shape != state[k].shape]
        if not missing and not extra and not shapes:
            self.load_state_dict(state)
            return
        notes = []
        if shapes:
            key = min(shapes)
            notes.append(
                f"{len(shapes)} tensors differ in shape, first {key}: {tuple(state[key].shape)} in the file, "
                f"{tuple(own[key].shape)} in the model (another number of classes, dim or backbone?)"
            )
        for what, keys in (("lacks", missing), ("has unknown", extra)):
            if keys:
                notes.append(f"it {what} {len(keys)} keys, first {keys[0]} (another wiring, graph or readout?)")
        raise InputError(
            f"{source} does not fit this {type(self).__name__}: {'; '.join(notes)}. "
            "Build the model with the settings it was trained with."
        )

    def saved_config(self) -> dict[str, Any]:
        """What `config.json` holds: the constructor's arguments and the name of the class."""
        config = dict(cast(dict, self._hub_mixin_config or {}))
        config["architecture"] = type(self).__name__
        config["weights"] = None  # the trained weights lie beside; nothing is fetched when they are loaded
        config["classes"] = None if self.classes is None else list(self.classes)
        if getattr(self, "backbone_is_given", False):
            config["backbone"] = None  # a module cannot be written down; from_pretrained asks for it
        return config

    def save_pretrained(self, save_directory: str | Path, *, push_to_hub: bool = False, **kwargs: Any) -> str | None:
        """Write `model.safetensors`, `config.json` and, where there is none, a short `README.md`.

        Each file appears whole or not at all, and a stop in the middle leaves the former ones. With `push_to_hub`
        it is huggingface_hub's own method, which takes its further arguments.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        if push_to_hub:
            return super().save_pretrained(save_directory, push_to_hub=True, **kwargs)
        folder = Path(save_directory)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._save_pretrained(folder)
        except (OSError, SafetensorError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot save the model to {folder}: {reason}. What was there before is kept.") from error
        return None

    def _save_pretrained(self, save_directory: Path) -> None:
        assert isinstance(self, nn.Module)
        state = {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()}
        config = json.dumps(self.saved_config(), indent=2) + "\n"
        _write(save_directory / WEIGHTS, lambda path: save_file(state, path, metadata={"format": "pt"}))
        _write(save_directory / CONFIG, lambda path: path.write_text(config))
        if not (save_directory / CARD).exists():
            text = MODEL_CARD.format(name=type(self).__name__, categories=", ".join(self.classes or ()) or "unnamed")
            _write(save_directory / CARD, lambda path: path.write_text(text, encoding="utf-8"))

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any):
        """A saved model, in eval mode, from a folder or a name on the Hugging Face hub.

        Args:
            pretrained_model_name_or_path: the folder or the name.
            kwargs: constructor arguments that replace saved ones, for instance `backbone=` where the model was
                made with a module of yours; and the hub's (`revision`, `local_files_only`, ...).

        Raises:
            InputError: a missing or damaged file, or weights that do not fit the configuration.
        """
        read_config(pretrained_model_name_or_path, cls.__name__, **{k: kwargs[k] for k in HUB if k in kwargs})
        kwargs.setdefault("weights", None)
        return super().from_pretrained(pretrained_model_name_or_path, **kwargs)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **kwargs):
        hub = {name: kwargs.pop(name) for name in HUB}
        if kwargs.get("backbone", "") is None:
            raise InputError(f"{model_id} was saved with a backbone module of yours: pass it as backbone=.")
        try:
            model = cls(**kwargs)
        except (TypeError, AttributeError) as error:  # a number where a name should be, and the like
            raise InputError(f"{CONFIG} of {model_id} is damaged ({error}). Save the model again.") from error
        model.load_weights(find_file(model_id, WEIGHTS, **hub))
        assert isinstance(model, nn.Module)
        return model.eval()


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside `path` and move into place, so that `path` is never half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, on the CPU.

    Raises:
        InputError: no such file, a pickle (refused unopened), or a damaged file.
    """
    path = Path(path)
    if path.suffix in PICKLES:
        raise InputError(
            f"{path} may be a pickle, which can run code when it is opened, and is refused. "
            "`addgcn convert` reads a released checkpoint safely and writes safetensors."
        )
    if not path.is_file():
        raise InputError(f"{path} does not exist.")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a whole safetensors file ({error}). Save or copy it again.") from error


def find_file(folder: str | Path, file: str, **hub: Any) -> Path:
    """A file in a folder; where there is no such folder here, of the model of that name on the Hugging Face hub.

    Raises:
        InputError: neither a folder nor a model that can be had from the hub.
    """
    path = Path(folder)
    if path.is_dir():
        return path / file
    # the hub's names are OWNER/NAME; but where OWNER is a folder here, a path is meant
    if path.is_absolute() or len(path.parts) != 2 or ".." in path.parts or path.parent.is_dir():
        raise InputError(f"there is no folder {folder} with a saved model.")
    try:
        return Path(hf_hub_download(path.as_posix(), file, **hub))
    except Exception as error:  # its client raises many kinds, from a wrong name to a lost connection
        raise InputError(
            f"there is no folder {folder} with a saved model, nor could {file} be had from a model of that name on "
            f"the Hugging Face hub ({type(error).__name__})."
        ) from error


def read_config(folder: str | Path, architecture: str | None = None, **hub: Any) -> dict[str, Any]:
    """`config.json` of a saved model, in a folder or on the hub.

    Raises:
        InputError: no model there, the JSON is damaged, or the class is another one.
    """
    path, folder = find_file(folder, CONFIG, **hub), Path(folder)
    if not path.is_file():
        pickles = sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES)
        hint = f" It has {pickles[0]}, which may be a pickle and is not opened." if pickles else ""
        raise InputError(f"{folder} holds no saved model: {CONFIG} is missing.{hint}")
    try:
        config = json.loads(path.read_text())
        num_classes, name = config["num_classes"], config["architecture"]
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}). Save the model again.") from error
    if not isinstance(num_classes, int):
        raise InputError(f"{path}: num_classes must be a whole number, not {num_classes!r}.")
    check_name("architecture", name, Pretrained.architectures)
    if architecture is not None and name != architecture:
        raise InputError(f"{folder} holds a {name}, not a {architecture}: load it with {name}.from_pretrained.")
    return config


def load_model(folder: str | Path, **kwargs: Any):
    """The saved model of whatever class, in eval mode: ADDGCN or a baseline. Errors as in `from_pretrained`."""
    config = read_config(folder, **{k: kwargs[k] for k in HUB if k in kwargs})
    cls = Pretrained.architectures[config["architecture"]]
    return cls.from_pretrained(folder, **kwargs)
