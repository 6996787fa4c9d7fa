"""What counts as a secret, and that none survives in configs, text or logs."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from evalkit.secrets import (
    REDACTED,
    Redactor,
    install_log_filter,
    looks_secret,
    redact_config,
    without_credentials,
)

# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["token", "HF_TOKEN", "hfToken", "githubtoken", "password", "db.password", "passwd", "user_pwd",
     "secret", "client_secret", "api_key", "apikey", "x-api-key", "openaiApiKey", "credentials",
     "Authorization", "private_key", "AWS_ACCESS_KEY_ID", "hf_access_tokens", "id_token",
     "AZURE_STORAGE_CONNECTION_STRING", "http_auth"],
)  # fmt: skip
def test_secret_names(name: str) -> None:
    """Keys and variables of these names hold secrets."""
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    ["max_new_tokens", "tokenizer", "prompt_tokens", "max_tokens", "output_tokens", "token_f1",
     "TOKENIZERS_PARALLELISM", "eos_token", "pad_token_id", "valid_tokens", "key", "sort_key",
     "primary_key", "author", "passage", "path", "SSH_AUTH_SOCK", ""],
)  # fmt: skip
def test_ordinary_names(name: str) -> None:
    """The vocabulary of language models and of tables stays readable."""
    assert not looks_secret(name)


# --- configs -----------------------------------------------------------------------------------


@pytest.fixture
def _variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_TEST_VALUE", "from-outside")
    monkeypatch.setenv("EVALKIT_TEST_NUMBER", "42")
    monkeypatch.delenv("EVALKIT_TEST_ABSENT", raising=False)


@pytest.mark.usefixtures("_variable")
def test_values_from_the_environment() -> None:
    """Directly, inside text, through interpolations and resolvers, in lists and groups."""
    config = OmegaConf.create(
        {
            "direct": "${oc.env:EVALKIT_TEST_VALUE}",
            "inside": "http://${oc.env:EVALKIT_TEST_VALUE}/x",
            "through": "${inside}",
            "selected": "${oc.select:direct}",
            "decoded": "${oc.decode:${oc.env:EVALKIT_TEST_NUMBER}}",
            "chosen": "${table.${oc.env:EVALKIT_TEST_NUMBER}}",
            "table": {"42": {"name": "chosen by a variable"}},
            "list": ["plain", "${direct}", ["inner", "${oc.env:EVALKIT_TEST_VALUE}"]],
            "group": {"deep": {"value": "${direct}", "seed": 7}},
            "copy": "${group}",
            "values": "${oc.dict.values:group.deep}",
        }
    )
    assert redact_config(config) == {
        "direct": REDACTED,
        "inside": REDACTED,
        "through": REDACTED,
        "selected": REDACTED,
        "decoded": REDACTED,
        "chosen": {"name": REDACTED},
        "table": {"42": {"name": "chosen by a variable"}},
        "list": ["plain", REDACTED, ["inner", REDACTED]],
        "group": {"deep": {"value": REDACTED, "seed": 7}},
        "copy": {"deep": {"value": REDACTED, "seed": 7}},
        "values": [REDACTED, 7],
    }


@pytest.mark.usefixtures("_variable")
def test_variables_that_are_not_set() -> None:
    """An absent variable is named as such, also from afar; a default is part of the config."""
    config = OmegaConf.create(
        {
            "absent": "${oc.env:EVALKIT_TEST_ABSENT}",
            "afar": "x-${absent}",
            "password": "${oc.env:EVALKIT_TEST_ABSENT}",
            "default": "${oc.env:EVALKIT_TEST_ABSENT,./data}",
            "nothing": "${oc.env:EVALKIT_TEST_ABSENT,null}",
            "other": "${oc.env:EVALKIT_TEST_ABSENT,${oc.env:EVALKIT_TEST_VALUE}}",
            "wrong": "${no.such.key}",
            "mandatory": "???",
        }
    )
    assert redact_config(config) == {
        "absent": "<unset>",
        "afar": "<unset>",
        "password": "<unset>",
        "default": "./data",
        "nothing": None,
        "other": REDACTED,
        "wrong": "<unresolved>",
        "mandatory": "???",
    }


def test_values_under_secret_names() -> None:
    """Any type, every leaf below such a key, and the same words anywhere else in the config."""
    config = OmegaConf.create(
        {
            "judge": {"api_key": "sk-abcdef", "headers": {"Authorization": "Bearer abcdef"}},
            "credentials": {"user": "someone", "parts": [1, 2]},
            "password": 123456,
            "token": None,
            "url": "http://x/?key=sk-abcdef",
            "max_new_tokens": 64,
            "tokenizer": "bytes",
        }
    )
    assert redact_config(config) == {
        "judge": {"api_key": REDACTED, "headers": {"Authorization": REDACTED}},
        "credentials": {"user": REDACTED, "parts": [REDACTED, REDACTED]},
        "password": REDACTED,
        "token": None,
        "url": f"http://x/?key={REDACTED}",
        "max_new_tokens": 64,
        "tokenizer": "bytes",
    }


def test_config_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The config keeps its interpolations, and ``oc.env`` works as before."""
    monkeypatch.setenv("EVALKIT_TEST_VALUE", "from-outside")
    config = OmegaConf.create({"a": "${oc.env:EVALKIT_TEST_VALUE}", "b": "http://u:pw@h/x"})
    assert redact_config(config)["b"] == "http://<redacted>@h/x"
    assert OmegaConf.to_container(config)["a"] == "${oc.env:EVALKIT_TEST_VALUE}"
    assert config.a == "from-outside"


def test_a_config_that_contains_itself() -> None:
    """Circles end."""
    config = OmegaConf.create({"self": {"me": "${self}"}, "a": "${b}", "b": "${a}"})
    assert redact_config(config) == {
        "self": {"me": "<unresolved>"},
        "a": "<unresolved>",
        "b": "<unresolved>",
    }


# --- text --------------------------------------------------------------------------------------


def test_values_in_text() -> None:
    """Whole values are found, longest first, also URL-quoted and JSON- and HTML-escaped."""
    redactor = Redactor(["abc/def", 'quo"ted', "abc/def-longer"])
    text = 'abc/def abc/def-longer abc%2Fdef "quo\\"ted" quo&quot;ted'
    assert redactor.redact(text) == " ".join([REDACTED] * 3) + f' "{REDACTED}" {REDACTED}'


def test_short_values_are_left_alone() -> None:
    """Five characters occur by chance, six are searched for."""
    redactor = Redactor(["12345", "123456"])
    assert redactor.redact("12345 123456") == f"12345 {REDACTED}"


def test_each_line_of_a_key_is_a_secret() -> None:
    """A log that shows one line of a key in PEM form shows nothing."""
    redactor = Redactor(["-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----"])
    assert redactor.redact("found kqhkiG9w0BAQEF") == f"found {REDACTED}"
    assert redactor.redact("-----BEGIN KEY-----") == "-----BEGIN KEY-----"


def test_uri_credentials_in_text() -> None:
    """User and password go, the rest of the URI stays; at-signs elsewhere stay as well."""
    redact = Redactor().redact
    assert redact("at http://me:pw@host:5000/x now") == "at http://<redacted>@host:5000/x now"
    assert redact("postgresql+psycopg://u:p@ss@db/x") == "postgresql+psycopg://<redacted>@db/x"
    unchanged = "http://host/a@b, someone@example.org, sqlite:////tmp/a@b/mlflow.db"
    assert redact(unchanged) == unchanged


def test_uri_for_showing() -> None:
    """Credentials and secret query values are cut without a trace."""
    assert without_credentials("https://me:pw@host:5000/p") == "https://host:5000/p"
    assert without_credentials("mysql://h/d?user=a&password=b") == "mysql://h/d?user=a"
    assert without_credentials("https://h/?access_token=b") == "https://h/"
    assert without_credentials("sqlite:////tmp/mlflow.db") == "sqlite:////tmp/mlflow.db"


def test_collecting() -> None:
    """Variables named like secrets, passwords inside other variables' URIs, and nothing else."""
    environ = {"HF_TOKEN": "hf_abcdef", "TRACKER": "http://me:hunter22@host", "LANG": "C.UTF-8x"}
    redactor = Redactor.collect(environ=environ)
    assert redactor.redact("hf_abcdef hunter22 C.UTF-8x") == f"{REDACTED} {REDACTED} C.UTF-8x"


def test_collecting_from_a_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a config redacts is redacted in text; places may be named, without credentials."""
    monkeypatch.setenv("EVALKIT_TEST_VALUE", "from-outside")
    monkeypatch.setenv("EVALKIT_TEST_FOLDER", str(tmp_path))
    monkeypatch.setenv("EVALKIT_TEST_URI", "http://me:hunter22@host:5000")
    config = OmegaConf.create(
        {
            "value": "${oc.env:EVALKIT_TEST_VALUE}",
            "folder": "${oc.env:EVALKIT_TEST_FOLDER}",
            "uri": "${oc.env:EVALKIT_TEST_URI}",
            "password": "typed-in",
        }
    )
    redactor = Redactor.collect(config, environ={})
    text = f"from-outside typed-in {tmp_path} hunter22 http://me:hunter22@host:5000"
    assert redactor.redact(text) == (
        f"{REDACTED} {REDACTED} {tmp_path} {REDACTED} http://{REDACTED}@host:5000"
    )


def test_nested_data() -> None:
    """Strings at any depth; numbers and None keep their type."""
    data = {"a": ["abcdef", 1, None], "b": ("x abcdef", {"c": 0.5})}
    assert Redactor(["abcdef"]).redact_data(data) == {
        "a": [REDACTED, 1, None],
        "b": (f"x {REDACTED}", {"c": 0.5}),
    }


@given(st.lists(st.text("abcdef<>:/@%\"'& \n", min_size=6, max_size=12), max_size=4), st.data())
def test_no_secret_survives(secrets: list[str], data: st.DataObject) -> None:
    """However secrets are put together with other text, none of them is left in it."""
    parts = data.draw(st.lists(st.sampled_from([*secrets, "x", " ", "://", "@"]), max_size=8))
    clean = Redactor(secrets).redact("".join(parts))
    for secret in secrets:
        if len(secret.strip()) >= 6 and secret.strip() not in REDACTED:
            assert secret.strip() not in clean.replace(REDACTED, "\0")


# --- logs --------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger with a handler of its own that does not propagate, as packages have them."""
    before = logging.getLogRecordFactory()
    stream = io.StringIO()
    logger = logging.getLogger("evalkit.test_secrets")
    logger.propagate = False
    logger.handlers = [logging.StreamHandler(stream)]
    yield logger, stream
    logger.handlers = []
    logging.setLogRecordFactory(before)


def test_messages_and_arguments(log: tuple[logging.Logger, io.StringIO]) -> None:
    """A secret in the message, in an argument or in a URI does not reach a handler."""
    logger, stream = log
    install_log_filter(Redactor(["abcdef"]))
    logger.warning("abcdef and %s at %s", "abcdef", "http://me:pw@host")
    assert stream.getvalue() == f"{REDACTED} and {REDACTED} at http://{REDACTED}@host\n"


def test_tracebacks(log: tuple[logging.Logger, io.StringIO]) -> None:
    """A secret in an exception's message does not reach a handler; the traceback does."""
    logger, stream = log
    install_log_filter(Redactor(["abcdef"]))
    try:
        raise ValueError("wrong key abc" + "def")
    except ValueError:
        logger.exception("failed")
    assert f"ValueError: wrong key {REDACTED}" in stream.getvalue()
    assert "abcdef" not in stream.getvalue()


def test_clean_records_are_not_touched(log: tuple[logging.Logger, io.StringIO]) -> None:
    """Handlers that read the arguments of a record still find them."""
    logger, _ = log
    install_log_filter(Redactor(["abcdef"]))
    record = logger.makeRecord("n", logging.INFO, "f", 1, "%s items", (3,), None)
    assert (record.msg, record.args) == ("%s items", (3,))


def test_installing_twice_replaces(log: tuple[logging.Logger, io.StringIO]) -> None:
    """The newest redactor is in use, and secrets that are added to it later count."""
    logger, stream = log
    install_log_filter(Redactor(["first-secret"]))
    redactor = install_log_filter(Redactor())
    redactor.add("added-later")
    logger.warning("first-secret added-later")
    assert stream.getvalue() == f"first-secret {REDACTED}\n"


def test_the_working_folder_is_no_password() -> None:
    """Shells call it PWD; replaced, every path in a message would be lost."""
    redactor = Redactor.collect(environ={"PWD": "/home/me/study", "DB_PWD": "hunter2hunter2"})
    assert redactor.redact("/home/me/study hunter2hunter2") == "/home/me/study <redacted>"
