"""The paper's segment matching (equation 1) for tokens that depend on the picture, and for tokens that do not.

python scripts/what_matching_rewards.py [STUDENT...]

On 300 validation scenes with the paper's 30 views, with the bundled teacher. Kinds of tokens:
  things    the teacher's embeddings of the box of every thing: the tokens of a perfect student
  constant  the same token for all pictures, fitted to the loss
  STUDENT   the segment tokens of students: folders, or the bundled one
For each: the loss, the number of different views of a picture that are nearest to a token, and the fraction of tokens
that are nearest to a view without things. Then: how well a constant predicts views with and without things. Last, about
the assignment: how much a patch's dot products with the segments differ in untrained students of the paper's recipe,
compared with the Gumbel noise that training adds to them.
"""

import math
import sys
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from zeroseg.feature_cache import embed_views
from zeroseg.images import to_tensor
from zeroseg.losses import pairwise_l1, segment_matching
from zeroseg.picturebook import Scene, Thing, draw_scene
from zeroseg.recipes import picturebook_faithful
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training.diagnostics import nearest_views
from zeroseg.views import ViewsConfig

SCENES = 300
VIEWS = ViewsConfig(side=96)
SMALLEST = 40  # pixels of a thing that gets a token
STEPS, RATE = 600, 0.02  # of fitting the constant
FRESH = 4  # students before any training
GUMBEL = math.pi / math.sqrt(6)  # standard deviation of the noise


def main() -> None:
    """Print a line for each kind of tokens, and the lines on views and assignment."""
    teacher = Teacher.from_pretrained("picturebook")
    scenes = [draw_scene("validation", number) for number in range(SCENES)]
    images = torch.stack([to_tensor(scene.image) for scene in scenes]).float() / 255
    views = F.normalize(embed_views(teacher, VIEWS, images), dim=-1)[:, torch.tensor(VIEWS.is_local())]
    empty = torch.stack([without_things(scene) for scene in scenes])
    print(f"{float(empty.float().mean()):.1%} of the local views show no thing")

    constant = fitted(views)
    kinds = {
        "things": [F.normalize(teacher.embed_images(crops), dim=-1) for crops in map(things_of, images, scenes)],
        "constant": [constant[None]] * len(scenes),
    }
    for name in sys.argv[1:] or ["picturebook"]:
        student = Student.from_pretrained(name).eval()
        with torch.inference_mode():
            kinds[name] = list(F.normalize(student.in_teacher_space(student(images).segments), dim=-1))
    for kind, tokens in kinds.items():
        print(f"{kind}: {report(tokens, views, empty)}")
    distance = (constant - views).abs().mean(dim=-1)
    print(
        f"from the constant to views without things {float(distance[empty].mean()):.4f}, "
        f"with things {float(distance[~empty].mean()):.4f}"
    )
    print(f"a patch's dot products differ by {first_spread(images):.3f} at the start, the noise by {GUMBEL:.3f}")


def without_things(scene: Scene) -> Bool[Tensor, " V"]:
    """The local views that show only stuff."""
    thing = torch.tensor([isinstance(content, Thing) for content in scene.contents])
    shown = thing[torch.from_numpy(scene.instances).long()]
    boxes = [box for box, local in zip(VIEWS.boxes(), VIEWS.is_local(), strict=True) if local]
    return torch.stack([~shown[top:bottom, left:right].any() for left, top, right, bottom in boxes])


def things_of(image: Float[Tensor, "3 H W"], scene: Scene) -> Float[Tensor, "N 3 48 48"]:
    """The crops around the things of a scene, resized; the whole scene if no thing is large enough."""
    crops: list[Tensor] = []
    for number, content in enumerate(scene.contents):
        rows, columns = (scene.instances == number).nonzero()
        if isinstance(content, Thing) and len(rows) >= SMALLEST:
            crop = image[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            crops.append(F.interpolate(crop[None], (48, 48), mode="bilinear", antialias=True))
    return torch.cat(crops or [F.interpolate(image[None], (48, 48), mode="bilinear", antialias=True)])


def fitted(views: Float[Tensor, "B V D"]) -> Float[Tensor, " D"]:
    """The embedding with the smallest mean distance to the nearest view of all pictures."""
    constant = views.flatten(0, 1).mean(dim=0).requires_grad_()
    optimiser = torch.optim.Adam([constant], RATE)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        optimiser.zero_grad()
        segment_matching(constant.expand(len(views), 1, -1), views).backward()
        optimiser.step()
    return constant.detach()


def report(tokens: Sequence[Float[Tensor, "S D"]], views: Float[Tensor, "B V D"], empty: Bool[Tensor, "B V"]) -> str:
    """Loss, different nearest views, and the fraction of tokens that are nearest to a view without things."""
    loss, chosen, cheap, count = 0.0, 0, 0, 0
    for mine, theirs, bare in zip(tokens, views, empty, strict=True):
        nearest = nearest_views(mine[None], theirs[None])[0]
        loss += float(pairwise_l1(mine[None], theirs[None]).min(dim=2).values.mean()) / len(tokens)
        chosen, cheap, count = chosen + len(nearest.unique()), cheap + int(bare[nearest].sum()), count + len(mine)
    return f"matching {loss:.4f}, {chosen / len(tokens):.1f} views, {cheap / count:.0%} of the tokens at empty views"


@torch.inference_mode()
def first_spread(images: Float[Tensor, "B 3 H W"]) -> float:
    """Standard deviation over the first stage's segments of a patch's logits: the mean of patches and fresh students.

    The logits are read from the soft assignment: its logarithm differs from them by a constant for each patch.
    """
    spreads: list[float] = []
    for seed in range(FRESH):
        torch.manual_seed(seed)
        student = Student(picturebook_faithful().student).eval()
        student.groupings[0].register_forward_hook(
            lambda _module, _tokens, output: spreads.append(float(output[1].log().std(dim=1).mean()))
        )
        student(images)
    return sum(spreads) / len(spreads)


if __name__ == "__main__":
    main()
