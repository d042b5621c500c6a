"""Looking inside a trained network: what it computes, where it keeps it, and what it can do without.

- `activations`: codes, cuts, ablation, walks, stacks.
- `attribution`: where a network looks, tests of that, dependency between joints.
- `analysis`: structure in codes and what it means.

Imports `engine` and what lies below, except for training; results are plain data, and `plots` draws them.
"""
