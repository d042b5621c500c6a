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
