"""A snapshot brings files back as they were; a hostile one brings nothing where it should not."""

import io
import tarfile

import pytest

from ise_assets.execute.workspace import Backend, FileRefused, Limits, Workspace, open_backend

LIMITS = Limits(memory_mib=256, disk_mib=32)
LISTING = r"find /home /workspace -type d -printf '%y %m %p\n' -o -printf '%y %m %s %TY-%Tm-%Td %p %l\n' | LC_ALL=C sort; cat ~/a/deep/text"


@pytest.fixture(params=["bubblewrap", "docker"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "docker":
        request.getfixturevalue("docker_engine")
    return open_backend(request.param)


async def test_a_workspace_starts_from_another_ones_files(backend: Backend) -> None:
    async with await Workspace.start(backend, LIMITS) as workspace:
        await workspace.exec(
            r"mkdir -p a/deep .git b; echo text > a/deep/text; ln -s text a/deep/link; ln -s /nowhere dangling; "
            r"ln a/deep/text hard; chmod 640 hard; touch -d 2020-02-02 old; printf x > $'bad\xff'; mkfifo fifo; chmod 500 b; "
            r"touch /workspace/there; ln -s a folder"
        )
        listed = (await workspace.exec(LISTING)).stdout
        taken = await workspace.snapshot()
    async with await Workspace.start(backend, LIMITS, snapshot=taken) as other:
        again = (await other.exec(LISTING)).stdout
    assert again == "".join(line for line in listed.splitlines(True) if not line.startswith("p "))


async def test_too_much_for_a_snapshot_is_refused_and_the_workspace_lives(backend: Backend) -> None:
    async with await Workspace.start(backend, Limits()) as workspace:
        await workspace.exec("head -c 60M /dev/zero > large")
        with pytest.raises(FileRefused, match="too much"):
            await workspace.snapshot()
        assert (await workspace.exec("echo alive")).stdout == "alive\n"


def packed(*members: tuple[str, bytes, str, int]) -> bytes:
    """A tar of (name, type, link target, size)."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        for name, kind, link, size in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size, member.mode = kind, link, size, 0o6755
            tar.addfile(member, io.BytesIO(b"x" * size))
    return body.getvalue()


FILE, LINK, HARD, FIFO, DEVICE, FOLDER = (
    tarfile.REGTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
    tarfile.DIRTYPE,
)
HOSTILE = {
    "an absolute path": packed(("/tmp/out", FILE, "", 3)),
    "a path upwards": packed(("home/user/../../tmp/out", FILE, "", 3)),
    "through a link": packed(("home/user/way", LINK, "/tmp", 0), ("home/user/way/out", FILE, "", 3)),
    "through a link in a link": packed(
        ("home/user/a", LINK, "b", 0), ("home/user/b", LINK, "/tmp", 0), ("home/user/a/out", FILE, "", 3)
    ),
    "a hard link to what lies outside": packed(("home/user/hard", HARD, "etc/passwd", 0)),
    "a device": packed(("home/user/device", DEVICE, "", 0)),
    "a FIFO": packed(("home/user/fifo", FIFO, "", 0)),
    "no tar": b"hello" * 1000,
    "half a tar": packed(("home/user/half", FILE, "", 5000))[:2000],
    "a file where a directory is": packed(("home/user", FILE, "", 3)),
}


@pytest.mark.parametrize("snapshot", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_snapshot_is_refused(backend: Backend, snapshot: bytes) -> None:
    async with await Workspace.start(backend, LIMITS) as workspace:
        with pytest.raises(FileRefused):
            await workspace.restore(snapshot)
        assert (await workspace.exec("ls /tmp")).stdout == ""


async def test_no_file_of_a_snapshot_raises_privileges_and_one_that_replaces_a_link_does_not_follow_it(
    backend: Backend,
) -> None:
    async with await Workspace.start(backend, LIMITS) as workspace:
        await workspace.exec("ln -s /tmp/out program; ln -s /tmp folder")
        await workspace.restore(packed(("home/user/program", FILE, "", 3), ("home/user/folder", FOLDER, "", 0)))
        shown = await workspace.exec("stat -c '%a %F' program folder; ls /tmp")
        assert shown.stdout == "755 regular file\n755 directory\n"
