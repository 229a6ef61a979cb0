"""Asking servers that strangers name: which may be asked, and that no other ever is."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from tests.studio.sinks import Sink, drips, hangs, hangs_up, http_sink, says
from text2art.errors import InputFileError, SettingsError
from text2art.media.addresses import is_public
from text2art.studio.net import Answer, Unreachable, Web
from text2art.studio.urls import UrlRefused, split_url


@pytest.fixture
def sink() -> Iterator[Sink]:
    with http_sink() as running:
        yield running


def names(**known: Sequence[str] | Sequence[Sequence[str]]) -> Any:
    """Return a resolver of a few names, `_` for `.`; a list of answers is gone through."""
    table = {name.replace("_", "."): answers for name, answers in known.items()}
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        answers = table.get(host)
        if answers is None:
            raise OSError("no such name")
        if answers and not isinstance(answers[0], str):
            index = min(asked.count(host), len(answers)) - 1
            return answers[index]
        return answers  # type: ignore[return-value]

    resolve.asked = asked  # type: ignore[attr-defined]
    return resolve


def fetch(web: Web, url: str, max_bytes: int = 1000, **more: Any) -> Answer:
    async def run() -> Answer:
        return await web.fetch(url, max_bytes, **more)

    return anyio.run(run)


def post(web: Web, url: str, body: bytes = b"{}", **more: Any) -> Answer:
    async def run() -> Answer:
        return await web.post(url, body, {"X-Sign": "1"}, **more)

    return anyio.run(run)


# ---- addresses ---------------------------------------------------------------------------------

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "198.18.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "fc00::1",
    "ff02::1",
    "2001:db8::1",
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_changes_nothing(ip: Any) -> None:
    wrapped = [f"::ffff:{ip}", f"64:ff9b::{ip}", f"2002:{int(ip) >> 16:x}:{int(ip) & 65535:x}::"]
    assert {is_public(str(ip))} == {is_public(address) for address in wrapped}


@pytest.mark.parametrize("address", PRIVATE)
def test_names_of_private_addresses_are_refused(address: str) -> None:
    web = Web(resolver=names(evil_example=[address]))
    for ask in (fetch, post):
        with pytest.raises(UrlRefused, match="private address"):
            ask(web, "http://evil.example/")


def test_one_private_address_among_public_ones_is_enough() -> None:
    web = Web(resolver=names(evil_example=["1.1.1.1", "10.0.0.1"]))
    with pytest.raises(UrlRefused, match="private"):
        fetch(web, "http://evil.example/")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://1.2.3.08/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1%25eth0]/",
        "http://①②⑦.0.0.1/",
        "http://127.0.0.1./",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://metadata.google.internal/",
        "http://printer.local/",
        "http://intranet/",
        "http://user:secret@example.org/",
        "http://example.org@10.0.0.1/",
        "http://example.org\\@10.0.0.1/",
        "http://example.org:22/",
        "http://example.org:25/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://example.org/a b",
        "http://example.org/\r\nX: 1",
        "http://exam\u200bple.org/",
        "http://-a.example/",
        "http://a..example/",
        f"http://{'a' * 64}.example/",
        f"http://example.org/{'a' * 2000}",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "//example.org/",
        "http:///path",
        "javascript:alert(1)",
        "",
    ],
)
def test_urls_that_are_refused_without_asking_anybody(url: str) -> None:
    resolver = names(example_org=["1.1.1.1"])
    web = Web(resolver=resolver)
    with pytest.raises(UrlRefused):
        web.check(url)
    with pytest.raises(UrlRefused):
        fetch(web, url)
    assert resolver.asked == []


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://Example.org", "https://example.org/"),
        ("HTTP://example.org:80/a?b=c#d", "http://example.org/a?b=c"),
        ("https://example.org:8443/ä", "https://example.org:8443/%C3%A4"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("http://[2606:4700::1111]:8080/", "http://[2606:4700::1111]:8080/"),
        ("http://1.1.1.1/", "http://1.1.1.1/"),
    ],
)
def test_urls_that_are_asked(url: str, asked: str) -> None:
    assert Web().check(url).url == asked


@given(st.text(max_size=60) | st.from_regex(r"https?://[ -~]{0,40}", fullmatch=True))
def test_no_text_breaks_the_reader_of_urls(text: str) -> None:
    try:
        target = split_url(text)
    except UrlRefused:
        return
    assert split_url(target.url) == target
    assert target.host.isascii()
    assert target.host == target.host.lower()


# ---- asking ------------------------------------------------------------------------------------


def test_the_judged_address_is_the_one_asked(sink: Sink) -> None:
    sink.replies = [says(200, b"picture")]
    resolver = names(rebinding_example=[["127.0.0.1"], ["10.0.0.1"]])  # it changes its mind
    web = Web(allow=["127.0.0.0/8"], resolver=resolver)
    url = sink.url("/a", host="rebinding.example")
    answer = fetch(web, url)
    assert (answer.status, answer.body) == (200, b"picture")
    assert resolver.asked == ["rebinding.example"]
    assert sink.heard[0].headers["host"] == f"rebinding.example:{sink.port}"
    with pytest.raises(UrlRefused, match="private"):
        fetch(web, url)
    assert len(sink.heard) == 1


def test_tls_is_that_of_the_name_on_the_pinned_address() -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    resolver = names(hooks_example=["127.0.0.1"], other_example=["127.0.0.1"])
    with http_sink(server) as sink:
        web = Web(allow=["127.0.0.1/32"], resolver=resolver, tls=client)
        assert post(web, sink.url(host="hooks.example", scheme="https")).status == 204
        assert sink.sni == ["hooks.example"]
        with pytest.raises(Unreachable, match="certificate"):
            post(web, sink.url(host="other.example", scheme="https"))
        with pytest.raises(Unreachable, match="certificate"):  # nobody vouches for the authority
            post(
                Web(allow=["127.0.0.1/32"], resolver=resolver),
                sink.url(host="hooks.example", scheme="https"),
            )
    assert len(sink.heard) == 1


@pytest.mark.parametrize(
    "inward",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:1/",
        "http://[::1]/",
        "http://inside.example/",
        "file:///etc/passwd",
        "//10.0.0.1/",
    ],
)
def test_redirects_are_judged(sink: Sink, inward: str) -> None:
    sink.replies = [says(302, location=inward)]
    resolver = names(outside_example=["127.0.0.1"], inside_example=["192.168.0.1"])
    web = Web(allow=[f"outside.example:{sink.port}"], resolver=resolver)
    with pytest.raises(UrlRefused):
        fetch(web, sink.url(host="outside.example"))
    assert len(sink.heard) == 1


def test_redirects_are_followed_when_fetching_but_not_when_posting(sink: Sink) -> None:
    web = Web(allow=["127.0.0.1"])
    sink.replies = [says(302, location="/b?c"), says(200, b"there")]
    assert fetch(web, sink.url("/a")).body == b"there"
    assert [heard.path for heard in sink.heard] == ["/a", "/b?c"]
    sink.replies, sink.heard[:] = [says(307, location="/b")], []
    assert post(web, sink.url("/a")).status == 307
    assert [heard.path for heard in sink.heard] == ["/a"]
    with pytest.raises(UrlRefused, match="more than 4 times"):
        fetch(web, sink.url("/a"))


def test_what_is_too_big_is_not_read(sink: Sink) -> None:
    web = Web(allow=["127.0.0.1"])
    sink.replies = [says(200, b"x" * 1000)]
    assert len(fetch(web, sink.url(), 1000).body) == 1000
    with pytest.raises(InputFileError, match="larger than"):
        fetch(web, sink.url(), 999)
    sink.replies = [drips()]  # announces nothing and never ends
    with pytest.raises(InputFileError, match="larger than"):
        fetch(web, sink.url(), 3)


@pytest.mark.parametrize("reply", [hangs(), drips()])
def test_what_is_too_slow_is_cut_off(sink: Sink, reply: Any) -> None:
    sink.replies = [reply]
    with pytest.raises(Unreachable, match="too slow"):
        fetch(Web(allow=["127.0.0.1"]), sink.url(), seconds=0.3)


def test_servers_that_are_not_there_or_break_off(sink: Sink) -> None:
    web = Web(allow=["127.0.0.1"], resolver=names(empty_example=[]))
    sink.replies = [hangs_up]
    with pytest.raises(Unreachable):
        post(web, sink.url())
    sink.replies = [says(404)]
    with pytest.raises(Unreachable, match="404"):
        fetch(web, sink.url())
    with pytest.raises(Unreachable):
        post(web, "http://127.0.0.1:1/")
    with pytest.raises(Unreachable, match="not known"):
        post(web, "http://nowhere.example/")
    with pytest.raises(Unreachable, match="no address"):
        post(web, "http://empty.example/")


def test_a_resolver_that_hangs_is_bounded() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await anyio.sleep(60)
        return []

    with pytest.raises(Unreachable, match="too slow"):
        post(Web(resolver=never), "http://slow.example/", seconds=0.2)


def test_proxies_of_the_environment_are_not_asked(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(Web(allow=["127.0.0.1"]), sink.url()).status == 204


def test_offline(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT2ART_OFFLINE", "1")
    with pytest.raises(Unreachable, match="TEXT2ART_OFFLINE"):
        post(Web(allow=["127.0.0.1"]), sink.url())
    assert sink.heard == []


def test_a_site_allows_its_own_hosts() -> None:
    web = Web(allow=["minio", "10.1.0.0/16", "hooks.internal:25", "[::1]:9000"])
    for url in (
        "http://minio/",
        "http://minio:22/",
        "http://10.1.2.3/",
        "http://hooks.internal:25/",
        "http://[::1]:9000/",
    ):
        web.check(url)
    for url in ("http://10.2.0.1/", "http://hooks.internal/", "http://[::1]/", "http://minio2/"):
        with pytest.raises(UrlRefused):
            web.check(url)
    Web(allow_private=True).check("http://127.0.0.1:22/")
    for wrong in ("10.0.0.1/33", "host:port", "", "a b"):
        with pytest.raises(SettingsError):
            Web(allow=[wrong])
