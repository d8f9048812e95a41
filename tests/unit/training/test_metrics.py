"""Metrics are scikit-learn's, by Keras' names."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from src.training.metrics import METRICS, measure
from src.training.passes import Results

PEERS = {
    "accuracy": sklearn.accuracy_score,
    "balanced_accuracy": sklearn.balanced_accuracy_score,
    "macro_f1": lambda labels, predicted: sklearn.f1_score(labels, predicted, average="macro"),
}


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.parametrize("seed", range(5))
def test_as_scikit_learn_has_them(seed: int) -> None:
    """On labels of chance, with classes that are rare, absent, or never predicted."""
    random = np.random.default_rng(seed)
    labels = random.choice([0, 1, 3, 5], 40, p=[0.6, 0.2, 0.15, 0.05]).astype(np.int32)
    predicted = np.where(random.random(40) < 0.5, labels, random.integers(0, 5, 40)).astype(np.int32)
    results = Results(predicted, random.random(40).astype(np.float32))
    found = measure(labels, results, METRICS)
    assert found.pop("loss") == pytest.approx(results.losses.mean(), rel=1e-6)
    assert found == {name: pytest.approx(peer(labels, predicted)) for name, peer in PEERS.items()}
