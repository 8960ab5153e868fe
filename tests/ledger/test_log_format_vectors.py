"""The vectors of the log formats are what their generator makes."""

from __future__ import annotations

import pytest

from tests.vectors import generate_log_formats

FILES = generate_log_formats.files()


@pytest.mark.parametrize("name", FILES)
def test_a_vector_file_is_what_its_generator_makes(name: str):
    assert (generate_log_formats.FOLDER / name).read_text("utf-8") == FILES[name]
