"""Compose a configuration with Hydra, and check it.

Nothing here imports TensorFlow or MLflow: a mistake on the command line is answered in a second."""

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import (
    ConfigKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)
from pydantic import ValidationError

from src.base.errors import UserError, suggest
from src.config.command_line import print_anyhow, report_errors
from src.config.explain import explain_all
from src.config.overrides import (
    explain_ambiguous,
    explain_merge,
    explain_unread,
    explain_value_of_group,
    refuse_several,
    refuse_unused,
)
from src.config.schema import Config

CONF = Path(__file__).resolve().parents[2] / "conf"


def compose_and_run(task: Callable[[Config], int], root: str = "config") -> None:
    """Run `task` on the configuration that `conf/<root>.yaml` and the command line compose; exit with its code.

    Whatever the user can fix is printed as one message on standard error, without a traceback.
    """
    print_anyhow()
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
        codes.append(report_errors(lambda: task(check(raw, overrides))))

    @composition_errors()
    def compose() -> int:
        try:
            job()
        except ValueError as error:  # Hydra's own, where a value stands for a group
            if composed:
                raise
            options = {group: list_options(group) for group in list_groups()}
            raise UserError(explain_value_of_group(sys.argv[1:], options)) from error
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


def check(raw: DictConfig, overrides: Sequence[str] = ()) -> Config:
    """The checked configuration that Hydra has composed. Raises UserError for all that is wrong with it.

    `overrides` are the command line's, of which nothing may be without effect.
    """
    refuse_several(overrides, list_groups())
    with composition_errors():
        config = validate(resolve(raw))
    refuse_unused(overrides, config)
    return config


def list_groups() -> list[str]:
    """The groups that have options."""
    return sorted(path.name for path in CONF.iterdir() if path.is_dir())


def list_options(group: str) -> list[str]:
    """The options of a group; none of what is no group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


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
    options = list_options(group)
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
    group, _, name = str(error.missing_cfg_file or "").partition("/")
    options = list(error.options or list_options(group)) if group else []
    if not options:
        return str(error).splitlines()[0]
    return f"there is no {group} '{name}'{suggest(name, options)}."


def explain_composition(error: Exception) -> str:
    """For keys and groups that do not exist, and for overrides that Hydra cannot read."""
    if isinstance(error, OverrideParseException):
        return explain_unread(error.override)
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = getattr(cause, "full_key", None)
    parent = getattr(cause, "parent_node", None)
    first = str(error).splitlines()[0]
    if isinstance(cause, InterpolationResolutionError):
        return f"{f'{key}: ' if key else ''}{str(cause).splitlines()[0]}"
    if isinstance(cause, MissingMandatoryValue):
        return f"{key} needs a value: {key}=…"
    if first.startswith("Error merging override ") and not isinstance(cause, ConfigKeyError):
        held = OmegaConf.to_container(parent) if isinstance(parent, ListConfig) else parent
        return explain_merge(first.removeprefix("Error merging override "), held)
    if key and isinstance(parent, DictConfig):
        return explain_unknown(str(key), [str(k) for k in parent if k != "hydra"])
    quoted = re.search(r"'(.*)'", first)
    word = quoted[1] if quoted else ""
    if first.startswith("Ambiguous value"):
        return explain_ambiguous(word, list_groups())
    if first.startswith("Could not override") and "No match in the defaults list" in str(error):
        keys = {*list_groups(), *map(str, OmegaConf.load(CONF / "config.yaml"))} - {"defaults", "hydra"}
        return f"there is no '{word}'{suggest(word, keys)}."
    if first.startswith(("Could not append", "force-add")):
        return f"there is a key '{word.lstrip('+').partition('=')[0]}' already: leave the + out."
    if first.endswith("does not exist."):
        return f"~{word}: there is no such key to take out."
    return f"{first} (write key=value; quote values with commas or brackets for your shell)"


def explain_unknown(key: str, known: Sequence[str]) -> str:
    """For a key that its parent does not have."""
    word = key.rpartition(".")[2]
    if not key.startswith("search.space."):
        return f"there is no key '{key}'{suggest(word, known)}."
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return f"the space has no '{key}'{hint} A + before it adds it (+{key}=…), a ~ takes a key out."
