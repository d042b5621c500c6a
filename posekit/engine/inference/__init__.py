"""From pictures to poses: prediction, the boxes that it is given, and the runtime beneath."""
