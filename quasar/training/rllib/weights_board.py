"""Where rollout workers find weights that are newer than theirs while they are at work.

A busy actor takes no call, so a worker looks for itself: it asks a `WeightsBoard` once for whatever
comes after the weights that it holds, and between two tokens sees whether there is an answer.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import ray
import torch
from ray.exceptions import RayError


@ray.remote(num_cpus=0, max_restarts=-1)
class WeightsBoard:
    """The newest weights: an actor that only hands references on."""

    def __init__(self):
        self._weights: list[ray.ObjectRef] = []
        self._version = -1
        self._changed = asyncio.Condition()

    async def post(self, weights: list[ray.ObjectRef], version: int) -> None:
        """Weights of `version`, a reference to them in a list, for all who wait."""
        async with self._changed:
            self._weights, self._version = weights, version
            self._changed.notify_all()

    async def newer(self, version: int) -> tuple[list[ray.ObjectRef], int]:
        """The newest weights as soon as they are newer than `version`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._version > version)
            return self._weights, self._version


class BoardReader:
    """A worker's view of a board."""

    def __init__(self, board: Any, version: int):
        """board: handle of a WeightsBoard; version: of the weights that the worker holds."""
        self._board, self.version = board, version
        self._answer: ray.ObjectRef | None = None

    def newer(self) -> tuple[Mapping[str, torch.Tensor], int] | None:
        """Weights newer than those given last, and their version; None where there are none yet.

        A board that is lost is none: workers are given the weights before their next work anyway.
        """
        if self._answer is None:
            self._answer = self._board.newer.remote(self.version)
        done, _ = ray.wait([self._answer], timeout=0)
        if not done:
            return None
        self._answer = None
        try:
            weights, version = ray.get(done[0])
            found = as_tensors(weights)
        except RayError:
            return None
        if version <= self.version:
            return None
        self.version = version
        return found, version


def as_tensors(weights: list[ray.ObjectRef]) -> dict[str, torch.Tensor]:
    """Published weights, by name. Raises RayError where they were lost."""
    return {k: torch.from_numpy(v.copy()) for k, v in ray.get(weights[0]).items()}
