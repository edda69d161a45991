"""Background rules: they decide when a pixel is none of the labels. Each rule is a frozen value.

A rule turns the similarities between regions and words into logits, of which the highest wins. It has one threshold,
lists the values of it to try, and describes itself. To add a rule, write a class in this folder and enter it in
`by_name.RULES`.

| rule | a pixel is background where | from |
|---|---|---|
| `Product` | the product score of every label is under the threshold | GroupViT, the paper |
| `Top5` | never; by product score, one of the image's five best labels | GroupViT, the paper |
| `Margin` | no label leads the best background word by the threshold (cosine x 100) | ours |
| `Softmax` | a background word is the most probable, or no label reaches the threshold | SCLIP |
| `Sigmoid` | no label reaches the threshold by itself, or a background word fits better | TCL |
| `NoBackground` | never | |
"""

from zeroseg.rules.by_name import RULES, rule_from_json, rule_named
from zeroseg.rules.margin import Margin
from zeroseg.rules.published import Product, Sigmoid, Softmax, Top5
from zeroseg.rules.rule import MARGINS, BackgroundRule, ClassScores, NoBackground

__all__ = [
    "MARGINS",
    "RULES",
    "BackgroundRule",
    "ClassScores",
    "Margin",
    "NoBackground",
    "Product",
    "Sigmoid",
    "Softmax",
    "Top5",
    "rule_from_json",
    "rule_named",
]
