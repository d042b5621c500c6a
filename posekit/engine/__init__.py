"""From a recipe to weights, and from weights to scores and poses: backends, training, prediction, evaluation, files of networks.

Imports the mathematics, `display`, `data` and `models`; nothing of `interpret`, `plots`, `studies` or `workflow`.
"""
