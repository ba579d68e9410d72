"""Archives: those that are read, and those that were made to hurt. Nothing of a hostile one is taken."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from meshery_registry.domain.packages import Limits, read_folder, read_source

KIB = 1024
MIB = 1024 * KIB


def a_model(name: str = "cert-manager", kind: str = "Issuer") -> dict[str, bytes]:
    """The files of a model with one component."""
    model = {
        "schemaVersion": "models.meshery.io/v1beta2",
        "name": name,
        "registrant": {"kind": "github"},
        "model": {"version": "v1.0.0"},
    }
    component = {
        "schemaVersion": "components.meshery.io/v1beta3",
        "component": {"kind": kind, "version": "v1", "schema": "{}"},
    }
    return {
        f"{name}/v1.0.0/v1.0.0/model.json": orjson.dumps(model),
        f"{name}/v1.0.0/v1.0.0/components/{kind}.json": orjson.dumps(component),
    }


def a_tar(files: Mapping[str, bytes], *extra: tarfile.TarInfo, format: int = tarfile.PAX_FORMAT) -> bytes:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=format) as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, BytesIO(data))
        for info in extra:
            archive.addfile(info, BytesIO(bytes(info.size)))
    return packed.getvalue()


def a_zip(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data, method)
    return packed.getvalue()


def an_entry(name: str, kind: bytes, **changes: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def a_layout(layer: bytes, *, digest: str = "", docker: bool = False) -> dict[str, bytes]:
    """An image of one layer, as files."""

    def blob(data: bytes) -> tuple[str, dict[str, Any]]:
        hexed = hashlib.sha256(data).hexdigest()
        return f"blobs/sha256/{hexed}", {"digest": f"sha256:{hexed}", "size": len(data)}

    path, descriptor = blob(layer)
    if docker:
        return {
            "manifest.json": orjson.dumps([{"Config": "c.json", "Layers": ["l.tar.gz"]}]),
            "l.tar.gz": layer,
        }
    manifest = orjson.dumps(
        {"schemaVersion": 2, "layers": [{**descriptor, "digest": digest or descriptor["digest"]}]}
    )
    manifest_path, manifest_descriptor = blob(manifest)
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": orjson.dumps({"manifests": [manifest_descriptor]}),
        manifest_path: manifest,
        path: layer,
    }


MODEL = a_model()
LONG = {f"{'deep/' * 40}{path}": data for path, data in MODEL.items()}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.zip", a_zip(MODEL)),
        ("m.zip", a_zip(MODEL, zipfile.ZIP_STORED)),
        ("m.tar", a_tar(MODEL)),
        ("m.tar", a_tar(MODEL, format=tarfile.GNU_FORMAT)),
        ("m.tar", a_tar(MODEL, format=tarfile.USTAR_FORMAT)),
        ("m.tar", a_tar(LONG)),
        ("m.tar", a_tar(LONG, format=tarfile.GNU_FORMAT)),
        ("m.tar", a_tar({f"./{path}": data for path, data in MODEL.items()})),
        ("m.tar.gz", gzip.compress(a_tar(MODEL))),
        ("m.tar.gz", gzip.compress(a_tar(MODEL)) + bytes(512)),
        ("two-streams.tgz", gzip.compress(a_tar(MODEL)[:700]) + gzip.compress(a_tar(MODEL)[700:])),
        ("wrong-name.txt", gzip.compress(a_tar(MODEL))),
        ("m.gz", gzip.compress(a_zip(MODEL))),
        ("packed-once-more", gzip.compress(gzip.compress(a_tar(MODEL)))),
        ("nested.zip", a_zip({"inner.tar.gz": gzip.compress(a_tar(MODEL))})),
        ("nested.tar", a_tar({"a/b.zip": a_zip({"c.tgz": gzip.compress(a_tar(MODEL))})})),
        ("image.tar", a_tar(a_layout(gzip.compress(a_tar(MODEL))))),
        ("image.tar", a_tar(a_layout(a_tar(MODEL)))),
        ("image.tar.gz", gzip.compress(a_tar(a_layout(gzip.compress(a_tar(MODEL)), docker=True)))),
        ("image.zip", a_zip({f"layout/{path}": data for path, data in a_layout(a_tar(MODEL)).items()})),
        ("mac.zip", a_zip({**MODEL, "__MACOSX/._model.json": b"\0\1", "x/.DS_Store": b"\0"})),
        ("with-pictures.zip", a_zip({**MODEL, "logo.svg": b"<svg/>", "README.md": b"# x", "a.bin": b"\0"})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_archives_are_read(name: str, data: bytes) -> None:
    readings = read_source(name, data)
    assert not readings.refused
    (package,) = readings.packages
    assert package.model.name == "cert-manager"
    assert [one.kind for one in package.components] == ["Issuer"]


def test_archives_of_a_folder_are_opened() -> None:
    readings = read_folder({"one.tgz": gzip.compress(a_tar(MODEL)), **a_model("other")})
    assert sorted(one.model.name for one in readings.packages) == ["cert-manager", "other"]


def test_a_layer_takes_away_what_one_below_it_had() -> None:
    below = a_tar({**MODEL, **a_model("gone")})
    above = a_tar(
        {"gone/v1.0.0/v1.0.0/.wh.model.json": b"", "gone/v1.0.0/v1.0.0/components/.wh.Issuer.json": b""}
    )
    docker = [{"Config": "c", "Layers": ["a.tar", "b.tar"]}]
    image = a_tar({"manifest.json": orjson.dumps(docker), "a.tar": below, "b.tar": above})
    assert [one.model.name for one in read_source("i.tar", image).packages] == ["cert-manager"]


def test_a_layer_that_is_a_file() -> None:
    """As ORAS writes one: its name is in an annotation."""
    crd = b"schemaVersion: models.meshery.io/v1beta2\nname: x\n"
    path = hashlib.sha256(crd).hexdigest()
    layer = {
        "digest": f"sha256:{path}",
        "annotations": {"org.opencontainers.image.title": "models/model.yaml"},
    }
    manifest = orjson.dumps({"layers": [layer]})
    digest = hashlib.sha256(manifest).hexdigest()
    image = {
        "oci-layout": b"{}",
        "index.json": orjson.dumps({"manifests": [{"digest": f"sha256:{digest}"}]}),
        f"blobs/sha256/{digest}": manifest,
        f"blobs/sha256/{path}": crd,
    }
    refused = read_source("i.tar", a_tar(image)).refused
    assert refused[0].where == "models/model.yaml"
    assert "`registrant.kind` is missing" in refused[0].reason


def encrypted() -> bytes:
    data = bytearray(a_zip(MODEL))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        data[at + offset] |= 1
    return bytes(data)


def zip_link() -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo("model.json")
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return packed.getvalue()


def lying_zip() -> bytes:
    """Says that its file unpacks to a few bytes; it is a bomb."""
    data = bytearray(a_zip({"model.json": bytes(40 * MIB)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.find(signature)
        data[at + offset : at + offset + 4] = struct.pack("<I", 100)
    return bytes(data)


def quine() -> bytes:
    """Many layers of gzip around zeros."""
    data = bytes(KIB)
    for _ in range(8):
        data = gzip.compress(data)
    return data


SPARSE = an_entry("model.json", tarfile.GNUTYPE_SPARSE, size=0)
HOSTILE: dict[str, tuple[bytes, str]] = {
    "zip-slip": (a_zip({**MODEL, "../../etc/cron.d/x.json": b"{}"}), "leads out of the archive"),
    "zip absolute": (a_zip({**MODEL, "/etc/x.json": b"{}"}), "is absolute"),
    "zip backslash": (a_zip({**MODEL, "..\\x.json": b"{}"}), "a path of Windows"),
    "zip drive": (a_zip({**MODEL, "C:/x.json": b"{}"}), "a path of Windows"),
    "zip control character": (a_zip({**MODEL, "a\nb.json": b"{}"}), "characters that no name has"),
    "zip capitals": (a_zip({**MODEL, **{path.upper(): b"{}" for path in MODEL}}), "two files of one name"),
    "zip long name": (a_zip({**MODEL, f"{'x' * 300}.json": b"{}"}), "it is too long"),
    "zip encrypted": (encrypted(), "It is encrypted"),
    "zip of lzma": (a_zip(MODEL, zipfile.ZIP_LZMA), "method other than deflate"),
    "zip cut off": (a_zip(MODEL)[:-30], "It is damaged"),
    "zip with a wrong checksum": (a_zip(MODEL, 0).replace(b"github", b"GITHUB"), "It is damaged"),
    "zip bomb": (a_zip({"model.json": bytes(9 * MIB), "b.json": bytes(9 * MIB)}), "times as large as packed"),
    "zip of many files": (a_zip({f"{n}.json": b"" for n in range(20_001)}, 0), "more than 20,000 files"),
    "zip that lies of its size": (lying_zip(), "It is damaged"),
    "tar-slip": (a_tar({**MODEL, "a/../../x.json": b"{}"}), "leads out of the archive"),
    "tar absolute": (a_tar({**MODEL, "/x.json": b"{}"}), "is absolute"),
    "tar twice": (a_tar(MODEL, an_entry(next(iter(MODEL)), tarfile.REGTYPE)), "two files of one name"),
    "tar cut off": (a_tar(MODEL)[:1500], "It is cut off"),
    "tar without its end": (a_tar(MODEL)[: 4 * 512], "It is cut off"),
    "tar with a tail": (a_tar(MODEL) + b"rm -rf /", "Behind its end stands something"),
    "tar with a wrong checksum": (a_tar(MODEL)[:1024] + b"x" * 512 + bytes(1024), "checksum of a header"),
    "tar.gz cut off": (gzip.compress(a_tar(MODEL))[:-20], "It is cut off"),
    "tar.gz damaged": (gzip.compress(a_tar(MODEL))[:60] + bytes(200), "It is damaged"),
    "tar.gz with a wrong checksum": (gzip.compress(a_tar(MODEL))[:-8] + bytes(8), "It is damaged"),
    "tar.gz with a tail": (gzip.compress(a_tar(MODEL)) + b"rm -rf /", "Behind its end stands something"),
    "tar.gz bomb": (gzip.compress(a_tar({"a.json": bytes(40 * MIB)})), "times as large as packed"),
    "tar.gz bomb of what is not read": (
        gzip.compress(a_tar({"a.png": bytes(40 * MIB)})),
        "times as large as packed",
    ),
    "gzip in gzip": (quine(), "Archives lie in archives"),
    "tar of many folders": (
        a_tar({}, *(an_entry(f"{n}", tarfile.DIRTYPE) for n in range(20_001))),
        "more than 20,000 files",
    ),
    "tar with a negative size": (
        a_tar(MODEL).replace(b"00000000", b"-0000001", 1),
        "neither text nor an archive",
    ),
    "xz": (lzma.compress(a_tar(MODEL)), "packed with xz"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(100), "packed with zstd"),
    "image with a missing layer": (
        a_tar({"manifest.json": b'[{"Config":"c","Layers":["../l.tar"]}]'}),
        "A layer of the image is missing",
    ),
    "image with a wrong digest": (
        a_tar(
            {**a_layout(a_tar(MODEL), digest="sha256:" + "0" * 64), f"blobs/sha256/{'0' * 64}": a_tar(MODEL)}
        ),
        "is not what its digest says",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_gives_nothing(case: str) -> None:
    data, reason = HOSTILE[case]
    started = time.monotonic()
    readings = read_source("evil.bin", data)
    assert time.monotonic() - started < 5
    assert not readings.packages
    (refused,) = readings.refused
    assert reason in refused.reason, refused
    assert refused.entity_type == "file"
    assert refused.where.startswith("evil.bin")
    assert refused.remedy


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (an_entry("components/link.json", tarfile.SYMTYPE, linkname="/etc/passwd"), "a link"),
        (an_entry("components/link.json", tarfile.LNKTYPE, linkname="model.json"), "a link"),
        (an_entry("components/null.json", tarfile.CHRTYPE), "a device"),
        (an_entry("components/disk.json", tarfile.BLKTYPE), "a device"),
        (an_entry("components/pipe.json", tarfile.FIFOTYPE), "a device"),
        (an_entry("components/sparse.json", tarfile.GNUTYPE_SPARSE), "a device"),
    ],
)
def test_links_and_devices_are_refused_and_nothing_is_followed(extra: tarfile.TarInfo, reason: str) -> None:
    readings = read_source("m.tar", a_tar(MODEL, extra))
    assert len(readings.packages) == 1
    (refused,) = readings.refused
    assert reason in refused.reason
    assert refused.where == extra.name


def test_a_link_in_a_zip() -> None:
    (refused,) = read_source("m.zip", zip_link()).refused
    assert refused.reason == "It is a link, not a file."


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(packed_bytes=100), "100 are allowed"),
        (Limits(unpacked_bytes=600), "Unpacked it has more than 600 bytes"),
        (Limits(files=1), "more than 1 files"),
        (Limits(depth=0), "Archives lie in archives more than 0 deep"),
        (Limits(ratio=1, ratio_from_bytes=10), "more than 1 times as large"),
    ],
)
def test_every_limit_holds(limits: Limits, reason: str) -> None:
    readings = read_source("m.tar.gz", gzip.compress(a_tar(MODEL)), limits)
    assert not readings.packages
    assert reason in readings.refused[0].reason


def test_one_file_that_is_too_large_is_refused_alone() -> None:
    large = {"cert-manager/v1.0.0/v1.0.0/components/Large.json": b" " * 3000}
    for pack in (a_zip, a_tar):
        readings = read_source("m", pack({**MODEL, **large}), Limits(file_bytes=2000))
        assert len(readings.packages) == 1
        (refused,) = readings.refused
        assert refused.reason == "It has more than 2,000 bytes."


def test_an_inner_archive_that_is_broken_does_not_take_the_others_along() -> None:
    files = {"bad.tgz": gzip.compress(a_tar(MODEL))[:-20], "good.tgz": gzip.compress(a_tar(a_model("good")))}
    readings = read_source("m.zip", a_zip(files))
    assert [one.model.name for one in readings.packages] == ["good"]
    (refused,) = readings.refused
    assert (refused.where, refused.reason) == ("bad.tgz", "It is cut off.")


def test_an_inner_archive_that_is_hostile_does_not_either_but_a_limit_counts_for_all() -> None:
    files = {"bad.tar": a_tar({"../x.json": b"{}"}), **MODEL}
    readings = read_source("m.zip", a_zip(files))
    assert len(readings.packages) == 1
    assert readings.refused[0].where == "bad.tar/../x.json"
    bomb = {"bomb.tgz": gzip.compress(a_tar({"a.json": bytes(40 * MIB)})), **MODEL}
    assert not read_source("m.zip", a_zip(bomb)).packages


def pax(name: bytes, value: bytes) -> bytes:
    length = len(name) + len(value) + 3
    length += len(str(length))
    length += len(str(length)) - len(str(length - len(str(length))))
    return b"%d %s=%s\n" % (length, name, value)


@pytest.mark.parametrize(
    "told",
    [
        b"1" * 60_000,
        b"99999999999999999999 path=x\n",
        b"0 path=x\n" * 50,
        b"-5 path=x\n",
        b"12 path=\xff\xff\n",
        pax(b"size", b"-1"),
        pax(b"size", b"9" * 18),
        pax(b"path", b"../x"),
        b"x" * 70_000,
    ],
)
def test_extended_headers_made_to_hurt(told: bytes) -> None:
    header = an_entry("pax", b"x", size=len(told)).tobuf(tarfile.USTAR_FORMAT)
    data = header + told + bytes(-len(told) % 512) + a_tar(MODEL)
    started = time.monotonic()
    readings = read_source("m.tar", data)
    assert time.monotonic() - started < 1
    assert not readings.packages
    assert len(readings.refused) == 1


def test_a_chain_of_headers_ends() -> None:
    long = an_entry("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=5).tobuf(tarfile.GNU_FORMAT)
    data = (long + b"x.txt".ljust(512, b"\0")) * 20_000 + a_tar(MODEL)
    readings = read_source("m.tar", data)
    assert len(readings.packages) + len(readings.refused) >= 1


@pytest.mark.parametrize("pack", [a_zip, a_tar, lambda files: gzip.compress(a_tar(files), mtime=0)])
def test_cut_off_anywhere_it_gives_nothing_or_the_whole(pack: Callable[[Mapping[str, bytes]], bytes]) -> None:
    data = pack(MODEL)
    whole = read_source("m", data).packages
    for size in range(0, len(data), 7):
        assert read_source("m", data[:size]).packages in ((), whole)


@pytest.mark.parametrize("pack", [a_zip, a_tar])
def test_any_byte_may_be_wrong(pack: Callable[[Mapping[str, bytes]], bytes]) -> None:
    data = pack(MODEL)
    for position in range(0, len(data), 3):
        for change in (0x01, 0xFF):
            broken = bytearray(data)
            broken[position] ^= change
            readings = read_source("m", bytes(broken))
            assert len(readings.packages) + len(readings.refused) > 0


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for data, _ in HOSTILE.values():
        read_source("evil.bin", data)
    assert not list(tmp_path.iterdir())


def test_zeros_and_noise() -> None:
    for data in (b"", b"\0" * 2000, b"\x1f\x8b", b"PK\x03\x04", b"\xff" * 3000, zlib.compress(b"x")):
        readings = read_source("noise.bin", data)
        assert not readings.packages
        assert readings.refused[0].reason
