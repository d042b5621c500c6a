"""Audits of labels: which are likely wrong, in which way, how sure that is, and a page and files to put them right.

- `evidence`: log-likelihoods of labels, of networks' heatmaps or of given keypoints; `opinions`: whose, and who learned from whom.
- `handedness`: what labels alone say about left and right. `features`, `calibration`: from evidence to probabilities, by planted errors.
- `judging`: `audit`. `writing`: what it writes; `decisions`: a reviewer's decisions, and the corrected copy. `labels`: to learn from.
- `folds`: networks that judge people they did not learn from.
- `quality`: how good an audit is. `planted`: errors of each kind, planted; `measure`, `baselines`: how many it finds, and what else would;
  `eye`: blind sheets to judge a sample by, and what the verdicts say.
"""
