"""The command line as a whole: light, helpful, and never a traceback."""

import errno
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

import zeroseg
from tests.cli.conftest import Call, assert_one_sentence
from zeroseg.cli import COMMANDS
from zeroseg.errors import WeightsError

HEAVY = ("torch", "transformers", "numpy", "PIL", "huggingface_hub", "tyro", "rich")
GROUPS = {"picturebook": ("show", "write"), "study": ("new", "invite", "serve", "export", "import", "report")}
CLASSES = {name: name.title().replace("-", "") for name in COMMANDS if name not in GROUPS}
HELPS = [*CLASSES, *GROUPS, *(f"{group} {name}" for group, names in GROUPS.items() for name in names)]


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)


def loaded_by(*commands: list[str]) -> set[str]:
    """Which heavy libraries are loaded, in a fresh process, once these commands have run."""
    calls = "; ".join(f"main({words!r})" for words in commands)
    loaded = f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    ended = run_python(f"import sys; from zeroseg.cli import main; {calls}; {loaded}")
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.splitlines()[-1].split())


def test_help_lists_every_command_and_loads_nothing_heavy(call: Call):
    assert loaded_by(["--help"], [], ["--version"], ["no-such-command"]) == set()
    said = call("--help")
    assert said.code == 0
    assert all(f"\n  {name} " in said.out for name in COMMANDS)
    assert "\n  zeroseg segment " in said.out
    assert call() == said


def test_commands_that_need_no_torch_to_explain_themselves_do_not_load_it():
    light = [[*name.split(), "--help"] for name in ("segment", "evaluate", "demo", "picturebook show", "study serve")]
    assert not {"torch", "transformers", "numpy"} & loaded_by(*light)


def test_version(call: Call):
    assert call("--version").out == f"zeroseg {zeroseg.__version__}\n"


@pytest.mark.parametrize("name", HELPS)
def test_every_command_has_help_with_an_example(name: str, call: Call):
    said = call(*name.split(), "--help")
    assert (said.code, said.err) == (0, "")
    assert re.search(rf"\nexamples?:\n  zeroseg {name} ", said.out)
    assert f"usage: zeroseg {name}" in said.out
    assert len(said.out.split("example")[0]) > 50


@pytest.mark.parametrize("name", [name for name in HELPS if name not in GROUPS])
def test_examples_in_the_help_can_be_parsed(name: str, call: Call, monkeypatch: pytest.MonkeyPatch):
    module = import_module(f"zeroseg.cli.{name.split()[0].replace('-', '_')}")
    kind = getattr(module, CLASSES.get(name) or name.split()[1].capitalize())
    monkeypatch.setattr(kind, "run", lambda *_: 0)
    examples = re.findall(r"^ +zeroseg (.*)$", kind.__doc__, re.MULTILINE)
    assert examples
    for example in examples:
        said = call(*shlex.split(example))
        assert said.code == 0, said.err


def test_an_unknown_command_gets_a_suggestion(call: Call):
    assert_one_sentence(call("segmnt", "photo.jpg"), 2, "'segmnt'", "`segment`", "--help")
    assert_one_sentence(call("xyzzy"), 2, "'xyzzy'", "--help")


# --- errors -----------------------------------------------------------------------------------------


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `zeroseg demo` raise."""

    def main(arguments: list[str]) -> int:
        assert "--debug" not in arguments
        raise error

    monkeypatch.setitem(sys.modules, "zeroseg.cli.demo", SimpleNamespace(main=main))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (WeightsError("there is no model\nfolder 'x'."), ["there is no model folder 'x'."]),
        (OSError(errno.ENOSPC, "No space left on device", "out/a.png"), ["'out/a.png'", "disk is full"]),
        (OSError(errno.EROFS, "Read-only file system", "out"), ["'out'", "read-only"]),
        (PermissionError(errno.EACCES, "Permission denied", "out"), ["'out'", "permission is missing"]),
        (ConnectionError("the line is dead"), ["the line is dead"]),
        (RuntimeError("shapes differ\nhere"), ["RuntimeError: shapes differ here", "--debug"]),
        (MemoryError(), ["MemoryError", "--debug"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_sentence(error: Exception, words: list[str], call: Call, monkeypatch: pytest.MonkeyPatch):
    broken(monkeypatch, error)
    assert_one_sentence(call("demo"), 1, *words)


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback_wherever_it_stands(place: str, call: Call, monkeypatch: pytest.MonkeyPatch):
    broken(monkeypatch, RuntimeError("deep inside"))
    said = call("--debug", "demo") if place == "before" else call("demo", "--debug")
    assert said.code == 1
    assert "Traceback" in said.err
    assert said.err.splitlines()[-1].startswith("zeroseg: ")


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(32, "Broken pipe"), 141)])
def test_interruptions_are_quiet(error: BaseException, code: int, call: Call, monkeypatch: pytest.MonkeyPatch):
    broken(monkeypatch, error)
    said = call("demo")
    assert (said.code, said.err) == (code, "")


def test_a_closed_pipe_is_no_error():
    """`zeroseg --help | head -0`: the write fails only when Python ends, unless it is flushed before."""
    reading, writing = os.pipe()
    os.close(reading)
    program = "import sys; from zeroseg.cli import main; sys.exit(main(['--help']))"
    ended = subprocess.run([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")
