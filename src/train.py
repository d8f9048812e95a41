"""Train one configuration, then evaluate it on test data once: a sweep of one trial, resumed by the same command.

python -m src.train experiment=dnn_128
python -m src.train experiment=dnn_128 training.epochs=20           goes on from the 10 that are there
python -m src.train -m activation=relu,tanh experiment=dnn_128      Hydra's multirun
"""

from src import api
from src.base.errors import UserError
from src.base.text import again
from src.config.compose import compose_and_run
from src.config.schema import Config
from src.reporting.console import new_console


def main(config: Config) -> int:
    """Train it, or preview that; the exit code. Raises UserError where there is a space to be searched."""
    if config.search.space:
        raise UserError(
            f"src.train trains one configuration, and search={config.search.name} has a space of many: search it with "
            "src.sweep in place of src.train, all else as it is."
        )
    return api.run(config, new_console(), again())


if __name__ == "__main__":
    api.prepare_workers()
    compose_and_run(main, "train")
