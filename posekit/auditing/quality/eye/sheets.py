"""Blind sheets of an audit's people: each with two skeletons A and B, the label and the prediction in random order.

Whoever looks fills in the form, A and B of each number, and opens the key afterwards. The sheets hold photographs: they are for the folder
of whoever audits, and for nobody's repository.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from posekit.auditing.features import gains
from posekit.auditing.judging import Audit
from posekit.auditing.quality.planted import exchanged, groups
from posekit.auditing.writing import spare
from posekit.coordinates import MARGIN, cropping, person_square, transform
from posekit.data.crops import cut
from posekit.display.drawing import COLOURS, RIM, limb_colours
from posekit.errors import PosekitError
from posekit.files import atomic_write
from posekit.skeleton import Skeleton

FLAGGED = 0.5  # probability from which a person counts as flagged
KEY, FORM = "key.csv", "verdicts.csv"
ANSWERS = ("right", "whole", "arms", "legs", "pair", "displaced", "another", "unknown")  # what a skeleton can be, in the form
PLANTED = ("whole", "whole", "arms", "legs")  # exchanges that controls have, in turn
SIDE, COLUMNS, ROWS = 256, 3, 4  # pixels of a picture; people of a sheet
HEAD = 18  # pixels above each row, for the number


def draw(audit: Audit, flagged: int = 200, others: int = 200, controls: int = 40, again: int = 40, seed: int = 0) -> pd.DataFrame:
    """Who is looked at, in random order: the key.

    Flagged are the people whose probability is above FLAGGED, or the `flagged` most doubtful where these are fewer. `controls` people have
    a label with an exchange planted in it, and as many a prediction, of those others of whom the network prefers the labels as they are.
    `again` people of the first half are shown a second time in the second half.

    Returns:
        a row a look: `number` from 1, `person` (row of the audit), `group` ("flagged", "others", "label planted", "prediction planted"),
        `probability`, `kind`, `planted` (the exchange, or empty), `label` ("A" or "B") and `look` (1, or 2 for a second one).

    Raises:
        PosekitError: fewer people than are to be drawn.
    """
    rng, order = np.random.default_rng(seed), audit.order()
    order = order[np.isfinite(audit.exchanged[order])]
    count = max(int((audit.exchanged[order] > FLAGGED).sum()), flagged)
    top, rest = order[:count], rng.permutation(order[count:])
    agreed = [i for i in rest[others:] if _prefers(audit, i)][: 2 * controls]
    if len(rest) < others or len(agreed) < 2 * controls:
        raise PosekitError(f"{audit.people.source}: {len(order):,} people are too few for so many looks; draw fewer")
    chosen = [(i, "flagged", "") for i in rng.permutation(top)[:flagged]] + [(i, "others", "") for i in rest[:others]]
    for number, i in enumerate(agreed):
        whose = "label planted" if number < controls else "prediction planted"
        chosen.append((i, whose, PLANTED[number % len(PLANTED)]))
    shuffled = [(*chosen[i], 1) for i in rng.permutation(len(chosen))]
    first, second = shuffled[: len(shuffled) // 2], shuffled[len(shuffled) // 2 :]
    repeated = [(*first[i][:3], 2) for i in rng.permutation(len(first)) if not first[i][2]][:again]
    second = [(second + repeated)[i] for i in rng.permutation(len(second) + len(repeated))]
    rows = [
        {"number": number, "person": int(i), "group": group, "probability": float(audit.exchanged[i]), "kind": str(audit.kinds[i]),
         "planted": kind, "label": "AB"[rng.integers(2)], "look": look}
        for number, (i, group, kind, look) in enumerate(first + second, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _prefers(audit: Audit, i: int) -> bool:
    """Whether the network prefers a person's label to each exchange of it, and an exchange leaves the same joints labelled."""
    skeleton, known = audit.people.skeleton, audit.opinions[0].likelihoods[0, i]
    labelled = audit.people.keypoints[i, :, 2] > 0
    gain = gains(known)
    return bool((labelled == labelled[list(skeleton.mirrored)]).all()) and all(
        gain[joints].sum() < 0 and labelled[joints].sum() >= 4 for joints in groups(skeleton).values()
    )


def write(audit: Audit, key: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Write the sheets of a key that `draw` drew, sheet-01.png and so on, FORM to be filled in and KEY; returns the files.

    The prediction is drawn at the labelled joints only, and circles mark the joints of the likeliest exchange, or of the planted one, on
    both skeletons, so that neither shows which is the label.

    Raises:
        PosekitError: it is a folder of the data themselves, or a file cannot be written.
    """
    folder = Path(folder)
    spare(audit.people, folder)
    each = COLUMNS * ROWS
    files = []
    for first in range(0, len(key), each):
        canvas = Image.new("RGB", (2 * SIDE * COLUMNS + 8 * (COLUMNS - 1), ROWS * (SIDE + HEAD)), "white")
        for place, row in enumerate(key.iloc[first : first + each].to_dict("records")):
            corner = (place % COLUMNS * (2 * SIDE + 8), place // COLUMNS * (SIDE + HEAD))
            _show(canvas, corner, audit, row)
        files.append(folder / f"sheet-{first // each + 1:02d}.png")
        with atomic_write(files[-1]) as file:
            canvas.save(file, "PNG", compress_level=1)
    form = pd.DataFrame({"number": key["number"], "A": "", "B": ""})
    for name, table in ((FORM, form), (KEY, key)):
        with atomic_write(folder / name) as file:
            file.write(table.to_csv(index=False).encode())
        files.append(folder / name)
    return files


def _show(canvas: Image.Image, corner: tuple[int, int], audit: Audit, row: dict) -> None:
    people, skeleton, i = audit.people, audit.people.skeleton, row["person"]
    labelled = people.keypoints[i, :, 2] > 0
    label, found = people.keypoints[i, :, :2], np.where(labelled[:, None], audit.opinions[0].predicted[i, :, :2], np.nan)
    label = np.where(labelled[:, None], label, np.nan)
    marked = np.flatnonzero(audit.swaps[i])
    if row["planted"]:
        marked = np.array(groups(skeleton)[row["planted"]])
        if row["group"] == "label planted":
            label = exchanged(label, skeleton, marked.tolist())
        else:
            found = exchanged(found, skeleton, marked.tolist())
    centre, side = (each[0] for each in person_square(people.boxes[i : i + 1], MARGIN))
    picture = cut(people.read(str(people.names[i])), centre, float(side), SIDE)
    matrix = cropping(centre, side, SIDE)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=14)
    for place, name in enumerate("AB"):
        points = transform(matrix, label if row["label"] == name else found)
        left = corner[0] + place * SIDE
        pen.text((left + 2, corner[1]), f"{row['number']} {name}" if place == 0 else name, fill="black", font=font)
        canvas.paste(_drawn(picture, points, skeleton, marked), (left, corner[1] + HEAD))


def _drawn(picture: np.ndarray, points: np.ndarray, skeleton: Skeleton, marked: np.ndarray) -> Image.Image:
    """A picture with thin limbs, which hide little of it: left warm, right cool, circles round the marked joints."""
    large = Image.fromarray(picture).resize((2 * SIDE, 2 * SIDE), Image.Resampling.BICUBIC)
    pen, at = ImageDraw.Draw(large), 2 * points + 0.5
    for (a, b), colour in zip(skeleton.limb_indices, limb_colours(skeleton), strict=True):
        if np.isfinite(at[[a, b]]).all():
            for wide, ink in ((7, RIM), (4, colour)):
                pen.line([tuple(at[a]), tuple(at[b])], fill=ink, width=wide)
    for k, joint in enumerate(skeleton.joints):
        if np.isfinite(at[k]).all():
            (x, y), side = at[k], joint.partition(" ")[0]
            colour = COLOURS.get(f"{side} leg", COLOURS["middle"])
            pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=colour, outline=RIM, width=1)
            if k in marked:
                pen.ellipse((x - 10, y - 10, x + 10, y + 10), outline="white", width=2)
    return large.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
