"""Small things to test with: a random CLIP or SigLIP as teacher, sizes of a random student, pictures."""

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
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)  # fmt: skip

from zeroseg.images import to_tensor
from zeroseg.rules import Margin
from zeroseg.student import Student, StudentConfig
from zeroseg.student.config import ReadOut
from zeroseg.teacher import ClipTeacher, SiglipTeacher, Teacher
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
    STUDENT, decoder_layers=0, assignment="cosine", patch_head=True, read_out=ReadOut("patches", Margin())
)
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
    vision = {"hidden_size": 32, "patch_size": 8, **sizes, **({"num_patches": 16} if naflex else {"image_size": 32})}
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
