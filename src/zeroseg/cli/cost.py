"""`zeroseg cost`: the parameters and operations of a recipe's student, and what its run needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from zeroseg.cli.loading import RecipeName, recipe_named
from zeroseg.cli.parsing import parse
from zeroseg.cli.run_costs import cost_lines
from zeroseg.student.cost import count_flops, count_parameters, training_flops


@dataclass(frozen=True)
class Cost:
    """Print a recipe's parameters and floating-point operations, part by part, and what its run needs.

    A multiplication with its addition counts as 2. Hours are those of named GPUs at a stated part of their peak; the
    teacher's pass over the images, which `zeroseg cache` makes once, is a line of its own.

    examples:
      zeroseg cost --recipe imagenet_vitb16
      zeroseg cost --recipe photos_vitb16
    """

    recipe: RecipeName = "imagenet_vitb16"
    """The recipe."""

    def run(self) -> int:
        """Count, and print."""
        config = recipe_named(self.recipe)
        student = config.student
        parameters = count_parameters(student)
        masked, seen = count_flops(student, config.mask_ratio), count_flops(student, 0.0)
        seen |= {"decoder": 0.0, "total": seen["total"] - seen["decoder"]}
        table = Table("part", "parameters", f"GFLOP, {config.mask_ratio:.0%} dropped", "GFLOP, all patches")
        for column in table.columns[1:]:
            column.justify = "right"
        for part, count in parameters.items():
            if part == "total":
                table.add_section()
            table.add_row(part, f"{count:,}", f"{masked[part] / 1e9:,.3f}", f"{seen[part] / 1e9:,.3f}")
        step = training_flops(student, config.mask_ratio, config.trainable_blocks)
        console = Console(highlight=False, soft_wrap=True)
        console.print(table)
        side = student.image_size
        console.print(
            f"forward passes for one image of {side} x {side} pixels; with all patches and without the decoder"
        )
        console.print(f"(as at inference) in the last column; a training step: {step / 1e9:,.2f} GFLOP an image")
        for line in cost_lines(config, student.teacher, cached=config.losses.use_views):
            console.print(line)
        return 0


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Cost, "cost", arguments).run()
