"""What the pages point to is there: links, headings, files, and the names that are said to be in the files."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "zeroseg"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

IN_THE_TREE = re.compile(r"(?:src|tests|scripts|docs|\.ci)/\S*|(?:[\w./-]+/)?\w+\.py|[a-z_]+/")
POINTER = re.compile(r"`([\w./-]+\.py)`:((?:[,\s]+`[^`]+`(?: and)?)+)")  # `file.py`: `Name`, `other_name`
SHORT_POINTER = re.compile(r"`([\w./-]+\.py): ([\w.]+)`")  # `file.py: name`
FILE_NAME = re.compile(r"\.(?:py|md|json|jsonl|toml|txt|html|png|jpg|svg|tsv|zip|tar|safetensors)$")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def spans(page: Path) -> list[str]:
    """What is set as code within the text."""
    return re.findall(r"`([^`\n]+)`", text_of(page))


# --- links ------------------------------------------------------------------------------------------


def targets(page: Path) -> list[str]:
    """Where the links and images of a page lead."""
    tokens = MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
    inline = [child for token in tokens for child in token.children or []]
    return [str(token.attrs[name]) for token in inline for name in ("href", "src") if name in token.attrs]


@cache
def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them: lower case, without punctuation, blanks as hyphens."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EACH_PAGE
def test_every_link_leads_somewhere(page: Path):
    for target in targets(page):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name} links to {target}, and there is no such file"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {target}, and there is no such heading"


# --- files and the names in them ----------------------------------------------------------------------


def place_of(pointer: str) -> Path | None:
    """A file or folder that a page names: from the root of the repository, or from `src/zeroseg/`."""
    return next((base / pointer for base in (ROOT, SOURCE) if (base / pointer).exists()), None)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names_in(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a module or a class defines: classes, functions, variables, fields, and what it imports."""
    found: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name): node for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            assigned = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id: node for target in assigned for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def members(kind: ast.ClassDef) -> set[str]:
    """The fields and methods of a class, and the attributes that its methods give it."""
    stored = [node for node in ast.walk(kind) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    return {*names_in(kind.body), *(node.attr for node in stored if ast.unparse(node.value) == "self")}


@cache
def classes() -> dict[str, list[set[str]]]:
    """The members of every class of the package, by the class's name."""
    found: dict[str, list[set[str]]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for name, node in names_in(tree_of(path).body).items():
            if isinstance(node, ast.ClassDef):
                found.setdefault(name, []).append(members(node))
    return found


def defines(path: Path, dotted: str) -> bool:
    """Whether a file defines a name: `function`, `Class`, `Class.member`."""
    name, _, member = dotted.partition(".")
    node = names_in(tree_of(path).body).get(name)
    if not member:
        return node is not None and not isinstance(node, ast.Import | ast.ImportFrom)
    return isinstance(node, ast.ClassDef) and member in members(node)


def pointers(page: Path) -> list[tuple[str, str]]:
    """The files of a page with the names that are said to be in them; `.member` belongs to the class named before."""
    found = SHORT_POINTER.findall(text_of(page))
    for file, names in POINTER.findall(text_of(page)):
        owner = ""
        for name in re.findall(r"`([^`]+)`", names):
            dotted = re.match(r"\.?[A-Za-z_][\w.]*", name)
            if dotted is None or name.endswith(".py"):
                break
            owner = owner if name.startswith(".") else name.partition(".")[0]
            found.append((file, f"{owner}{dotted[0]}" if name.startswith(".") else dotted[0]))
    return found


@EACH_PAGE
def test_every_file_that_a_page_names_is_there(page: Path):
    named = [span.partition(":")[0] for span in spans(page)]
    missing = {name for name in named if IN_THE_TREE.fullmatch(name) and place_of(name) is None}
    assert not missing, f"{page.name} names what is not there: {', '.join(sorted(missing))}"


@EACH_PAGE
def test_every_name_is_in_the_file_that_a_page_gives_for_it(page: Path):
    for file, name in pointers(page):
        path = place_of(file)
        assert path is not None, f"{page.name} names {file}, which is not there"
        assert defines(path, name), f"{page.name} says that {file} defines {name}"


@EACH_PAGE
def test_every_member_that_a_page_names_is_there(page: Path):
    """`Class.member` of the package's classes, `module.name` and `module.Class` of its modules."""
    for span in spans(page):
        dotted = DOTTED.match(span)
        if dotted is None or FILE_NAME.search(span.partition(":")[0]):
            continue
        first, member = dotted[0].split(".")[:2]
        modules = [path for path in SOURCE.rglob("*.py") if first in (path.stem, path.parent.name)]
        if first in classes():
            assert any(member in known for known in classes()[first]), f"{page.name}: {first} has no {member}"
        elif modules and first != "zeroseg":
            names = [names_in(tree_of(path).body) for path in modules]
            assert any(member in known for known in names), f"{page.name}: {first} has no {member}"
        else:
            assert not first[0].isupper(), f"{page.name}: there is no class {first}"


# --- the picture of the architecture --------------------------------------------------------------------

ARCHITECTURE = ROOT / "docs" / "architecture.md"


def rooms() -> dict[str, str]:
    """The rooms of the table in docs/architecture.md, and what is said of each."""
    section = ARCHITECTURE.read_text(encoding="utf-8").split("## Rooms")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \| (.+) \|$", section, re.MULTILINE)
    return {room: said for names, said in rows for room in re.findall(r"`([^`]+)`", names)}


def test_the_table_has_every_room_and_no_other():
    there = {path.name + "/" * path.is_dir() for path in SOURCE.iterdir() if not path.name.startswith("__")}
    assert set(rooms()) - {"__init__.py"} == there - {"py.typed"}


@pytest.mark.parametrize("room", [room for room in rooms() if room.endswith("/")])
def test_the_modules_named_in_the_table_are_in_their_room(room: str):
    named = [name for name in re.findall(r"`([^`]+)`", rooms()[room]) if re.fullmatch(r"[a-z_]+", name)]
    missing = [
        name for name in named if not (SOURCE / room / f"{name}.py").exists() and not (SOURCE / room / name).is_dir()
    ]
    assert not missing, f"docs/architecture.md names {', '.join(missing)} in {room}"


def test_the_floors_of_the_picture_are_those_of_the_contract():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = config["tool"]["importlinter"]["contracts"]
    drawn = ARCHITECTURE.read_text(encoding="utf-8").split("```")[1].strip().splitlines()
    assert drawn == contract["layers"]
