"""Search: which queries moto answers truly from its records, and why the others are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused

# Resources of moto that can exist here. It would call any others empty.
_RESOURCES = frozenset(
    ["Experiment", "ExperimentTrial", "ExperimentTrialComponent", "ModelPackage", "ModelPackageGroup", "Pipeline"]
)
_LISTED_BY = {"TrainingJob": "ListTrainingJobs", "Endpoint": "ListEndpoints", "Model": "ListModels"}
# moto takes every other operator for Equals, and leaves the rest of an expression and the order out.
_OPERATORS = frozenset(["Equals", "NotEquals", "Contains"])


def answered_by_moto(request: Mapping[str, Any]) -> bool:
    """Whether moto does all that a query asks for."""
    return request.get("Resource") in _RESOURCES and not _unanswered(request)


def refuse_search(request: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse a query that moto would answer with too little or too much.

    Raises:
        ServiceError: always.
    """
    resource = request["Resource"]
    if resource in _LISTED_BY:
        raise refused(f"The local cloud does not search for {resource}. Use {_LISTED_BY[resource]}.")
    if resource not in _RESOURCES:
        raise refused(f"The local cloud does not search for {resource}: it has none.")
    raise refused(f"The local cloud does not offer Search's {_unanswered(request)}. Leave it out, or use AWS.")


def _unanswered(request: Mapping[str, Any]) -> str:
    """Name the first part of a query that moto passes over."""
    expression = request.get("SearchExpression") or {}
    for name in ("SortBy", "SortOrder", "NextToken", "MaxResults", "CrossAccountFilterOption", "VisibilityConditions"):
        if request.get(name):
            return name
    for name in ("NestedFilters", "SubExpressions", "Operator"):
        if expression.get(name) and expression[name] != "And":
            return f"SearchExpression.{name}"
    for one in expression.get("Filters") or []:
        operator = one.get("Operator", "Equals")
        simple = operator == "Equals" if str(one.get("Name")).startswith("Tags.") else operator in _OPERATORS
        if not simple:
            return f"filter operator {operator}"
    return ""
