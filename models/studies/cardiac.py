"""The cardiac study, done again: ``python -m models.studies.cardiac [--out FOLDER] [--quick] [--jobs N]``.

Forests on two tables, four training mixes and four feature sets, 100 splits each; gradient boosting against FAGTB.
Writes CSV tables, figures and ``report.md``; what was trained is kept in the same folder and not trained again. See
``docs/cardiac.md``. Source: Straw, Rees, Nachev, J Med Internet Res 2024;26:e46936, https://doi.org/10.2196/46936.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
from joblib.externals.loky import get_reusable_executor

from fairness_checks.errors import FairnessError
from fairness_checks.storage.cache import FittedCache
from fairness_checks.sweep import DataSet, ProgressLine, SweepPlan, SweepResults, TrainableModel, run_sweep
from models.command_line import at_least
from models.studies.agreement import agreement_rows, beside_published, targets
from models.studies.boosting import LEARNERS, boosting_feature_sets, boosting_rows, trainable_boosting
from models.studies.cardiac_claims import page_claims
from models.studies.cardiac_data import (
    ALL_FEATURES,
    FEATURE_SETS,
    TABLES,
    TIME_ALONE,
    WITHOUT_SEX,
    WITHOUT_TIME,
    load_table,
)
from models.studies.cardiac_page import differences, page_tables, read_frames
from models.studies.complexity import ONE_SEX, complexity_rows, curve_rows, curve_sizes, noise_floor
from models.studies.descriptives import describe
from models.studies.forests import trainable_forest
from models.studies.gaps import gap_rows, model_rows
from models.studies.learners import trainable
from models.studies.markdown import csv_text
from models.studies.oversampled_first import oversampled_first
from models.studies.plots import draw_violins
from models.studies.reference import published_disparities, published_mitigation, published_models
from models.studies.report import StudyTables, render
from models.studies.settings import measured, missed_days, plain_splits, setting_row
from models.studies.shap_builders import agreement_of_builders, builder_rankings, built_values
from models.studies.shap_rankings import rank_correlation, shap_rankings
from models.studies.table_versions import cholesterol_rows
from models.studies.tuning import tuned_parameters

__all__ = ["FULL", "QUICK", "Scale", "Study", "main"]

MIXES: dict[str, Any] = {
    "as_is": "as_is",
    "balanced": "oversample",
    "female_only": {"female": 1.0},
    "male_only": {"male": 1.0},
}
_UNDERSAMPLED: dict[str, Any] = {"undersampled": "undersample"}
_ALL_MIXES: dict[str, Any] = {**MIXES, **_UNDERSAMPLED}
PAGE = Path(__file__).parents[2] / "docs" / "cardiac.md"
_OVER_MIXES = ("logistic_regression", "gradient_boosting")
_FOLLOWED = 20  # splits that the days of death are taken from
_IN_CURVES = ("logistic_regression", "random_forest")
_AFTER_OVERSAMPLING: dict[str, Any] = {**MIXES, "balanced": "as_is"}
del _AFTER_OVERSAMPLING["as_is"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done.

    Parameters
    ----------
    repeats : int
        Splits of the forests.
    runs : tuple of int
        Runs of gradient boosting that means are taken of; the largest is how many are done.
    tuned : bool
        Whether the forests' parameters are searched for; else scikit-learn's defaults.
    curve_repeats : int
        Splits of the learning curves.
    redraws : int
        Of the patients that forests are built from, to compare what they use.
    """

    repeats: int
    runs: tuple[int, ...]
    tuned: bool
    curve_repeats: int
    redraws: int


FULL = Scale(repeats=100, runs=(10, 100), tuned=True, curve_repeats=50, redraws=20)
QUICK = Scale(repeats=5, runs=(5,), tuned=False, curve_repeats=3, redraws=2)


class Study:
    """One run of the study.

    Parameters
    ----------
    out : Path
        Where everything is written; made if it is not there.
    scale : Scale
        How much is done.
    jobs : int
        Trainings at a time.
    """

    def __init__(self, out: Path, scale: Scale = FULL, jobs: int = 2) -> None:
        self.out, self.scale, self.jobs = out, scale, jobs
        self.cache = FittedCache(out / "cache", code=False)
        self.data = {name: load_table(name) for name in TABLES}
        self.trained: dict[str, int] = {}

    def run(self) -> StudyTables:
        """Do the study, and write its tables, figures and report."""
        self.out.mkdir(parents=True, exist_ok=True)
        parameters = {name: self._parameters(name) for name in TABLES}
        forests = {name: trainable_forest(self.data[name], FEATURE_SETS[name], parameters[name]) for name in TABLES}
        swept = {name: self._sweep(f"{name}_random_forest", forests[name], MIXES) for name in TABLES}
        rankings = {name: self._shap(name, forests[name]) for name in TABLES}
        gaps = self._gaps(swept)
        models = pd.DataFrame(
            [row for name in TABLES for row in model_rows(name, swept[name], list(MIXES), ALL_FEATURES)]
        )
        found = StudyTables(
            targets=targets(gaps, models, published_models()),
            gaps=gaps,
            agreement=pd.concat(
                [
                    agreement_rows(gaps, ["data_set"]).assign(training_mix="all"),
                    agreement_rows(gaps, ["data_set", "training_mix"]),
                ]
            ),
            models=_beside_models(models),
            oversampled_first=self._oversampled_first(parameters, gaps),
            mitigation=self._mitigation(),
            descriptives=pd.DataFrame([row for name in TABLES for row in describe(name, self.data[name])]),
            shap=pd.concat([frame.assign(data_set=name) for name, frame in rankings.items()]),
            shap_correlation={name: rank_correlation(frame) for name, frame in rankings.items()},
            **self._builders(forests),
            settings=self._settings(parameters, forests, swept),
            learners=self._learners(forests),
            **self._complexity(),
            versions=pd.DataFrame(cholesterol_rows()),
            follow_up=pd.DataFrame(
                missed_days(self.data["heart_failure"], FEATURE_SETS["heart_failure"][ALL_FEATURES], _FOLLOWED)
            ),
            parameters=_parameter_frame(parameters),
            repeats=self.scale.repeats,
            tuned=self.scale.tuned,
        )
        self._write(found, swept)
        return found

    def _parameters(self, table: str) -> dict[str, dict[str, Any]]:
        if not self.scale.tuned:
            return {name: {} for name in FEATURE_SETS[table]}
        return {
            name: tuned_parameters(self.cache, f"{table}-{name}", self.data[table], columns, jobs=self.jobs)
            for name, columns in FEATURE_SETS[table].items()
        }

    def _sweep(
        self, name: str, model: TrainableModel, mixes: dict[str, Any], repeats: int | None = None, **plan_of: Any
    ) -> SweepResults:
        plan = SweepPlan(by="sex", mixes=mixes, repeats=repeats or self.scale.repeats, **plan_of)
        line = ProgressLine(sys.stderr, name)
        results = run_sweep(name, model, plan, self.out / "cache", self.jobs, line)
        self.trained[name] = self.trained.get(name, 0) + results.trained
        return results

    def _shap(self, table: str, forest: TrainableModel) -> pd.DataFrame:
        return shap_rankings(self.cache, table, forest, ALL_FEATURES, test=0.3)

    def _builders(self, forests: dict[str, TrainableModel]) -> dict[str, pd.DataFrame]:
        """Return what forests of women and of men use, by feature and in short."""
        found = {
            name: built_values(self.cache, name, forests[name], WITHOUT_SEX, self.scale.redraws) for name in TABLES
        }
        frames = [
            builder_rankings(found[name], FEATURE_SETS[name][WITHOUT_SEX]).assign(data_set=name) for name in TABLES
        ]
        return {
            "builders": pd.concat(frames),
            "builders_correlation": pd.DataFrame([agreement_of_builders(name, found[name]) for name in TABLES]),
        }

    def _settings(
        self,
        parameters: dict[str, dict[str, dict[str, Any]]],
        forests: dict[str, TrainableModel],
        swept: dict[str, SweepResults],
    ) -> pd.DataFrame:
        """Return the first table once more, with one choice changed in each row."""
        as_is, rows = {"as_is": "as_is"}, []
        for name in TABLES:
            tuned = "tuned" if self.scale.tuned else "defaults"
            rows.append(setting_row(name, f"{tuned}, seed 0 (reported)", measured(swept[name], ALL_FEATURES)))
            for seed in (1, 2):
                results = self._sweep(
                    f"{name}_seed_{seed}", forests[name], as_is, feature_sets=(ALL_FEATURES,), seed=seed
                )
                rows.append(setting_row(name, f"{tuned}, seed {seed}", measured(results, ALL_FEATURES)))
            columns = FEATURE_SETS[name][ALL_FEATURES]
            sets = {ALL_FEATURES: columns}
            default = trainable_forest(self.data[name], sets, {ALL_FEATURES: {}})
            results = self._sweep(f"{name}_defaults", default, as_is)
            rows.append(setting_row(name, "defaults, seed 0", measured(results, ALL_FEATURES)))
            found = plain_splits(self.cache, name, self.data[name], columns, self.scale.repeats)
            rows.append(setting_row(name, "defaults, plain splits", found))
            time_sets = WITHOUT_TIME[name] | TIME_ALONE[name]
            if time_sets:
                chosen = dict.fromkeys(time_sets, parameters[name][ALL_FEATURES])
                results = self._sweep(f"{name}_time", trainable_forest(self.data[name], time_sets, chosen), as_is)
                for feature_set in time_sets:
                    setting = f"{tuned}, seed 0, {feature_set.replace('_', ' ')}"
                    rows.append(setting_row(name, setting, measured(results, feature_set)))
        return pd.DataFrame(rows)

    def _learners(self, forests: dict[str, TrainableModel]) -> pd.DataFrame:
        """Return accuracy and false negative rate of other learners over the mixes, and of the forest undersampled."""
        rows = []
        for name in TABLES:
            sets = {ALL_FEATURES: FEATURE_SETS[name][ALL_FEATURES]}
            models = {learner: trainable(learner, self.data[name], sets) for learner in _OVER_MIXES}
            for learner, model in (models | {"random_forest": forests[name]}).items():
                mixes = _ALL_MIXES if learner in models else _UNDERSAMPLED  # the forest has the others already
                results = self._sweep(f"{name}_mixes_{learner}", model, mixes, feature_sets=(ALL_FEATURES,))
                rows += [
                    {"learner": learner} | row
                    for row in gap_rows(name, results, list(mixes), [ALL_FEATURES])
                    if row["metric"] in ("accuracy", "false_negative_rate")
                ]
        return pd.DataFrame(rows)

    def _complexity(self) -> dict[str, pd.DataFrame]:
        """Return learning curves by sex, what a complex learner gains, and the noise floor."""
        curves, gains, floor = [], [], []
        for name in TABLES:
            columns = FEATURE_SETS[name][WITHOUT_SEX]
            sizes = curve_sizes(self.data[name], 0.3)
            full = {}
            for learner in _IN_CURVES:
                model = trainable(learner, self.data[name], {WITHOUT_SEX: columns})
                for size in sizes:
                    results = self._sweep(
                        f"{name}_curve_{learner}", model, ONE_SEX, self.scale.curve_repeats, size=size
                    )
                    curves += curve_rows(name, learner, size, results, WITHOUT_SEX)
                full[learner] = results
            gains += complexity_rows(name, full, WITHOUT_SEX, sizes[-1], "logistic_regression")
            sets = {WITHOUT_SEX: columns}
            if "time" in columns:
                sets["without_sex_and_time"] = tuple(column for column in columns if column != "time")
            for feature_set, chosen in sets.items():
                floor += noise_floor(name, feature_set, self.data[name], chosen)
        return {
            "curves": pd.DataFrame(curves),
            "complexity": pd.DataFrame(gains),
            "noise_floor": pd.DataFrame(floor),
        }

    def _gaps(self, swept: dict[str, SweepResults]) -> pd.DataFrame:
        rows = [row for name in TABLES for row in gap_rows(name, swept[name], list(MIXES), list(FEATURE_SETS[name]))]
        return beside_published(pd.DataFrame(rows), published_disparities())

    def _oversampled_first(self, parameters: dict[str, dict[str, dict[str, Any]]], gaps: pd.DataFrame) -> pd.DataFrame:
        """Return the gaps that the published order of steps gives, beside those of the sweep."""
        rows = []
        for name in TABLES:
            sets = {ALL_FEATURES: FEATURE_SETS[name][ALL_FEATURES], **WITHOUT_TIME[name]}
            data: DataSet = oversampled_first(self.data[name])
            model = trainable_forest(data, sets, dict.fromkeys(sets, parameters[name][ALL_FEATURES]))
            results = self._sweep(f"{name}_random_forest_oversampled_first", model, _AFTER_OVERSAMPLING)
            rows += gap_rows(name, results, list(_AFTER_OVERSAMPLING), list(sets))
        frame = pd.DataFrame(rows)
        known = gaps.query("feature_set == @ALL_FEATURES").rename(columns={"gap": "ours_training_part"})
        keys = ["data_set", "training_mix", "metric"]
        return frame.merge(known[[*keys, "published", "ours_training_part"]], on=keys, how="left")

    def _mitigation(self) -> pd.DataFrame:
        rows = []
        for name in TABLES:
            for learner in LEARNERS:
                model = trainable_boosting(learner, self.data[name], boosting_feature_sets(name))
                runs = self.scale.runs
                results = self._sweep(f"{name}_{learner}", model, {"as_is": "as_is"}, max(runs), test=0.2)
                rows += boosting_rows(name, learner, results, runs)
        published = published_mitigation().rename(
            columns={
                "accuracy_percent": "published_accuracy",
                "disp_fpr": "published_disp_fpr",
                "disp_fnr": "published_disp_fnr",
            }
        )
        frame = pd.DataFrame(rows).merge(published, on=["data_set", "model"], how="left")
        frame.loc[frame["feature_set"] == "without_sex", list(frame.filter(like="published_"))] = float("nan")
        return frame

    def _write(self, found: StudyTables, swept: dict[str, SweepResults]) -> None:
        for item in fields(found):
            value = getattr(found, item.name)
            if isinstance(value, pd.DataFrame):
                (self.out / f"{item.name}.csv").write_bytes(csv_text(value).encode())
        (self.out / "report.md").write_text(render(found), encoding="utf-8")
        for name in TABLES:
            draw_violins(
                self.out / f"{name}.png",
                f"{name.replace('_', ' ').capitalize()}: {self.scale.repeats} splits",
                swept[name],
                ("false_negative_rate", "accuracy"),
                list(MIXES),
                list(FEATURE_SETS[name]),
            )


def _beside_models(models: pd.DataFrame) -> pd.DataFrame:
    published = published_models().rename(
        columns={"n_train": "published_n", "mean_percent": "published", "sd_percent": "published_sd"}
    )
    return models.merge(
        published, on=["data_set", "training_mix", "group", "metric"], how="left", validate="one_to_one"
    )


def _parameter_frame(parameters: dict[str, dict[str, dict[str, Any]]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"data_set": table, "feature_set": name} | {key: str(value) for key, value in chosen.items()}
            for table, sets in parameters.items()
            for name, chosen in sets.items()
        ]
    )


def page_report(out: Path) -> list[str]:
    """Say, in lines, which tables and sentences of ``docs/cardiac.md`` a full study does not find again."""
    if not PAGE.is_file():
        return []  # models/ without the documentation
    found = read_frames(out)
    tables, claims = page_tables(found), page_claims(found)
    lost = differences(PAGE.read_text(encoding="utf-8"), tables, claims)
    held = f"{len(tables)} tables and {len(claims)} sentences"
    if not lost:
        return [f"docs/cardiac.md: all {held} are found again"]
    return [f"docs/cardiac.md: of {held} {len(lost)} are not found again. They would be:", *lost]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study from the command line; return 0, or 2 where it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m models.studies.cardiac", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path("build/cardiac"), help="where to write (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="5 repeats, no tuning: for tests and CI")
    parser.add_argument("--jobs", type=at_least(1), default=2, help="trainings at a time (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.out.is_file():
        parser.error(f"--out {options.out} is a file: give a folder")
    start = time.monotonic()
    try:
        study = Study(options.out, QUICK if options.quick else FULL, options.jobs)
        study.run()
        lines = [] if options.quick else page_report(options.out)
    except FairnessError as error:  # a table that is found nowhere, a library that is missing
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:  # a full disk, a folder that may not be written: nothing that a traceback would tell
        place = error.filename or options.out  # a full disk names no file
        sys.stderr.write(f"{place}: {error.strerror or error}; what was trained is kept: mend this and run it again\n")
        return 2
    get_reusable_executor().shutdown()  # the time of workers counts once they have ended
    forests = sum(study.trained[f"{name}_random_forest"] for name in TABLES)
    cpu = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    sys.stdout.write(
        f"{forests} forests of the sweep and {sum(study.trained.values()) - forests} other models trained; "
        f"{time.monotonic() - start:.0f} s, {cpu:.0f} s of CPU time\n"
    )
    sys.stdout.write("\n".join([*lines, str(options.out / "report.md"), ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
