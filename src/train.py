"""Train one configuration, then evaluate it on test data once: a sweep of one trial, resumed by the same command.

python -m src.train experiment=dnn_128
python -m src.train experiment=dnn_128 training.epochs=20           goes on from the 10 that are there
python -m src.train -m activation=relu,tanh experiment=dnn_128      Hydra's multirun
"""

from src import api
from src.base.text import again
from src.config.compose import compose_and_run
from src.reporting.console import new_console

if __name__ == "__main__":
    compose_and_run(lambda config: api.run(config, new_console(), again()), "train")
