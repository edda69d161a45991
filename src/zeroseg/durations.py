"""Durations in words."""

from __future__ import annotations


def time_left(seconds: float) -> str:
    """How long something takes yet: `45 s left`, `12 min left`, `7 h 5 min left`, `3 days 2 h left`."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 120:
        return f"{seconds:.0f} s left"
    if minutes < 120:
        return f"{minutes} min left"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min left"
    return f"{hours // 24} days {hours % 24} h left"
