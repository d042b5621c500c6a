"""From a recipe to weights: the loop, what a training keeps while it runs, and several processes at one training."""
