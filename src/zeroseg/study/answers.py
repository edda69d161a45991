"""The answers of a study: raters, what each is asked, and votes, in an SQLite file beside the questions.

Every call has a connection and a transaction of its own, and the file has a write-ahead log: any number of threads and
processes may vote at once. A rater who comes by a link has a random token; one whose answers are imported has a name.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random

from zeroseg.errors import DatasetError
from zeroseg.study.assignment import assign, fill, with_checks
from zeroseg.study.design import FEWEST_CHECKS
from zeroseg.study.questions import ANSWERS, Key, Questions, Side, read_key, read_questions

WAIT = 30.0  # seconds for which a writer waits for others
TABLES = """
CREATE TABLE IF NOT EXISTS study (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS served (url TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS raters (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, token TEXT UNIQUE, invited TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS asked (
    rater INTEGER NOT NULL REFERENCES raters, place INTEGER NOT NULL, question TEXT NOT NULL,
    PRIMARY KEY (rater, question)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS votes (
    rater INTEGER NOT NULL REFERENCES raters, question TEXT NOT NULL, side TEXT NOT NULL
    CHECK (side IN ('left', 'right')), first TEXT NOT NULL, last TEXT NOT NULL, changes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (rater, question)) WITHOUT ROWID;
"""
GIVEN = """
SELECT question, count(*) FROM (SELECT rater, question FROM asked UNION SELECT rater, question FROM votes)
GROUP BY question
"""
CAST = "SELECT question, count(*) FROM votes GROUP BY question"
VOTE = """
INSERT INTO votes (rater, question, side, first, last) VALUES (:rater, :question, :side, :now, :now)
ON CONFLICT (rater, question) DO UPDATE SET side = :side, last = :now, changes = changes + 1 WHERE side != :side
"""


@dataclass(frozen=True)
class Rater:
    """A person who answers: a name, the token of the link, and how many of the questions are answered."""

    name: str
    token: str | None
    asked: int
    answered: int


@dataclass(frozen=True)
class Vote:
    """An answer: who finds which side of a question better, and when that was last said (UTC, ISO 8601)."""

    rater: str
    question: str
    side: Side
    at: str


class Answers:
    """The answers of the study in a folder. Raises `DatasetError` if they belong to another study, or are damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = Path(folder), Path(folder) / ANSWERS
        self.questions: Questions = read_questions(self.folder)
        self.key: Key = read_key(self.folder)
        with self._connection() as base:
            base.execute("PRAGMA journal_mode = WAL")
            base.executescript(TABLES)
        with self._writing() as base:
            known = [row[0] for row in base.execute("SELECT id FROM study")]
            if not known:
                base.execute("INSERT INTO study VALUES (?)", (self.questions.study,))
        if known not in ([], [self.questions.study]) or self.key.study != self.questions.study:
            raise DatasetError(f"the files in {str(folder)!r} belong to different studies: keep those of one.")

    def invite(self, raters: int, seed: int | None = None) -> list[Rater]:
        """Add raters, each with a link of its own, and give them questions; returns them.

        Questions that have too few raters are divided among the new ones. If all have enough, those are divided whose
        raters have not answered yet, so that others take the places of people who do not come. If there are more new
        raters than places, each of the others has one of these questions: nobody is without any. Every rater has an
        attention check for each ten questions or so, as the study has, but three at least (no more than questions), and
        their right answers are on both sides. `seed`: of the assignment, for tests; tokens are
        always random.

        Raises `DatasetError` if all votes are there.
        """
        draw, new = Random(secrets.randbits(64) if seed is None else seed), set[str]()
        with self._writing() as base:
            given, cast = self._lacking(base)
            if not cast:
                raise DatasetError("every question has its votes: nobody more is needed.")
            lists = fill(assign(given or cast, raters, draw), cast, draw)
            used = dict.fromkeys(self.key.checks, 0)
            sides = {check: str(self.key.questions[check].right_answer) for check in used}
            for check, times in base.execute("SELECT question, count(*) FROM asked GROUP BY question"):
                used |= {check: times} if check in used else {}
            taken = {row[0] for row in base.execute("SELECT name FROM raters")}  # imported ones may be called so, too
            free = (name for number in count(1) if (name := f"rater {number}") not in taken)
            for name, own in zip(free, lists, strict=False):
                wanted = max(min(FEWEST_CHECKS, len(own)), round(len(own) * len(used) / len(self.key.real)))
                mixed, checks = with_checks(own, used, sides, wanted, draw)
                used |= {check: used[check] + 1 for check in checks}
                new.add(name)
                row = (name, secrets.token_urlsafe(16), _now())
                rater = base.execute("INSERT INTO raters (name, token, invited) VALUES (?, ?, ?)", row).lastrowid
                base.executemany(
                    "INSERT INTO asked VALUES (?, ?, ?)", [(rater, place, one) for place, one in enumerate(mixed)]
                )
        return [rater for rater in self.raters() if rater.name in new]

    def surplus(self) -> int:
        """How many answers there will be beyond those that the study wants, if all raters answer all they are asked."""
        with self._connection() as base:
            asked = _counts(base, GIVEN)
        return sum(max(0, asked.get(name, 0) - self.questions.votes) for name in self.key.real)

    def raters(self) -> list[Rater]:
        """All raters in the order in which they were invited; those of imported files come first."""
        query = (
            "SELECT name, token, (SELECT count(*) FROM asked WHERE rater = id),"
            " (SELECT count(*) FROM votes WHERE rater = id) FROM raters ORDER BY token IS NOT NULL, id"
        )
        with self._connection() as base:
            return [Rater(*row) for row in base.execute(query)]

    def asked(self, token: str) -> dict[str, Side | None] | None:
        """The questions of the rater with this token, in order, and the side that each was answered with.

        None if there is no such rater.
        """
        query = (
            "SELECT asked.question, side FROM asked LEFT JOIN votes USING (rater, question)"
            " WHERE rater = ? ORDER BY place"
        )
        with self._connection() as base:
            rater = _rater(base, token)
            return None if rater is None else dict(base.execute(query, (rater,)).fetchall())

    def vote(self, token: str, question: str, side: Side) -> bool:
        """Store an answer, or change it; whether the rater exists and is asked this question."""
        with self._writing() as base:
            rater = _rater(base, token)
            asked = base.execute("SELECT 1 FROM asked WHERE rater = ? AND question = ?", (rater, question)).fetchone()
            if rater is None or asked is None:
                return False
            base.execute(VOTE, {"rater": rater, "question": question, "side": side, "now": _now()})
        return True

    def add(self, votes: Iterable[Vote]) -> int:
        """Store answers that were given elsewhere, all or none; returns how many are new or changed.

        Raters are known by their names; answers of the same rater to the same question replace each other.

        Raises `DatasetError` if one of the raters has a link, and answers by it.
        """
        with self._writing() as base:
            given, changed = list(votes), 0
            names = dict.fromkeys(vote.rater for vote in given)
            for (name,) in base.execute("SELECT name FROM raters WHERE token IS NOT NULL"):
                if name in names:
                    raise DatasetError(f"{name!r} has a link, so answers from elsewhere need another name.")
            base.executemany(
                "INSERT OR IGNORE INTO raters (name, invited) VALUES (?, ?)", [(name, _now()) for name in names]
            )
            raters = dict(base.execute("SELECT name, id FROM raters").fetchall())
            for vote in given:
                row = {"rater": raters[vote.rater], "question": vote.question, "side": vote.side, "now": vote.at}
                changed += base.execute(VOTE, row).rowcount
        return changed

    def served_at(self, url: str) -> None:
        """Remember the address that links begin with."""
        with self._writing() as base:
            base.execute("DELETE FROM served")
            base.execute("INSERT INTO served VALUES (?)", (url,))

    def last_url(self) -> str | None:
        """The address that links began with when the study was last served; None if it never was."""
        with self._connection() as base:
            found = base.execute("SELECT url FROM served").fetchone()
        return None if found is None else str(found[0])

    def votes(self) -> list[Vote]:
        """All answers, by rater and question."""
        query = "SELECT name, question, side, last FROM votes JOIN raters ON rater = id ORDER BY rater, question"
        with self._connection() as base:
            return [Vote(*row) for row in base.execute(query)]

    def _lacking(self, base: sqlite3.Connection) -> tuple[dict[str, int], dict[str, int]]:
        """The questions that lack raters, and how many; and those that lack votes."""
        given, cast = (
            {name: lacking for name in self.key.real if (lacking := self.questions.votes - there.get(name, 0)) > 0}
            for there in (_counts(base, GIVEN), _counts(base, CAST))
        )
        return given, cast

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """A transaction that holds the only right to write from its beginning; it is undone if anything is raised."""
        with self._connection() as base:
            base.execute("BEGIN IMMEDIATE")
            try:
                yield base
            except BaseException:
                base.execute("ROLLBACK")
                raise
            base.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Generator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)) as base:
                yield base
        except sqlite3.Error as error:
            raise DatasetError(f"the answers in {str(self.path)!r} cannot be used: {error}.") from error


def _rater(base: sqlite3.Connection, token: str) -> int | None:
    found = base.execute("SELECT id FROM raters WHERE token = ?", (token,)).fetchone()
    return None if found is None else int(found[0])


def _counts(base: sqlite3.Connection, query: str) -> Mapping[str, int]:
    return dict(base.execute(query).fetchall())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
