"""Compose a configuration with Hydra, and check it.

Nothing here imports TensorFlow or MLflow: a mistake on the command line is answered in a second."""

import difflib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue, OmegaConfBaseException
from pydantic import ValidationError

from src.base.errors import UserError, suggest
from src.config.command_line import report_errors
from src.config.explain import explain_all
from src.config.identity import GROUPS
from src.config.schema import Config

CONF = Path(__file__).resolve().parents[2] / "conf"


def compose_and_run(task: Callable[[Config], int], root: str = "config") -> None:
    """Run `task` on the configuration that `conf/<root>.yaml` and the command line compose; exit with its code.

    Whatever the user can mend is printed as one message on standard error, without a traceback.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach us instead of Hydra's own printing
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for keras-tuner and Keras' data sets, which import TensorFlow
    codes: list[int] = []
    composed: list[bool] = []

    @hydra.main(config_path=str(CONF), config_name=root, version_base="1.3")
    def job(raw: DictConfig) -> None:
        composed.append(True)
        overrides = list(HydraConfig.get().overrides.task)
        if codes and max(codes) >= 128:  # stopped by a signal: neither do the other jobs of a multirun begin
            return
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            print(f"job {HydraConfig.get().job.num + 1}: {' '.join(HydraConfig.get().overrides.task)}", flush=True)
        codes.append(report_errors(lambda: refuse_several(overrides) or task(check(raw))))

    @composition_errors()
    def compose() -> int:
        try:
            job()
        except ValueError as error:  # Hydra's own, where a value stands for a group
            if composed:
                raise
            raise UserError(f"{str(error).splitlines()[0]} (write group=option or key=value)") from error
        return 0

    code = report_errors(compose)
    # SystemExit inside a job would end a multirun, so the jobs' codes are gathered here.
    if worst := max([code, *codes]):
        sys.exit(worst)


@contextmanager
def composition_errors() -> Iterator[None]:
    """Whatever Hydra and OmegaConf raise is a UserError here."""
    try:
        yield
    except MissingConfigException as error:
        raise UserError(explain_missing(error)) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain_composition(error)) from error


def refuse_several(overrides: Iterable[str]) -> int:
    """Raises UserError for `activation=[relu,tanh]`, of which Hydra would make one of both."""
    for group, _, names in (override.partition("=") for override in overrides):
        if group and names.startswith("[") and "," in names and (CONF / group).is_dir():
            sweep = f"compare them in one sweep (search=single '+search.space.{group}.choice={names}'), "
            raise UserError(
                f"{group}={names} would mix these into one: choose one of them, {sweep * (group in GROUPS)}"
                f"or run one after the other (-m {group}={names[1:-1]})."
            )
    return 0


def check(raw: DictConfig) -> Config:
    """The checked configuration that Hydra has composed. Raises UserError for all that is wrong with it."""
    with composition_errors():
        return validate(resolve(raw))


def resolve(raw: DictConfig) -> dict[str, Any]:
    """The composed configuration as plain values, group names in its space replaced by their contents."""
    container = OmegaConf.to_container(raw, resolve=True, throw_on_missing=True)
    assert isinstance(container, dict)
    plain = {str(key): value for key, value in container.items() if key != "hydra"}
    expand_groups(plain)
    return plain


def expand_groups(plain: dict[str, Any]) -> None:
    """In the space, `activation: {choice: [relu, tanh]}` names files: put what they say in place.

    So a frozen configuration does not change when a file in `conf/` does.
    """
    search = plain.get("search")
    space = search.get("space") if isinstance(search, dict) else None
    for group, entry in space.items() if isinstance(space, dict) else ():
        if not (CONF / str(group)).is_dir():
            continue
        if isinstance(entry, dict) and isinstance(entry.get("choice"), list):
            entry["choice"] = [load_option(group, name) if isinstance(name, str) else name for name in entry["choice"]]


def load_option(group: str, name: str) -> dict[str, Any]:
    """The contents of `conf/<group>/<name>.yaml`. Raises UserError where there is none."""
    options = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    if name not in options:
        raise UserError(f"search.space.{group}.choice: there is no {group} '{name}'{suggest(name, options)}.")
    contents = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"), resolve=True)
    assert isinstance(contents, dict)
    return {str(key): value for key, value in contents.items()}


def validate(plain: dict[str, Any]) -> Config:
    """The checked configuration. Raises UserError with a line for each thing that is wrong."""
    try:
        return Config.model_validate(plain).note_written(plain)
    except ValidationError as error:
        raise UserError("\n       ".join(explain_all(error, plain))) from None


def explain_missing(error: MissingConfigException) -> str:
    """For `activation=rleu`."""
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    if not error.options:
        return str(error).splitlines()[0]
    return f"there is no {group} '{name}'{suggest(name, error.options)}."


def explain_composition(error: Exception) -> str:
    """For keys and groups that do not exist, and for overrides that Hydra cannot read."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = getattr(cause, "full_key", None)
    parent = getattr(cause, "parent_node", None)
    if isinstance(cause, InterpolationResolutionError):
        return f"{key}: {str(cause).splitlines()[0]}"
    if isinstance(cause, MissingMandatoryValue):
        return f"{key} needs a value: {key}=…"
    if key and isinstance(parent, DictConfig):
        word = str(key).rpartition(".")[2]
        if str(key).startswith("search.space."):
            near = difflib.get_close_matches(word, [str(k) for k in parent], n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            return f"the space has no '{key}'; {hint}A + before it adds it (+{key}=…), a ~ takes a key out."
        return f"there is no key '{key}'{suggest(word, [str(k) for k in parent if k != 'hydra'])}."
    first = str(error).splitlines()[0]
    if first.startswith("Could not override '") and "No match in the defaults list" in str(error):
        word = first.split("'")[1]
        keys = [*(path.name for path in CONF.iterdir() if path.is_dir()), *OmegaConf.load(CONF / "config.yaml")]
        return f"there is no '{word}'{suggest(word, [str(k) for k in keys if k not in ('defaults', 'hydra')])}."
    return f"{first} (write key=value; quote values with commas or brackets for your shell)"
