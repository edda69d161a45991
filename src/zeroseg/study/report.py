"""The report of a study, as Markdown and as a page: preference, agreement, raters, and every picture with its votes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from zeroseg.drawing import contact_sheet, save_image
from zeroseg.errors import DatasetError, ImageError
from zeroseg.files import write_text_atomically
from zeroseg.images import load_image
from zeroseg.report import from_markdown
from zeroseg.study.answers import Answers, Vote
from zeroseg.study.questions import PICTURES, SIDES, Key, Question, Side
from zeroseg.study.results import (
    PASSING,
    CheckedRater,
    Interval,
    Preference,
    checked_raters,
    model_strengths,
    of_raters,
    preferences,
    votes_by_question,
)

MARKDOWN, PAGE = "report.md", "report.html"
MOST_PICTURES, MOST_RATERS = 200, 60
SHEET = "The picture, and the two segmentations of it"  # for those who cannot see it
MOST_NAMES = 6  # of a segmentation, below its picture
PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")  # what means something in Markdown, unless a backslash is before it
CELL = 340  # pixels of the longer side of a picture
EXPLAINED = """Intervals are of 95 %. Wilson's and the exact binomial test take votes as independent of each other. The
interval of resampled pictures and raters allows for pictures that are easy for one model and for raters who like one
(both are drawn with replacement, 2,000 times); it is a little too wide rather than too narrow. Only if votes are few,
or all alike, it is too narrow, because resampling them brings nothing new. The headline has the wider interval of both.
The p-value is that of equal preference."""
HEADLINE = {
    "bootstrap": "where pictures and raters are resampled",
    "wilson": "by Wilson, because resampled pictures and raters give a narrower interval",
}


def write_report(folder: Path, out: Path, least: float = PASSING, seed: int = 0) -> list[str]:
    """Write `report.md`, `report.html` and `pictures/` into `out`; returns the most important lines as plain text.

    `least`: the fraction of attention checks that raters must answer rightly to be counted. `seed`: of the resampling.

    Raises `DatasetError` if nobody has voted yet, `ConfigError` without the packages of the extra `study`, and
    `OutputError`.
    """
    answers = Answers(folder)
    key, votes = answers.key, answers.votes()
    if not votes:
        raise DatasetError(f"nobody has voted in the study {str(folder)!r} yet: see `zeroseg study serve`.")
    raters = checked_raters(votes, key)
    passed = of_raters(votes, {rater.name for rater in raters if rater.passes(least)})
    found = preferences(passed, key, seed)
    parts = [
        f"# Human study: {' or '.join(map(_code, key.models))}?",
        _headline(found),
        _summary(answers, raters, least),
        f"## Preference\n\n{_preference_table(found, preferences(votes, key, seed))}\n\n{EXPLAINED}",
        f"## Agreement\n\n{_agreement(found)}",
        *([f"## Strengths\n\n{_strengths(passed, key, seed)}"] if len(key.models) > 2 else []),
        f"## Raters\n\n{_rater_table(raters, least)}",
        f"## Pictures\n\n{_pictures(folder, out, answers, passed)}",
    ]
    text = "\n\n".join(parts) + "\n"
    write_text_atomically(out / MARKDOWN, text)
    write_text_atomically(out / PAGE, from_markdown(text, out, f"Study {key.study}, made with {key.made_with}."))
    return [_in_a_line(one) for one in found]


def _headline(found: Sequence[Preference]) -> str:
    """The result of each pair in one sentence."""
    lines = [
        f"**{_code(one.models[0])} is preferred to {_code(one.models[1])} in {_percent(one.share)} of "
        f"{_votes(one.votes)}** ({_interval(one.bootstrap if one.wider == 'bootstrap' else one.wilson)} "
        f"{HEADLINE[one.wider]})."
        for one in found
        if one.votes
    ]
    return "\n\n".join(lines) or "**Nobody who passed the checks has voted.**"


def _summary(answers: Answers, raters: Sequence[CheckedRater], least: float) -> str:
    """What was asked, of how many people, and how many of them failed the checks."""
    key, wanted = answers.key, answers.questions.votes
    cast = sum(rater.votes for rater in raters)
    failed = [rater for rater in raters if not rater.passes(least)]
    unchecked = sum(not rater.of for rater in raters)
    said = (
        f"{_count(raters, 'rater')} gave {cast:,} votes on {_count(key.real, 'picture')}; {wanted * len(key.real):,} "
        f"votes were wanted, {wanted} for each picture. Both models chose from {answers.questions.labels:,} names. "
        "Raters did not know which model was on which side."
    )
    if key.checks:
        said += (
            f" One side of {_count(key.checks, 'attention check')} was scrambled. Of the raters, {len(failed):,} "
            f"failed (fewer than {least:.0%} right): their votes are left out, unless a row says that all raters count."
        )
        said += f" {unchecked:,} answered no check, and are counted." if unchecked else ""
    else:
        said += " There were no attention checks."
    return said


def _preference_table(passed: Sequence[Preference], everybody: Sequence[Preference]) -> str:
    rows = [
        "| preferred to | raters | votes | share | Wilson | pictures and raters resampled | p |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for found, of_all in zip(passed, everybody, strict=True):
        for who, one in (("passed the checks", found), ("all", of_all)):
            names = f"{_code(one.models[0])} to {_code(one.models[1])}"
            intervals = f"{_interval(one.wilson)} | {_interval(one.bootstrap)}"
            counted = f"{one.won:,} of {one.votes:,} | {_percent(one.share)}"
            rows.append(f"| {names} | {who} | {counted} | {intervals} | {_p(one.p_value)} |")
    return "\n".join(rows)


def _agreement(found: Sequence[Preference]) -> str:
    """Majorities of pictures, and Krippendorff's alpha."""
    rows = [
        "| pictures | first | second | tied | p (sign test) | Krippendorff's alpha |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        first, second, tied = one.majorities
        alpha = "\u2013" if one.alpha is None else f"{one.alpha:.3f}"
        names = f"{_code(one.models[0])} or {_code(one.models[1])}"
        rows.append(f"| {names} | {first:,} | {second:,} | {tied:,} | {_p(one.majority_p_value)} | {alpha} |")
    words = (
        "By the majority of its votes, a picture is for one of two models or tied. Alpha says how far raters agree: 1 "
        "if all do, 0 if they agree as often as by chance."
    )
    return "\n".join(rows) + "\n\n" + words


def _strengths(votes: Sequence[Vote], key: Key, seed: int) -> str:
    """All models on one scale."""
    rows = ["| model | strength | interval |", "|---|---:|---:|"]
    for one in model_strengths(votes, key, seed):
        if one.value is None or one.interval is None:
            rows.append(f"| {_code(one.model)} | \u2013 | \u2013 |")
        else:
            rows.append(f"| {_code(one.model)} | {one.value:+.2f} | {one.interval[0]:+.2f} to {one.interval[1]:+.2f} |")
    words = (
        "Log strengths by Bradley and Terry, with mean 0: the chance that a model is preferred to another is the "
        "logistic function of the difference. The intervals are those of resampled pictures and raters. A model "
        "without votes has a dash. The strength of a model that has won, or lost, all its votes has no limit, so its "
        "figures mean little."
    )
    return "\n".join(rows) + "\n\n" + words


def _rater_table(raters: Sequence[CheckedRater], least: float) -> str:
    """Who answered how much, those who failed the checks first."""
    ordered = sorted(raters, key=lambda rater: (rater.passes(least), rater.right / rater.of if rater.of else 2.0))
    rows = ["| rater | votes | checks right | checks |", "|---|---:|---:|---|"]
    for rater in ordered[:MOST_RATERS]:
        said = "none answered" if not rater.of else "passed" if rater.passes(least) else "**failed**"
        rows.append(f"| {_code(rater.name)} | {rater.votes:,} | {rater.right:,} of {rater.of:,} | {said} |")
    left = len(raters) - MOST_RATERS
    return "\n".join(rows) + (f"\n\nAnd {left:,} more raters, who passed or answered no check." if left > 0 else "")


def _pictures(folder: Path, out: Path, answers: Answers, votes: Sequence[Vote]) -> str:
    """Each picture beside what the models made of it, with its votes; the most one-sided for the first model first."""
    counts, key, by_id = votes_by_question(votes, answers.key), answers.key, answers.questions.by_id()
    ordered = sorted(counts, key=lambda name: -_lead(key, name, counts[name]))
    shown = (
        [ordered[k * len(ordered) // MOST_PICTURES] for k in range(MOST_PICTURES)]
        if len(ordered) > MOST_PICTURES
        else ordered
    )
    parts = ["All of them." if len(shown) == len(ordered) else f"{len(shown)} of {len(ordered):,}, evenly chosen."]
    for name in shown:
        sheet, words = _sheet(folder, key, by_id[name], counts[name])
        save_image(sheet, out / PICTURES / f"{name}.jpg")
        parts.append(f"{_code(key.questions[name].photo)}: {words}\n\n![{SHEET}]({PICTURES}/{name}.jpg)")
    return "\n\n".join(parts)


def _sheet(folder: Path, key: Key, question: Question, counts: Counter[str]) -> tuple[Image.Image, str]:
    """The photo and both sides, the models in the order of the key; and their votes in words."""
    sides = sorted(SIDES, key=lambda side: key.models.index(key.questions[question.id].model(side) or ""))
    models = [key.questions[question.id].model(side) or "" for side in sides]
    files = [question.picture, *(question.left if side == "left" else question.right for side in sides)]
    try:
        pictures = [load_image(folder / PICTURES / f"{name}.jpg") for name in files]
    except ImageError as error:
        raise DatasetError(f"a picture of the study is missing or damaged: {error}") from error
    captions = ["the picture", *(f"{model}: {counts[model]} of {counts.total()}" for model in models)]
    said = [
        f"{_code(model)} {counts[model]} of {counts.total()} votes ({_names(question, side)})"
        for model, side in zip(models, sides, strict=True)
    ]
    return contact_sheet(pictures, 3, captions, CELL), "; ".join(said)


def _names(question: Question, side: Side) -> str:
    """The largest names of a side."""
    names = [f"{row.label} {row.fraction}" for row in question.legend(side)]
    more = len(names) - MOST_NAMES
    return _text(", ".join(names[:MOST_NAMES])) + (f" and {more} more" if more > 0 else "")


def _lead(key: Key, question: str, counts: Counter[str]) -> float:
    """By which fraction of the votes the model that the key has first leads."""
    secret = key.questions[question]
    first, second = sorted((secret.left or "", secret.right or ""), key=key.models.index)
    return (counts[first] - counts[second]) / counts.total()


def _in_a_line(found: Preference) -> str:
    first, second = found.models
    return (
        f"{first} is preferred to {second} in {found.won:,} of {_votes(found.votes)}: {_percent(found.share)}, "
        f"{_interval(found.wilson)} (Wilson), p {_p(found.p_value)}"
    )


def _votes(number: int) -> str:
    return f"{number:,} vote{'' if number == 1 else 's'}"


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things):,} {name}{'' if len(things) == 1 else 's'}"


def _text(words: str) -> str:
    """Words in Markdown, whatever is in them."""
    return PUNCTUATION.sub(r"\\\g<0>", " ".join(words.split()))


def _code(name: str) -> str:
    """A name in Markdown, whatever is in it."""
    return f"`{' '.join(name.split()).replace('`', chr(39)).replace('|', '/')}`"


def _percent(fraction: float | None) -> str:
    return "\u2013" if fraction is None else f"{100 * fraction:.1f} %"


def _interval(interval: Interval) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def _p(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.2g}" if value >= 1e-4 else "< 0.0001"
