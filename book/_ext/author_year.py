"""Citations by author and year in round brackets, and a bibliography with the same labels.

In _config.yml: `bibtex_default_style: author_year` and `bibtex_reference_style: author_year_round`.
"""

from collections import Counter
from dataclasses import dataclass, field

from pybtex.backends.plaintext import Backend as PlainText
from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style as Unsorted
from pybtex.style.labels import BaseLabelStyle
from sphinxcontrib.bibtex.plugin import register_plugin as register_bibtex_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle


class Labels(BaseLabelStyle):
    def format_labels(self, sorted_entries):
        names = [f"{_authors(entry.persons['author'])}, {entry.fields['year']}" for entry in sorted_entries]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(f"works that are cited alike: {', '.join(twice)}")
        return names


class Style(Unsorted):
    default_sorting_style = "author_year_title"
    default_label_style = "author_year"


def _round() -> BracketStyle:
    return BracketStyle(left="(", right=")", sep="; ")


@dataclass
class RoundReferenceStyle(AuthorYearReferenceStyle):
    bracket_parenthetical: BracketStyle = field(default_factory=_round)
    bracket_textual: BracketStyle = field(default_factory=_round)


def _authors(people) -> str:
    last = [" ".join(person.prelast_names + person.last_names).strip("{}") for person in people]
    return last[0] if len(last) == 1 else f"{last[0]} and {last[1]}" if len(last) == 2 else f"{last[0]} et al."


def setup(app):
    register_plugin("pybtex.style.labels", "author_year", Labels)
    register_plugin("pybtex.style.formatting", "author_year", Style)
    # Asked for once a citation, and else looked for each time among all packages that are installed.
    register_plugin("pybtex.backends", "plaintext", PlainText, force=True)
    register_bibtex_plugin("sphinxcontrib.bibtex.style.referencing", "author_year_round", RoundReferenceStyle)
    return {"parallel_read_safe": True}
