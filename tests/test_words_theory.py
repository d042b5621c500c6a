"""What the theory chapters quote, by planted metrics."""

import pytest

from posekit.workflow.words import theory as words

FIELD = {"mean": 961.2, "least": 950, "most": 970, "middle": 961, "stride": 4}


def planted(**changes):
    level = [0.0, 0.1, 0.2, 0.3, 0.4]
    judged = {name: {"mean": 0.5, "low": 0.4, "high": 0.6} for name in ("silhouette", "stability", "valley")}
    fields = {"stem": {"mean": 29.0, "least": 29, "most": 29, "middle": 29, "stride": 4}, "encoder2": FIELD,
              "heatmaps": FIELD | {"least": 961, "most": 961}}  # fmt: skip
    return {
        "decoding": {"largest": {"argmax": 0.5, "quarter": 0.25, "soft-argmax": 1e-9, "dark": 0.0123}, "noise": level,
                     "rms": dict.fromkeys(("argmax", "quarter", "soft-argmax", "dark"), level)},
        "trap": {"cells": 64, "flat": {"mse": 0.0015, "cross-entropy": 8.32}, "places": [1, 2, 4, 8],
                 "worth": {"mse": [0, 0.5, 0.75, 0.875], "cross-entropy": [0, 0.1, 0.2, 0.38]},
                 "shifts": [0.0, 1.0, 2.0], "costs": {"mse": [0, 1.0, 1.5], "cross-entropy": [0, 0.2, 0.9]}},
        "schedule": {"constant": 0.4, "constant, averaged": 0.02},
        "generalisation": {"degrees": [0, 1, 2], "fitted": [0.9, 0.5, 0.01], "others": [0.9, 0.3, 7.2]}, "pooling": 0,
        "receptive": {"resolution": 256, "fields": fields, "counted": {"stem": 29, "encoder2": 960, "heatmaps": 961},
                      "effective": {"heatmaps": 60}},
        "depth": {"gradients": {"plain": 1e-12, "batch normalisation": 12345.6, "residual, normalised": 1.23}},
        "planted": {"above": 3, "needed": 80, "participation": 12.34}, "cut": {"one cloud": judged, "two clouds": judged},
        "coverage": {"people resampled": {"mean": 0.95, "low": 0.91, "high": 0.98},
                     "joints resampled": {"mean": 0.6, "low": 0.5, "high": 0.7}},
    } | changes  # fmt: skip


def test_the_quoted_numbers():
    said = words.sentences(planted())
    assert (said["dark"], said["dark_noise"], words.small(1e-9)) == ("0.012", "0.40", "less than a millionth")
    assert (said["places"], said["worth_mse"], said["worth_entropy"]) == ("8", "12 %", "62 %")
    assert (said["beyond_mse"], said["beyond_entropy"]) == ("2.0", "none")
    assert (said["best_degree"], said["error_best"], said["error_last"], said["seen_last"]) == ("1", "0.30", "7", "0.01")
    assert (said["field_stem"], said["field_end"], said["field_check"], said["first_whole"]) == (
        "29",
        "961",
        "2 of 3 hook points",
        "`encoder2`",
    )
    assert (said["depth_plain"], said["depth_normalised"], said["depth_residual"]) == ("10⁻¹²", "12,346", "1.2")
    assert said["one_valley"] == said["two_silhouette"] == "0.50 [0.40,\u00a00.60]" and said["covered_people"] == "95 % [91,\u00a098]"
    assert said["averaged_constant"] == "20"


@pytest.mark.parametrize(("cells", "said"), [(0, "in no cell"), (1, "in 1 cell"), (7.0, "in 7 cells")])
def test_how_far_spots_differ(cells, said):
    assert words.sentences(planted(pooling=cells))["spots_differ"] == said


def test_the_table_of_receptive_fields():
    first, _, stem, encoder, _ = words.receptive_table(planted()["receptive"]).splitlines()
    assert first.startswith("| hook point | layers")
    assert stem.endswith("| 64\u00a0×\u00a064 | 4 | 29 |")
    assert encoder == "| `encoder2` | pooling, residual module | 64\u00a0×\u00a064 | 4 | 961 (950 to 970) |"


def test_a_picture_that_no_cell_sees_whole():
    metrics = planted()
    metrics["receptive"]["resolution"] = 4096
    assert words.sentences(metrics)["first_whole"] == "none"
