"""Networks that others designed, rebuilt so that their weights load: SimpleBaseline, HRNet, BlazePose."""
