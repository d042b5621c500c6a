"""What a notebook can be run with: its parameters, and the presets that set them.

A notebook is py:percent. Its cell tagged `parameters` holds one literal a line and nothing else:

    data = "mannequins"  # which people: NAME[:PATH][@SPLIT]
    stacks: int = 1  # hourglasses in a row
    weights: str | None = None  # a trained network to start from

The type is the annotation's, or else the literal's own. A preset is a YAML file of values by notebook and
parameter; the value `run:NOTEBOOK` or `run:NOTEBOOK/FILE` names a result of another notebook's run in the
same preset.
"""

import ast
import difflib
import functools
import io
import math
import re
import tokenize
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from posekit.errors import PosekitError, extra

_TYPES = {"int": int, "float": float, "bool": bool, "str": str, "list": list, "dict": dict}


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, as in YAML 1.2, and not a string, and a name stands once: of two, the first was lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [name.value for name, _ in node.value]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise PosekitError(f"{name} is given twice, the second time in line {node.value[i][0].start_mark.line + 1}; give it once")
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789"))


@dataclass(frozen=True)
class Parameter:
    name: str
    default: Any
    type: Any  # int, float, bool, str, list, list[int], dict, int | None …
    help: str


def root() -> Path:
    """The checkout around the working directory: the nearest folder upwards with notebooks/ and presets/."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "presets").is_dir():
            return folder
    raise PosekitError("not in a checkout of posekit: no folder upwards holds notebooks/ and presets/; go into one, in a notebook by "
                       "%cd FOLDER or os.chdir, before anything else")  # fmt: skip


def notebook_path(name: str) -> Path:
    """The source of a notebook, by its name (`02_training`) or its path.

    Raises:
        PosekitError: there is none of this name; similar names are listed.
    """
    folder = root() / "notebooks"
    path = folder / f"{Path(name).name.removesuffix('.py')}.py"
    if not path.is_file():
        raise PosekitError(f"no notebook named {name!r}{_near(name, [p.stem for p in folder.glob('*.py')])}")
    return path


def cells(notebook: Path) -> list[Any]:
    """The cells of a py:percent notebook, to be read and not changed."""
    return _cells(notebook.read_text(encoding="utf-8"))


@functools.cache
def _cells(text: str) -> list[Any]:
    with extra("book", "reading a notebook"):
        import jupytext

    return jupytext.reads(text, fmt="py:percent").cells


def is_parameters(cell: Any) -> bool:
    return cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])


def parameters(notebook: Path) -> dict[str, Parameter]:
    """What the notebook's cell tagged `parameters` declares; nothing where there is no such cell."""
    source = next((cell.source for cell in cells(notebook) if is_parameters(cell)), "")
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise PosekitError(f"{notebook.name}: the parameters do not parse: {error}") from error
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}
    found = {}
    for statement in statements:
        try:
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=written, value=ast.expr() as value):
                    type_ = eval(ast.unparse(written), {"__builtins__": _TYPES})  # of a notebook, which is run as well
                    default = _fit(ast.literal_eval(value), type_)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    default = ast.literal_eval(value)
                    type_ = _type_of(default)
                case _:
                    raise ValueError("neither of the two forms")
        except (ValueError, TypeError, NameError, SyntaxError) as error:
            line = ast.unparse(statement)
            raise PosekitError(f"{notebook.name}: a parameter is `name = literal` or `name: type = literal`, not `{line}`") from error
        found[name] = Parameter(name, default, type_, comments.get(statement.end_lineno or 0, ""))
    return found


def rows(notebook: Path) -> list[tuple[str, str, str, str]]:
    """Name, default, type and meaning of each of a notebook's parameters, as a table shows them."""
    return [(p.name, repr(p.default), type_name(p.type), p.help) for p in parameters(notebook).values()]


def table() -> str:
    """The parameters of all notebooks: under each one's name a Markdown table, a row a parameter."""
    notebooks = sorted((root() / "notebooks").glob("*.py"))
    lines = ["", " · ".join(f"[{notebook.stem}](parameters-{notebook.stem})" for notebook in notebooks)]
    for notebook in notebooks:
        lines += ["", f"(parameters-{notebook.stem})=", "```{rubric} " + notebook.stem, "```"]
        lines += ["", "| parameter | default | type | meaning |", "| --- | --- | --- | --- |"]
        for name, default, type_, meaning in rows(notebook):
            cells = [f"`{name}`", f"`{default}`", f"`{type_}`", meaning]
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines[1:])


def type_name(type_: Any) -> str:
    """How a parameter's type is written: `int`, `list[int]`, `str | None`."""
    return type_.__name__ if type(type_) is type else str(type_)


def check(notebook: Path, given: dict[str, Any]) -> dict[str, Any]:
    """All parameters of the notebook with the given values in place of the defaults.

    Raises:
        PosekitError: a name that the notebook does not have, a value of the wrong type or not finite, or a negative one where the default
            is not.
    """
    known = parameters(notebook)
    values = {name: parameter.default for name, parameter in known.items()}
    for name, value in given.items():
        parameter = _known(notebook, known, name)
        try:
            values[name] = _fit(value, parameter.type)
        except ValueError:
            raise _wrong_type(notebook, parameter, value) from None
        if _any(value, lambda number: not math.isfinite(number)):
            raise PosekitError(f"{notebook.stem}: {name} is {value!r}; give a finite number (default {parameter.default!r})")
        if _negative(value) and not _negative(parameter.default):
            raise PosekitError(f"{notebook.stem}: {name} cannot be negative, as {value!r} is (default {parameter.default!r})")
    return values


def parse(notebook: Path, given: dict[str, str]) -> dict[str, Any]:
    """Values typed by a person, as the types of the notebook's parameters; lists and dicts are JSON."""
    known = parameters(notebook)
    values = {}
    for name, text in given.items():
        parameter = _known(notebook, known, name)
        try:
            values[name] = _parse(text, parameter.type)
        except ValueError:
            raise _wrong_type(notebook, parameter, text) from None
    return values


def load_preset(name: str) -> dict[str, dict[str, Any]]:
    """All parameters of each notebook of presets/NAME.yaml, in the file's order; `run:` values as they stand.

    Raises:
        PosekitError: no such preset or notebook, or a parameter that its notebook does not have or take.
    """
    folder = root() / "presets"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise PosekitError(f"no preset named {name!r}{_near(name, [p.stem for p in folder.glob('*.yaml')])}")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}
    except UnicodeDecodeError:
        raise PosekitError(f"presets/{name}.yaml: not in UTF-8; save it so") from None
    except (yaml.YAMLError, PosekitError) as error:
        raise PosekitError(f"presets/{name}.yaml: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(block or {}, dict) for block in content.values()):
        raise PosekitError(f"presets/{name}.yaml: wanted are parameters by notebook")
    preset = {}
    for notebook, given in content.items():
        try:
            preset[notebook] = check(notebook_path(str(notebook)), given or {})
        except PosekitError as error:
            raise PosekitError(f"presets/{name}.yaml: {error}") from error
    return preset


def _known(notebook: Path, known: dict[str, Parameter], name: str) -> Parameter:
    if name not in known:
        raise PosekitError(f"{notebook.stem} has no parameter {name!r}{_near(name, list(known))}")
    return known[name]


def _wrong_type(notebook: Path, parameter: Parameter, value: Any) -> PosekitError:
    message = f"{notebook.stem}: {parameter.name} takes {type_name(parameter.type)}, not {value!r} (default {parameter.default!r})"
    return PosekitError(message + _form(parameter.type, value))


def _form(type_: Any, value: Any) -> str:
    """How a value that a person typed is written, where its form is what is wrong with it."""
    kinds = typing.get_args(type_) if isinstance(type_, types.UnionType) else (type_,)
    if isinstance(value, str) and float in kinds and re.fullmatch(r"[+-]?\d+,\d+", value):
        return f"; write a point, {value.replace(',', '.')}"
    if isinstance(value, str) and any(kind is list or typing.get_origin(kind) is list for kind in kinds):
        items = [word for word in re.split(r"[\s,]+", value.strip("[]() ")) if word]
        texts = any(typing.get_args(kind) in ((), (str,)) for kind in kinds if kind is not types.NoneType)
        written = ", ".join(f'"{word.strip(chr(39) + chr(34))}"' if texts else word for word in items)
        return f"; a list is written as JSON, in quotes: '[{written}]'"
    if isinstance(value, str) and dict in kinds:
        return """; it is written as JSON, in quotes: '{"name": "value"}'"""
    return ""


def _negative(value: Any) -> bool:
    return _any(value, lambda number: number < 0)


def _any(value: Any, holds: Callable[[float], bool]) -> bool:
    """Whether something holds of a number, or of one in a list."""
    return any(isinstance(number, int | float) and holds(number) for number in (value if isinstance(value, list) else [value]))


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or sorted(names)
    return f"; there is {', '.join(near)}" if near else ""


def _type_of(default: Any) -> Any:
    """The type that a literal has; a list of one sort of thing takes nothing else."""
    if isinstance(default, list):
        kinds = {type(item) for item in default}
        return list[kinds.pop()] if len(kinds) == 1 else list  # type: ignore[misc]
    if type(default).__name__ not in _TYPES:
        raise ValueError(default)
    return type(default)


def _fit(value: Any, type_: Any) -> Any:
    """The value as a parameter of this type holds it: a whole number is a float where one is wanted, and nothing else is converted.

    Raises:
        ValueError: it is of another type.
    """
    return _adapter(type_).validate_python(value, strict=True)


def _adapter(type_: Any) -> Any:
    with extra("book", "reading a notebook's parameters"):
        from pydantic import TypeAdapter
    return TypeAdapter(type_)


def _parse(text: str, type_: Any) -> Any:
    """What a person typed, as a value of this type; lists and dicts are JSON.

    Raises:
        ValueError: it is none.
    """
    adapter = _adapter(type_)
    if isinstance(type_, types.UnionType) and types.NoneType in typing.get_args(type_) and text.lower() in ("none", "null", ""):
        return None
    try:
        return adapter.validate_strings(text)
    except ValueError:
        return adapter.validate_json(text, strict=True)
