"""Every training of a sweep: those that are stored are read, the others are done, side by side where that pays."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from fairness_checks.plain import JSON
from fairness_checks.question.metrics import Metric
from fairness_checks.storage.claims import Claimant
from fairness_checks.storage.identity import Identity
from fairness_checks.sweep.plan import SweepPlan, Task
from fairness_checks.sweep.results import RepeatResult, SweepResults
from fairness_checks.sweep.splits import Splitter, counted_blocks, repeated_rows
from fairness_checks.sweep.store import KeptTrainings, SweepStore
from fairness_checks.sweep.trainable import TrainableModel
from fairness_checks.sweep.training import Training, training_key
from fairness_checks.sweep.workers import Workers

__all__ = ["Progress", "Waiting", "run_sweep"]

Progress: TypeAlias = Callable[[int, int, float], None]
"""Takes how many trainings are there, of how many, and the seconds since the first began."""
Waiting: TypeAlias = Callable[[float, Callable[[], Mapping[Claimant, int]]], None]
"""Takes the seconds without a training while others are at all that is left, and what says who is at how many."""

_LOOK = 0.1  # seconds after which it is looked what others have done, where they are at all that is left


def run_sweep(
    name: str,
    model: TrainableModel,
    plan: SweepPlan,
    cache_dir: Path | None,
    jobs: int | Workers | None = 1,
    progress: Progress | None = None,
    identity: Identity | None = None,
    own: Sequence[Metric] = (),
    waiting: Waiting | None = None,
) -> SweepResults:
    """Train a model with every mix and feature set of a plan, as often as it says.

    Every result is stored as soon as it is there. A run that was killed goes on where it stopped and ends with the
    same numbers, byte for byte, as one that was not; so do any number of jobs and any joblib backend.

    Parameters
    ----------
    name : str
        Name of the model.
    model : TrainableModel
        What is trained.
    plan : SweepPlan
        What with.
    cache_dir : Path or None
        Where results are kept, under ``sweeps``; None keeps none.
    jobs : int, Workers or None
        Trainings at a time at most, -1 for as many as there are cores, each with one thread; None for what the active
        ``joblib.parallel_config`` says, else as many as pay. `Workers` are kept for the next sweep. A backend of
        joblib's that was chosen is used in any case.
    progress : callable, optional
        Called with (trainings that are there, all trainings, seconds): once before the first, and after each. Not
        called where everything is stored.
    identity : Identity, optional
        What the results depend on, `own` too, where it was asked for before.
    own : sequence of Metric
        Metrics of the user's own that are measured besides those of the table.
    waiting : callable, optional
        Called again and again while other processes are at all that is left, with the seconds since the last training
        came and a function that says who they are; see `WaitingLine`.

    Returns
    -------
    SweepResults

    Raises
    ------
    ConfigurationError
        If the plan does not fit the data, or a training part is impossible; the message names the mix.
    InvalidPredictions
        If the model's predictions are not those of the test rows.

    Warns
    -----
    RuntimeWarning
        If results cannot be stored, or what they depend on cannot be seen.

    Examples
    --------
    >>> from fairness_checks import Predictions
    >>> from fairness_checks.sweep.dataset import DataSet
    >>> data = DataSet({"age": range(40)}, [0, 1] * 20, {"sex": ["f", "m", "m", "f"] * 10})
    >>> def fit(train, rng):
    ...     return train.outcome.mean()
    >>> def predict(fitted, test):
    ...     return Predictions(test.outcome, [fitted > 0.5] * len(test), sensitive_features=test.sensitive_features)
    >>> plan = SweepPlan(by="sex", mixes={"as_is": "as_is"}, repeats=2)
    >>> found = run_sweep("age_model", TrainableModel(data, fit, predict, version="1"), plan, cache_dir=None)
    >>> found.values("false_negative_rate", "f", "as_is", "all"), found.trained
    ([1.0, 0.0], 2)
    """
    columns = plan.chosen(model.feature_sets)
    plan.require_data(model.data, [name for features in columns.values() for name in features])
    if cache_dir is None:
        return _run(name, model, plan, columns, None, jobs, progress, [], own)
    identity = model.identity(own) if identity is None else identity
    if (reason := identity.reason()) is not None:
        warnings.warn(f"sweep of {name} is not kept: {reason}", RuntimeWarning, stacklevel=2)
        return _run(name, model, plan, columns, None, jobs, progress, [], own)
    store = SweepStore.of(Path(cache_dir), name, identity.key)
    key = _plan_key(plan, columns)
    if (complete := store.read_all(key)) is not None:  # also from a folder that cannot be written
        return complete
    with store.shared() as claims:
        if claims is None:
            return _run(name, model, plan, columns, None, jobs, progress, [], own)
        if (complete := store.read_all(key)) is not None:  # another run was first
            return complete
        problems: list[OSError] = []
        kept = KeptTrainings(store, claims)
        results = _run(name, model, plan, columns, kept, jobs, progress, problems, own, waiting)
        texts = (kept.text(each, training_key(plan, columns, each.task)) for each in results.results)
        try:
            with claims.locked():
                if store.read_all(key) is None:  # of several runs that have done it, one writes
                    store.write_all(results, key, texts)
        except OSError as error:
            problems.append(error)
        if problems:
            store.warn(problems[0])
        return results


def _plan_key(plan: SweepPlan, columns: Mapping[str, Sequence[str]]) -> dict[str, JSON]:
    """Return all that tells the results of one plan from those of another; in no order that matters."""
    return {
        "mixes": {mix: plan.task_key(mix) for mix in plan.mixes},
        "feature_sets": {name: list(features) for name, features in columns.items()},
        "repeats": plan.repeats,
    }


def _run(
    name: str,
    model: TrainableModel,
    plan: SweepPlan,
    columns: Mapping[str, Sequence[str]],
    kept: KeptTrainings | None,
    jobs: int | Workers | None,
    progress: Progress | None,
    problems: list[OSError],
    own: Sequence[Metric],
    waiting: Waiting | None = None,
) -> SweepResults:
    """Train what is not stored; what kept results from being stored is added to `problems`."""
    from threadpoolctl import threadpool_limits

    sweep = Training(name, model, plan, columns, Splitter(model.data, plan.by), tuple(own))
    tasks = list(plan.tasks(list(columns)))
    digests = {} if kept is None else {kept.store.task_digest(task, sweep.depends_on(task)): task for task in tasks}
    stored = {} if kept is None else kept.among(digests)
    found = {digests[digest]: result for digest, (result, _) in stored.items()}
    dates = [date for _, date in stored.values()]
    start, trained = time.monotonic(), 0
    if progress is not None and len(found) < len(tasks):
        progress(len(found), len(tasks), 0.0)
    # One thread a training, whatever runs at the same time: sums in another order have other last digits.
    with contextlib.nullcontext(jobs) if isinstance(jobs, Workers) else Workers(jobs) as workers, threadpool_limits(1):
        left = {digest: task for digest, task in digests.items() if digest not in stored}
        done = _side_by_side(sweep, tasks, workers) if kept is None else _shared(sweep, left, workers, kept, waiting)
        with contextlib.closing(done):  # now: the traceback of an error here would keep trainings going
            for result, date in done:
                found[result.task] = result
                if date is not None:
                    dates.append(date)
                elif kept is not None:
                    try:
                        kept.ensure(result, sweep.depends_on(result.task))
                    except OSError as error:  # `run_sweep` says so, once
                        problems.append(error)
                trained += date is None
                if progress is not None:
                    progress(len(found), len(tasks), time.monotonic() - start)
    return SweepResults(
        model=name,
        by=plan.by,
        groups=sweep.splitter.groups.sizes(),
        repeated_rows=repeated_rows(model.data),
        clusters=counted_blocks(model.data, plan.by, sweep.splitter.block),
        results=tuple(found[task] for task in sorted(found)),
        trained=trained,
        kept=min(dates, default=None),
    )


def _same(one: RepeatResult, other: RepeatResult) -> bool:
    """Say whether two results are the same to the last bit: -0.0 is not 0.0, as it is where they are compared."""
    return one.to_json() == other.to_json()


def _shared(
    sweep: Training, left: Mapping[str, Task], workers: Workers, kept: KeptTrainings, waiting: Waiting | None
) -> Generator[tuple[RepeatResult, str | None]]:
    """Yield what comes of trainings, by digest, in any order; with its date what another run has done meanwhile."""
    last = time.monotonic()
    while left:
        mine = kept.claim(list(left), workers.portion(len(left)))
        there = kept.among(left)  # behind the claim: what another one has done before it let go of it is there
        yield from there.values()
        left = {digest: task for digest, task in left.items() if digest not in there}
        todo = [task for digest, task in left.items() if digest in mine]
        yield from _side_by_side(sweep, todo, workers)
        left = {digest: task for digest, task in left.items() if digest not in mine}
        if there or todo:
            last = time.monotonic()
        if left and not todo:
            if waiting is not None:
                waiting(time.monotonic() - last, partial(kept.claimed, left))
            time.sleep(_LOOK)


def _side_by_side(sweep: Training, tasks: Sequence[Task], workers: Workers) -> Generator[tuple[RepeatResult, None]]:
    """Yield results as they come, in any order. Only this process stores: it alone knows what is to be believed."""
    for _, result in workers.run(sweep, tasks, of=(sweep.model, *sweep.own), named=sweep.named, same=_same):
        yield result, None
