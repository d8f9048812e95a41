"""Search a space: check, train, resume, and say which configuration is best.

python -m src.sweep search=cnn_grid                 the same command resumes
python -m src.sweep search=cnn_grid preview=true    what it would do and cost; stores nothing
python -m src.sweep search=cnn_grid training.epochs=20 search.max_trials=10
"""

from src import api
from src.base.text import again
from src.config.compose import compose_and_run
from src.reporting.console import new_console

if __name__ == "__main__":
    api.prepare_workers()
    compose_and_run(lambda config: api.run(config, new_console(), again()))
