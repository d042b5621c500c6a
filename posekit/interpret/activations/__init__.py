"""Reading and changing what a network holds: codes, ablation, walks, and what stacks do for each other."""
