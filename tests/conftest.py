"""What all tests share: hypothesis profiles, and things that can stand in the place of a file.

Examples are drawn anew at a desk, and are the same ones on every CI run; timing never fails a test.
"""

import importlib.util
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_WITH_TORCH = ["models", "studies", "benchmarks/test_gpu.py", "benchmarks/test_vae_speed.py"]
collect_ignore = [] if importlib.util.find_spec("torch") else _WITH_TORCH
"""Tests of this repository's own models, which need all of `.[dev]`."""

settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


HERE = Path(__file__).parent
SLOW = (
    "adapters/test_image_scaling.py",
    "baseline/test_secret_key.py",
    "baseline/test_store.py",
    "benchmarks/",
    "cli/",
    "docs/test_page_blocks.py",
    "findings/test_chance.py",
    "findings/test_compared_groups.py",
    "findings/test_regression.py",
    "findings/test_sweep_chance.py",
    "judge/test_audited_means.py",
    "judge/test_part_statistics.py",
    "kinds/test_new_kind.py",
    "kinds/test_properties.py",
    "measure/sources/",
    "models/",
    "planning/test_planning.py",
    "plugin/",
    "question/test_metric_names.py",
    "records/test_decision.py",
    "report/test_browser.py",
    "stats/test_disparity.py",
    "stats/test_exact.py",
    "stats/test_judge_estimates.py",
    "stats/test_mismatch.py",
    "stats/test_multiplicity.py",
    "stats/test_rao_scott.py",
    "stats/test_stratified_rates.py",
    "stats/test_worsening.py",
    "stats/test_worst_mean.py",
    "studies/",
    "sweep/test_dask_cluster.py",
    "sweep/test_plain_cross_validation.py",
    "sweep/test_runs.py",
    "sweep/test_workers.py",
    "test_doctests.py",
    "test_newcomer.py",
    "adapters/test_image_loaders.py::test_of_an_iterable_data_set_the_image_or_its_batch_is_named",
    "baseline/test_document.py::test_different_checks_have_different_keys",
    "config/test_config.py::test_every_valid_file_is_read_as_it_was_written",
    "config/test_config.py::test_whatever_a_file_holds_the_only_error_is_a_configuration_error",
    "config/test_strict_yaml.py::test_what_yaml_dumps_is_read_back",
    "findings/test_statistics_json.py::test_held_out_statistics_give_the_same_finding",
    "findings/test_sweep.py::test_a_small_group_of_which_half_tests_fails_no_more_often_than_stated",
    "findings/test_sweep.py::test_skewed_errors_of_a_small_group_are_judged_as_in_held_out_checks",
    "inputs/test_alignment.py::test_any_permutation_of_any_inputs_is_refused_or_gives_the_same_verdict",
    "inputs/test_alignment.py::test_every_taker_of_arrays_side_by_side_compares_them",
    "inputs/test_group_names.py::test_every_text_that_is_accepted_leaves_as_it_came",
    "judge/test_suppression.py::test_no_record_of_a_model_tells_a_small_count_nor_do_all_of_them_together",
    "judge/test_verdict.py::test_every_record_is_plain_and_consistent",
    "judge/test_verdict.py::test_the_order_of_the_rows_does_not_matter",
    "kinds/test_clusters.py::test_fair_models_with_dependent_images_rarely_fail",
    "kinds/test_composites.py::test_a_rate_and_its_complement_differ_alike",
    "kinds/test_composites.py::test_groups_of_equal_rates_rarely_fail",
    "kinds/test_kinds.py::test_fair_models_of_six_groups_rarely_fail",
    "kinds/test_kinds.py::test_the_level_of_areas_at_the_limit",
    "kinds/test_uncertainty.py::test_a_fair_model_of_four_groups_rarely_fails",
    "question/test_names.py::test_k_selects_each_check_alone",
    "question/test_waivers.py::test_of_any_different_checks_each_is_waived_alone_by_the_entry_that_messages_print",
    "report/page/test_page.py::test_sixty_models_stay_usable",
    "report/test_forms.py::test_every_form_parses_and_shows_a_name_as_text",
    "report/test_markdown.py::test_a_summary_of_many_checks_fits_and_counts_what_it_leaves_out",
    "report/test_markdown.py::test_no_name_changes_the_page",
    "report/test_terminal.py::test_no_line_is_wider_than_the_terminal_and_no_name_is_cut",
    "stats/test_balanced_accuracy.py::test_level_at_the_limit",
    "stats/test_calibration_error.py::test_level_at_the_limit",
    "stats/test_cluster_evidence.py::test_equal_means_fail_and_a_gap_at_the_limit_passes_no_more_often_than_alpha",
    "stats/test_judge_reduction.py::test_no_more_than_alpha_are_wrong_at_the_limit",
    "stats/test_judge_repeats.py::test_false_alarms_over_many_gaps_stay_at_the_level",
    "stats/test_means.py::test_level_at_the_limit",
    "stats/test_means.py::test_skewness_that_hides_a_violation_is_corrected",
    "stats/test_mismatch_repeats.py::test_pairs_whose_errors_are_nearly_alike_neither_pass_nor_fail_by_who_came_first",
    "stats/test_mismatch_repeats.py::test_repeats_of_one_table_do_not_alarm_more_often_than_stated",
    "stats/test_ranking.py::test_rare_scores_that_rank_well_are_not_taken_for_none",
    "stats/test_ranking.py::test_the_level_holds_for_a_small_group_of_higher_area",
    "stats/test_ranking.py::test_the_level_of_the_pair_tests_holds",
    "stats/test_simultaneous.py::test_the_level_holds_with_tiny_groups_beside_large_ones",
    "storage/test_code_digest.py::test_a_part_of_a_library_that_is_loaded_when_it_is_asked_for_is_the_same_before",
    "storage/test_keyed.py::test_many_processes_append_and_kills_lose_no_whole_line",
    "storage/test_settings.py::test_a_setting_that_was_changed_is_in_the_key",
    "storage/test_settings.py::test_nothing_is_told_of_libraries_that_nobody_has_set_and_none_is_imported",
    "sweep/test_mixes.py::test_shares_are_exact_at_the_largest_size_that_there_is",
    "sweep/test_sketches.py::test_differences_of_sketches_are_sketches_of_differences",
)
"""Rooms, files and single tests (`file::name`) that take most of the time."""


def _name(path: Path) -> str:
    return path.relative_to(HERE).as_posix() if path.is_relative_to(HERE) else ""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file of which all is slow where no slow test runs: a third of the time that collecting takes."""
    name = _name(collection_path) + "/" * collection_path.is_dir()
    return (config.option.markexpr == "not slow" and name.startswith(SLOW)) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, for `-m "not slow"`."""
    for item in items:
        if f"{_name(item.path)}::{getattr(item, 'originalname', item.name)}".startswith(SLOW):
            item.add_marker(pytest.mark.slow)


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [f"no torch: tests of {', '.join(collect_ignore)} are left out"] if collect_ignore else []


@pytest.fixture(autouse=True, scope="session")
def _alone() -> Iterator[None]:
    """Let the runs of tests write no summary of the job that runs them, nor take themselves for its workers.

    Their processes measure no coverage: it would cost them half their time.
    """
    workers = ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GITHUB_ACTIONS", *workers, "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
            patch.delenv(name, raising=False)
        yield


@dataclass(frozen=True)
class OddFile:
    """Something that is no regular file.

    `put` makes one at a path, after what is there has been removed; `says` is what an error calls it.
    """

    make: Callable[[Path], object]
    says: str

    def put(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.make(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


ODD_FILES = {
    "folder": OddFile(lambda path: path.mkdir(), "is a folder, not a regular file"),
    "pipe": OddFile(os.mkfifo, "is a named pipe, not a regular file"),
    "socket": OddFile(_socket, "is a socket, not a regular file"),
    "zero": OddFile(lambda path: path.symlink_to("/dev/zero"), "is a device, not a regular file"),
    "null": OddFile(lambda path: path.symlink_to("/dev/null"), "is a device, not a regular file"),
    "loop": OddFile(lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    "nowhere": OddFile(
        lambda path: path.symlink_to("no-such-file"), "is a symbolic link that leads nowhere, not a regular file"
    ),
}


@pytest.fixture
def odd_files() -> dict[str, OddFile]:
    """Give them by name, for tests that take long."""
    return ODD_FILES


@pytest.fixture(params=ODD_FILES)
def odd_file(request: pytest.FixtureRequest) -> OddFile:
    """Each thing that can stand in the place of a file."""
    return ODD_FILES[request.param]
