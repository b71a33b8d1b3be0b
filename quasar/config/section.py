"""What all parts of the configuration are made of, and what a field may be marked as."""

from typing import Any

from pydantic import BaseModel, ConfigDict

# Marks of a field, or of a whole section, for `Field(json_schema_extra=…)`; read by `marked`.
# RESUMES: may change where a run goes on. Where it runs, on how much, when it gives up, and what a
# message of ours advises to change when a run has failed; not what it computes besides.
RESUMES: dict[str, Any] = {"resumes": True}
# PLACE: names a file or a directory of this machine (or another place): kept absolute in a run.
PLACE: dict[str, Any] = {"place": True}


class Section(BaseModel):
    """Base of all parts of the tree: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
