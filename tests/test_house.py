"""The house's own rules, checked: packages, layers, purity, what is vendored, what fails."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshrelay import errors

TOP = Path(__file__).parents[1]
CODE = TOP / "meshrelay"
README = (TOP / "README.md").read_text("utf-8")
PYPROJECT = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))
PACKAGES = sorted(path.parent for path in CODE.glob("*/__init__.py"))
# Beside the packages, only what tools need (house.md); directories that tools make have a dot.
TOP_DIRECTORIES = {"meshrelay", "firmware_notes", "tests", "wheels", "build", "dist"}
IMPURE = {
    "asyncio", "socket", "ssl", "sqlite3", "time", "datetime", "random", "secrets", "uuid", "os",
    "pathlib", "logging", "threading", "apsw",
}  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_the_readme_names_every_package(package: Path) -> None:
    assert f"`meshrelay/{package.name}/`" in README


@pytest.mark.parametrize("directory", ["firmware_notes", "tests"])
def test_the_readme_names_every_other_directory(directory: str) -> None:
    assert f"`{directory}/`" in README


def test_the_readme_names_no_package_that_is_not_there() -> None:
    named = set(re.findall(r"^\| `meshrelay/(\w+)/` \|", README, re.M))

    assert named == {package.name for package in PACKAGES}


def test_nothing_has_its_place_in_a_drawer() -> None:
    found = {path.name for path in TOP.iterdir() if path.is_dir() and path.name[0] != "."}

    assert {name for name in found if not name.endswith(".egg-info")} <= TOP_DIRECTORIES
    for drawer in ("docs", "scripts", "utils"):
        assert not list(CODE.rglob(drawer)) and not list((TOP / "tests").rglob(drawer))


def test_the_import_contracts_hold() -> None:
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


def test_the_contract_of_the_core_forbids_what_the_house_forbids() -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    (pure,) = (each for each in contracts if each.get("source_modules") == ["meshrelay.core"])

    assert set(pure["forbidden_modules"]) == IMPURE


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", sorted((CODE / "core").glob("*.py")), ids=lambda path: path.stem)
def test_a_module_of_the_core_imports_nothing_impure(path: Path) -> None:
    assert {name.partition(".")[0] for name in imports(path)} & IMPURE == set()


def test_what_is_vendored_is_what_its_note_says() -> None:
    vendor = CODE / "web" / "static" / "vendor"
    note = (vendor / "VENDORED.txt").read_text("utf-8")
    recorded = dict(re.findall(r"^(\S+)\n(?: .*\n)*?  sha256 +([0-9a-f]{64})$", note, re.M))
    files = [path for path in vendor.iterdir() if path.name != "VENDORED.txt"]

    assert recorded == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }  # fmt: skip


def family(of: type[errors.MeshRelayError]) -> Iterator[type[errors.MeshRelayError]]:
    yield of
    for child in of.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize("error", list(family(errors.MeshRelayError)), ids=lambda e: e.__name__)
def test_every_error_says_one_sentence_to_the_operator(error: type[errors.MeshRelayError]) -> None:
    sentence = error.sentence()

    assert "__doc__" in vars(error) and vars(error)["__doc__"]
    assert sentence[0].isupper() and sentence.endswith(".")


def test_the_tree_of_errors_names_every_one_of_them() -> None:
    tree = re.findall(r"[|`]-- (\w+)", errors.__doc__ or "")
    own = [e.__name__ for e in family(errors.MeshRelayError) if e.__module__ == errors.__name__]

    assert sorted([*tree, "MeshRelayError"]) == sorted(own)


@pytest.mark.parametrize("path", sorted(CODE.rglob("*.py")), ids=lambda p: str(p.relative_to(CODE)))
def test_no_module_catches_everything(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            everything = node.type is None or (
                isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
            )
            tidies_up = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            assert tidies_up or not everything
