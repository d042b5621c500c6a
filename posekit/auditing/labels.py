"""Labels to learn from, after an audit: without the doubtful ones, with exchanges put right, or each counting by how right it looks."""

from dataclasses import replace

import numpy as np

from posekit.auditing.judging import Audit
from posekit.data.people import People
from posekit.errors import PosekitError

DOUBT = 0.5  # probability from which a label is taken to be wrong
LEAST = 0.05  # weight of a label that is surely wrong: 0 would say that it is none
WAYS = ("without doubtful", "exchanged", "weighted")


def relabelled(audit: Audit, way: str) -> People:
    """The audit's people with labels changed in one of WAYS; what could not be judged stays.

    - `without doubtful`: labels that are more likely wrong than right are not labelled.
    - `exchanged`: where the annotation is more likely exchanged than not, left and right change places at the joints concerned.
    - `weighted`: each label counts in training by the probability that it is right (`People.keypoints`).

    Raises:
        PosekitError: there is no such way.

    >>> import posekit
    >>> found = posekit.audit(posekit.load_people("mannequins:40,size=64"), "mannequins-hg1")
    >>> (relabelled(found, "weighted").keypoints[..., 2] <= 1).all().item()
    True
    """
    people, wrong = audit.people, np.nan_to_num(audit.wrong)
    keypoints = people.keypoints.copy()
    if way == "without doubtful":
        keypoints[wrong > DOUBT] = (np.nan, np.nan, 0)
    elif way == "exchanged":
        kinds = [i for i, kind in enumerate(audit.persons.kinds) if kind != "person"]
        turned = audit.persons.probabilities[:, kinds].sum(1) > DOUBT
        mirrored = people.keypoints[:, list(people.skeleton.mirrored)]
        keypoints = np.where((turned[:, None] & audit.swaps)[..., None], mirrored, keypoints)
    elif way == "weighted":
        keypoints[..., 2] = np.where(keypoints[..., 2] > 0, np.maximum(1 - wrong, LEAST), 0)
    else:
        raise PosekitError(f"no way {way!r} to learn from audited labels; there are {', '.join(WAYS)}")
    return replace(people, keypoints=keypoints)
