"""Keep secrets out of configs, logs, the tracker and reports.

Two rules, one for structures and one for text. In a *config* whatever came from the environment
and whatever sits under a key named like a secret is replaced whole (:func:`redact_config`). In
*text* the values of known secrets and the credentials inside URIs are replaced (:class:`Redactor`),
because text is where a secret turns up unannounced: a traceback, a server's error message.
"""

from __future__ import annotations

import html
import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from omegaconf import DictConfig

REDACTED = "<redacted>"
UNSET = "<unset>"
UNRESOLVED = "<unresolved>"
SHORTEST_SECRET = 6  # shorter values are not searched for: they occur in ordinary text

_SECRET_NAME = re.compile(
    r"pass_?w(or)?d|pass_?phrase|secret(?!ar)|credential|authorization|bearer|connection_?string"
    r"|api_?key|access_?key"
    r"|(^|_)(account|auth|client|deploy|encryption|hmac|license|master|private|service|signing|ssh"
    r"|subscription)_?key(?![a-z])"
    r"|(^|_)(access|api|auth|bearer|id|refresh|session)_?tokens?$"
)
_SECRET_LAST_WORDS = frozenset({"pwd", "auth", "cookie", "cookies", "jwt", "pat"})
_FOLDERS = ("PWD", "OLDPWD")  # variables of the shell that are named like passwords
_TEXT_TOKENS = frozenset(
    {"bos", "eos", "pad", "unk", "sep", "cls", "mask", "stop", "start", "end", "special", "image"}
    | {"max", "min", "new", "per", "next", "first", "last", "prompt", "output", "input", "by"}
)
_URI_CREDENTIALS = re.compile(r"(?<=://)(?:[^\s/?#\"'<>]|<redacted>)+@")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def looks_secret(name: object) -> bool:
    """Whether a key or variable is named like a secret: ``HF_TOKEN``, ``db.password``, ``apiKey``.

    ``token`` counts only as the last word and not in the language-model sense, so that
    ``max_new_tokens``, ``tokenizer``, ``prompt_tokens`` and ``eos_token`` stay readable.
    """
    words = [w for w in re.split(r"[^a-z0-9]+", _CAMEL.sub("_", str(name)).lower()) if w] or [""]
    if _SECRET_NAME.search("_".join(words)) or words[-1] in _SECRET_LAST_WORDS:
        return True
    if not words[-1].endswith("token"):
        return False
    owner = words[-1].removesuffix("token") or (words[-2] if len(words) > 1 else "")
    return owner not in _TEXT_TOKENS


def without_credentials(uri: str) -> str:
    """The URI with user, password and secret-looking query values cut; other text unchanged."""
    if "://" not in uri:
        return uri
    uri = _URI_CREDENTIALS.sub("", uri)
    base, mark, query = uri.partition("?")
    kept = [pair for pair in query.split("&") if not looks_secret(pair.partition("=")[0])]
    return base + (mark + "&".join(kept) if any(kept) else "")


# --- configs -----------------------------------------------------------------------------------


def redact_config(config: DictConfig) -> dict[str, Any]:
    """Resolve a config into a plain dict that can be written down and shared.

    ``"<redacted>"`` replaces every value that came from the environment (``${oc.env:...}``, also
    inside a longer string or reached through other interpolations) or that sits under a key named
    like a secret. A variable that is not set gives ``"<unset>"``, any other interpolation that
    cannot be resolved ``"<unresolved>"``; neither raises. A default that stands in for a variable
    that is not set is shown, since it is part of the config.
    """
    plain, secrets = _resolve(config)
    redacted = Redactor(secrets).redact_data(plain)
    return redacted if isinstance(redacted, dict) else {}


def _resolve(config: DictConfig) -> tuple[Any, list[str]]:
    """The redacted tree, and the values in it that text must not show either."""
    with _EnvironmentWatch() as watch:
        walk = _Walk(watch)
        return walk.container(config, secret_key=False, from_env=False), walk.secrets


class _EnvironmentWatch:
    """While open, notes whether resolving a value read an environment variable."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.missing = False
        self._saved: Any = None

    def __enter__(self) -> _EnvironmentWatch:
        from omegaconf import OmegaConf
        from omegaconf.basecontainer import BaseContainer

        self._saved = BaseContainer._resolvers["oc.env"]
        OmegaConf.register_new_resolver("oc.env", self._env, replace=True)
        return self

    def __exit__(self, *_: object) -> None:
        from omegaconf.basecontainer import BaseContainer

        BaseContainer._resolvers["oc.env"] = self._saved

    def reset(self) -> None:
        self.read, self.missing = [], False

    def _env(self, name: str, *default: Any) -> Any:
        if name in os.environ:
            self.read.append(os.environ[name])
            return os.environ[name]
        if default:
            return default[0] if default[0] is None else str(default[0])
        self.missing = True
        raise KeyError(f"Environment variable '{name}' not found")


class _Walk:
    def __init__(self, watch: _EnvironmentWatch) -> None:
        self.secrets: list[str] = []
        self._watch = watch
        self._open: list[Any] = []

    def container(self, node: Any, *, secret_key: bool, from_env: bool) -> Any:
        from omegaconf import ListConfig

        if any(node is ancestor for ancestor in self._open):
            return UNRESOLVED
        self._open.append(node)
        try:
            if isinstance(node, ListConfig):
                return [self._child(node, i, secret_key, from_env) for i in range(len(node))]
            return {
                _plain(key): self._child(node, key, secret_key or looks_secret(key), from_env)
                for key in node
            }
        finally:
            self._open.pop()

    def _child(self, parent: Any, key: Any, secret_key: bool, from_env: bool) -> Any:
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        self._watch.reset()
        try:
            value = parent[key]
        except (OmegaConfBaseException, RecursionError):
            return UNSET if self._watch.missing else _unresolved(parent, key)
        read = self._watch.read
        self._remember(read)
        if OmegaConf.is_config(value):
            return self.container(value, secret_key=secret_key, from_env=from_env or bool(read))
        if value is None or value == "" or not (secret_key or from_env or read):
            return _plain(value)
        if secret_key:
            self.secrets.append(str(value))
        elif read:  # what is only reached through a variable's value is the config's own
            self._remember([str(value)])
        return REDACTED

    def _remember(self, values: Iterable[str]) -> None:
        for value in values:
            self.secrets.extend(_passwords(value) if _may_be_shown(value) else [value])


def _unresolved(parent: Any, key: Any) -> str:
    from omegaconf import OmegaConf

    return "???" if OmegaConf.is_missing(parent, key) else UNRESOLVED


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def _may_be_shown(value: str) -> bool:
    """Whether a value from the environment is a place: text has to name files and servers."""
    if "://" in value:
        return True
    path = Path(value).expanduser()
    try:
        return path.exists() or (len(path.parts) > 2 and path.parent.exists())
    except (OSError, ValueError):
        return False


def _passwords(value: str) -> list[str]:
    found = _URI_CREDENTIALS.findall(value)
    return [part.rstrip("@").rpartition(":")[2] for part in found]


# --- text --------------------------------------------------------------------------------------


class Redactor:
    """Replaces known secret values, and the credentials in URIs, wherever they occur in text.

    A value is also found in its URL-quoted, JSON-escaped and HTML-escaped form.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(*values)

    @classmethod
    def collect(
        cls, config: DictConfig | None = None, environ: Mapping[str, str] | None = None
    ) -> Redactor:
        """Gather from variables named like secrets, and from what ``config`` redacts.

        Of a config's values from the environment, existing paths and URIs may be shown in text
        (a URI without its credentials); everything else may not.
        """
        environ = os.environ if environ is None else environ
        redactor = cls(v for n, v in environ.items() if looks_secret(n) and n not in _FOLDERS)
        redactor.add(*(p for v in environ.values() if "://" in v for p in _passwords(v)))
        if config is not None:
            redactor.add(*_resolve(config)[1])
        return redactor

    def add(self, *values: str) -> None:
        """Add secret values; those too short to be searched for are ignored."""
        for value in values:
            whole = value.strip()
            # A key in PEM form is one value over many lines, and a log may show a part of them.
            lines = [line.strip() for line in whole.splitlines() if "-----" not in line]
            self._values.update(
                form
                for text in {whole, *lines}
                for form in (text, quote(text, safe=""), json.dumps(text)[1:-1], html.escape(text))
                if len(text) >= SHORTEST_SECRET and not any(text in m for m in (REDACTED, UNSET))
            )
        ordered = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def redact(self, text: str, mark: str = REDACTED) -> str:
        """The text with ``mark`` in place of each secret; give an escaped mark for HTML."""
        if self._pattern is not None:
            text = self._pattern.sub(lambda _: mark, text)
        return _URI_CREDENTIALS.sub(lambda _: f"{mark}@", text) if "://" in text else text

    def redact_data(self, data: Any) -> Any:
        """The same for every string in nested dicts, lists and tuples; other values unchanged."""
        if isinstance(data, str):
            return self.redact(data)
        if isinstance(data, Mapping):
            return {key: self.redact_data(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return type(data)(self.redact_data(item) for item in data)
        return data


def redact_record(record: logging.LogRecord, redactor: Redactor) -> logging.LogRecord:
    """Redact a log record's message and traceback in place; a clean record is left as it is."""
    try:
        message = record.getMessage()
    except Exception:  # wrong arguments: logging reports them itself, with the arguments
        record.msg = redactor.redact_data(record.msg)
        record.args = redactor.redact_data(record.args)
        return record
    if (clean := redactor.redact(message)) != message:
        record.msg, record.args = clean, None
    if record.exc_info and record.exc_info[0] is not None:
        text = logging.Formatter().formatException(record.exc_info)
        if (clean := redactor.redact(text)) != text:
            record.exc_info, record.exc_text = None, clean
    return record


def install_log_filter(redactor: Redactor | None = None) -> Redactor:
    """Redact every log record made from now on, by whichever logger; returns the redactor in use.

    The record factory is wrapped, and not a filter added to handlers: filters on a logger do not
    see its children's records, and packages add handlers of their own later. Calling it again
    replaces the redactor.
    """
    redactor = Redactor.collect() if redactor is None else redactor
    make = getattr(logging.getLogRecordFactory(), "unredacted", logging.getLogRecordFactory())

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return redact_record(make(*args, **kwargs), redactor)

    factory.unredacted = make  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)
    return redactor
