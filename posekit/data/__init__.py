"""People, their pictures and crops. Modules here know nothing of models."""
