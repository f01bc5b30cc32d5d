"""Which system calls a workspace may not make: one policy, written as a BPF program for bubblewrap and as a profile for Docker.

It is a list of what is denied, for both: a workspace runs whatever programs people use, as an unprivileged user without
capabilities in namespaces of its own, and what is listed is the kernel's surface that this leaves open and nobody's work needs.
`docker/seccomp.json` is the profile for people who start containers by hand; `python -m ise_assets.execute.seccomp` prints it.
"""

from __future__ import annotations

import json
import struct
from typing import Any

# system calls that a workspace has no business with: number on x86-64, number on aarch64
DENIED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "syslog": (103, 116),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # memory that belongs to no mapping escapes the watchdog's count
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "chroot": (161, 51),
    "personality": (135, 92),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "vhangup": (153, 58),
    "nfsservctl": (180, 42),
    "modify_ldt": (154, None),
    "iopl": (172, None),
    "ioperm": (173, None),
    "uselib": (134, None),
    "sysfs": (139, None),
}
"""Refused with EPERM: name -> number on x86-64 and on aarch64, None where that has no such call."""

AF_ALLOWED = (1, 2, 10, 16)
"""The families that sockets may be of: unix, inet, inet6, netlink."""

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine -> its column in `DENIED` and the kernel's number of it."""

_CONDITIONAL = {"socket": (41, 198), "clone": (56, 220), "clone3": (435, 435), "ioctl": (16, 29)}
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NAMESPACES = 0x7E020080  # CLONE_NEW{USER,PID,NET,NS,UTS,IPC,CGROUP,TIME}
_TIOCSTI = 0x5412


def seccomp_filter(machine: str) -> bytes:
    """The policy as a BPF program for `machine` (x86_64 or aarch64), as bubblewrap's --seccomp reads it."""
    column, audit = ARCHITECTURES[machine]
    code: list[tuple[int, int, int, int]] = []

    def load(offset: int) -> None:
        code.append((0x20, 0, 0, offset))

    def unless_equal_skip(value: int, count: int) -> None:
        code.append((0x15, 0, count, value))

    def refuse(errno: int) -> None:
        code.append((0x06, 0, 0, 0x00050000 | errno))

    load(4)
    code.append((0x15, 1, 0, audit))
    code.append((0x06, 0, 0, 0x80000000))
    load(0)
    if machine == "x86_64":  # the x32 ABI would give every call a second number
        code.append((0x35, 0, 1, 0x40000000))
        refuse(_ENOSYS)
    for pair in DENIED.values():
        number = pair[column]
        if number is not None:
            unless_equal_skip(number, 1)
            refuse(_EPERM)
    unless_equal_skip(_CONDITIONAL["clone3"][column], 1)
    refuse(_ENOSYS)
    unless_equal_skip(_CONDITIONAL["clone"][column], 4)
    load(16)
    code.append((0x45, 0, 1, _NAMESPACES))
    refuse(_EPERM)
    code.append((0x06, 0, 0, 0x7FFF0000))
    unless_equal_skip(_CONDITIONAL["ioctl"][column], 4)
    load(24)
    unless_equal_skip(_TIOCSTI, 1)
    refuse(_EPERM)
    code.append((0x06, 0, 0, 0x7FFF0000))
    unless_equal_skip(_CONDITIONAL["socket"][column], 2 + len(AF_ALLOWED))
    load(16)
    for position, family in enumerate(AF_ALLOWED):
        code.append((0x15, len(AF_ALLOWED) - position, 0, family))
    refuse(_EAFNOSUPPORT)
    code.append((0x06, 0, 0, 0x7FFF0000))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def docker_profile() -> dict[str, Any]:
    """The policy as `docker run --security-opt seccomp=FILE` reads it."""
    families = [_rule("socket", _EAFNOSUPPORT, "SCMP_CMP_GT", max(AF_ALLOWED))]
    families += [
        _rule("socket", _EAFNOSUPPORT, "SCMP_CMP_EQ", family)
        for family in range(max(AF_ALLOWED))
        if family not in AF_ALLOWED
    ]
    flags = [1 << bit for bit in range(32) if _NAMESPACES & 1 << bit]
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        # only the machine's own: calls by the numbers of another ABI (x32, i386) end the process
        "archMap": [
            {"architecture": f"SCMP_ARCH_{machine.upper()}", "subArchitectures": []} for machine in ARCHITECTURES
        ],
        "syscalls": [
            {"names": sorted(DENIED), "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM},
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
            *families,
            *(_rule("clone", _EPERM, "SCMP_CMP_MASKED_EQ", flag, flag) for flag in flags),
            _rule("ioctl", _EPERM, "SCMP_CMP_MASKED_EQ", 0xFFFFFFFF, _TIOCSTI, index=1),
        ],
    }


def _rule(name: str, errno: int, test: str, value: int, masked: int = 0, index: int = 0) -> dict[str, Any]:
    argument = {"index": index, "value": value, "valueTwo": masked, "op": test}
    return {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": [argument]}


if __name__ == "__main__":
    print(json.dumps(docker_profile(), indent=2))
