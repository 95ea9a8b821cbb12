"""Which URLs are fetched, and that every way of writing an inner address is refused."""

import pytest

from perdure.domain.addresses import (
    AddressRules,
    check_addresses,
    check_redirect,
    check_url,
    is_public,
)
from perdure.errors import DocumentRejectedError
from tests.hostile_urls import HOSTILE_URLS

RULES = AddressRules()


def refused(url: str, rules: AddressRules = RULES) -> str:
    with pytest.raises(DocumentRejectedError) as rejection:
        check_url(url, rules)
    assert rejection.value.reason == "forbidden_address"
    return rejection.value.detail


def test_the_corpus_has_at_least_fifty_forms() -> None:
    assert len(set(HOSTILE_URLS)) >= 50


@pytest.mark.parametrize("template", HOSTILE_URLS)
@pytest.mark.parametrize("port", [80, 8080])
def test_a_hostile_url_is_refused_before_any_name_is_resolved(template: str, port: int) -> None:
    # the port is opened, so that it is the address and not the port that is refused
    refused(template.replace("PORT", str(port)), AddressRules(ports=frozenset({80, 443, port})))


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTP://EXAMPLE.com:80/a b".replace(" ", "%20"), "http://example.com/a%20b"),
        ("https://example.com./x?q=1&r=%2F#frag", "https://example.com/x?q=1&r=%2F"),
        ("https://bücher.example.org/über", "https://xn--bcher-kva.example.org/%C3%BCber"),
        ("http://93.184.216.34/", "http://93.184.216.34/"),
        ("http://[2606:2800:220:1:248:1893:25C8:1946]/", "http://[2606:2800:220:1:248:1893:25c8:1946]/"),
        ("https://example.com:443/", "https://example.com/"),
    ],
)
def test_a_public_url_is_taken_apart_and_written_anew(url: str, written: str) -> None:
    assert check_url(url, RULES).url == written


@pytest.mark.parametrize("port", [22, 25, 0, 8080, 6379])
def test_only_the_web_ports_are_fetched_from(port: int) -> None:
    assert f"Port {port}" in refused(f"http://example.com:{port}/")


def test_an_operator_opens_one_host_and_port_and_no_other() -> None:
    rules = AddressRules.from_setting("127.0.0.1:9000, [::1]:9001, wiki.local")
    assert check_url("http://127.0.0.1:9000/x", rules).authority == "127.0.0.1:9000"
    assert check_url("http://[::1]:9001/x", rules).authority == "[::1]:9001"
    assert check_url("https://wiki.local/x", rules).port == 443
    refused("http://127.0.0.1:9001/", rules)
    refused("http://127.0.0.2:9000/", rules)
    refused("http://wiki.local:8080/", rules)


def test_an_empty_setting_opens_nothing() -> None:
    assert AddressRules.from_setting("").allowed == frozenset()
    assert AddressRules.from_setting(" , ").allowed == frozenset()


def test_one_inner_address_among_public_ones_refuses_the_host() -> None:
    target = check_url("http://example.com/", RULES)
    with pytest.raises(DocumentRejectedError, match="not public"):
        check_addresses(target, ["93.184.216.34", "10.0.0.1"], RULES)
    assert check_addresses(target, ["93.184.216.34"], RULES) == ["93.184.216.34"]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "//127.0.0.1/",
        "//[::1]/x",
        "ftp://example.com/",
        "http://example.com:22/",
        "/a b\r\nX: y",
        "http://[127.0.0.1]/",
        "//[::1",
    ],
)
def test_a_redirect_obeys_the_same_rules(location: str) -> None:
    with pytest.raises(DocumentRejectedError):
        check_redirect(check_url("http://example.com/", RULES), location, RULES)


def test_a_relative_redirect_stays_on_the_host() -> None:
    start = check_url("https://example.com/a/b?x=1", RULES)
    assert check_redirect(start, "../c", RULES).url == "https://example.com/c"
    assert check_redirect(start, "?y=2", RULES).url == "https://example.com/a/b?y=2"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1", "::", "::1", "::127.0.0.1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:7f00:1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
        "fec0::1", "100::1", "3fff::1", "5f00::1", "not an address", "",
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_the_open_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "1.1.1.1", "2606:4700::1111", "2a00:1450::200e"]
)
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)
