"""Reading and changing what a network holds: codes, cuts, ablation, walks, and what stacks do for each other."""
