"""Notebooks run with parameters, what makes a result stale, the graph behind `make book`, sweeps, claims, pages and paper.

Nothing but `studies` and the command line imports it, and notebooks, for `runs` and `words`.
"""
