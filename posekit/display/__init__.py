"""How objects show themselves: tables in a notebook, skeletons drawn on pictures. Imports the mathematics alone."""
