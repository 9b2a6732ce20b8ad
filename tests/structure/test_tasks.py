"""No task of the hub is begun and forgotten: what goes on for ever is a duty, and everything else has somebody who waits for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.standards import REPO

#: What serves; the simulator, the demo and the bench are looked after by those who watch them.
FOLDERS = ("hub", "routing", "adapters", "ops/serve")
FILES = sorted({file for f in FOLDERS for file in (REPO / f).rglob("*.py")} | set((REPO / "ops").glob("*.py")))
BEGIN = frozenset({"create_task", "ensure_future"})
#: Begun in one place for all.
DUTIES = "ops/serve/duties.py"
#: Runs adapters by themselves, where no hub is.
ALONE = ("adapters/broker/ending.py", "begun")


def forgotten(source: str) -> list[str]:
    """Tasks that are begun in `source` and belong to nobody, or go on for ever without being a duty; a line each."""
    tree = ast.parse(source)
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    endless = {f.name for f in ast.walk(tree) if isinstance(f, ast.AsyncFunctionDef) and any(_for_ever(f))}
    found = []
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and _name(call.func) in BEGIN):
            continue
        work = call.args[0].func if isinstance(call.args[0], ast.Call) else call.args[0]
        if _name(work) in endless:
            found.append(f"{call.lineno}: {_name(work)} goes on for ever: begin it by Duties")
        elif not _of_a_group(call) and not _looked_after(call, parents, source):
            found.append(f"{call.lineno}: nobody waits for it")
    return found


def _for_ever(function: ast.AsyncFunctionDef) -> Iterator[bool]:
    """Loops in the function that never end by themselves."""
    for loop in ast.walk(function):
        if isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant) and loop.test.value is True:
            yield not any(isinstance(inner, ast.Break | ast.Return) for inner in ast.walk(loop))


def _of_a_group(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and _name(call.func.value) in {"group", "_own"}


def _looked_after(call: ast.Call, parents: dict[ast.AST, ast.AST], source: str) -> bool:
    """It is handed on at once, or kept under a name that somebody awaits, ends, or asks how it ended."""
    parent = parents[call]
    if isinstance(parent, ast.Call | ast.Return | ast.Await):
        return True
    while not isinstance(parent, ast.stmt):
        parent = parents[parent]
    targets = parent.targets if isinstance(parent, ast.Assign) else []
    names = {_name(name) for t in targets for name in (t.elts if isinstance(t, ast.Tuple) else [t])}
    return bool(names) and all(
        re.search(rf"(\b(await|shield|ended|wait|gather)\b.*\b{name}\b)|(\b{name}\.add_done_callback\()", source)
        for name in names
    )


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _relative(file: Path) -> str:
    return file.relative_to(REPO).as_posix()


def test_no_task_is_forgotten() -> None:
    """Of everything that serves."""
    found = [
        f"{_relative(file)}:{line}"
        for file in FILES
        if _relative(file) not in (DUTIES, ALONE[0])
        for line in forgotten(file.read_text("utf-8"))
    ]
    assert found == []


def test_every_adapter_that_begins_something_is_given_the_duties() -> None:
    """`begun`, for an adapter that is used by itself, is no way round: whoever puts a hub together hands in the guard."""
    takes = {_class_with_begin(file) for file in FILES if file.is_relative_to(REPO / "adapters")} - {""}
    made = [
        (_relative(file), call)
        for file in FILES
        if file.is_relative_to(REPO / "ops") or file.is_relative_to(REPO / "adapters")
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call) and _name(call.func) in takes
    ]
    assert len(takes) == len({_name(call.func) for _, call in made}) > 3
    assert [f"{file}:{call.lineno}" for file, call in made if "begin" not in ast.unparse(call)] == []


def _class_with_begin(file: Path) -> str:
    for found in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(found, ast.ClassDef) and "begin: Begin" in ast.unparse(found):
            return found.name
    return ""


CASES = {
    "asyncio.create_task(once())": "nobody waits for it",
    "def f(self):\n  self.task = asyncio.create_task(once())": "nobody waits for it",
    "async def watch():\n  while True:\n    await x()\n\nasync def f():\n  t = asyncio.create_task(watch())\n  await t": "Duties",
    "async def f():\n  t = asyncio.create_task(once())\n  await t": "",
    "def f(self):\n  t = asyncio.create_task(once())\n  t.add_done_callback(print)": "",
    "async def f():\n  await asyncio.gather(asyncio.create_task(once()))": "",
}


@pytest.mark.parametrize("source", CASES, ids=[f"case{n}" for n, _ in enumerate(CASES)])
def test_a_forgotten_task_is_found(source: str) -> None:
    """The look itself is not blind, and lets pass what is right."""
    found = forgotten(source)
    assert (CASES[source] in found[0]) if CASES[source] else found == []
