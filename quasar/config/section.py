"""What all parts of the configuration are made of."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all parts of the tree: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
