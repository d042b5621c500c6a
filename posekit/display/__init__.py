"""How objects show themselves: tables in a notebook, skeletons and maps drawn on pictures. Imports the mathematics alone."""
