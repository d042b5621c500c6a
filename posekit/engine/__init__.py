"""From a recipe to weights, and from weights to scores and poses.

`learning` trains and `inference` predicts; `outside` has the networks of others, `trust` what answers are worth. Backends, scores, costs
and files of networks lie beside them.

Imports the mathematics, `display`, `data` and `models`; nothing of `interpret`, `plots`, `studies` or `workflow`.
"""
