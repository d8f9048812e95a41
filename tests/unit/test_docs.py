"""README, `docs/`, CONTRIBUTING and the headers of files are held to the code."""

import ast
import importlib
import re
import shlex
import tomllib
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import typer
from hydra import compose, initialize_config_dir

from src import api
from src.base.errors import UserError
from src.config import command_line
from src.config.compose import CONF, composition_errors, resolve, validate
from src.config.marks import all_marks
from src.config.schema import Config
from src.ledger.history import History
from src.ledger.migrations import SCHEMAS
from src.ledger.objective import ACCURACY
from src.search.problem import SearchProblem

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
}
README = DOCUMENTS["README.md"]
CONFIGURATION, ARCHITECTURE = DOCUMENTS["docs/configuration.md"], DOCUMENTS["docs/architecture.md"]
HYDRA = {"sweep": "config", "train": "train", "show": "config"}  # commands that compose → the file they begin with
COMPOSING = {f"src.{name}" for name in HYDRA}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GENERAL = ("GROUP=", "…", "|")  # in a command's general form


# ---------------------------------------------------------------------------------------- commands


def commands_in(text: str, of_code: bool) -> set[str]:
    """`src.sweep search=quick` and others like it: in code, up to two spaces or the line's end; else as it is marked."""
    marked = r"(?:`|\$ )[^`\n]*?python -m ([\w.]+[^`\n]*)"
    pattern = r"python -m ([\w.]+[^`\n]*?)(?:`.*|\s{2,}.*)?$" if of_code else marked
    found = re.findall(pattern, text, re.MULTILINE)
    return {command.split(" > ")[0].split(" #")[0].strip() for command in found}


def all_commands() -> set[str]:
    """Of documents, of headers in `conf/`, and of modules that are commands."""
    modules = [*(ROOT / "src").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    code = [ast.get_docstring(ast.parse(path.read_text())) or "" for path in modules]
    code += ["\n".join(re.findall(r"^# ?(.*)", path.read_text(), re.MULTILINE)) for path in CONF.rglob("*.yaml")]
    found = set[str]().union(*(commands_in(text, False) for text in DOCUMENTS.values()))
    found = found.union(*(commands_in(text, True) for text in code))
    return {command for command in found if not any(mark in command for mark in GENERAL)}


COMMANDS = sorted(all_commands())
SHOWN = re.findall(r"^\$ python -m src\.(\w+) (.*)\nerror: (.*)$", "\n".join(DOCUMENTS.values()), re.MULTILINE)
WRONG = {f"src.{name} {words}" for name, words, _ in SHOWN}  # shown as mistakes


def words_of(command: str) -> tuple[str, list[str]]:
    """The module of a command, and its arguments."""
    module, *words = shlex.split(command)
    return module, words


def composed(name: str, words: list[str]) -> Config:
    """What Hydra and the schema make of a command line; of several values of a multirun, the last."""
    overrides = [word for word in words if not word.startswith("-") and word != "job"]
    if "-m" in words:
        overrides = [re.sub(r"=[^\[{]*,", "=", override) for override in overrides]
    with initialize_config_dir(str(CONF), version_base="1.3"), composition_errors():
        return validate(resolve(compose(HYDRA[name], overrides)))


def test_commands_are_found() -> None:
    """The tests below read commands at all, every one of `src/` and `benchmarks/` among them."""
    modules = {words_of(command)[0] for command in COMMANDS}
    programs = [path for path in (ROOT / "benchmarks").glob("*.py") if '__name__ == "__main__"' in path.read_text()]
    own = {path.stem for path in (ROOT / "src").glob("*.py")} - {"__init__", "api"}
    assert {f"src.{name}" for name in own} | {f"benchmarks.{path.stem}" for path in programs} <= modules


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in WRONG and words_of(c)[0] in COMPOSING])
def test_commands_compose(command: str) -> None:
    """Every command that trains or shows data is one that Hydra, the schema and the space accept."""
    module, words = words_of(command)
    SearchProblem.of(composed(module.removeprefix("src."), words))


@pytest.mark.parametrize(("name", "words", "message"), SHOWN)
def test_mistakes_are_answered_as_shown(name: str, words: str, message: str) -> None:
    """A mistake that is shown gets the answer that is shown."""
    with pytest.raises(UserError) as error:
        composed(name, shlex.split(words))
    assert str(error.value) == message


@pytest.mark.parametrize("command", [c for c in COMMANDS if words_of(c)[0] not in COMPOSING])
def test_other_commands_parse(command: str) -> None:
    """Of every other command the module exists, and takes these arguments."""
    module, words = words_of(command)
    if module in ("pytest", "venv"):
        paths = [word for word in words if "/" in word]
        assert all((ROOT / path).exists() for path in paths)
        return
    path = ROOT / module.replace(".", "/")
    source = next(file for file in (path.with_suffix(".py"), path / "__main__.py") if file.is_file()).read_text()
    if module.startswith("src."):
        parser = typer.Typer()
        parser.command()(importlib.import_module(module).main)
        typer.main.get_command(parser).make_context(module, words)
    else:  # their options are looked for by name
        for word in words:
            option = re.match(r"\+(\w+)=|--(\w+)", word)
            name = next(filter(None, option.groups())) if option else ""
            assert not name or re.search(rf"[\"'. (]{name}\b", source), word


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_targets_exist(name: str) -> None:
    """Every make target that a document names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", DOCUMENTS[name])) <= targets


def test_the_parser_notices() -> None:
    """An option that does not exist is refused by the test above."""
    with pytest.raises(Exception, match="No such option"):
        test_other_commands_parse("src.compare latest --reprot")


# -------------------------------------------------------------------------------------- references


def tables(text: str) -> list[list[str]]:
    """The rows of a document's tables, as cells."""
    rows = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows]


def test_groups_name_every_option() -> None:
    """The table of groups lists all groups, and the options that each has."""
    found = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in tables(CONFIGURATION) if len(row) == 2}
    groups = {path.name: {file.stem for file in path.glob("*.yaml")} for path in CONF.iterdir() if path.is_dir()}
    assert {name: options for name, options in found.items() if name in groups} == groups


def test_keys_are_those_of_the_schema() -> None:
    """The tables of keys have every key of the schema, each with what it is for, and no other."""
    found = {row[0].strip("`"): row[1] for row in tables(CONFIGURATION) if len(row) == 3 and row[0].startswith("`")}
    wanted = {key: mark.name.lower() for key, marks in all_marks(Config).items() for mark in marks if mark}
    assert found == wanted


def mentioned_keys() -> list[tuple[str, str]]:
    """`search.rung` and others like it, wherever a document has one, with the document."""
    groups = "|".join(path.name for path in CONF.iterdir() if path.is_dir())
    pattern = rf"`((?:{groups}|paths|checkpoints|resume)\.[a-z_.0-9]+)(?:=[^`]*)?`"
    found = {(name, key) for name, text in DOCUMENTS.items() for key in re.findall(pattern, text)}
    return sorted((name, key) for name, key in found if not key.endswith(".py"))


@pytest.mark.parametrize(("name", "key"), mentioned_keys())
def test_keys_that_are_mentioned_exist(name: str, key: str) -> None:
    """A key in the text is one of the schema, or one of its groups."""
    assert any(known == key or known.startswith(f"{key}.") for known in all_marks(Config))


def test_exit_codes() -> None:
    """The table of exit codes has those that commands give."""

    def fail(error: BaseException) -> int:
        raise error

    signals = [api.Outcome(Path(), History(ACCURACY), number).exit_code for number in (2, 15)]
    stops = (UserError(), KeyboardInterrupt())
    codes = [command_line.report_errors(partial(fail, error)) for error in stops]
    none, pipe = api.Outcome(Path(), History(ACCURACY)).exit_code, command_line.BROKEN_PIPE
    found = {int(row[0]) for row in tables(CONFIGURATION) if row[0].isdigit()}
    assert found == {0, none, pipe, *signals, *codes}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_pictures_exist(name: str) -> None:
    """Every relative link and picture points to a file, and to a heading in it where it names one."""
    for target in re.findall(r"\]\(([^)]+)\)", DOCUMENTS[name]):
        if target.startswith("http"):
            continue
        path, _, heading = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), target
        assert not heading or heading in headings(file.read_text()), target


def headings(text: str) -> set[str]:
    """A document's headings, as links name them."""
    found = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_document_is_reached() -> None:
    """README names every document and every picture is shown somewhere."""
    everything = "".join(DOCUMENTS.values())
    assert all(name in README for name in DOCUMENTS if name != "README.md")
    assert all(picture.name in everything for picture in (ROOT / "docs").glob("*.png"))


# ---------------------------------------------------------------------------------------- the code


def packages() -> dict[str, set[str]]:
    """The packages of `src/` and their modules."""
    folders = [path for path in (ROOT / "src").iterdir() if (path / "__init__.py").is_file()]
    return {path.name: {file.name for file in path.glob("*.py")} - {"__init__.py"} for path in folders}


def layers() -> list[list[str]]:
    """The layers that import-linter checks, the highest first."""
    (contract,) = (one for one in PYPROJECT["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    return [[name.strip().removeprefix("src.") for name in layer.split("|")] for layer in contract["layers"]]


def test_readme_is_short() -> None:
    """At most 250 lines."""
    assert len(README.splitlines()) <= 250


def test_tree_names_every_package_and_command() -> None:
    """README's tree has each package and each file of `src/`, and none that does not exist."""
    files = {path.name for path in (ROOT / "src").glob("*.py")} - {"__init__.py"}
    rows = "\n".join(line for line in README.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`src/(\w+\.py)`", rows)) == files
    assert set(re.findall(r"`src/(\w+)/`", rows)) == set(packages())


def test_architecture_names_every_module() -> None:
    """Each package has a table with its modules, and commands have one of their own."""
    files = {path.name for path in (ROOT / "src").glob("*.py")} - {"__init__.py"}
    parts = re.split(r"^### ", ARCHITECTURE, flags=re.MULTILINE)[1:]
    found = {part.split()[0].strip("`:"): set(re.findall(r"^\| `(\w+\.py)`", part, re.MULTILINE)) for part in parts}
    assert found == {"Commands": files, **packages()}


def test_architecture_has_the_layers() -> None:
    """The layers that are shown are those that are checked."""
    shown = [line.split(" | ") for line in re.findall(r"```\n(.*?)```", ARCHITECTURE, re.DOTALL)[0].splitlines()]
    assert shown == layers()


@pytest.mark.parametrize("package", sorted(packages()))
def test_packages_say_what_they_may_import(package: str) -> None:
    """A package's docstring names the layer below it, and says of its siblings that it does not import them."""
    text = importlib.import_module(f"src.{package}").__doc__ or ""
    place = next(index for index, layer in enumerate(layers()) if package in layer)
    below, siblings = layers()[place + 1 : place + 2], set(layers()[place]) - {package}
    allowed, _, refused = text.rpartition("Imports ")[2].partition(", not ")
    assert all(name in allowed for layer in below for name in layer)
    assert all(name in refused for name in siblings)


def mentioned_files() -> list[str]:
    """`src/api.py` and others like it, in documents and in the headers of `conf/`."""
    texts = [*DOCUMENTS.values(), *(path.read_text() for path in CONF.rglob("*.yaml"))]
    pattern = r"\b(?:src|tests|conf|benchmarks|docs)/[\w/]+(?:\.\w+|/(?=`))"
    return sorted({path for text in texts for path in re.findall(pattern, text)})


@pytest.mark.parametrize("path", mentioned_files())
def test_files_that_are_mentioned_exist(path: str) -> None:
    """A file or folder in the text is one of this project."""
    assert (ROOT / path).exists()


def test_the_schema_of_ledgers() -> None:
    """The version that is named is the current one."""
    assert f"The current one is {len(SCHEMAS)}." in DOCUMENTS["docs/resume.md"]
    assert f"The schema has a version, {len(SCHEMAS)} today." in " ".join(ARCHITECTURE.split())


@cache
def metadata() -> dict[str, Any]:
    """The project's own."""
    project: dict[str, Any] = PYPROJECT["project"]
    return project


def test_licence() -> None:
    """The licence that the metadata names is in the file that it names."""
    (file,) = metadata()["license-files"]
    assert (ROOT / file).read_text().startswith(f"{metadata()['license']} License")
