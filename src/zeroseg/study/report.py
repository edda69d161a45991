"""The report of a study, as Markdown and as a page: preference, agreement, raters, and every picture with its votes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zeroseg.errors import DatasetError
from zeroseg.files import write_text_atomically
from zeroseg.report import from_markdown
from zeroseg.study.answers import Answers, Vote
from zeroseg.study.questions import Key
from zeroseg.study.report_pictures import code, pictures_section
from zeroseg.study.results import (
    PASSING,
    CheckedRater,
    Interval,
    Preference,
    checked_raters,
    model_strengths,
    of_raters,
    preferences,
)

MARKDOWN, PAGE = "report.md", "report.html"
MOST_RATERS = 60
EXPLAINED = """Intervals are of 95 %. Wilson's and the exact binomial test take votes as independent of each other. The
interval of resampled pictures and raters allows for pictures that are easy for one model and for raters who like one
(both are drawn with replacement, 2,000 times); it is a little too wide rather than too narrow. Only if votes are few,
or raters who differ are, it is too narrow, because resampling them brings little that is new. A dash stands where all
votes agree: resampling can say nothing then. The headline has the wider interval of both. The p-value is
that of equal preference."""
RESAMPLED = "where pictures and raters are resampled"
NARROWER = "by Wilson, because resampled pictures and raters give a narrower interval"
AGREED = "by Wilson, because all votes agree, and so resampling pictures and raters can say nothing"


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
        f"# Human study: {' or '.join(map(code, key.models))}?",
        _headline(found),
        _summary(answers, raters, least),
        f"## Preference\n\n{_preference_table(found, preferences(votes, key, seed))}\n\n{EXPLAINED}",
        f"## Agreement\n\n{_agreement(found)}",
        *([f"## Strengths\n\n{_strengths(passed, key, seed)}"] if len(key.models) > 2 else []),
        f"## Raters\n\n{_rater_table(raters, least)}",
        f"## Pictures\n\n{pictures_section(folder, out, answers, passed)}",
    ]
    text = "\n\n".join(parts) + "\n"
    write_text_atomically(out / MARKDOWN, text)
    write_text_atomically(out / PAGE, from_markdown(text, out, f"Study {key.study}, made with {key.made_with}."))
    return [_in_a_line(one) for one in [one for one in found if one.votes] or found]


def _headline(found: Sequence[Preference]) -> str:
    """The result of each pair in one sentence."""
    lines = [
        f"**{code(one.models[0])} is preferred to {code(one.models[1])} in {_percent(one.share)} of "
        f"{_votes(one.votes)}** ({_leading(one)})."
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
        f"votes were wanted, {wanted} for each picture. {'Both' if len(key.models) == 2 else 'All'} models chose from "
        f"{answers.questions.labels:,} names. Raters did not know which model was on which side."
    )
    if key.checks:
        said += (
            f" One side of {_count(key.checks, 'attention check')} was scrambled. Of the raters, {len(failed):,} "
            f"failed (fewer than {100 * least:.0f} % right): their votes are left out, unless a row says that all "
            "raters count."
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
    voted = [pair for pair in zip(passed, everybody, strict=True) if pair[1].votes]
    for found, of_all in voted:
        for who, one in (("passed the checks", found), ("all", of_all)):
            names = f"{code(one.models[0])} to {code(one.models[1])}"
            intervals = f"{_interval(one.wilson if one.votes else None)} | {_interval(one.bootstrap)}"
            counted = f"{one.won:,} of {one.votes:,} | {_percent(one.share)}"
            rows.append(f"| {names} | {who} | {counted} | {intervals} | {_p(one.p_value)} |")
    silent = len(passed) - len(voted)
    said = f"\n\nOf the {len(passed):,} pairs of models, {silent:,} have no votes." if silent else ""
    return "\n".join(rows) + said


def _agreement(found: Sequence[Preference]) -> str:
    """Majorities of pictures, and Krippendorff's alpha."""
    if not any(one.votes for one in found):
        return "No vote counts, so there is nothing to compare."
    rows: list[str] = []
    for one in [one for one in found if one.votes]:
        first, second, tied = one.majorities
        alpha = "\u2013" if one.alpha is None else f"{one.alpha:.3f}"
        first_name, second_name = map(code, one.models)
        rows += [
            f"| pictures for {first_name} | for {second_name} | tied | p (sign test) | Krippendorff's alpha |",
            "|---:|---:|---:|---:|---:|",
            f"| {first:,} | {second:,} | {tied:,} | {_p(one.majority_p_value)} | {alpha} |\n",
        ]
    words = (
        "By the majority of its votes, a picture is for one of two models or tied. Alpha says how far raters agree: 1 "
        "if all do, 0 if they agree as often as by chance."
    )
    return "\n".join([*rows, words])


def _strengths(votes: Sequence[Vote], key: Key, seed: int) -> str:
    """All models on one scale, or on one for each group of models that votes connect."""
    found = model_strengths(votes, key, seed)
    count = len({one.group for one in found} - {None})
    rows, said = ["| model | strength | interval |", "|---|---:|---:|"], ""
    if count > 1:
        rows = [f"| group {rows[0]}", f"|---:{rows[1]}"]
        said = (
            f"**These are {count} groups of models, and no vote compares models of different ones.** Each group has a "
            "scale of its own: its strengths say nothing about those of another.\n\n"
        )
    for one in found:
        figures = "\u2013 | \u2013"
        if one.value is not None and one.interval is not None:
            figures = f"{one.value:+.2f} | {one.interval[0]:+.2f} to {one.interval[1]:+.2f}"
        group = "" if count <= 1 else "| \u2013 " if one.group is None else f"| {one.group + 1} "
        rows.append(f"{group}| {code(one.model)} | {figures} |")
    words = (
        "Log strengths by Bradley and Terry, with mean 0: the chance that a model is preferred to another is the "
        "logistic function of the difference. The intervals are those of resampled pictures and raters. A model "
        "without votes has a dash. The strength of a model that has won, or lost, all its votes has no limit, so its "
        "figures mean little."
    )
    return said + "\n".join(rows) + "\n\n" + words


def _rater_table(raters: Sequence[CheckedRater], least: float) -> str:
    """Who answered how much, those who failed the checks first."""
    ordered = sorted(raters, key=lambda rater: (rater.passes(least), rater.right / rater.of if rater.of else 2.0))
    rows = ["| rater | votes | checks right | checks |", "|---|---:|---:|---|"]
    for rater in ordered[:MOST_RATERS]:
        said = "none answered" if not rater.of else "passed" if rater.passes(least) else "**failed**"
        rows.append(f"| {code(rater.name)} | {rater.votes:,} | {rater.right:,} of {rater.of:,} | {said} |")
    others = ordered[MOST_RATERS:]
    failed = sum(not rater.passes(least) for rater in others)
    return "\n".join(rows) + (f"\n\nAnd {_count(others, 'more rater')}, {failed:,} of whom failed." if others else "")


def _in_a_line(found: Preference) -> str:
    """The headline of a pair as plain text."""
    first, second = found.models
    if not found.votes:
        return f"{first} or {second}: 0 of 0 votes count."
    return (
        f"{first} is preferred to {second} in {_percent(found.share)} of {_votes(found.votes)} ({_leading(found)}); "
        f"{found.won:,} of {found.votes:,}, p {_p(found.p_value)}"
    )


def _leading(found: Preference) -> str:
    """The wider interval, and which it is."""
    name, interval = found.leading
    why = RESAMPLED if name == "bootstrap" else AGREED if found.bootstrap is None else NARROWER
    return f"{_interval(interval)} {why}"


def _votes(number: int) -> str:
    return f"{number:,} vote{'' if number == 1 else 's'}"


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things):,} {name}{'' if len(things) == 1 else 's'}"


def _percent(fraction: float | None) -> str:
    return "\u2013" if fraction is None else f"{100 * fraction:.1f} %"


def _interval(interval: Interval | None) -> str:
    return "\u2013" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def _p(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.2g}" if value >= 1e-4 else "< 0.0001"
