"""Definitions of workflows for tests."""

from typing import Any

POLICY = {"stages": [{"id": "review", "approvers": [{"user": "ann"}], "rule": "any"}]}
INVOICES: dict[str, Any] = {
    "name": "Invoices",
    "parameters": {
        "limit": {"type": "number", "default": 1000},
        "approver": {"type": "user", "required": True},
    },
    "steps": [
        {"id": "classify", "type": "classification", "with": {"labels": ["invoice", "letter"]}},
        {
            "id": "kind",
            "type": "routing",
            "needs": ["classify"],
            "with": {
                "branches": [{"when": 'steps.classify.label == "invoice"', "goto": "extract"}],
                "default": "file",
            },
        },
        {
            "id": "extract",
            "type": "analysis",
            "retry": {"attempts": 5, "wait": "10 seconds"},
            "timeout": "5 minutes",
            "on_error": {"goto": "file"},
            "with": {"task": "extraction", "schema": {"type": "object"}},
        },
        {
            "id": "dear",
            "type": "condition",
            "needs": ["extract"],
            "with": {"if": "steps.extract.total > parameters.limit", "then": "approve", "else": "file"},
        },
        {
            "id": "approve",
            "type": "approval",
            "with": {"policy": POLICY, "title": "Pay ${steps.extract.total} to ${steps.extract.name}?"},
        },
        {
            "id": "each_line",
            "type": "for_each",
            "needs": ["approve"],
            "with": {
                "items": "steps.extract.lines",
                "max_items": 200,
                "steps": [
                    {
                        "id": "keep",
                        "type": "remember",
                        "with": {"text": "${item.text} of ${steps.classify.label}"},
                    },
                    {
                        "id": "tell",
                        "type": "notification",
                        "needs": ["keep"],
                        "when": "index == 0 && steps.keep.new",
                        "with": {"channel": "email", "to": ["${parameters.approver}"], "body": "kept"},
                    },
                ],
            },
        },
        {"id": "file", "type": "remember", "with": {"text": "${steps.classify.label}"}},
    ],
}


def step(identifier: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "type": "remember",
        "needs": list(needs),
        "with": {"text": "x"},
    } | more


def large(count: int) -> dict[str, Any]:
    steps = [
        step(
            f"s{number}",
            f"s{number - 1}",
            when=f'steps.s{number - 1}.label == "x" && input.n > {number}',
            input={"text": "${steps.s0.text} and ${document.title}"},
        )
        for number in range(1, count)
    ]
    return {"name": "Large", "steps": [step("s0"), *steps]}
