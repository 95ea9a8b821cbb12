"""What names of embedding models at providers mean."""

import pytest

from perdure.domain.embedding_names import RemoteModel, remote_model
from perdure.domain.routing import ProviderName
from perdure.errors import InvalidInputError

OPENAI, COMPATIBLE = ProviderName.OPENAI, ProviderName.OPENAI_COMPATIBLE


@pytest.mark.parametrize(
    ("name", "means", "asked"),
    [
        ("openai:text-embedding-3-small", RemoteModel(OPENAI, "text-embedding-3-small", 1536), None),
        ("openai:text-embedding-3-small@512", RemoteModel(OPENAI, "text-embedding-3-small", 512), 512),
        ("openai:text-embedding-3-large", RemoteModel(OPENAI, "text-embedding-3-large", 3072), None),
        ("openai:text-embedding-ada-002", RemoteModel(OPENAI, "text-embedding-ada-002", 1536), None),
        ("openai:text-embedding-9@2048", RemoteModel(OPENAI, "text-embedding-9", 2048), 2048),
        (
            "openai_compatible:nomic-embed-text:v1.5@768",
            RemoteModel(COMPATIBLE, "nomic-embed-text:v1.5", 768),
            None,
        ),
        ("openai_compatible:BAAI/bge-m3@1024", RemoteModel(COMPATIBLE, "BAAI/bge-m3", 1024), None),
        # A server of others may call its model anything.
        (
            "openai_compatible:text-embedding-3-small@384",
            RemoteModel(COMPATIBLE, "text-embedding-3-small", 384),
            None,
        ),
    ],
)
def test_a_name_says_who_is_asked_for_what(name: str, means: RemoteModel, asked: int | None) -> None:
    assert remote_model(name) == means
    assert means.name == name
    assert means.asked_dimension == asked


def test_one_model_has_one_name() -> None:
    model = remote_model("openai:text-embedding-3-small@1536")
    assert model is not None
    assert model.name == "openai:text-embedding-3-small"


def test_what_runs_here_is_at_no_provider() -> None:
    assert remote_model("all-minilm-l6-v2-int8") is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("anthropic:claude@100", "names no embedding model"),
        ("extractive:extractive-1@100", "names no embedding model"),
        ("openai:", "names no embedding model"),
        ("openai:model@", "names no embedding model"),
        ("openai:../../etc/passwd\n@5", "names no embedding model"),
        ("OpenAI:text-embedding-3-small", "names no embedding model"),
        ("openai:text-embedding-9", "write openai:text-embedding-9@768"),
        ("openai_compatible:nomic-embed-text", "does not say how many numbers"),
        ("openai:text-embedding-3-small@0", "1 to 4000"),
        ("openai_compatible:big@4001", "1 to 4000"),
        ("openai:text-embedding-3-small@2000", "at most 1536 numbers, not 2000"),
        ("openai:text-embedding-ada-002@512", "have 1536 numbers, not 512"),
    ],
)
def test_a_name_that_means_nothing_is_told_how_to_be_written(name: str, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told) as raised:
        remote_model(name)
    assert [each.pointer for each in raised.value.errors] == ["/body/model"]
