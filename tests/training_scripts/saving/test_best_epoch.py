"""The best epoch is the one that does best by the metric that the job names."""

import pytest

from saving.best_epoch import BestEpoch

# The second decides more right, the third has the lower loss.
EPOCHS = [{"loss": 0.9, "accuracy": 0.5}, {"loss": 0.8, "accuracy": 0.75}, {"loss": 0.7, "accuracy": 0.5}]


@pytest.mark.parametrize(
    ("metric", "best"), [({}, 2), ({"metric": "eval_decision_accuracy"}, 2), ({"metric": "eval_loss"}, 3)]
)
def test_the_best_epoch_is_kept_by_the_metric_of_the_job(tmp_path, metric, best):
    restored = []
    kept = BestEpoch(
        tmp_path, save=lambda folder: folder.mkdir(parents=True), restore=restored.append, forget=True, **metric
    )
    for number, figures in enumerate(EPOCHS, start=1):
        kept.offer(number, epoch=number, **figures)
    figures = EPOCHS[best - 1]
    assert kept.restore() == {
        "eval_loss": figures["loss"],
        "eval_decision_accuracy": figures["accuracy"],
        "best_epoch": best,
    }
    assert [folder.name for folder in restored] == [f"step-{best}"]
