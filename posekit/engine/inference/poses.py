"""The people that a network found in a picture."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from posekit.coordinates import rescaling, transform_keypoints
from posekit.display.drawing import draw
from posekit.skeleton import Skeleton

SHOWN = 1200  # pixels: a larger picture is shrunk where a notebook shows it


@dataclass(frozen=True)
class Poses:
    """The people that a network found in one picture. As the last value of a notebook's cell it draws itself.

    Attributes:
        keypoints: (N, K, 3) float: x, y in picture pixels, the centre of the first pixel at (0, 0), and the score, which is 1 for a heatmap
            as high as the target's.
        boxes: (N, 4) float: x, y of the upper left outer edge, width, height, as asked for.
        skeleton: whose joints they are, in its order.
        picture: (H, W, 3) uint8, red first.
        name: the picture's file, where it came from one.
        probabilities: (N, K) how likely each joint lies within 0.2 torso lengths of where an annotator would put it; None of a network
            without calibration, NaN for a joint that this knows nothing of.
        radii: (N, K) picture pixels round each joint that hold the annotation in nine of ten people, or as the calibration's level says;
            None as `probabilities`.

    >>> import posekit
    >>> from posekit.data.mannequins import render
    >>> poses = posekit.load("mannequins-hg1").predict(render(3).picture)
    >>> poses
    <Poses of 1 person, coco skeleton, in a picture of 160 x 160 px>
    >>> poses.keypoints.shape  # people, joints, and x, y, score
    (1, 17, 3)
    >>> poses.draw().size  # enlarged
    (480, 480)
    """

    keypoints: np.ndarray
    boxes: np.ndarray
    skeleton: Skeleton
    picture: np.ndarray
    name: str | None = None
    probabilities: np.ndarray | None = None
    radii: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.keypoints)

    def __repr__(self) -> str:
        people = "1 person" if len(self) == 1 else f"{len(self)} people"
        height, width = self.picture.shape[:2]
        return f"<Poses of {people}, {self.skeleton.name} skeleton, in {self.name or 'a picture'} of {width} x {height} px>"

    @property
    def scores(self) -> np.ndarray:
        """The mean of each person's joint scores, (N,)."""
        return self.keypoints[..., 2].mean(-1)

    def to_coco(self, image_id: int | str = 0) -> list[dict[str, Any]]:
        """One entry a person in the form of COCO's results: keypoints x, y, score in a flat list, score, bbox; of a calibrated network
        also `probabilities` and `radii`, a number a joint, null where the calibration does not know it.

        In COCO, keypoints count pixels from 0 as here; boxes are measured from the picture's outer edge, half a pixel off.
        """
        number = image_id.item() if isinstance(image_id, np.generic) else image_id  # which JSON takes
        entry: dict[str, Any] = {"image_id": number, "category_id": 1}
        if self.name is not None:
            entry["file_name"] = self.name
        results = [
            entry | {"bbox": [round(float(v), 3) for v in box + np.array([0.5, 0.5, 0, 0])], "score": round(float(score), 4),
                     "keypoints": [round(float(v), 4) for v in person.ravel()]}
            for box, person, score in zip(self.boxes, self.keypoints, self.scores, strict=True)
        ]  # fmt: skip
        for name, values in (("probabilities", self.probabilities), ("radii", self.radii)):
            if values is not None:
                for result, row in zip(results, values, strict=True):
                    result[name] = [round(float(v), 4) if np.isfinite(v) else None for v in row]
        return results

    def draw(self) -> Image.Image:
        """The picture with the skeletons on it, and round each joint the circle of its radius where there is one; a small picture is
        enlarged.
        """
        return draw(self.picture, self.keypoints, self.skeleton, radii=self.radii)

    def _repr_png_(self) -> bytes:
        height, width = self.picture.shape[:2]
        size = (round(width * (scale := min(1.0, SHOWN / max(width, height)))), round(height * scale))
        picture = np.asarray(Image.fromarray(self.picture).resize(size))
        file = io.BytesIO()
        radii = None if self.radii is None else scale * self.radii
        draw(picture, transform_keypoints(rescaling(scale), self.keypoints), self.skeleton, radii=radii).save(file, "PNG")
        return file.getvalue()
