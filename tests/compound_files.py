"""Writes OLE compound files, the container of Outlook messages and of the office formats before 2007."""

import struct
from dataclasses import dataclass, field

_SECTOR = 512
_END, _FREE, _FAT_SECTOR = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
_NONE = 0xFFFFFFFF


@dataclass
class Storage:
    """A folder of a compound file: streams are bytes, further storages nest."""

    entries: "dict[str, bytes | Storage]" = field(default_factory=dict)


@dataclass
class _Node:
    name: str
    kind: int
    data: bytes = b""
    child: int = _NONE
    right: int = _NONE
    start: int = _END


def compound_file(root: Storage) -> bytes:
    """The bytes of a version 3 file without a mini stream: every stream is padded to its least size of 4096."""
    nodes: list[_Node] = [_Node("Root Entry", 5)]
    _add(nodes, 0, root)
    sectors: list[bytes] = []
    fat: list[int] = []

    def store(data: bytes) -> int:
        first = len(sectors)
        count = max((len(data) + _SECTOR - 1) // _SECTOR, 1)
        for index in range(count):
            sectors.append(data[index * _SECTOR : (index + 1) * _SECTOR].ljust(_SECTOR, b"\0"))
            fat.append(first + index + 1 if index + 1 < count else _END)
        return first

    for node in nodes:
        if node.kind == 2:
            node.data = node.data.ljust(4096, b"\0")
            node.start = store(node.data)
    directory = store(b"".join(map(_entry, nodes)))
    fat_sectors = (len(fat) + 2 + 126) // 127
    fat_start = len(sectors)
    fat += [_FAT_SECTOR] * fat_sectors
    packed = struct.pack(f"<{len(fat)}I", *fat).ljust(fat_sectors * _SECTOR, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
    header += struct.pack(
        "<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, fat_sectors, directory, 0, 4096, _END, 0, _END, 0
    )
    numbers = [fat_start + index for index in range(fat_sectors)]
    header += struct.pack("<109I", *(numbers + [_FREE] * (109 - len(numbers))))
    return header + b"".join(sectors) + packed


def _add(nodes: list[_Node], parent: int, storage: Storage) -> None:
    """Children hang in a chain of right siblings, in the order the format asks for: short names first."""
    previous: int | None = None
    for name in sorted(storage.entries, key=lambda one: (len(one), one.upper())):
        entry = storage.entries[name]
        index = len(nodes)
        nodes.append(_Node(name, 1) if isinstance(entry, Storage) else _Node(name, 2, entry))
        if previous is None:
            nodes[parent].child = index
        else:
            nodes[previous].right = index
        previous = index
        if isinstance(entry, Storage):
            _add(nodes, index, entry)


def _entry(node: _Node) -> bytes:
    name = node.name.encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16xI16xIQ",
        name, len(name) + 2, node.kind, 1, _NONE, node.right, node.child, 0, node.start, len(node.data),
    )  # fmt: skip


def outlook_message(subject: str, body: str, sender: str, attachments: dict[str, bytes]) -> bytes:
    """A .msg file with text properties only, as Outlook lays them out."""

    def text(value: str) -> bytes:
        return value.encode("utf-16-le")

    def properties(header: int, found: dict[int, int]) -> bytes:
        """Fixed part of each property: tag, flags, and for texts their size."""
        return b"\0" * header + b"".join(struct.pack("<IIQ", tag, 6, size) for tag, size in found.items())

    values = {0x0037001F: subject, 0x1000001F: body, 0x0C1A001F: sender, 0x001A001F: "IPM.Note"}
    root = Storage({f"__substg1.0_{tag:08X}": text(value) for tag, value in values.items()})
    root.entries["__properties_version1.0"] = properties(
        32, {tag: len(text(value)) + 2 for tag, value in values.items()}
    )
    root.entries["__nameid_version1.0"] = Storage({f"__substg1.0_000{n}0102": b"" for n in (2, 3, 4)})
    for number, (name, data) in enumerate(attachments.items()):
        root.entries[f"__attach_version1.0_#{number:08X}"] = Storage(
            {
                "__substg1.0_3707001F": text(name),
                "__substg1.0_37010102": data,
                "__properties_version1.0": properties(
                    8, {0x3707001F: len(text(name)) + 2, 0x37010102: len(data)}
                ),
            }
        )
    return compound_file(root)
