# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Demonstrations
#
# This chapter computes the figures and numbers of the theory chapters when the book is built. Each takes a few lines, with the functions that the
# later chapters use. No network is trained on people. Change a line and build the book again, and the theory chapters show the new result.

# %% tags=["parameters"]
resolution = 256  # side of the input in pixels, for the receptive fields
bottleneck_residuals = 3  # residual modules at the lowest resolution; the study has 3
seed = 0  # of all random numbers

# %% tags=["remove-cell"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from posekit import heatmaps as hm
from posekit import metrics, plots
from posekit.data.mannequins import render
from posekit.engine.learning.training import Recipe
from posekit.interpret.analysis import clusters
from posekit.interpret.analysis.components import count_above_floor, noise_floor, pca_of
from posekit.losses import loss_sum
from posekit.models import receptive
from posekit.models.hourglass import Hourglass, HourglassConfig, upsample
from posekit.plots import theory as draw
from posekit.workflow import runs
from posekit.workflow.words import theory as words

plots.style()
run = runs.current()
random = np.random.default_rng(seed)
torch.manual_seed(seed)

# %% [markdown]
# ## Decoding heatmaps
#
# For {numref}`fig-theory-decoding`: Gaussians are drawn at known positions between cell centres, and each decoder estimates the position, first in clean maps and then
# with noise, negative cells set to 0.

# %% tags=["show-input"]
offsets = torch.linspace(-0.499, 0.499, 81, dtype=torch.float64)
peaks = torch.stack([8 + offsets, torch.full_like(offsets, 8.2)], -1)
methods = ("argmax", "quarter", "soft-argmax", "dark")
errors = {m: (hm.decode(hm.encode(peaks, 17), m)[..., 0] - peaks[:, 0]).numpy() for m in methods}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Left, error curves of four decoders over the position of a peak within its cell: a saw tooth, a smaller saw tooth, and two flat lines. Right, four curves that rise with the noise"}}
noise = np.linspace(0, 0.16, 9)
centres = torch.from_numpy(random.uniform(7.5, 8.5, (500, 2)))
rms = {m: [] for m in methods}
for level in noise:
    noisy = (hm.encode(centres, 17) + level * torch.from_numpy(random.normal(size=(500, 17, 17)))).clamp_min(0)
    for m in methods:
        wrong = hm.decode(noisy, m)[..., :2] - centres
        rms[m].append(float(wrong.square().mean().sqrt()))

names = {"quarter": "quarter shift", "dark": "DARK"}
called, spread = ({names.get(m, m): values for m, values in found.items()} for found in (errors, rms))
run.save_figure(draw.decoding(offsets.numpy(), called, noise, spread), "decoding")
plt.show()

# %% [markdown]
# ## Loss under uncertainty
#
# For {numref}`fig-theory-trap`: a joint is at one of *n* positions far apart, with equal probability. The map of least expected loss is the mean of the *n* targets, normalised to
# sum 1 for cross-entropy. Its loss is compared with that of a flat map, and with that of a single peak at a
# wrong position.

# %% tags=["hide-input"]
cells = 64
grid = torch.stack(torch.meshgrid(torch.arange(4.0, 64, 8), torch.arange(4.0, 64, 8), indexing="xy"), -1).reshape(-1, 2)
grid = grid[torch.from_numpy(random.permutation(len(grid)))]
targets = hm.encode(grid, cells)  # (64 positions, 64, 64)
labelled = torch.ones(1, 1, dtype=torch.bool)


# %% tags=["show-input"]
def cost(answer, target, kind):
    """The loss of an answer: heights for mse, logarithms of probabilities for cross-entropy."""
    answer = answer if kind == "mse" else (answer / answer.sum()).clamp_min(1e-30).log()
    return float(loss_sum(answer[None, None, None], target[None, None], labelled, kind))


# %% tags=["hide-input"] mystnb={"image": {"alt": "Left, two curves over the number of positions: that of mean squared error close to one except for very few positions, that of cross-entropy far below. Right, both rise with the shift of the peak, the first to two, the second without bound"}}
counts = np.array([1, 2, 4, 8, 16, 32, 64])
kinds = ("mse", "cross-entropy")
empty = {"mse": torch.zeros(cells, cells), "cross-entropy": torch.ones(cells, cells)}  # the flat map
flat = {kind: cost(empty[kind], targets[0], kind) for kind in kinds}
worth = {kind: np.array([cost(targets[:n].mean(0), targets[0], kind) for n in counts]) / flat[kind] for kind in kinds}
shifts = np.arange(0, 5.001, 0.01)
moved = hm.encode(torch.stack([torch.tensor([31 + s, 31.0]) for s in shifts]), cells)
costs = {kind: np.array([cost(answer, moved[0], kind) for answer in moved]) / flat[kind] for kind in kinds}

run.save_figure(draw.trap(counts, worth, shifts, costs), "trap")
plt.show()

# %% [markdown]
# ## Optimisers
#
# For {numref}`fig-theory-optimisers`: a quadratic loss, fifty times as curved in one direction as in the other, with noise in its gradients, as from small batches.

# %% tags=["hide-input"]
curvature = np.array([1.0, 50.0])


optimisers = {
    "SGD": partial(torch.optim.SGD, lr=0.03),
    "SGD, momentum 0.9": partial(torch.optim.SGD, lr=0.006, momentum=0.9),
    "RMSProp": partial(torch.optim.RMSprop, lr=0.05, alpha=0.99),
    "Adam": partial(torch.optim.Adam, lr=0.15, betas=(0.9, 0.99)),
}


def descend(optimiser, steps=120, draws=200):
    """The path (steps, draws, 2) from one starting point, for as many draws of the noise."""
    weights = torch.tensor([[-4.0, 1.2]] * draws, dtype=torch.float64)
    drawn, path, optimiser = np.random.default_rng(seed), [], optimiser([weights])
    for _ in range(steps):
        path.append(weights.numpy().copy())
        weights.grad = torch.from_numpy(curvature * path[-1] + 0.5 * drawn.normal(size=weights.shape))
        optimiser.step()
    return np.array(path)


# %% tags=["show-input"]
ways = {name: descend(optimiser) for name, optimiser in optimisers.items()}
paths = {name: way[:, 0] for name, way in ways.items()}
heights = {name: (way**2 @ curvature).mean(1) / 2 for name, way in ways.items()}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Left, four paths down a long narrow valley, one of them zigzagging. Right, their losses over 120 steps"}}
extent = (-4.4, 1.2, -1.4, 1.4)
xs, ys = np.meshgrid(np.linspace(*extent[:2], 120), np.linspace(*extent[2:], 120))
run.save_figure(draw.optimisers(paths, (xs**2 + 50 * ys**2) / 2, extent, heights), "optimisers")
plt.show()

# %% [markdown]
# ## Learning rate schedules and weight averaging
#
# For {numref}`fig-theory-schedule`: noisy descent in a thousand directions at once, at a constant learning rate and with the schedule of `posekit.Recipe`. The loss is that of
# the weights and of their running mean, as in training.

# %% tags=["show-input"]
recipe, steps = Recipe(), 1000
schedules = {
    "constant": np.ones(steps),
    "warm-up and cosine": np.array([recipe.lr_at(step, steps) for step in range(steps)]) / recipe.lr,
}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Left, a constant line and a curve that rises for a short time and falls along a cosine. Right, losses that level off high for the constant rate, lower for its running mean and for the falling rate"}}
losses = {}
for name, rates in schedules.items():
    weights = np.full(1000, 3.0)
    mean, both = weights.copy(), []
    for step, rate in enumerate(rates):
        weights = weights - 0.1 * rate * (weights + random.normal(size=weights.shape))
        mean += max(1 - 0.99, 9 / (step + 10)) * (weights - mean)  # as in training, with a decay for so few steps
        both.append([np.square(weights).mean() / 2, np.square(mean).mean() / 2])
    losses[name], losses[f"{name}, averaged"] = np.array(both).T

run.save_figure(draw.schedule(schedules, losses), "schedule")
plt.show()

# %% [markdown]
# ## Generalisation
#
# For {numref}`fig-theory-generalisation`: polynomials are fitted to fifteen noisy points of a sine, in a hundred repetitions.


# %% tags=["show-input"]
def fit(degree, x, y, unseen):
    """The polynomial of least squared error, at points (x) and at others."""
    basis = np.polynomial.legendre.legvander
    weights = np.linalg.lstsq(basis(x, degree), y, rcond=None)[0]
    return basis(x, degree) @ weights, basis(unseen, degree) @ weights


# %% tags=["hide-input"] mystnb={"image": {"alt": "Left, points around a sine with a straight line, a close curve, and a wild one that passes through nearly all points. Right, the error on fitted points falls steadily, that on others falls and rises again"}}
degrees, between = np.arange(13), np.linspace(-1, 1, 200)
residuals = np.zeros((100, len(degrees), 2))
for trial in range(100):
    x, other = random.uniform(-1, 1, (2, 15))
    y, truth = (np.sin(3 * v) + random.normal(0, 0.3, 15) for v in (x, other))
    for i, degree in enumerate(degrees):
        fitted, foretold = fit(degree, x, y, other)
        residuals[trial, i] = np.sqrt(np.square(y - fitted).mean()), np.sqrt(np.square(truth - foretold).mean())
seen, unseen = np.median(residuals, 0).T
curves = {degree: fit(degree, x, y, between)[1] for degree in (1, 3, 12)}

run.save_figure(draw.generalisation((x, y), between, np.sin(3 * between), curves, degrees, seen, unseen), "generalisation")
plt.show()

# %% [markdown]
# ## Kernels
#
# For {numref}`fig-theory-kernels`: a rendered person in grey, and the output of three kernels. As in all convolutional layers, the kernels are not flipped.

# %% tags=["show-input"]
person = torch.from_numpy(render(14, seed=seed, size=128).picture).float().mean(-1) / 255
sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
laplace = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
bell = torch.exp(-(torch.arange(-4, 5.0) ** 2) / 8)
kernels = {"vertical edges": sobel, "blur": torch.outer(bell, bell) / bell.sum() ** 2, "spots and lines": laplace}
convolved = {"picture": person.numpy()}
for name, kernel in kernels.items():
    padded = nn.functional.pad(person[None, None], [kernel.shape[-1] // 2] * 4, mode="replicate")
    convolved[name] = nn.functional.conv2d(padded, kernel[None, None])[0, 0].numpy()

# %% tags=["hide-input"] mystnb={"image": {"alt": "A rendered person in grey; the same with upright edges, blurred, and with lines"}}
run.save_figure(draw.pictures(convolved, 4, {name: kernel.numpy() for name, kernel in kernels.items()}), "kernels")
plt.show()

# %% [markdown]
# ## Pooling and up-sampling
#
# For {numref}`fig-theory-pooling`: max-pooling halves the sides of two maps four times, as an hourglass does, and up-sampling doubles them four times.

# %% tags=["show-input"]
spots = hm.encode(torch.tensor([[19.0, 20.0], [28.0, 27.0]]), 64, sigma=1.3).unsqueeze(1)
large = small = nn.functional.max_pool2d(spots, 2**4)  # of a block of 16 the same as four times of 2
for _ in range(4):
    large = upsample(large)
shown = {"a spot": spots[0], "another spot": spots[1], "pooled four times": small[0], "and up-sampled": large[0]}
difference = float((large[0] > large[0].max() / 2).ne(large[1] > large[1].max() / 2).sum())

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two small spots at different positions, then a single bright cell of a coarse map, and a large square"}}
run.save_figure(draw.pictures({name: picture[0].numpy() for name, picture in shown.items()}, 4, blocks=16), "pooling")
plt.show()

# %% [markdown]
# ## Receptive fields
#
# For {numref}`fig-theory-receptive` and the table above it: along a line of pixels, the first and the last pixel that each cell can depend on are followed
# through the hourglass layer by layer. As a check, pixels with a nonzero gradient are counted in a network whose weights are all positive and whose pooling takes
# means. The effective receptive field before training comes from the gradient of one cell in the middle with respect to each pixel, over random pictures.

# %% tags=["hide-input"]
config = HourglassConfig.narrow(32, bottleneck_residuals=bottleneck_residuals)
LINE = 4096  # pixels: long enough that no receptive field in the middle reaches the ends
fields = receptive.receptive_fields(config, LINE)
sides = receptive.sides(fields, LINE)
names = {name: name if name == "stem" else f"stack0.{name}" for name in fields}

# %% tags=["show-input"]
positive = receptive.positive_hourglass(HourglassConfig.narrow(4, joints=1, bottleneck_residuals=bottleneck_residuals))
counted = receptive.pixels_seen(positive, names, LINE // 2)
looked = {name: names[name] for name in ("encoder1", "encoder3", "heatmaps")}
influence, centres = receptive.pixel_influence(Hourglass(config).eval(), looked, torch.rand(4, 3, resolution, resolution))
effective = {name: receptive.effective_side(influence[name], centres[name]) for name in looked}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Bars of the receptive field by hook point, growing to far beyond the picture, with dots far inside; three maps of gradients, the last one a bright spot in a faint square"}}
means = {name: int(side["mean"]) for name, side in sides.items()}
run.save_figure(draw.receptive(means, effective, resolution, influence, centres), "receptive")
plt.show()

# %% [markdown]
# ## Depth
#
# For {numref}`fig-theory-depth`: the forward pass of a signal through sixty untrained layers, and the backward pass of a gradient.


# %% tags=["show-input"]
def block(width, normalised):
    """A linear layer and a ReLU; or batch normalisation, ReLU and a linear layer."""
    linear, relu = nn.Linear(width, width), nn.ReLU()
    return nn.Sequential(nn.BatchNorm1d(width), relu, linear) if normalised else nn.Sequential(linear, relu)


# %% tags=["hide-input"] mystnb={"image": {"alt": "Left, the signal of a plain network shrinks at once to a constant, the others hold or grow slowly. Right, the gradient of the plain network falls by many powers of ten towards the first layer, that of batch normalisation grows, that of residual layers stays"}}
signals, gradients = {}, {}
for name, (normalised, residual) in {
    "plain": (False, False),
    "batch normalisation": (True, False),
    "residual, normalised": (True, True),
}.items():
    torch.manual_seed(seed)
    x, passed = torch.randn(256, 64), []
    for layer in [block(64, normalised) for _ in range(60)]:
        x = layer(x) + (x if residual else 0)
        x.retain_grad()
        passed.append(x)
    (x * torch.randn_like(x)).sum().backward()
    signals[name] = np.array([float(p.detach().std()) for p in passed])
    sizes = np.array([float(p.grad.std()) for p in passed])
    gradients[name] = sizes / sizes[-1]

run.save_figure(draw.depth(signals, gradients), "depth")
plt.show()

# %% [markdown]
# ## Planted components
#
# For {numref}`fig-theory-planted`: four hundred codes of a hundred numbers vary along three planted directions, with isotropic noise in all. Then a linear
# denoiser is fitted to many such codes.


# %% tags=["hide-input"]
def codes_of(people, dimensions, sds):
    """Codes that vary by `sds` along as many random directions, and by 1 along every axis."""
    directions = np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, len(sds))))[0]
    return random.normal(size=(people, len(sds))) * sds @ directions.T + random.normal(size=(people, dimensions))


# %% tags=["show-input"]
sds = np.array([6.0, 4.0, 3.0])
codes = codes_of(400, 100, sds)
found = pca_of(codes)
floor = noise_floor(codes, permutations=20, seed=seed)
real = count_above_floor(found.spectrum, floor)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Left, three dots above a falling dashed line, which lies above the falling curve of the other components. Right, dots along a rising S-shaped curve"}}
clean = codes_of(20_000, 100, sds)
axes = pca_of(clean)
blurred = clean + 2 * random.normal(size=clean.shape)  # noise of variance 4
denoiser = np.linalg.lstsq(blurred - blurred.mean(0), clean - clean.mean(0), rcond=None)[0]
kept = np.einsum("kd,de,ke->k", axes.directions, denoiser, axes.directions)

run.save_figure(draw.planted(found.spectrum, floor, len(sds), axes.variances, kept, 4.0), "planted")
plt.show()

# %% [markdown]
# ## Clusters without groups
#
# For {numref}`fig-theory-cut`: k-means with K = 2 on one long cloud, and on two clouds.

# %% tags=["hide-input"]
one = random.normal(size=(1000, 2)) * [3.0, 1.0]
two = random.normal(size=(1000, 2)) + np.where(random.random(1000) < 0.5, 2.0, -2.0)[:, None] * [1, 0]
clouds, judged = {}, {}

# %% tags=["show-input"]
for name, points in {"one cloud": one, "two clouds": two}.items():
    halves = clusters.kmeans(points, 2, seed=seed)
    along = clusters.between(points, halves)
    clouds[name] = points, halves.labels, along
    mean = clusters.silhouettes(points, {2: halves}, seed=seed)[2].mean()
    judged[name] = {
        "silhouette": clusters.over_halves(mean, clusters.halves(points, [2], seed=seed)[2]),
        "stability": clusters.cluster_stability(points, 2, pairs=10, seed=seed),
        "valley": clusters.valley(along, seed=seed),
    }

# %% tags=["hide-input"] mystnb={"image": {"alt": "Left, one long cloud coloured in two halves, whose positions along the line between the centres pile up around the border. Right, two clouds, whose positions leave a gap at the border"}}
titles = {name: f"silhouette {block['silhouette']['mean']:.2f}, border {block['valley']['mean']:.2f}" for name, block in judged.items()}
run.save_figure(draw.two_clusters(clouds, titles), "cut")
plt.show()

# %% [markdown]
# ## Coverage of intervals
#
# For {numref}`fig-theory-coverage`: some people are hard for a network and some easy, so that the joints of one person tend to be found or missed
# together. Two hundred samples of eighty people are drawn. Each gets two bootstrap intervals: over people, and over joints as if they were
# independent.

# %% tags=["show-input"]
samples, people, joints = 200, 80, 14
over = {"people resampled": [], "joints resampled": []}
for _ in range(samples):
    ability = random.beta(2.0, 1.0, people)  # a person's chance that a joint is found: 2/3 on average
    hits = (random.random((people, joints)) < ability[:, None]).astype(float)
    together, apart = hits.sum(1), hits.ravel()
    over["people resampled"].append(metrics.interval(together, np.full(people, joints), seed=seed, resamples=200)[1:])
    over["joints resampled"].append(metrics.interval(apart, np.ones(apart.size), seed=seed, resamples=200)[1:])

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two stacks of fifty horizontal lines around a vertical one; on the left few miss it, on the right many do"}}
intervals = {name: np.array(pairs) for name, pairs in over.items()}
inside = {name: (low <= 2 / 3) & (2 / 3 <= high) for name, (low, high) in ((n, i.T) for n, i in intervals.items())}

titles = {name: f"{name}:\n{100 * held.mean():.0f} % contain the true value" for name, held in inside.items()}
run.save_figure(draw.coverage(intervals, 2 / 3, titles), "coverage")
plt.show()

# %% tags=["remove-cell"]
result = {
    "decoding": {"largest": {m: float(np.abs(e).max()) for m, e in errors.items()}, "noise": noise, "rms": rms},
    "trap": {"cells": cells, "flat": flat, "places": counts, "worth": worth, "shifts": shifts, "costs": costs},
    "optimisers": {name: values[[29, 59, 119]] for name, values in heights.items()},
    "schedule": {name: values[-100:].mean() for name, values in losses.items()},
    "generalisation": {"degrees": degrees, "fitted": seen, "others": unseen},
    "pooling": difference,
    "receptive": {"resolution": resolution, "fields": sides, "counted": counted, "effective": effective},
    "depth": {"signals": {n: v[-1] for n, v in signals.items()}, "gradients": {n: v[0] for n, v in gradients.items()}},
    "planted": {"above": real, "needed": found.components_for(0.95), "participation": found.participation_ratio},
    "cut": judged,
    "coverage": {name: clusters.mean_over_people(held.astype(float), seed) for name, held in inside.items()},
}  # fmt: skip
run.write_metrics(result | {"say": words.sentences(result)})
