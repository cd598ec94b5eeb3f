"""Archives of strangers: what they may hold, and that nothing of theirs leads out of the folder."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from groundplan.diagnostics.trouble import UsageError
from groundplan.service import archives
from groundplan.service.archives import is_archive, unpack

CONTENT = b"content"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def make_zip(tmp_path: Path, *names: str, mode: int = 0o100644) -> Path:
    """A zip with these entries."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, CONTENT)
    return path


def make_tar(tmp_path: Path, *names: str, mode: str = "w:gz", **fields: object) -> Path:
    """A tar with these entries, every one with the given fields."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, mode) as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(CONTENT)
            for field, value in fields.items():
                setattr(entry, field, value)
            archive.addfile(entry, io.BytesIO(CONTENT))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_every_kind_of_tar_is_told_by_its_content(tmp_path: Path, target: Path, mode: str) -> None:
    archive = make_tar(tmp_path, "shop/blueprint.yaml", mode=mode)
    assert is_archive(archive)
    assert (unpack(archive, target) / "blueprint.yaml").read_bytes() == CONTENT


def test_a_zip_without_a_top_folder_is_its_own(tmp_path: Path, target: Path) -> None:
    assert unpack(make_zip(tmp_path, "blueprint.yaml", "scripts/run.sh"), target) == target
    assert (target / "scripts/run.sh").read_bytes() == CONTENT


def test_scripts_stay_executable_and_nothing_becomes_more(tmp_path: Path, target: Path) -> None:
    unpack(make_zip(tmp_path, "run.sh", "x", mode=0o104755), target)
    assert (target / "run.sh").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil", "a/.."])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_no_path_leads_out(tmp_path: Path, target: Path, name: str, make: object) -> None:
    with pytest.raises(UsageError, match="leads out"):
        unpack(make(tmp_path, name), target)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_tar_holds_no_links_and_no_devices(tmp_path: Path, target: Path, kind: bytes) -> None:
    with pytest.raises(UsageError, match="something else"):
        unpack(make_tar(tmp_path, "link", type=kind, linkname="/etc/passwd", size=0), target)


def test_a_zip_holds_no_links(tmp_path: Path, target: Path) -> None:
    with pytest.raises(UsageError, match="holds a link"):
        unpack(make_zip(tmp_path, "link", mode=0o120777), target)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_there_is_a_limit_to_the_number_of_files(
    tmp_path: Path, target: Path, make: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    with pytest.raises(UsageError, match="more than 3 files"):
        unpack(make(tmp_path, *"abcd"), target)


def test_folders_count_as_well(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    with pytest.raises(UsageError, match="more than 3"):
        unpack(make_tar(tmp_path, *"abcd", type=tarfile.DIRTYPE, size=0), target)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_there_is_a_limit_to_the_size(
    tmp_path: Path, target: Path, make: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 10)
    with pytest.raises(UsageError, match="more than"):
        unpack(make(tmp_path, "a", "b"), target)


def test_more_than_was_announced_is_refused(tmp_path: Path, target: Path) -> None:
    path = make_zip(tmp_path, "bomb")
    announced = len(CONTENT).to_bytes(4, "little")
    # In both headers the size follows the compressed size; the checksum is left, since reading never comes so far.
    path.write_bytes(path.read_bytes().replace(announced + (4).to_bytes(2, "little"), b"\1\0\0\0\4\0"))
    with pytest.raises(UsageError):
        unpack(path, target)


def test_a_header_does_not_fill_the_memory(tmp_path: Path, target: Path) -> None:
    path = make_tar(tmp_path, "a", pax_headers={"comment": "x" * 4_000_000})
    assert path.stat().st_size < 100_000
    with pytest.raises(UsageError, match="header that is too large"):
        unpack(path, target)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_an_archive_that_was_cut_short_is_refused(tmp_path: Path, target: Path, make: object) -> None:
    path = make(tmp_path, "a", "b", "c")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match="cannot be unpacked"):
        unpack(path, target)


def test_an_archive_whose_content_is_spoilt_is_refused(tmp_path: Path, target: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", os.urandom(1000).hex())
    content = bytearray(path.read_bytes())
    content[50:600] = b"\xff" * 550
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be unpacked"):
        unpack(path, target)


def test_an_encrypted_archive_is_refused(tmp_path: Path, target: Path) -> None:
    path = make_zip(tmp_path, "a")
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be unpacked"):
        unpack(path, target)


def test_two_entries_of_one_name_are_refused(tmp_path: Path, target: Path) -> None:
    with pytest.raises(UsageError, match="cannot be unpacked"):
        unpack(make_tar(tmp_path, "a", "a"), target)
