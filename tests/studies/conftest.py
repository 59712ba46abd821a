"""What the tests of the studies do without."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def no_photographs_and_no_weights(tmp_path_factory):
    """Take the images and weights of this machine away: what is measured must not hang on them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FAIRNESS_DATA", raising=False)
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        yield
