"""From a recipe to weights: the loop, its networks by epoch, what a training keeps while it runs, and several processes at one training."""
