"""What each key of thresholds.yaml says, in a sentence: the JSON Schema, and the reference that docs/ make of it."""

# Read when a schema is written, and never by a run. A key that several shapes have stands here once; where it says
# something else in one of them, its name follows that of the shape.

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fairness_checks.question.limits import LIMITS

__all__ = ["KEY_MEANINGS", "meaning_of"]

_LIMIT_MEANINGS = {
    "max_difference": "how far apart the values of any two groups may be",
    "min_ratio": "the lower of two groups' values, divided by the higher one, is at least this",
    "max_value": "the value of every group is at most this",
    "min_value": "the value of every group is at least this",
    "max_mismatch": "how far the model's uncertainty may fall short of telling the group that it fails more often",
    "max_slope": "by how much the metric of a group may change per share of that group in the training data",
    "max_worsening": "how much worse than the baseline it may be",
    "min_reduction": "by how much the disparity must shrink under the mix; below 0, how much it may grow",
}

KEY_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        **{kind: _LIMIT_MEANINGS[kind] for kind in LIMITS},
        # The whole file
        "version": "of this format",
        "seed": "what random numbers begin with; the same seed, the same verdicts",
        "defaults": "settings of all checks",
        "profiles": "checks that several models share, by name",
        "models": "what is asked of each model, by the name of its fixture",
        "unchecked": 'models that nothing checks, and why: `{icu_model: "retired in May"}`',
        "responsible": "who answers for the run; stands in the evidence",
        "test_data": "do held-out samples come from where the models were trained, or from elsewhere",
        "period": "when held-out samples were collected, in your words: `2027, first quarter`",
        "suppress_below": "2 or more, such as 11: numbers of smaller groups are hidden in every report",
        "waivers": "violations that are accepted until a day",
        # Settings
        "alpha": "how often a model at its limit may fail by chance, over all its checks",
        "correction": "how p-values are adjusted over the checks of a model",
        "burden_of_proof": "what the data must prove: that a limit is exceeded, or that it is kept",
        "min_group_size": "a group of fewer samples is not judged: inconclusive",
        "missing_sensitive": "a sample without a value of a feature is an error, or in a group of its own",
        "missing_text": 'every text that means a missing value, such as `["NA", "?"]`; `[]` for none',
        # Checks
        "metric": "what is measured in each group, by its name or one that the clinic uses",
        "by": "a sensitive feature, or a list of them for their intersection",
        "SweepSpec.by": "the sensitive feature whose groups the mixes are of",
        "SourceSpec.by": "features besides those that checks name",
        "control_features": "groups are compared within strata of these features",
        "strata": "whether every stratum keeps the limit, or the values standardised over the strata",
        "absent": "groups that cannot exist, `[[male, yes]]`, in the order of `control_features`, then `by`",
        "why": "why the limit is what it is; reports show it",
        "owner": "who answers for the limit; reports show it",
        "of": "what may not grow worse: the largest disparity, the worst group's value, or that of any group",
        "ratchet": "what a proved improvement has reached is held from then on",
        # Sections of a model
        "subgroups": "checks of the model as it is, on held-out samples",
        "uncertainty": "checks whether the model's uncertainty warns of the group that it fails",
        "regression": "checks against the last accepted model, the baseline",
        "sweep": "checks of the model trained again on shifted training mixes",
        "profile": "a name of `profiles`, whose checks come before the model's own",
        "source": "where predictions are, in the place of a fixture",
        # Sweeps
        "mixes": "by name: `as_is`, `oversample`, `undersample`, or shares such as `{female: 0.5, male: 0.5}`",
        "repeats": "how often the table is split anew",
        "test": "what is held out in each repeat: a fraction, or a number of rows of each group",
        "size": "rows that every mix trains on",
        "feature_sets": "of the model's own sets of columns, those that are swept; all by default",
        "checks": "what is asked of the results",
        "gap": "what is compared",
        "mix": "of `gap: change`, the mix; without it every mix",
        # Sources
        "file": "a file, a pattern or a folder, relative to the file of limits",
        "python": "a function that returns a frame: `module:function`",
        "y_true": "column of what happened",
        "y_pred": "column of decisions, or a rule such as `decile_score >= 5`",
        "y_score": "column of the positive class's probability, 0 to 1",
        "error": "column of each sample's error, of a model that is no classifier",
        "SourceSpec.uncertainty": "column of the model's own uncertainty of each sample",
        "cluster": "column that says which rows belong together, as a patient's visits",
        "sample_id": "column that names each row, for comparisons with the baseline",
        "accepted": "what the baseline was written from, as `file` or `python`: rows that stay in their engine",
        "collect": "whether rows of an engine come into memory; up to 1,000,000 do where nothing is written",
        "positive": "the class that is the condition, where labels are not 0/1 or true/false",
        "threshold": "from which score on the model decides for the positive class; 0.5 where none is given",
        "layout": "names of columns that a standard gives, in the place of `y_true` and the like",
        "bins": "where bands of a number begin, `{age: [40, 65]}`; without it each age is a group",
        "groups": "a second file with features of each cluster",
        # Waivers, and who answers
        "model": "whose check is waived",
        "check": "the section of the check",
        "WaiverSpec.metric": "of the check; may be left out for a check of uncertainty",
        "WaiverSpec.by": "of the check",
        "WaiverSpec.control_features": "of the check",
        "WaiverSpec.strata": "of the check",
        "WaiverSpec.gap": "of the check",
        "WaiverSpec.mix": "of the check",
        "WaiverSpec.of": "of the check",
        "limit": "the kind of limit of the check, such as `max_difference`; no number",
        "reason": "why the violation is accepted",
        "approved_by": "who accepts it",
        "expires": "the last day on which it holds; within a year",
        "name": "who",
        "role": "in what role",
    }
)
"""By the name of a key, or by those of its shape and its own."""


def meaning_of(shape: str, key: str) -> str:
    """Return what a key of a shape of the schema says."""
    return KEY_MEANINGS[f"{shape}.{key}" if f"{shape}.{key}" in KEY_MEANINGS else key]
