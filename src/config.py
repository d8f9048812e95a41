"""Compose a configuration, check it, say plainly what is wrong with it, and name it.

Nothing here imports TensorFlow or MLflow: a mistake on the command line is answered in a second.
"""

import difflib
import errno
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue, OmegaConfBaseException
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from src.schema import Config, TrialConfig

CONF = Path(__file__).resolve().parents[1] / "conf"

# What decides results, and nothing else: amounts, workers, tracking and paths stay outside.
IDENTITY = ("architecture", "activation", "optimizer", "schedule", "training")
SEARCH_IDENTITY = ("name", "strategy", "objective", "seed", "space", "constraints", "start")


FULL = {errno.ENOSPC, errno.EDQUOT}
UNUSABLE = FULL | {errno.EROFS, errno.EACCES, errno.EPERM}  # what a full or locked disk says


class UserError(Exception):
    """Something the user can mend, in one sentence that says what, where and how."""


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
        codes.append(report_errors(lambda: refuse_several(overrides) or task(validate(resolve(raw)))))

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


def run_reading(main: Callable[..., None]) -> None:
    """Run an entry that reads, with ordinary arguments, and exit with its code."""
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=main.__doc__)(main)
    sys.exit(report_errors(lambda: app(standalone_mode=True) or 0))


def report_errors(action: Callable[[], int]) -> int:
    """The action's exit code, or 2 after printing the message of an error that the user can mend."""
    try:
        return action()
    except UserError as error:
        message = str(error)
    except MissingConfigException as error:
        message = explain_missing(error)
    except (HydraException, OmegaConfBaseException) as error:
        message = explain_composition(error)
    except BrokenPipeError:  # of `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        message = explain_disk(error)
    except KeyboardInterrupt:
        print("Stopped before training began; nothing is lost.", file=sys.stderr)
        return 130
    print(f"error: {message}", file=sys.stderr)
    return 2


def refuse_several(overrides: Iterable[str]) -> int:
    """Raises UserError for `activation=[relu,tanh]`, of which Hydra would make one of both."""
    for group, _, names in (override.partition("=") for override in overrides):
        if group and names.startswith("[") and "," in names and (CONF / group).is_dir():
            sweep = f"compare them in one sweep (search=single '+search.space.{group}.choice={names}'), "
            raise UserError(
                f"{group}={names} would mix these into one: choose one of them, {sweep * (group in IDENTITY)}"
                f"or run one after the other (-m {group}={names[1:-1]})."
            )
    return 0


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


def validate_trial(plain: dict[str, Any]) -> dict[str, Any]:
    """The canonical form of one trial's keys: equal networks have equal forms. Raises UserError.

    Keys of a later version are left out as long as they are as before; `fill_in` adds them.
    """
    try:
        return TrialConfig.model_validate({key: plain[key] for key in IDENTITY}).model_dump(exclude_defaults=True)
    except ValidationError as error:
        raise UserError("; ".join(explain_all(error, plain))) from None


def fill_in(canonical: dict[str, Any]) -> dict[str, Any]:
    """One trial's keys, all of them."""
    return TrialConfig.model_validate({key: canonical[key] for key in IDENTITY}).model_dump()


# ---------------------------------------------------------------------------------------- identity


def identity(config: Config, data_digest: str) -> dict[str, Any]:
    """What decides a sweep's results. Two configurations with equal identities are one sweep."""
    plain = config.as_written(exclude_defaults=True)
    parts: dict[str, Any] = {"data": {**plain["data"], "digest": data_digest}}
    parts |= {key: plain[key] for key in IDENTITY}
    if not depends_on_epochs(config):
        parts["training"] = {key: value for key, value in plain["training"].items() if key != "epochs"}
    parts["search"] = {key: plain["search"][key] for key in SEARCH_IDENTITY if key in plain["search"]}
    parts["data"].pop("path", None)  # the digest says what the file holds, wherever it lies
    parts["data"].pop("preprocessing", None)  # of image files, when the model is used
    return parts


def depends_on_epochs(config: Config) -> bool:
    """Whether the number of epochs changes what happens within them, so that more is another sweep."""
    entry = config.search.space.get("schedule", {})
    choices = entry.get("choice", []) if isinstance(entry, dict) else []
    return "cosine" in {config.schedule.name, *(choice.get("name") for choice in choices if isinstance(choice, dict))}


def fingerprint(value: Any) -> str:
    """64 hex digits that name a value made of dicts, lists, strings and numbers."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one of dotted keys; lists stay values."""
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, child in value.items():
        flat |= flatten(child, f"{prefix}.{key}" if prefix else str(key))
    return flat


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted key → (old, new) wherever two nested dicts differ; None stands for an absent key."""
    a, b = flatten(old), flatten(new)
    return {key: (a.get(key), b.get(key)) for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)}


# ---------------------------------------------------------------------------------------- messages


def suggest(word: str, known: Iterable[str]) -> str:
    """'; did you mean …? Known: …' for a misspelt word."""
    options = sorted(known)
    near = difflib.get_close_matches(word, options, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"{hint} Known here: {', '.join(options)}" if hint else f"; known here: {', '.join(options)}"


def first_line(error: Exception) -> str:
    """What an exception says, in a line; its kind if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def explain_disk(error: OSError) -> str:
    """For a disk that is full, or a folder that may not be written."""
    file = f"{error.filename or 'a file'} cannot be {'written' if error.errno in FULL else 'used'} ({error.strerror})"
    if error.errno in FULL:
        return f"{file}: make room, or keep less (checkpoints.keep=5 tracking.keep=5); the same command goes on."
    return f"{file}: mend its permissions, or choose other folders (paths.sweeps=… paths.mlruns=…)."


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


def explain_all(error: ValidationError, plain: dict[str, Any]) -> list[str]:
    """One line for each key that is wrong; what a key of several types may be stands on its line."""
    lines: dict[str, str] = {}
    for details in error.errors():
        subject, message = explain(details, plain)
        lines[subject] = f"{lines[subject]}, or {message}" if subject in lines else message
    return [f"{subject}: {message}" if subject else message for subject, message in lines.items()]


def explain(details: ErrorDetails, plain: dict[str, Any]) -> tuple[str, str]:
    """One of pydantic's errors: the key and what it holds; what is wrong or allowed."""
    key = locate(details["loc"], plain)
    kind, found = details["type"], details["input"]
    step = str(details["loc"][-1]) if details["loc"] else ""
    if kind == "extra_forbidden":
        return key, f"there is no such key{suggest(step, siblings(key, plain) - {step})}"
    if kind == "missing":
        return f"{key}.{step}".lstrip("."), "this key is needed and absent"
    if kind == "union_tag_invalid":
        return f"{key}.name={found['name']}", f"allowed are {details['ctx']['expected_tags']}"
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return (key if kind == "value_error" else f"{key}={show_value(found)}"), message


def locate(location: tuple[int | str, ...], plain: dict[str, Any]) -> str:
    """The dotted key of the deepest existing part that pydantic's location names.

    Steps that exist only in the schema, such as the branch of a union, are left out.
    """
    keys: list[str] = []
    node: Any = plain
    for step in location:
        inside = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        if step in inside:
            node = node[step]
            keys.append(str(step))
    return ".".join(keys)


def siblings(key: str, plain: dict[str, Any]) -> set[str]:
    """The keys that stand beside a dotted key."""
    node: Any = plain
    for step in key.split(".")[:-1]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return {str(k) for k in node}


def show_value(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, dict) and "name" in value:
        return str(value["name"])  # of a group's option
    if isinstance(value, list):
        return f"[{','.join(map(show_value, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
