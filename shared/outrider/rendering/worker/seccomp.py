"""seccomp: which system calls a process can make. A filter is a small program that the kernel runs before each call.

What is denied fails as if rights were missing, so that a tool reports an error instead of dying. One program may be started, and
this is how it is told apart from all others: a filter can't read a path, but it can compare the address at which the path stands.
kubectl's path stands at an address that means nothing in kubectl itself once it runs, so that it in turn starts nothing.
"""

import ctypes
import struct

from outrider.rendering.worker import system

_DENIED = {
    # name: number on x86_64, number on aarch64
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "accept": (43, 202),
    "accept4": (288, 242),
    "bind": (49, 200),
    "listen": (50, 201),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "recvmsg": (47, 212),
    "recvmmsg": (299, 243),
    "execveat": (322, 281),
    "kill": (62, 129),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "symlinkat": (266, 36),
    "linkat": (265, 37),
    "mknodat": (259, 33),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "acct": (163, 89),
    "syslog": (103, 116),
}
_DENIED_X86_ONLY = {"symlink": 88, "link": 86, "mknod": 133, "iopl": 172, "ioperm": 173, "modify_ldt": 154}
_FORKS_X86_ONLY = {"fork": 57, "vfork": 58}
_EXECVE, _CLONE, _CLONE3 = (59, 221), (56, 220), (435, 435)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32_BIT = 0x40000000
# Calls of the 32-bit interface of x86_64 have this bit; nothing here uses it.
_CLONE_THREAD = 0x00010000

_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_ALLOW, _DENY, _NO_SUCH_CALL, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
# Allow; EPERM; ENOSYS, at which libraries fall back to an older call; end the process.

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _FIRST_ARGUMENT = 0, 4, 16


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _op(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _answer(number: int, action: int) -> list[bytes]:
    return [_op(_EQUAL, number, 0, 1), _op(_RETURN, action)]


def _head() -> list[bytes]:
    column, audit = _ARCHITECTURES[system.ARCHITECTURE]
    head = [_op(_LOAD, _ARCH), _op(_EQUAL, audit, 1, 0), _op(_RETURN, _KILL), _op(_LOAD, _NR)]
    if column == 0:
        head += [_op(_AT_LEAST, _X32_BIT, 0, 1), _op(_RETURN, _DENY)]
    return head


def _execve(number: int, path_address: int | None) -> list[bytes]:
    """Answer `execve`: allowed with one address as its first argument, denied with any other."""
    if path_address is None:
        return _answer(number, _DENY)
    low, high = path_address & 0xFFFFFFFF, path_address >> 32
    return [
        _op(_EQUAL, number, 0, 6),
        _op(_LOAD, _FIRST_ARGUMENT),
        _op(_EQUAL, low, 0, 3),
        _op(_LOAD, _FIRST_ARGUMENT + 4),
        _op(_EQUAL, high, 0, 1),
        _op(_RETURN, _ALLOW),
        _op(_RETURN, _DENY),
    ]


def _threads_only(number: int) -> list[bytes]:
    """Answer `clone`: allowed for a thread, denied for a process."""
    return [
        _op(_EQUAL, number, 0, 4),
        _op(_LOAD, _FIRST_ARGUMENT),
        _op(_ANY_BIT, _CLONE_THREAD, 0, 1),
        _op(_RETURN, _ALLOW),
        _op(_RETURN, _DENY),
    ]


def deny_dangerous_calls(*, executable_address: int | None) -> None:
    """Deny sockets, programs (but the one whose path stands at the address), mounts, tracing; Unsupported if it can't be."""
    if not system.is_supported():
        raise system.Unsupported("seccomp is used on Linux, x86_64 or aarch64")
    column, _ = _ARCHITECTURES[system.ARCHITECTURE]
    program = _head() + _answer(_CLONE3[column], _NO_SUCH_CALL)
    for numbers in _DENIED.values():
        program += _answer(numbers[column], _DENY)
    if column == 0:
        for number in _DENIED_X86_ONLY.values():
            program += _answer(number, _DENY)
    program += _execve(_EXECVE[column], executable_address)
    _install(program)
    if executable_address is None:
        deny_processes()


def deny_processes() -> None:
    """Deny this process children; threads are allowed."""
    column, _ = _ARCHITECTURES[system.ARCHITECTURE]
    program = _head()
    if column == 0:
        for number in _FORKS_X86_ONLY.values():
            program += _answer(number, _DENY)
    _install(program + _threads_only(_CLONE[column]))


def _install(program: list[bytes]) -> None:
    code = b"".join([*program, _op(_RETURN, _ALLOW)])
    system.seccomp(_SET_MODE_FILTER, _ALL_THREADS, _Program(len(code) // 8, code))
