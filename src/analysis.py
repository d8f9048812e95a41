"""Tables of what the ledger holds."""

from typing import Any

from src.plan import ranking
from src.rows import Rows


def trial_table(rows: Rows) -> list[dict[str, Any]]:
    """One row a trial, the best first, those without a result last.

    Columns: trial, repeat, state, reason, each key of the space, the objective and the other metrics
    at the best epoch, best_epoch, epochs, seconds (of training), parameters, run_id (MLflow's), drift (of the versions that trained it).
    """
    ranked = ranking(rows)
    places = {trial.number: place for place, trial in enumerate(ranked)}
    order = sorted(rows.trials, key=lambda trial: (places.get(trial.number, len(places)), trial.number))
    table = []
    for trial in order:
        point = rows.point(trial.point)
        best = trial.epochs[trial.best_epoch - 1].metrics if trial.best_epoch else {}
        table.append(
            {
                "trial": trial.number,
                "repeat": trial.repeat,
                "state": trial.state,
                "reason": trial.reason,
                **point.values,
                "val_accuracy": best.get("val_accuracy"),
                "val_loss": best.get("val_loss"),
                "best_epoch": trial.best_epoch or None,
                "epochs": len(trial.epochs),
                "seconds": round(sum(epoch.seconds for epoch in trial.epochs), 2),
                "parameters": point.parameters,
                "run_id": trial.run_id or None,
                "drift": trial.drift,
            }
        )
    return table


def left_out(rows: Rows) -> dict[str, list[int]]:
    """Why points are not trained → their numbers."""
    reasons: dict[str, list[int]] = {}
    for point in rows.points:
        if point.state in ("infeasible", "duplicate"):
            reasons.setdefault(f"{point.state}: {point.reason}", []).append(point.number)
    return reasons
