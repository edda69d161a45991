"""`zeroseg study new|invite|serve|export|import|report`: ask people which of two segmentations is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from zeroseg.cli.messages import UsageError, printable, say
from zeroseg.cli.parsing import check_fraction, check_positive, parse
from zeroseg.cli.study_new import New
from zeroseg.cli.study_server import check_port, serve_study

if TYPE_CHECKING:
    from zeroseg.study import Answers, Rater

Folder = Positional[Annotated[Path, arg(metavar="STUDY")]]
EVERYWHERE = ("0.0.0.0", "::")  # hosts that stand for all addresses of a machine
SIMPLE_URL = "http://localhost:8000"
LAST_URL = f"(default: that of the last `zeroseg study serve`, or {SIMPLE_URL})"


@dataclass(frozen=True)
class Invite:
    """Add raters, and print a link for each; without --raters, print all links with how far each rater is.

    Questions that lack raters are divided among the new ones, so that each has as many as the study wants. When all are
    given away, new raters get those that others were given and have not answered yet.

    example:
      zeroseg study invite study --raters 25 --url https://study.example.org
    """

    study: Folder
    """The folder of the study."""
    raters: int = 0
    """How many."""
    url: Annotated[str | None, arg(metavar="URL", help_behavior_hint=LAST_URL)] = None
    """The address at which raters reach `zeroseg study serve`."""

    def run(self) -> int:
        """Print links."""
        from zeroseg.study import Answers

        answers = Answers(self.study)
        if self.raters < 0:
            raise UsageError(f"--raters must be 0 or more, not {self.raters}.")
        raters = _invited(answers, self.raters) if self.raters else answers.raters()
        print_links(raters, self.url or answers.last_url() or SIMPLE_URL)
        return 0


@dataclass(frozen=True)
class Serve:
    """Serve the page on which invited people vote, until Ctrl-C.

    It listens on this machine only, unless --host names another address; then --allow-host names what raters call this
    machine. Answers are in answers.sqlite in the study's folder: the server may be stopped and started again.

    examples:
      zeroseg study serve study --raters 5
      zeroseg study serve study --host 0.0.0.0 --allow-host study.example.org --url https://study.example.org
    """

    study: Folder
    """The folder of the study."""
    raters: int = 0
    """Invite people until there are so many; their links are printed."""
    url: Annotated[str | None, arg(metavar="URL", help_behavior_hint="(default: http://HOST:PORT)")] = None
    """The address that links begin with."""
    host: str = "localhost"
    """Where to listen; 0.0.0.0 for all networks."""
    port: int = 8000
    """0 for any free one."""
    allow_host: UseAppendAction[Annotated[tuple[str, ...], arg(metavar="NAME", help_behavior_hint="")]] = ()
    """A further name that raters may call this machine by; * for any. May be given several times."""

    def run(self) -> int:
        """Serve until Ctrl-C or SIGTERM."""
        from zeroseg.study import Answers

        check_port(self.port)
        answers = Answers(self.study)
        missing = self.raters - sum(rater.token is not None for rater in answers.raters())
        if missing > 0:
            _invited(answers, missing)
        if not any(rater.token for rater in answers.raters()):
            say(f"nobody is invited yet: --raters, or `zeroseg study invite {self.study} --raters N`.")
        return serve_study(self.study, self.host, self.port, self.allow_host, lambda address: self._say(address))

    def _say(self, address: str) -> None:
        """Print the links, for `zeroseg study invite` too, and that it is ready."""
        from zeroseg.study import Answers

        answers, url = Answers(self.study), self.url or address
        answers.served_at(url)
        if not self.url and self.host in EVERYWHERE:
            say(f"the links begin with {address}, which is no address for other machines: name theirs as --url.")
        print_links([rater for rater in answers.raters() if rater.token], url)
        print(printable(f"{address} is ready; Ctrl-C ends it."), flush=True)


@dataclass(frozen=True)
class Export:
    """Write a study for people who do not come by a link.

    mturk: the source of a project of Amazon Mechanical Turk (mturk.html), the table of a batch (mturk.csv), and the
    pictures, to be put where --url says. Publish the batch with as many workers for each task as the study has votes.
    page: a page that works as a file, without a server; everybody answers all questions and sends a file back.

    examples:
      zeroseg study export study --to mturk --url https://pictures.example.org/study --out mturk
      zeroseg study export study --to page --out page
    """

    study: Folder
    """The folder of the study."""
    out: Annotated[Path, arg(metavar="FOLDER")]
    """A new folder."""
    to: Literal["mturk", "page"] = "mturk"
    """For whom."""
    url: str = ""
    """The address under which the pictures can be loaded, for mturk."""
    per_assignment: Annotated[int, arg(metavar="QUESTIONS")] = 11
    """Questions of one assignment for mturk; one of them is an attention check."""

    def run(self) -> int:
        """Write the folder."""
        from zeroseg.study import export_mturk, export_page

        if self.to == "page":
            print(printable(f"{export_page(self.study, self.out)} questions: {self.out / 'index.html'}"))
            return 0
        if not self.url.startswith(("https://", "http://")):
            raise UsageError("--url must be the address of the pictures, such as https://pictures.example.org/study.")
        check_positive("--per-assignment", self.per_assignment)
        rows = export_mturk(self.study, self.out, self.url, self.per_assignment)
        written = f"{self.out / 'mturk.html'} and {self.out / 'mturk.csv'}"
        print(printable(f"{rows} assignment{'' if rows == 1 else 's'}: {written}"))
        return 0


@dataclass(frozen=True)
class Import:
    """Add the answers of files: results of Mechanical Turk, tables, or what the page without a server gave.

    A table (CSV) has the columns rater, question and answer, which is left or right. A file that does not fit the study
    is refused as a whole, also one that answers in the name of a rater who has a link. The same file may be imported
    again: new answers replace former ones.

    examples:
      zeroseg study import study Batch_1_batch_results.csv
      zeroseg study import study answers-ann.json answers-bob.json
    """

    study: Folder
    """The folder of the study."""
    files: Positional[Annotated[tuple[Path, ...], arg(metavar="FILE...", help_behavior_hint="(required)")]] = ()
    """CSV or JSON files."""

    def run(self) -> int:
        """Read all files, then store them."""
        from zeroseg.study import Answers, read_answers

        if not self.files:
            raise UsageError("name a file of answers (see `zeroseg study import --help`).")
        answers = Answers(self.study)
        invited = {rater.name for rater in answers.raters() if rater.token}
        given = [read_answers(path, answers.key, invited) for path in self.files]
        for path, votes in zip(self.files, given, strict=True):
            print(printable(f"{path}: {len(votes)} answers, {answers.add(votes)} of them new or changed"))
        return 0


@dataclass(frozen=True)
class Report:
    """Count the votes: preference with intervals and tests, agreement, raters who failed the checks, all pictures.

    Writes report.md, report.html and pictures/. Needs `pip install "zeroseg[study]"`.

    example:
      zeroseg study report study --out report
    """

    study: Folder
    """The folder of the study."""
    out: Annotated[Path, arg(metavar="FOLDER")]
    """Where the report goes."""
    passing: float = 0.8
    """The fraction of attention checks that raters must answer rightly."""
    seed: int = 0
    """Of the resampling."""

    def run(self) -> int:
        """Write the report."""
        from zeroseg.study import write_report

        if self.passing != 1:
            check_fraction("--passing", self.passing)
        for line in write_report(self.study, self.out, self.passing, self.seed):
            print(printable(line))
        print(printable(f"the report: {self.out / 'report.html'}"))
        return 0


COMMANDS = {"new": New, "invite": Invite, "serve": Serve, "export": Export, "import": Import, "report": Report}
HELP = """usage: zeroseg study new|invite|serve|export|import|report [options]

Ask people which of two segmentations is better, without telling them whose they are (the paper's table 2).

examples:
  zeroseg study new --out study --models photos picturebook --pictures photos/ --count 40
  zeroseg study serve study --raters 5
  zeroseg study report study --out report

`zeroseg study new --help` lists the options of new, and so on.
"""


def _invited(answers: Answers, raters: int) -> list[Rater]:
    """New raters; says on stderr how many of their questions are given in place of others."""
    before = answers.surplus()
    new, again = answers.invite(raters), answers.surplus() - before
    if again:
        say(
            f"there are more new raters than open places: {again:,} of their questions are also those of others, who "
            f"have not answered yet, and may get more than {answers.questions.votes} votes."
        )
    return new


def print_links(raters: Sequence[Rater], url: str) -> None:
    """Print the link of each rater, and how many of the questions are answered."""
    for rater in raters:
        link = f"{url.rstrip('/')}/r/{rater.token}" if rater.token else "(imported)"
        asked = f" of {rater.asked}" if rater.asked else ""
        print(printable(f"{rater.name}: {link}  ({rater.answered}{asked} answered)"), flush=True)


def main(arguments: Sequence[str]) -> int:
    """Choose what to do, parse, and run."""
    name, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if name in COMMANDS:
        return parse(COMMANDS[name], f"study {name}", rest).run()
    if name in {"--help", "-h"}:
        print(HELP, end="")
        return 0
    raise UsageError(f"there is no `zeroseg study {name}`, only {', '.join(COMMANDS)} (see `zeroseg study --help`).")
