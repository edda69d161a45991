"""Students on disk and on the hub, and initial weights for the encoder from an MAE."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from zeroseg.errors import ConfigError, WeightsError
from zeroseg.files import finite_json, write_bytes_atomically, write_text_atomically
from zeroseg.hub import folder_of
from zeroseg.models import EXPORTED_KIND, STUDENT_KIND, kind_of
from zeroseg.student.config import StudentConfig

CONFIG_NAME, WEIGHTS_NAME, CARD_NAME = "config.json", "model.safetensors", "README.md"

CARD = """---
license: apache-2.0
library_name: zeroseg
pipeline_tag: image-segmentation
tags: [zeroseg, open-vocabulary-segmentation]
---
# A ZeroSeg student

Segments images by words; distilled from the vision encoder of `{teacher}` without labels
(method: Chen et al. 2023, arXiv 2306.00450).

```python
import zeroseg
segmentation = zeroseg.Segmenter.from_pretrained("THIS-FOLDER")("photo.jpg", labels=["dog", "grass"])
```
"""


def read(name: str | Path) -> tuple[StudentConfig, dict[str, Tensor]]:
    """Config and tensors of a student: bundled, in a folder or in a hub repository. Raises `WeightsError`."""
    folder = folder_of(name, "student")
    if kind_of(folder) == EXPORTED_KIND:
        raise WeightsError(f"{name} is an exported model, for inference alone: name the student that was exported.")
    for file in (CONFIG_NAME, WEIGHTS_NAME):
        if not (folder / file).is_file():
            raise WeightsError(f"{name} is not a student: it has no {file}. Name a folder that `zeroseg distill` made.")
    try:
        values: dict[str, Any] = finite_json((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        if values.pop("kind", None) != STUDENT_KIND:
            raise WeightsError(f"{name} holds another kind of model, not a ZeroSeg student: name a folder of one.")
        config = StudentConfig.from_json(values)
        return config, load_file(folder / WEIGHTS_NAME)
    except (ValueError, TypeError, AttributeError, ArithmeticError, ConfigError) as error:
        raise WeightsError(f"{folder / CONFIG_NAME} cannot be read as a student's config: {error}") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{folder / WEIGHTS_NAME} is damaged ({error}): copy or train it again.") from error


def fill(student: nn.Module, tensors: Mapping[str, Tensor], name: str | Path) -> None:
    """Load tensors into a student, strictly. Raises a `WeightsError` that counts missing and unexpected tensors."""
    own = student.state_dict()
    missing, foreign = own.keys() - tensors.keys(), tensors.keys() - own.keys()
    misshaped = [key for key in own.keys() & tensors.keys() if own[key].shape != tensors[key].shape]
    if missing or foreign or misshaped:
        raise WeightsError(
            f"the weights in {name} do not fit their config: {len(missing)} tensors missing, "
            f"{len(foreign)} unexpected, {len(misshaped)} of another shape. Use the config.json saved with them."
        )
    student.load_state_dict({key: value.to(own[key].dtype) for key, value in tensors.items()}, strict=True)


def write(student: nn.Module, config: StudentConfig, folder: Path, card: str = "") -> None:
    """Write a student's folder: float16 tensors, config, model card."""
    tensors = {key: value.detach().to("cpu", torch.float16).contiguous() for key, value in student.state_dict().items()}
    write_bytes_atomically(folder / WEIGHTS_NAME, save(tensors, metadata={"format": "pt"}))
    values = {"kind": STUDENT_KIND, **config.to_json()}
    write_text_atomically(folder / CONFIG_NAME, json.dumps(values, indent=2) + "\n")
    write_text_atomically(folder / CARD_NAME, card or CARD.format(teacher=Path(config.teacher).name))


def push(student: nn.Module, config: StudentConfig, repository: str, **options: Any) -> str:
    """Upload a student to the hub; returns the address of the commit."""
    if Path(config.teacher).is_absolute():
        raise WeightsError(
            f"the student's teacher is a folder on this machine ({config.teacher}): push the teacher first, and write "
            "its hub name into the student's config."
        )
    with tempfile.TemporaryDirectory() as folder:
        write(student, config, Path(folder))
        api = HfApi()
        api.create_repo(repository, exist_ok=True, **options)
        return str(api.upload_folder(repo_id=repository, folder_path=folder))


def encoder_from_mae(mae: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The encoder of a `ViTMAEModel` (or `ViTMAEForPreTraining`) state dict, under the names of a student's encoder."""
    saved_names = {  # transformers 5 renamed its modules and keeps the old names in files
        "layers.": "encoder.layer.", "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense",
        "attention.q_proj": "attention.attention.query", "attention.k_proj": "attention.attention.key",
        "attention.v_proj": "attention.attention.value", "attention.o_proj": "attention.output.dense",
    }  # fmt: skip
    mae = {key.removeprefix("vit."): value for key, value in mae.items()}
    for new, saved in saved_names.items():
        mae = {key.replace(new, saved): value for key, value in mae.items()}
    positions = mae["embeddings.position_embeddings"]
    ours = {
        "embedding.weight": mae["embeddings.patch_embeddings.projection.weight"],
        "embedding.bias": mae["embeddings.patch_embeddings.projection.bias"],
        "class_token": mae["embeddings.cls_token"] + positions[:, :1],
        "positions": positions[:, 1:],
        "norm.weight": mae["layernorm.weight"],
        "norm.bias": mae["layernorm.bias"],
    }
    names = {
        "layernorm_before": "norm1", "layernorm_after": "norm2",
        "intermediate.dense": "mlp.first", "output.dense": "mlp.second",
        "attention.attention.query": "attention.query", "attention.attention.key": "attention.key",
        "attention.attention.value": "attention.value", "attention.output.dense": "attention.out",
    }  # fmt: skip
    return ours | {
        f"blocks.{number}.{our}.{part}": mae[f"encoder.layer.{number}.{name}.{part}"]
        for number in range(layers)
        for name, our in names.items()
        for part in ("weight", "bias")
    }
