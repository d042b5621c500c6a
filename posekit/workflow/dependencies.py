"""Which of the library's files code imports, directly or through others."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "posekit"


def imported(source: str, package: Path, exports: dict[str, str]) -> list[Path]:
    """The files of the package that Python code reaches by its imports, sorted; functions' own imports count too.

    `exports` says in which module a name of the package itself is found: {"load": "prediction"}. The package's own
    __init__.py, which only passes names on, is not among the files.
    """
    found: set[Path] = set()
    named: set[str] = set()
    waiting = [(source, "")]
    while waiting:
        code, within = waiting.pop()
        new = _names(code, within, tuple(exports.items())) - named
        named |= new
        for name in new:
            for path in _files(package, name):
                if path not in found:
                    found.add(path)
                    parent = path.relative_to(package).parent.as_posix().replace("/", ".")
                    waiting.append((path.read_text(encoding="utf-8"), "" if parent == "." else parent))
    return sorted(found)


@functools.cache
def _names(code: str, within: str, exports: tuple[tuple[str, str], ...]) -> frozenset[str]:
    """Dotted names below the package that the code of a module in the subpackage `within` may refer to."""
    return frozenset(_found(code, within, dict(exports)))


def _found(code: str, within: str, exports: dict[str, str]) -> Iterator[str]:
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a notebook's magics, say
        lines = [line for line in code.splitlines() if not line.lstrip().startswith(("%", "!"))]
        tree = ast.parse("\n".join(lines))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name.partition(".")[2] for a in node.names if a.name.startswith(f"{PACKAGE}."))
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = within.split(".")[: len(within.split(".")) - node.level + 1] if within else []
                base = ".".join([*above, *([module] if module else [])])
            elif module == PACKAGE or module.startswith(f"{PACKAGE}."):
                base = module.partition(".")[2]
            else:
                continue
            for alias in node.names:
                yield f"{base}.{alias.name}" if base else exports.get(alias.name, alias.name)
            if base:
                yield base
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == PACKAGE:
            yield exports.get(node.attr, node.attr)


def _files(package: Path, name: str) -> Iterator[Path]:
    """The file of a module of the package, and those of the subpackages around it; nothing for what is no module."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        place = package.joinpath(*parts[:depth])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                yield path
