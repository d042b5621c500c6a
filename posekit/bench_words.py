"""What a bench found, in words for the book; apart from the bench, which needs torch."""

PLAIN = "float32, contiguous, eager"


def words(result: dict) -> dict[str, str]:
    """The result as a page of the book quotes it: `table` and `components` in Markdown, and single figures."""
    network, limits = result["network"], result["limits"]
    table = ["| | plain | fast | ratio | GFLOP/s | share of the limit | ratio at the limit |", "| --- " + "| ---: " * 6 + "|"]
    for row in result["rows"]:
        near = [f"{row['gflops']:.0f}", f"{100 * row['share']:.0f} %", f"{row['at_most']:.1f}×"] if "share" in row else ["", "", ""]
        against = "" if row["against"] == PLAIN else f" (plain: {row['against']})"
        cells = [f"{row['name']}{against}", f"{row['plain']:.1f}/s", f"{row['fast']:.1f}/s", f"{row['ratio']:.2f}×", *near]
        table.append(f"| {' | '.join(cells)} |")
    components = ["| | people | numbers a code | time | memory | error | error due |", "| --- " + "| ---: " * 6 + "|"]
    for row in result["components"]:
        cells = [
            row["method"], f"{row['people']:,}", f"{row['dimensions']:,}", f"{row['seconds']:.0f} s", f"{row['gb']:.2f} GB",
            f"{100 * row['variance_error']:.1f} %", f"{100 * row['expected_error']:.1f} %",
        ]  # fmt: skip
        components.append(f"| {' | '.join(cells)} |")
    return {
        "machine": f"{result['machine']}; torch {result['torch']}",
        "network": f"{network['features']} features, {network['resolution']} px, batches of {network['batch']}",
        "float32": f"{limits['float32']:.0f}", "bfloat16": f"{limits['bfloat16']:.0f}",
        "table": "\n".join(table), "components": "\n".join(components),
    }  # fmt: skip
