"""Libraries as a kept result knows them: by what an installer recorded, or else by their files."""

from __future__ import annotations

import os

import pytest

from fairness_checks.storage.origin import library_identities, origin_of


@pytest.fixture
def unrecorded(tmp_path):
    """A package below site-packages that no installer has written a record of."""
    package = tmp_path / "site-packages" / "unrecorded_lib"
    (package / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py", "inner/more.py"):
        (package / name).write_text("X = 1\n")
    return package


def test_a_library_without_a_record_is_known_by_names_sizes_and_times_of_its_files(unrecorded):
    library = str(unrecorded)
    (first,) = library_identities([library]).items()
    assert first[0] == "unrecorded_lib"
    assert first[1].startswith("files ")
    (unrecorded / "inner" / "more.pyc").write_bytes(b"bytecode")
    assert library_identities([library]) == dict([first])
    os.utime(unrecorded / "inner" / "more.py", ns=(0, 0))
    from fairness_checks.storage import origin

    origin._identity.cache_clear()  # as in a new process
    assert library_identities([library]) != dict([first])


def test_what_is_installed_without_a_record_is_a_library_all_the_same(unrecorded):
    inner = origin_of("unrecorded_lib.inner.more", str(unrecorded / "inner" / "more.py"))
    assert (inner.kind, inner.library, inner.package) == ("library", str(unrecorded), False)
    assert origin_of("unrecorded_lib", str(unrecorded / "__init__.py")).package


def test_a_library_that_is_required_and_not_there_is_said_to_be():
    assert library_identities(["No_such.Library"]) == {"no-such-library": "not installed"}


def test_a_library_brings_those_that_it_requires():
    found = library_identities(["pandas"])
    assert {"pandas", "numpy", "python-dateutil"} <= found.keys()
    assert all(identity.split()[0][0].isdigit() for identity in found.values() if identity != "not installed")
    assert "fairness-checks" not in found
