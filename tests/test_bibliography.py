"""The bibliography and the pages that cite it hold together."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*(ROOT / "book").glob("*.md"), *(ROOT / "book").glob("*.yaml"), *(ROOT / "notebooks").glob("*.py")]


@pytest.fixture(scope="module")
def entries():
    database = pytest.importorskip("pybtex.database", reason="pybtex comes with the book's tools")
    return database.parse_file(ROOT / "book" / "references.bib").entries


def test_every_entry_is_cited(entries):
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert [key for key in entries if not re.search(rf"\b{key}\b", text)] == []


def test_every_citation_has_its_entry(entries):
    for page in PAGES:
        cited = ",".join(re.findall(r"\{cite:\w+\}`([^`]+)`", page.read_text("utf-8")))
        keys = {key.strip() for key in cited.split(",")} - {""}
        assert keys - set(entries) == set(), page.name


def test_every_entry_can_be_found(entries):
    """By a DOI, an arXiv number, an address, or at least a journal's volume and pages; an unpublished one says that it is."""

    def found(fields):
        address = any("https://" in value for value in fields.values())
        unpublished = fields.get("note", "").startswith("Unpublished")
        return {"doi", "eprint"} & set(fields) or address or unpublished or {"journal", "volume", "pages"} <= set(fields)

    assert [key for key, entry in entries.items() if not found(entry.fields)] == []


def test_no_two_works_are_cited_alike(entries):
    """First author and year tell them apart, as the text cites them."""
    names = [(str(entry.persons["author"][0]), entry.fields["year"]) for entry in entries.values()]
    assert [name for name in names if names.count(name) > 1] == []
