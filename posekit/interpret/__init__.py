"""Looking inside a trained network: what it computes, where it keeps it, and what it can do without."""
