"""Where events may go."""

import pytest

from perdure.domain.webhook_addresses import check_webhook_url, shown_url, webhook_rules
from perdure.errors import InvalidInputError


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/a",
        "https://127.0.0.1/a",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://0x7f000001/",
        "https://localhost/",
        "https://redis.internal/",
        "https://hooks.example.com:6379/",
        "https://user:password@hooks.example.com/",
        "file:///etc/passwd",
        "hooks",
    ],
)
def test_no_address_of_the_own_network_and_nothing_in_the_open(url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_webhook_url(url, webhook_rules(""))
    assert refused.value.errors[0].pointer == "/body/url"
    assert "PERDURE_FETCH_ALLOW_HOSTS" not in str(refused.value)


def test_the_operator_may_open_one_host() -> None:
    rules = webhook_rules("hooks.lan:9000")
    assert check_webhook_url("http://hooks.lan:9000/a?b=c", rules).path == "/a?b=c"
    with pytest.raises(InvalidInputError):
        check_webhook_url("http://hooks.lan:9001/", rules)
    assert check_webhook_url("https://hooks.example.com:8443/", webhook_rules("")).port == 8443


def test_what_is_shown_holds_no_secret() -> None:
    assert shown_url("webhook", "https://a.example/b?token=x") == "https://a.example/b?…"
    assert (
        shown_url("slack", "https://hooks.slack.example/services/T/B/secret")
        == "https://hooks.slack.example/…"
    )
