"""Whether a network is tested on people that it was trained on."""

from typing import Any

import numpy as np

from posekit.data.crops import Crops
from posekit.data.stored import seen
from posekit.engine.weights import Card


def trained_on(training: Crops, *earlier: Card) -> dict[str, Any]:
    """What a card keeps of the pictures that a network was trained on: `training`'s, and those of `earlier` ones that it began with or
    learnt from.

    Returns:
        `pictures`, how many; `hashes`, what `seen.pack` makes of them; `complete`: whether those are all that there were.
    """
    known = [card.trained_on for card in earlier if card.trained_on]
    numbers = np.concatenate([training.pictures, *map(seen.unpack, known)])
    return seen.pack(numbers) | {"complete": all(card.trained_on.get("complete") for card in earlier)}


def overlap(card: Card, crops: Crops) -> dict[str, Any] | None:
    """How many people are in pictures that the network of a card was trained on, themselves or others.

    Returns:
        `people`, how many, and `complete`, whether all is known that it was trained on. None where the card says nothing of it.
    """
    if not card.trained_on:
        return None
    known = seen.among(crops.pictures, seen.unpack(card.trained_on))
    return {"people": int(known.sum()), "complete": card.trained_on["complete"]}


def words(name: str, found: dict[str, Any] | None, people: int) -> list[str]:
    """What `overlap` found among so many people, in one line; none where nothing is known."""
    if found is None:
        return []
    rest = "" if found["complete"] else "; of a network that it began with or learnt from that is not known"
    if not found["people"]:
        return [f"nobody of them is in a picture that {name} was trained on{rest}"]
    return [f"{found['people']:,} of these {people:,} people are in pictures that {name} was trained on{rest}; new people score lower"]
