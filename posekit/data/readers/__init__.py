"""Readers of data sets, a form each, and what they share: JSON's sentinels, joints by name, frames, photographs that are the same."""
