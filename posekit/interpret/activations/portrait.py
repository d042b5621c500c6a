"""What the code of one network is like, in a few numbers by which two networks can be compared."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posekit.data.crops import Crops
from posekit.engine.backend import Backend
from posekit.engine.weights import Card
from posekit.interpret.activations import ablation, walks
from posekit.interpret.activations.codes import code_hook_point, collect
from posekit.interpret.analysis import clusters, probes
from posekit.interpret.analysis.attributes import usable
from posekit.interpret.analysis.components import count_above_floor, noise_floor, pca_of
from posekit.models.hourglass import Hourglass

READ = 20  # components that probes and walks use
WALKERS = 32  # people, a quarter at most, whose codes are moved, none of those by whom the direction was fitted


def portrait(
    network: Hourglass, card: Card, crops: Crops, values: Mapping[str, np.ndarray], probed: Sequence[str], *, backend: Backend | None = None
) -> dict[str, Any]:
    """Components, clusters, probes and walks of a network's code, over the people of `crops`.

    Args:
        values: attributes (N,) by name.
        probed: which of them are probed; codes are walked along the first, unless too few people have it.

    Returns:
        `numbers` of the code, `components95` for 95 % of the variance, `participation` ratio, how many components lie `above` the
        permutation floor, `silhouette` of two clusters and `probes` by attribute as {"mean", "low", "high"}, `walks` by what the skips do
        as `Causal.row`, and the `spectrum` (100,) of shares.
    """
    hook_point = code_hook_point(network)
    codes = collect(network, card, crops, hook_point, backend=backend)
    components = pca_of(codes)
    points = components.transform(codes)[:, :50]
    two = clusters.kmeans(points, 2, seed=0)
    pictures = crops.people.picture_ids()
    probed_by_name = {name: probes.probe(name, points[:, :READ], values[name], pictures=pictures, permutations=0) for name in probed}
    count = min(WALKERS, len(crops) // 4)
    fitted, walked = {name: values[name][:-count] for name in probed[:1]}, {}
    for name in usable(fitted)[0]:
        few = components.first(min(READ, len(components)))
        direction = probes.reading_direction(name, points[:-count, :READ], fitted[name], few.directions)
        control = walks.random_directions(walks.CONTROLS, few.directions, few.variances)
        means = ablation.means(network, card, crops, walks.skips_beside(network, hook_point), backend=backend)
        movers = crops.select(np.arange(len(crops))[-count:])
        family = walks.holm_corrected([
            walks.causal(network, card, movers, hook_point, direction, control, attribute=name,
                         scale=float(np.nanstd(values[name])), skips=skips, means=means, backend=backend)
            for skips in ("intact", "mean")
        ])  # fmt: skip
        walked = {walk.skips: walk.row() for walk in family}
    silhouette = clusters.silhouettes(points, {2: two})[2].mean()
    return {
        "numbers": codes.shape[1],
        "components95": components.components_for(0.95),
        "participation": components.participation_ratio,
        "above": count_above_floor(components.spectrum, noise_floor(codes, seed=0)),
        "silhouette": clusters.over_halves(silhouette, clusters.halves(points, [2], pictures=pictures)[2]),
        "probes": {name: {"mean": probe.r2, "low": probe.low, "high": probe.high} for name, probe in probed_by_name.items()},
        "walks": walked,
        "spectrum": components.shares[:100],
    }
