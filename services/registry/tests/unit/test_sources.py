"""What addresses mean."""

from __future__ import annotations

import pytest

from meshery_contracts.errors import Invalid
from meshery_registry.domain.sources import (
    ChartSource,
    GitSource,
    OciSource,
    Source,
    WebSource,
    chart_source,
    shown,
    source_of,
)

HUB = "https://github.com"


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("https://example.com/crds.yaml?x=1", WebSource("https://example.com/crds.yaml?x=1")),
        ("git+https://example.com/a/b.git", GitSource("https://example.com/a/b.git")),
        (
            "git+https://example.com/a/b.git//deploy/crds?ref=v1",
            GitSource("https://example.com/a/b.git", "v1", "deploy/crds"),
        ),
        (f"{HUB}/o/r", GitSource(f"{HUB}/o/r.git")),
        (f"{HUB}/o/r.git", GitSource(f"{HUB}/o/r.git")),
        (f"{HUB}/o/r/tree/main/a/b", GitSource(f"{HUB}/o/r.git", path="main/a/b", joined=True)),
        (f"{HUB}/o/r/blob/main/a.yaml", WebSource(f"{HUB}/o/r/raw/main/a.yaml")),
        (f"{HUB}/o/r/releases/download/v1/a.yaml", WebSource(f"{HUB}/o/r/releases/download/v1/a.yaml")),
        ("git://github.com/o/r/main/a", GitSource(f"{HUB}/o/r.git", path="main/a", joined=True)),
        ("git://github.com/o/r", GitSource(f"{HUB}/o/r.git", joined=True)),
        ("oci://reg.example/a/b:1.0", OciSource("reg.example", "a/b", "1.0")),
        ("oci://reg.example:5000/a", OciSource("reg.example:5000", "a")),
        ("oci://reg.example/a@sha256:" + "a" * 64, OciSource("reg.example", "a", "sha256:" + "a" * 64)),
        ("oci://docker.io/nginx", OciSource("registry-1.docker.io", "library/nginx")),
    ],
)
def test_addresses(address: str, source: Source) -> None:
    assert source_of(address, HUB) == source


@pytest.mark.parametrize(
    "address",
    [
        "",
        "file:///etc/passwd",
        "ssh://git@example.com/a",
        "git+https://",
        "git+ssh://example.com/a",
        "git://github.com/o",
        f"{HUB}/o",
        "oci://reg.example",
        "oci://reg.example/A:1",
        "oci://reg.example/a:b:c",
        "oci://reg.example/a@md5:1",
        "oci://user:hush@reg.example/a",
        "oci://reg.example/../a",
        "https://[::1",
    ],
)
def test_addresses_that_mean_nothing(address: str) -> None:
    with pytest.raises(Invalid) as caught:
        source_of(address, HUB)
    assert "hush" not in str(caught.value.problem)


def test_charts() -> None:
    assert chart_source("https://c.example/x/", "shop", "1") == ChartSource(
        "https://c.example/x", "shop", "1"
    )
    assert chart_source("oci://r.example/x/", "shop", "1+a") == OciSource("r.example", "x/shop", "1_a")
    assert chart_source("oci://r.example/x", "shop", "") == OciSource("r.example", "x/shop")
    with pytest.raises(Invalid):
        chart_source("ftp://c.example", "shop", "")


def test_what_everybody_may_read_of_an_address() -> None:
    assert shown("https://user:hush@example.com/a?token=hush#x") == "https://example.com/a"
    assert shown("oci://reg.example/a:1.0") == "oci://reg.example/a:1.0"
    assert shown("https://[::1") == ""
