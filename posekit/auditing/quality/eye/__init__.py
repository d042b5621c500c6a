"""Is a flagged label wrong? People judged by eye, blind: pictures with label and prediction in random order, and what the verdicts say.

- `sheets`: draws flagged and other people, plants controls, writes the pictures, a form and the key.
- `verdicts`: from the form and the key to precision, recall and how reliable the viewer is.
"""
