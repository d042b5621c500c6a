"""The same people with the joints of another skeleton, by their names: what a network of other joints is asked about."""

from dataclasses import replace

from posekit.data.crops import Crops
from posekit.data.people import People
from posekit.errors import PosekitError
from posekit.skeleton import Skeleton


def people_with(people: People, skeleton: Skeleton) -> People:
    """People with the joints of `skeleton`, in its order.

    Raises:
        PosekitError: they lack one of them.
    """
    if missing := [joint for joint in skeleton.joints if joint not in people.skeleton.joints]:
        raise PosekitError(f"{people.source}: people of the {people.skeleton} skeleton have no {', '.join(missing)}, which {skeleton} has")
    return replace(people, skeleton=skeleton, keypoints=people.keypoints[:, people.skeleton.index(*skeleton.joints)])


def with_joints(crops: Crops, skeleton: Skeleton) -> Crops:
    """Crops of people with the joints of `skeleton`, as `people_with` gives them."""
    people = people_with(crops.people, skeleton)
    return replace(crops, people=people, keypoints=crops.keypoints[:, crops.people.skeleton.index(*skeleton.joints)])
