"""What a bench found, in words for the book; apart from the bench, which needs torch."""

PLAIN = "float32, contiguous, eager"


def words(result: dict) -> dict[str, str]:
    """The result of one kind of processor as a page of the book quotes it: `table` in Markdown, and single figures."""
    limits = result["limits"]
    table = [
        "| | plain | fast | OpenVINO alone | ratio | GFLOP/s | share of the limit | ratio at the limit |",
        "| --- " + "| ---: " * 7 + "|",
    ]
    for row in result["rows"]:
        near = [f"{row['gflops']:.0f}", f"{100 * row['share']:.0f} %", f"{row['at_most']:.1f}×"] if "share" in row else ["", "", ""]
        against = "" if row["against"] == PLAIN else f" (plain: {row['against']})"
        exported = f"{row['openvino']:.1f}/s" if row.get("openvino") else ""
        cells = [f"{row['name']}{against}", f"{row['plain']:.1f}/s", f"{row['fast']:.1f}/s", exported, f"{row['ratio']:.2f}×", *near]
        table.append(f"| {' | '.join(cells)} |")
    half = f"; in bfloat16 {limits['bfloat16']:.0f}" if limits["bfloat16"] else ""
    return {
        "machine": f"{result['processor']}: {result['machine']}; torch {result['torch']}",
        "limits": f"{limits['float32']:.0f} GFLOP/s in float32{half}", "table": "\n".join(table),
    }  # fmt: skip


def components(result: dict) -> dict[str, str]:
    """The measurements of `bench_components` in Markdown, and where they were made."""
    table = ["| | people | numbers a code | time | memory | error | error due |", "| --- " + "| ---: " * 6 + "|"]
    for row in result["components"]:
        cells = [
            row["method"], f"{row['people']:,}", f"{row['dimensions']:,}", f"{row['seconds']:.0f} s", f"{row['gb']:.2f} GB",
            f"{100 * row['variance_error']:.1f} %", f"{100 * row['expected_error']:.1f} %",
        ]  # fmt: skip
        table.append(f"| {' | '.join(cells)} |")
    return {"machine": f"{result['machine']}; torch {result['torch']}", "table": "\n".join(table)}


def accuracy(result: dict) -> dict[str, str]:
    """What `posekit bench --accuracy` measured in Markdown, and where."""
    head, *rows = accuracy_cells(result)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    ours, theirs = result["ways"].values()
    last = theirs["lines"][-1] if theirs["lines"] else None
    stages, (public,) = ours["stages"], theirs["stages"]
    return {
        "sizes": ", then ".join(str(stage["resolution"]) for stage in stages), "cells": f"{stages[0]['sigma']:g}",
        "public_size": str(public["resolution"]), "public_rate": f"{public['lr']:g}", "public_batch": str(public["batch"]),
        "table": "\n".join(f"| {' | '.join(cells)} |" for cells in lines),
        "people": f"{result['people']:,}", "validated": f"{result['validated']:,}",
        "parameters": f"{result['parameters'] / 1e6:.2f} million",
        "taken": f"{theirs['seconds'] / 60:.0f} minutes, {theirs['seconds'] / ours['seconds']:.1f} times the length of the other training",
        "end": f"after its last whole epoch it found {100 * last['pck']:.1f} %" if last else "its first epoch was not over by then",
        "machine": f"{result['processor']}: {result['machine']}; torch {result['torch']}",
    }  # fmt: skip


def accuracy_cells(result: dict) -> list[list[str]]:
    """A head, a row a way of training with its minutes to each target, and how many times sooner the first way is there."""
    targets = result["targets"]
    rows, times = [["", *(f"to {100 * target:.0f} %" for target in targets)]], []
    for name, way in result["ways"].items():
        found = [next((line["seconds"] for line in way["lines"] if line["pck"] >= target), None) for target in targets]
        cells = [f"more than {way['seconds'] / 60:.0f} min" if seconds is None else f"{seconds / 60:.1f} min" for seconds in found]
        rows.append([name, *cells])
        times.append([(way["seconds"], False) if seconds is None else (seconds, True) for seconds in found])

    def ratio(ours: float, theirs: float, there: bool) -> str:
        return f"{theirs / ours:.1f}×" if there else f"more than {theirs / ours:.1f}×" if theirs > ours else "–"

    return [*rows, ["speed-up", *(ratio(ours, *there) for (ours, _), there in zip(*times, strict=True))]]
