"""From a recipe to weights, and from weights to scores and poses: backends, training, prediction, evaluation, files of networks.

May import the mathematics, `data`, `models`, `hooks` and `display`; nothing of `interpret`, `plots`, `studies` or `workflow`.
"""
