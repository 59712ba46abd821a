"""What rules and guidelines ask, and which part of the report answers it: a table, in our words. Decides nothing."""

# Wording was checked, on the day of CHECKED, against copies of the texts that others have published; the official
# pages that are named were not opened from here, so a reader looks there before relying on a row.

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CHECKED", "REGULATION", "Asked"]

CHECKED = "2026-11-28"


class Asked(NamedTuple):
    """One thing that a text asks: `answered_by` are sections of the report, and empty where it does not answer."""

    text: str
    place: str
    asks: str
    answered_by: tuple[str, ...]
    remark: str
    source: str


_AI_ACT = ("EU AI Act", "https://eur-lex.europa.eu/eli/reg/2024/1689/oj")
_GMLP = (
    "FDA, Health Canada, MHRA: Good Machine Learning Practice",
    "https://www.fda.gov/medical-devices/software-medical-device-samd/good-machine-learning-practice-medical-device-development-guiding-principles",
)
_PCCP = (
    "FDA, Health Canada, MHRA: Predetermined Change Control Plans",
    "https://www.gov.uk/government/publications/predetermined-change-control-plans-for-machine-learning-enabled-medical-devices-guiding-principles",
)
_HTI = ("ONC HTI-1", "https://www.ecfr.gov/current/title-45/section-170.315")
_TRIPOD = ("TRIPOD+AI", "https://doi.org/10.1136/bmj-2023-078378")
_NYC = ("NYC Local Law 144", "https://rules.cityofnewyork.us/rule/automated-employment-decision-tools-2/")


def _asked(text: tuple[str, str], place: str, asks: str, answered_by: str = "", remark: str = "") -> Asked:
    name, source = text
    return Asked(name, place, asks, tuple(answered_by.split()), remark, source)


REGULATION: tuple[Asked, ...] = (
    _asked(
        _AI_ACT,
        "Art. 9(8)",
        "Tests against metrics and probabilistic thresholds that were defined beforehand.",
        "checks provenance",
        "Limits and their sha256 are those of the file of limits; a commit, where there is one, shows when "
        "they were set. Whether they suit "
        "the intended purpose is for the provider to say.",
    ),
    _asked(
        _AI_ACT,
        "Art. 10(2)(f), (g)",
        "Data examined for possible biases that may harm health or discriminate; measures against them.",
        "checks sweeps data",
        "For held-out samples, and for training mixes where there is a sweep. How data were collected is not covered.",
    ),
    _asked(
        _AI_ACT,
        "Art. 10(3), (4)",
        "Data sets that are relevant, representative, and as free of errors and as complete as can be.",
        "data",
        "Counts of groups, missing values, repeated rows. Whether they represent those to be treated is not covered.",
    ),
    _asked(
        _AI_ACT,
        "Art. 13(3)(b)(ii)",
        "Instructions for use tell the level of accuracy, with its metrics, that the system was tested against.",
        "checks methods",
        "By group; of all patients together no value is given.",
    ),
    _asked(
        _AI_ACT,
        "Art. 13(3)(b)(v)",
        "Instructions for use tell, where it applies, the performance for the groups that the system is meant for.",
        "checks",
        "The groups that were asked about.",
    ),
    _asked(
        _AI_ACT,
        "Art. 15(1), (3)",
        "Accuracy, robustness and cybersecurity; levels of accuracy and their metrics are declared.",
        "checks baseline",
        "Metrics by group, and their change since the last accepted model. Robustness to attack and cybersecurity are "
        "not covered.",
    ),
    _asked(
        _AI_ACT,
        "Annex IV(2)(g)",
        "Procedures and data of validation, metrics, potentially discriminatory impacts, and test reports that are "
        "dated and signed by those responsible.",
        "checks data provenance methods",
        "Dated, and names who answers if thresholds.yaml does. It is not signed: sign evidence.json in the pipeline.",
    ),
    _asked(_AI_ACT, "Art. 9(9)", "Effects on persons under 18 and other vulnerable groups.", "checks", "Where asked."),
    _asked(_AI_ACT, "Art. 11, 12, 14, 72", "Other documentation, logs, human oversight, monitoring after release."),
    _asked(
        _GMLP,
        "Principle 3",
        "Participants and data sets represent the intended patients.",
        "data",
        "Counts by group; the intended patients are not known here.",
    ),
    _asked(
        _GMLP,
        "Principle 4",
        "Training data are independent of test sets.",
        "sweeps data",
        "In sweeps the split keeps the rows of a cluster together. For a model that was given, its fixture decides.",
    ),
    _asked(
        _GMLP,
        "Principle 8",
        "Tests show performance under clinically relevant conditions, also for subgroups.",
        "checks calibration uncertainty",
        "On held-out samples; conditions of use are not covered.",
    ),
    _asked(
        _GMLP,
        "Principle 9",
        "Users get clear information, such as performance for subgroups and known limitations.",
        "summary checks",
    ),
    _asked(
        _GMLP,
        "Principle 10",
        "Deployed models are monitored, and risks of retraining are managed.",
        "baseline sweeps",
        "Each retrained model against the last accepted one. Monitoring in use is not covered.",
    ),
    _asked(
        _PCCP,
        "Principles 1 and 3: focused and bounded, evidence-based",
        "Planned changes stay within bounds that were set beforehand, and are measured by justified metrics.",
        "checks baseline provenance",
        "Limits on each new model and on its worsening. The plan itself is not covered.",
    ),
    _asked(
        _PCCP,
        "Principles 2, 4 and 5: risk-based, transparent, total product lifecycle",
        "Risks are managed from design to use, and those concerned are told of performance before and after changes.",
        "baseline",
        "Performance by group before and after. The rest is not covered.",
    ),
    _asked(
        _HTI,
        "45 CFR 170.315(b)(11)(iv)(B)(5)",
        "How the developer sees to fairness of the output, and manages or reduces bias.",
        "checks sweeps",
        "A later rule (HTI-5) was proposed that would remove these attributes: look up what applies.",
    ),
    _asked(
        _HTI,
        "(iv)(B)(6)",
        "External validation: data, by whom, demographics, process.",
        "data provenance",
        "Only where the run says that its data are external (`test_data: external`).",
    ),
    _asked(
        _HTI,
        "(iv)(B)(7)(i), (ii)",
        "Validity and fairness in test data from the source of the training data.",
        "checks calibration",
        "Unless the run says that its data are external.",
    ),
    _asked(
        _HTI,
        "(iv)(B)(7)(iii), (iv)",
        "Validity and fairness in data from another source.",
        "checks",
        "Where the run says that its data are external.",
    ),
    _asked(
        _HTI,
        "(iv)(B)(8)",
        "How often validity and fairness in local data are monitored, and results.",
        "baseline",
    ),
    _asked(
        _HTI,
        "(iv)(B)(1) to (4), (7)(v), (9)",
        "Developer and output, purpose, warnings, training data, outcomes of use, schedule of updates.",
    ),
    _asked(_TRIPOD, "Item 3c", "Known health inequalities between sociodemographic groups."),
    _asked(
        _TRIPOD,
        "Item 10",
        "How the study size was arrived at, and that it suffices.",
        "actions methods",
        "Samples that a limit takes, from those seen.",
    ),
    _asked(_TRIPOD, "Item 11", "How missing data were handled.", "data", "Of sensitive features."),
    _asked(_TRIPOD, "Item 12d, 23b", "Heterogeneity of performance across clusters.", "", "Clusters widen intervals."),
    _asked(_TRIPOD, "Item 12e", "Measures and plots of performance, and why they were chosen.", "checks methods"),
    _asked(
        _TRIPOD,
        "Item 13",
        "What was done about class imbalance, and recalibration.",
        "",
        "Training mixes shift the shares of groups, not of classes.",
    ),
    _asked(
        _TRIPOD,
        "Item 14",
        "Approaches to model fairness, and why.",
        "checks sweeps",
        "What was measured, with `why` of each limit. What was done about it is for the authors to write.",
    ),
    _asked(
        _TRIPOD,
        "Item 15",
        "Output of the model, and how its threshold was found.",
        "data",
        "The threshold, and no reason for it.",
    ),
    _asked(_TRIPOD, "Item 20a, 20b, 21", "Participants, events and missing data, by demographic group.", "data"),
    _asked(
        _TRIPOD,
        "Item 23a",
        "Performance with confidence intervals, also for key subgroups, with plots.",
        "checks calibration uncertainty",
    ),
    _asked(_TRIPOD, "Item 25, 26", "Interpretation, limitations, and their effect.", "", "For the authors to write."),
    _asked(
        _NYC,
        "6 RCNY 5-301(b)",
        "Selection rates and impact ratios by sex, race or ethnicity, and their intersections.",
        "checks",
        "With `metric: selection_rate` and `min_ratio`: the smallest ratio. The law is about employment, not patients.",
    ),
    _asked(_NYC, "5-301(c)", "Scoring rates: the share above the median score.", "", "No such metric is built in."),
    _asked(_NYC, "5-300, 5-301(a), 5-303", "An independent auditor, within a year; a public summary."),
)
"""The rows of each text stand together."""
