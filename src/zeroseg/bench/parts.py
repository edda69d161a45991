"""What can be measured: each part by its name, with its pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from zeroseg.bench.caching import caching
from zeroseg.bench.measuring import Figure, Pair, measured
from zeroseg.bench.peers import beside_peers
from zeroseg.bench.photos import encoding, folders, keeping, naming, refining, sizes
from zeroseg.bench.setting import Setting
from zeroseg.bench.sharing import memory, sharing
from zeroseg.bench.starting import starting
from zeroseg.bench.training_step import loading, stepping

PARTS: dict[str, Callable[[Setting], Iterator[Pair]]] = {
    "encode": encoding,
    "name": naming,
    "words": keeping,
    "memory": memory,
    "refine": refining,
    "sizes": sizes,
    "segment": folders,
    "peers": beside_peers,
    "cache": caching,
    "loader": loading,
    "step": stepping,
    "startup": starting,
    "shared": sharing,
}


def figures_of(parts: Sequence[str], setting: Setting) -> Iterator[Figure]:
    """The figures of some parts, one after the other, as they are measured."""
    for name in parts:
        for pair in PARTS[name](setting):
            yield measured(pair, setting.rounds, setting.seconds)
