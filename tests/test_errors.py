"""How a fault that pydantic found is worded."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from jomed_app.errors import first_fault


class Inner(BaseModel):
    count: int


class Outer(BaseModel):
    parts: tuple[Inner, ...]


def fault(kind, text):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_json(text)
    return caught.value


def test_the_place_is_dotted_and_the_value_stays_unsaid():
    error = fault(Outer, '{"parts": [{"count": 1}, {"count": "DOE^JOHN"}]}')
    said = first_fault(error, "file")
    assert said.startswith("parts.1.count: Input should be a valid integer")
    assert "DOE" not in said


def test_only_the_first_fault_is_told():
    error = fault(Outer, '{"parts": [{}, {}]}')
    assert error.error_count() == 2
    assert first_fault(error, "file") == "parts.0.count: Field required"


def test_what_is_wrong_as_a_whole_is_named():
    assert first_fault(fault(Outer, "[]"), "file").startswith("file: ")
