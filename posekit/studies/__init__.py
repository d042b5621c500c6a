"""Studies: verdicts that need many trainings, each run to its plateau once and kept as a small file in `book/studies`.

- `designs`: which studies there are, and the trainings that each consists of; `redesign`: what is changed, and at which cost.
- `job`: one training, its key and how it is done.
- `results`: the file that is kept of a training.
- `execute`: the trainings that are missing, here, on several GPUs or on a cluster; `hours`: about how long they take.
- `kept`, `floor`: results and the median pose's scores, read from files alone.
- `verdict`: from results to a table of differences with intervals.
- `accuracy`: how long two ways of training take to an accuracy; no study, but made of trainings.
- `summary`: the same as plain numbers, and the contrasts that decide claims, for pages and ledger.

Studies may import the library; nothing of the library but the command line imports studies.
"""
