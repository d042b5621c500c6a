"""Figures of codes: components, walks, groups, and what codes mean."""
