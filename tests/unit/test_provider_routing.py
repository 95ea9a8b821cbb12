"""Who is asked first, which keys the installation has, and which addresses a key may have."""

from decimal import Decimal
from pathlib import Path

import pytest

from perdure.domain.provider_keys import ProviderKey, check_base_url
from perdure.domain.routing import BUILT_IN, Candidate, Capability, ProviderName, Strategy, ranked
from perdure.environment_keys import environment_keys
from perdure.errors import InvalidInputError
from perdure.settings import Settings

OPENAI = Candidate(ProviderName.OPENAI, "gpt-4o", "pky_1")
ANTHROPIC = Candidate(ProviderName.ANTHROPIC, "claude-haiku-4-5", "pky_2")
OLLAMA = Candidate(ProviderName.OPENAI_COMPATIBLE, "llama3", "pky_3")


def test_in_order_everybody_is_asked_once() -> None:
    assert ranked([OPENAI, BUILT_IN, OPENAI, ANTHROPIC], Strategy.ORDER) == [OPENAI, BUILT_IN, ANTHROPIC]


def test_the_cheapest_comes_first_and_what_has_no_price_last() -> None:
    costs = {OPENAI: Decimal("0.002"), ANTHROPIC: Decimal("0.001"), BUILT_IN: Decimal(0)}
    candidates = [BUILT_IN, OLLAMA, OPENAI, ANTHROPIC]
    assert ranked(candidates, Strategy.CHEAPEST, costs=costs) == [ANTHROPIC, OPENAI, OLLAMA, BUILT_IN]


def test_the_fastest_comes_first_and_the_given_order_decides_among_equals() -> None:
    latencies = {OLLAMA: 90.0, ANTHROPIC: 400.0, OPENAI: 400.0}
    candidates = [ANTHROPIC, OPENAI, OLLAMA]
    assert ranked(candidates, Strategy.FASTEST, latencies_ms=latencies) == [OLLAMA, ANTHROPIC, OPENAI]
    assert ranked(candidates[::-1], Strategy.FASTEST, latencies_ms=latencies) == [OLLAMA, OPENAI, ANTHROPIC]
    assert ranked(candidates, Strategy.FASTEST) == candidates


def test_servers_that_only_speak_like_one_fail_apart() -> None:
    other = Candidate(ProviderName.OPENAI_COMPATIBLE, "llama3", "pky_4")
    assert OLLAMA.circuit != other.circuit
    assert OPENAI.circuit == Candidate(ProviderName.OPENAI, "gpt-4.1", "pky_9").circuit == "openai"


@pytest.mark.parametrize(
    ("key", "model"),
    [
        (ProviderKey(ProviderName.OPENAI, "k"), "gpt-4.1-mini"),
        (ProviderKey(ProviderName.ANTHROPIC, "k", default_model="claude-opus-4-1"), "claude-opus-4-1"),
        (ProviderKey(ProviderName.OPENAI_COMPATIBLE, "", "http://x/v1"), None),
    ],
)
def test_a_key_knows_whom_it_asks(key: ProviderKey, model: str | None) -> None:
    candidate = key.candidate(Capability.GENERATE)
    assert (candidate.model if candidate else None) == model
    assert "secret='" not in repr(key)


def settings(tmp_path: Path, **given: str) -> Settings:
    return Settings.model_validate({"home": tmp_path, **given})


def test_the_installation_has_the_keys_of_its_environment(tmp_path: Path) -> None:
    assert (
        environment_keys(settings(tmp_path, openai_api_key="", anthropic_api_key="", openai_base_url=""))
        == {}
    )
    keys = environment_keys(
        settings(
            tmp_path, openai_api_key="sk-1", openai_base_url="", anthropic_api_key="sk-2", anthropic_model="m"
        )
    )
    assert list(keys) == [ProviderName.OPENAI, ProviderName.ANTHROPIC]
    assert (keys[ProviderName.ANTHROPIC].default_model, keys[ProviderName.OPENAI].id) == ("m", None)


def test_another_server_in_the_environment_is_no_openai(tmp_path: Path) -> None:
    given = {"openai_api_key": "", "anthropic_api_key": "", "openai_model": "llama3"}
    keys = environment_keys(settings(tmp_path, openai_base_url="http://127.0.0.1:11434/v1", **given))
    assert list(keys) == [ProviderName.OPENAI_COMPATIBLE]
    keys = environment_keys(
        settings(
            tmp_path, openai_base_url="https://api.openai.com/v1", **(given | {"openai_api_key": "sk-1"})
        )
    )
    assert list(keys) == [ProviderName.OPENAI]
    assert keys[ProviderName.OPENAI].is_official


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434/v1",
        "http://169.254.169.254/latest",
        "http://ollama:11434/v1",
        "https://llm.internal/v1",
        "https://8.8.8.8:22/v1",
        "ftp://llm.example/v1",
        "https://user:word@llm.example/v1",
        "https://llm.example/v1?x=1",
        "llm.example",
        "https://[::1]:99999/",
    ],
)
def test_an_address_inside_or_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_base_url(url, private=False)
    assert [error.pointer for error in refused.value.errors] == ["/base_url"]


def test_an_operator_may_allow_addresses_inside() -> None:
    check_base_url("http://127.0.0.1:11434/v1", private=True)
    check_base_url("https://llm.example:8443/v1", private=False)
    with pytest.raises(InvalidInputError, match="cannot be used"):
        check_base_url("ftp://127.0.0.1/v1", private=True)
