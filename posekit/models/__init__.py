"""The networks. Modules here know nothing of files or data sets."""
