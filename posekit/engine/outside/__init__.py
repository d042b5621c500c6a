"""Networks that others wrote or trained: adapted, converted, fetched, and read out of their files."""
