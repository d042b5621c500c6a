"""Audits of labels: which are likely wrong, in which way, how sure that is, and a page and files to put them right.

- `evidence`: log-likelihoods of labels, of networks' heatmaps or of given keypoints; `opinions`: whose, and who learned from whom.
- `planted`: errors of each kind, planted; `features`, `calibration`: from evidence to probabilities by them.
- `judging`: `audit`. `writing`: what it writes; `decisions`: a reviewer's decisions, and the corrected copy. `labels`: to learn from.
- `measure`, `baselines`: how good it is. `folds`: networks that judge people they did not learn from.
- `eye`: blind sheets to judge a sample by, and what the verdicts say.
"""
