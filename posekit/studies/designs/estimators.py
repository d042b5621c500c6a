"""Estimators that came before and after the hourglass, each trained to its own plateau: the trainings of a study."""

from dataclasses import replace

from posekit.engine.learning.training import Recipe
from posekit.models.deeppose import DeepPoseConfig
from posekit.models.feedback import FeedbackConfig
from posekit.models.parts import PartsConfig
from posekit.models.transpose import TransPoseConfig
from posekit.studies.designs.hourglasses import BEST, base_64, named, redesigns
from posekit.studies.job import Training
from posekit.studies.results import MOST


def estimators_64(joints: int) -> list[Training]:
    """One of each kind at 64 px; the hourglasses are those of other studies.

    The others get the most epochs that a plateau needs, since they cost little and learn more slowly. Regressors have as many parameters as
    the hourglass of one stack; the transformer, whose tokens cost multiply-adds and hardly parameters, the multiply-adds of two stacks.

    Learning rates are of the order that short trainings on photographs liked best: DeepPose 2e-3 of 5e-4 (the paper's, by Adagrad) to 4e-3,
    after 8 epochs of 1,000 people; error feedback 1e-3 as well as 3e-4, while at 4e-3 it never left the median pose.
    """
    one = replace(base_64(joints), variant="hourglass, 1 stack")
    (best,) = named(redesigns(one), BEST[0])
    longest = replace(one.recipe, epochs=MOST)
    regression = replace(longest, loss="coordinates")
    return [
        one,
        replace(one, variant="hourglass, 2 stacks", config=replace(one.config, stacks=2), why="as many features in each"),
        replace(best, variant="hourglass, redesigned"),
        Training("DeepPose", DeepPoseConfig(joints, features=22), replace(regression, lr=2e-3), why="coordinates in three stages"),
        Training("error feedback", FeedbackConfig(joints, (), features=26), replace(regression, lr=1e-3), why="four bounded corrections"),
        Training("TransPose", TransPoseConfig(joints), replace(longest, lr=1e-3), why="a transformer over the cells"),
        Training("templates on springs", PartsConfig(joints, ()), Recipe(resolution=64, epochs=1), why="oriented gradients, fitted once"),
    ]
