"""Train one configuration, then look at the test data once: a sweep of one trial, resumed by the same command.

python -m src.train experiment=dnn_128
python -m src.train experiment=dnn_128 training.epochs=20           goes on from the 10 that are there
python -m src.train -m activation=relu,tanh experiment=dnn_128      Hydra's multirun
"""

from src.config.compose import compose_and_run
from src.sweep import main

if __name__ == "__main__":
    compose_and_run(main, "train")
