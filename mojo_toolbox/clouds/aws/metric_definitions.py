"""The metrics that CloudWatch reads from the JSON lines that a training script prints."""

METRIC_DEFINITIONS = [
    {"Name": name, "Regex": rf'"{name}": ([-+0-9.eE]+)'}
    for name in (
        "loss",
        "learning_rate",
        "tokens_per_second",
        "decisions_per_second",
        "eval_loss",
        "eval_decision_accuracy",
    )
]
