"""Turned people: matrices, what comes back into the picture, and networks whose answer is known."""

import numpy as np
import pytest
import torch
from tiny_data import *  # noqa: F403
