"""All background rules by name, and how they are read from saved configs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from zeroseg.errors import ConfigError
from zeroseg.rules.margin import Margin
from zeroseg.rules.published import Product, Sigmoid, Softmax, Top5
from zeroseg.rules.rule import BackgroundRule, NoBackground, check_number

RULES: dict[str, type[BackgroundRule]] = {
    rule.name: rule for rule in (Product, Margin, Softmax, Sigmoid, NoBackground, Top5)
}


def rule_named(name: str, own: BackgroundRule | None = None) -> BackgroundRule:
    """A rule by name: `own` if it has that name, else one with the default threshold.

    "none" and "top5" keep the offset that `own` gives to stuff. Raises `ConfigError` for an unknown name.
    """
    if name not in RULES:
        raise ConfigError(f"there is no background rule {name!r}: choose one of {', '.join(RULES)}.")
    if own is not None and name in (own.name, NoBackground.name):
        return own if name == own.name else own.without_background()
    if own is not None and name == Top5.name:
        return Top5(own.without_background().threshold)
    return RULES[name]()


def rule_from_json(values: Mapping[str, Any]) -> BackgroundRule:
    """A rule from a saved config's flat table (`BackgroundRule.to_json`), which may have entries of other rules, too.

    Raises `ConfigError` for an unknown name.
    """
    rule = rule_named(str(values.get("background", Product.name)))
    given = {f.name: values[rule.saved_as[f.name]] for f in fields(rule) if rule.saved_as[f.name] in values}
    for field, value in given.items():
        check_number(rule.saved_as[field], value, *rule.ranges[field])
    return replace(rule, **given)
