"""What tests of the client share: a problem, what is written for it, and how a call is told."""

import pytest
from endpoint import BODY, GOOD, WORSE

from quasar.client import EndpointError
from quasar.schema.circuits import CircuitAnswer

TEXTS = (GOOD, WORSE, "nonsense")
PROBLEM = BODY["problem"]
WORDS = "vertex cover of 0-1 1-2"


def told(answer: CircuitAnswer) -> dict:
    shown = answer.model_dump(mode="json")
    shown.pop("seconds")
    shown["report"].pop("seconds")
    return shown


def fails(call, *arguments, **options) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        call(*arguments, **options)
    return caught.value
