"""Underwriting: from a shop's sales flow to a credit limit. Pure: no database, no clock, no environment."""

from .decision import Decision, Snapshot, assess, decide, decide_many, from_json, rerun, to_values
from .features import DEFINITIONS, Definition, FeatureTable, Settings, features
from .flow import SalesLines, lines_of_rows, sales_lines
from .genuine import Finding
from .limit import Applicant, Cap, SeasonalLimit, Step
from .policy import Policy, load_policy, shipped_policy, shipped_policy_text
from .reasons import REASONS, Reason

__all__ = [
    "DEFINITIONS",
    "REASONS",
    "Applicant",
    "Cap",
    "Decision",
    "Definition",
    "FeatureTable",
    "Finding",
    "Policy",
    "Reason",
    "SalesLines",
    "SeasonalLimit",
    "Settings",
    "Snapshot",
    "Step",
    "assess",
    "decide",
    "decide_many",
    "features",
    "from_json",
    "lines_of_rows",
    "load_policy",
    "rerun",
    "sales_lines",
    "shipped_policy",
    "shipped_policy_text",
    "to_values",
]
