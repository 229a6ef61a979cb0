"""Options tables of the built-in components: plain pydantic models, free of torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Base of every options table: frozen, and a misspelled option is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
