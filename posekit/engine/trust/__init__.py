"""How far a network can be trusted: what its confidence is worth, which errors remain, and what a worse picture costs.

- `signals`: what a heatmap says of how sure a joint is.
- `calibration`: from scores to probabilities and radii, fitted on held-out people and kept as a few numbers.
- `reliability`: how well confidences keep their word: calibration error, ranking, risk and coverage.
- `calibrate`: all of that for one network and its people.
- `mistakes`: the kinds of wrong joints.
- `corruption`, `robustness`: pictures made worse step by step, and what that costs.
"""
