"""LaTeX made from the book's pages, typeset: the last step of `make pdf`.

    python -m posekit.workflow.pages.typeset

says what is not installed that it takes.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from posekit.errors import PosekitError

# What shows that a Debian package is there: a program, or a file that TeX finds.
FOOT = 12.0  # points that a page may be too long by
_PROGRAMS = {"xelatex": "texlive-xetex", "latexmk": "latexmk", "rsvg-convert": "librsvg2-bin"}
_FILES = {
    "texgyrepagella-regular.otf": "fonts-texgyre",
    "texgyrepagella-math.otf": "fonts-texgyre-math",
    "pzdr.tfm": "texlive-fonts-recommended",  # hyperref asks for it
}


def require() -> None:
    """See that what typesetting takes is installed.

    Raises:
        PosekitError: it is not; names Debian's packages.
    """
    lacking = [package for program, package in _PROGRAMS.items() if not shutil.which(program)]
    if "texlive-xetex" in lacking:
        lacking += _FILES.values()
    else:
        lacking += [package for file, package in _FILES.items() if subprocess.run(["kpsewhich", file], capture_output=True).returncode]
    if lacking:
        raise PosekitError(f"the PDF takes more: apt-get install --no-install-recommends {' '.join(lacking)}")


def typeset(source: Path, *, strict: bool = True) -> Path:
    """The PDF beside a LaTeX file.

    Raises:
        PosekitError: it does not compile; or, with `strict`, a sign is in no font, a reference leads nowhere or a page runs off its foot.
    """
    import matplotlib

    # DejaVu comes with matplotlib.
    fonts = os.pathsep.join([str(Path(matplotlib.get_data_path()) / "fonts" / "ttf"), os.environ.get("OSFONTDIR", "")])
    command = ["latexmk", "-norc", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error", "-quiet", source.name]
    # TeX breaks the lines of its log at a width of its own.
    surroundings = os.environ | {"OSFONTDIR": fonts, "max_print_line": "2000"}
    done = subprocess.run(command, cwd=source.parent, env=surroundings, capture_output=True)
    log = source.with_suffix(".log")
    said = log.read_text("utf-8", errors="replace") if log.exists() else ""
    if done.returncode:
        why = _error(said) or f"latexmk: {done.stderr.decode(errors='replace').strip()}"
        raise PosekitError(f"{source.name} does not compile: {why}; the whole log is {log}")
    if strict and (found := complaints(said)):
        raise PosekitError(f"{source.name}: {'; '.join(found)}; the whole log is {log}")
    return source.with_suffix(".pdf")


def _error(log: str) -> str:
    """The error that stopped TeX, with the line of the source that it names."""
    if not (found := re.search(r"^(?:! |\S+?:\d+: )(.+)$", log, re.MULTILINE)):
        return ""
    line = re.search(r"^(l\.\d+ .*)$", log[found.start() :], re.MULTILINE)
    return " ".join(part.strip() for part in (found[0], line[1] if line else "") if part)


def complaints(log: str) -> list[str]:
    """What in a log of TeX makes a page wrong though it compiles: signs without a glyph, references to nothing, pages over their foot."""
    signs = sorted(set(re.findall(r"Missing character: There is no (\S+ \(U\+\w+\)) in font", log)))
    places = sorted(set(re.findall(r"(?:[Rr]eference|Citation) `([^']+)' on page \d+ undefined", log)))
    anchors = sorted(set(re.findall(r"name\{([^}]*)\} has been referenced but does not exist", log)))
    over = re.findall(r"^Overfull \\vbox \(([\d.]+)pt too high\) has occurred while \\output is active \[\]\s+\[(\d+)", log, re.MULTILINE)
    return [
        *(f"no glyph for {sign}" for sign in signs),
        *(f"nothing is called {place}" for place in [*places, *anchors]),
        *(f"page {page} runs {float(by):.0f} pt off its foot" for by, page in over if float(by) > FOOT),
    ]


if __name__ == "__main__":
    try:
        require()
    except PosekitError as error:
        sys.exit(f"posekit: {error}")
