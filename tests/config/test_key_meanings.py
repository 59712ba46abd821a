"""What a key of thresholds.yaml says: every key has a sentence, and every sentence a key."""

from fairness_checks.config.export import json_schema
from fairness_checks.config.key_meanings import KEY_MEANINGS


def keys():
    schema = json_schema()
    shapes = {"FileSpec": schema, **schema["$defs"]}
    return [(shape, key, value) for shape, found in shapes.items() for key, value in found["properties"].items()]


def test_each_key_says_what_it_means():
    assert all(value["description"] for _, _, value in keys())


def test_no_meaning_is_of_a_key_that_is_gone():
    there = {name for shape, key, _ in keys() for name in (key, f"{shape}.{key}")}
    assert set(KEY_MEANINGS) <= there


def test_a_shape_may_say_it_otherwise():
    found = {(shape, key): value["description"] for shape, key, value in keys()}
    assert found["CheckSpec", "by"] != found["SweepSpec", "by"]
    assert found["CheckSpec", "by"] == found["RegressionSpec", "by"] == KEY_MEANINGS["by"]
